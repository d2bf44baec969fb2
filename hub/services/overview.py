"""Everything the hub knows in three tables: events, pairs, candidates."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from hub.model.coincidence import Coincidence, MemberKind
from hub.model.event import Event
from hub.science.spatial import NO_INFORMATION
from hub.storage import candidates, coincidences, events, localizations

EVENT_COLUMNS = ("event", "class", "role", "t0", "versions", "state", "FAR/Hz", "90 % deg2", "candidates")
"""Columns of `event_rows`."""

PAIR_COLUMNS = (
    "kind",
    "first",
    "second",
    "state",
    "version",
    "delay/s",
    "overlap",
    "FAR/Hz time only",
    "FAR/Hz",
    "chance/Hz",
    "live",
)
"""Columns of `pair_rows`."""

CANDIDATE_COLUMNS = ("event", "object", "hypothesis", "state", "confirmed", "detections", "level", "score")
"""Columns of `candidate_rows`."""

Row = Sequence[Any]
"""One row of a table."""


def event_rows(session: Session) -> list[Row]:
    """Return one row per event, by id."""
    return [_event_row(session, event) for event in _all(session)]


def pair_rows(session: Session) -> list[Row]:
    """Return one row per event-event pair, open ones first, then by members."""
    latest: dict[str, Coincidence] = {}
    for event in _all(session):
        for one in coincidences.of_event(session, event.event_id):
            if all(member.kind is MemberKind.EVENT for member in one.members):
                latest[one.coincidence_id] = one
    ordered = sorted(latest.values(), key=lambda one: (one.state.value, one.kind, one.members))
    return [
        (
            one.kind,
            *(member.id for member in one.members),
            one.state.value,
            one.version,
            one.score("delay"),
            _overlap(one),
            *_rates(one),
            one.is_live,
        )
        for one in ordered
    ]


def _overlap(pair: Coincidence) -> float | str | None:
    """Return the overlap integral, or the words for a pair of which one side has no place."""
    found = next((score for score in pair.scores if score.statistic == "overlap"), None)
    return NO_INFORMATION if found is not None and "reason" in found.inputs else pair.score("overlap")


def _rates(pair: Coincidence) -> Row:
    rates = pair.joint_rates
    if rates is None:
        return None, None, None
    return rates.time_only.value_hz, rates.spacetime.value_hz, rates.random_association.value_hz


def candidate_rows(session: Session, per_event: int = 3) -> list[Row]:
    """Return the best candidates of each event."""
    return [
        (
            one.event_id,
            f"{one.survey}:{one.object_id}",
            one.hypothesis,
            one.state.value,
            one.confirmed,
            one.n_detections,
            one.level,
            one.score,
        )
        for event in _all(session)
        for one in candidates.of_event(session, event.event_id, limit=per_event)
    ]


def _all(session: Session) -> list[Event]:
    return events.of_ids(session, events.all_ids(session))


def _event_row(session: Session, event: Event) -> Row:
    place = localizations.summary(session, event.localization_id) if event.localization_id else None
    return (
        event.event_id,
        event.event_class.value,
        event.role.value,
        event.t0.to_utc_iso() if event.t0 else None,
        len(event.versions),
        event.state.value,
        event.far_hz,
        place.area90_deg2 if place else None,
        candidates.count(session, event.event_id),
    )
