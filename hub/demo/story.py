"""Plays a synthetic night through the real hub and tells what came out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hub.bootstrap import open_hub
from hub.config import Settings
from hub.demo.night import Night
from hub.model.coincidence import Candidate, PairState
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.model.notice import CiteKind
from hub.services.flow import in_batches
from hub.storage import candidates, coincidences, envelopes, followup, outbox
from hub.storage.engine import Store

AFTERMATH_H = 48
"""Hours after the last message during which the telescopes finish what they were asked for."""

TICK_S = 600.0
"""Simulated time between two looks at the outbox and the telescopes, seconds."""

Tell = Callable[[int], None]
"""Called with the number of messages just taken in."""


class NightClock:
    """Tells the simulated time: that of the latest arrival."""

    def __init__(self, begin: Instant) -> None:
        self.now = begin

    def __call__(self) -> Instant:
        """Return the simulated moment."""
        return self.now


def play(settings: Settings, store: Store, night: Night, *, tell: Tell) -> dict[str, Any]:
    """Take a night in through the real intake and return the report of what the hub made of it.

    Parameters
    ----------
    settings
        All of them.
    store
        An open database, best an empty one.
    night
        From `hub.demo.night.build_night`.
    tell
        Called after each batch.

    Returns
    -------
    report
        JSON values: ``seed, n_alerts, n_notices, joint_far_hz, joint_far_time_only_hz, random_association_hz, candidates,
        counterpart_rank, voevents, followups, retractions`` and ``truth``.
    """
    clock = NightClock(night.notices[0].arrives)
    staged = settings.model_copy(update={"destinations": Settings().destinations})  # what never happened leaves for nobody
    with open_hub(staged, store, clock=clock, seed=night.seed) as hub:
        hub.flow.resume()
        last_step = clock.now
        for batch in in_batches(_watched(night, clock), settings.intake.alert_batch):
            hub.flow.take(batch)
            tell(len(batch))
            if clock.now.minus(last_step) >= TICK_S:
                hub.flow.step()
                last_step = clock.now
        end = clock.now.plus_s(AFTERMATH_H * 3600.0)
        while clock.now < end:
            clock.now = clock.now.plus_s(TICK_S)
            hub.flow.step()
    return _report(store, night)


def _watched(night: Night, clock: NightClock) -> Iterator[Envelope]:
    """Yield the messages and set the clock to the arrival of each."""
    for envelope in night.envelopes():
        clock.now = max(clock.now, envelope.received_at)
        yield envelope


def _report(store: Store, night: Night) -> dict[str, Any]:
    truth = night.truth
    with store.reading() as session:
        pair = next(
            (
                one
                for one in coincidences.of_event(session, truth.superevent_id)
                if {member.id for member in one.members} == {truth.superevent_id, truth.burst_event_id}
            ),
            None,
        )
        ranked = _each_once(candidates.of_event(session, truth.superevent_id, state=PairState.OPEN))
        messages = [entry.outgoing for entry in reversed(outbox.search(session, limit=100_000))]
        requests = followup.search(session, limit=100_000)
        books = envelopes.counts(session)
    rates = pair.joint_rates if pair else None
    told = [_candidate(rank, one, truth.counterpart_object_id) for rank, one in enumerate(ranked, start=1)]
    return {
        "seed": night.seed,
        "n_alerts": truth.n_alerts,
        "n_notices": truth.n_notices,
        "joint_far_hz": rates.spacetime.value_hz if rates else None,
        "joint_far_time_only_hz": rates.time_only.value_hz if rates else None,
        "random_association_hz": rates.random_association.value_hz if rates else None,
        "candidates": told,
        "counterpart_rank": next((one["rank"] for one in told if one["is_true_counterpart"]), None),
        "voevents": [
            {
                "ivorn": message.ivorn,
                "role": message.role.value,
                "cites": [{"ivorn": cite.ivorn, "kind": cite.kind.value} for cite in message.cites],
            }
            for message in messages
        ],
        "followups": [
            {
                "intent_id": request.intent.intent_id,
                "network": request.intent.network,
                "target": request.intent.target,
                "purpose": request.intent.purpose,
                "states": [step.state.value for step in request.transitions],
                "reason": request.transitions[-1].reason,
            }
            for request in sorted(requests, key=lambda request: (request.intent.created_at, request.intent.intent_id))
        ],
        "retractions": [
            {"ivorn": message.ivorn, "retracts": cite.ivorn}
            for message in messages
            for cite in message.cites
            if cite.kind is CiteKind.RETRACTION
        ],
        "sources": [
            {
                "source": one.source,
                "received": one.received,
                "stored": one.stored,
                "duplicates": one.duplicates,
                "dead_letters": one.dead_letters,
                "in_flight": one.in_flight,
            }
            for one in books
        ],
        "truth": {
            "counterpart_object_id": truth.counterpart_object_id,
            "superevent_id": truth.superevent_id,
            "burst_event_id": truth.burst_event_id,
            "retracted_event_id": truth.retracted_event_id,
            "neutrino_event_id": truth.neutrino_event_id,
            "n_unrelated_alerts": truth.n_unrelated_alerts,
        },
    }


def _each_once(ranked: Sequence[Candidate]) -> list[Candidate]:
    """Return each object under the hypothesis by which it ranks first."""
    found: dict[tuple[str, str], Candidate] = {}
    for one in ranked:
        found.setdefault((one.survey, one.object_id), one)
    return list(found.values())


def _candidate(rank: int, candidate: Candidate, counterpart_object_id: str) -> dict[str, Any]:
    return {
        "rank": rank,
        "object_id": candidate.object_id,
        "confirmed": candidate.confirmed,
        "n_detections": candidate.n_detections,
        "level": candidate.level,
        "score": candidate.score,
        "reasons": list(candidate.reasons),
        "is_true_counterpart": candidate.object_id == counterpart_object_id,
    }
