"""Evaluates pairs, writes their new versions, and in the same transaction what follows from them."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from hub.errors import StorageError
from hub.model.alert import AlertBatch
from hub.model.coincidence import Candidate, Coincidence, Member, MemberKind, PairState, Score, coincidence_id
from hub.model.coverage import Coverage
from hub.model.event import Event
from hub.model.instant import Instant
from hub.ports import AlertHistory, Clock
from hub.science import candidates as candidate_science
from hub.science import pairs as pair_science
from hub.science.rules import Hypothesis, Rules
from hub.services.announcement import Announcements
from hub.services.followup import FollowupService
from hub.services.maps import MapCache
from hub.services.matching import Matching, ObjectKey
from hub.storage import candidates, coincidences, events, jobs, packets
from hub.storage.engine import Store
from hub.storage.writing import hold
from hub.telemetry import get_logger

EVENT_JOB = "event"
"""Kind of the job that intake leaves for each event whose notices changed."""

LOCK = "correlation"
"""One evaluation at a time over all workers: two at once could each miss what the other writes."""

JOBS_AT_ONCE = 100
"""Jobs taken in one go."""

CENTRAL_MARGIN_S = 60.0
"""Partners are looked up this much beyond the window, because targeted searches count from the middle of their interval."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationReport:
    """What one call changed."""

    candidates: int = 0
    """Candidates written."""

    versions: int = 0
    """Coincidence versions written."""

    matched_alerts: int = 0
    """Alerts of the batch that fit some event."""

    def __add__(self, other: "CorrelationReport") -> "CorrelationReport":
        return CorrelationReport(
            candidates=self.candidates + other.candidates,
            versions=self.versions + other.versions,
            matched_alerts=self.matched_alerts + other.matched_alerts,
        )


def _hears_nothing(_: Session) -> Coverage:
    return Coverage()


class Correlation:
    """Keeps candidates and coincidences equal to the pure functions of what has arrived."""

    def __init__(
        self,
        *,
        store: Store,
        history: AlertHistory,
        rules: Rules,
        maps: MapCache,
        announcements: Announcements,
        followups: FollowupService | None,
        clock: Clock,
        coverage: Callable[[Session], Coverage] = _hears_nothing,
    ) -> None:
        self._store = store
        self._history = history
        self._rules = rules
        self._maps = maps
        self._matching = Matching(history=history, rules=rules, maps=maps)
        self._announcements = announcements
        self._followups = followups
        self._clock = clock
        self._coverage = coverage

    def run_jobs(self) -> CorrelationReport:
        """Correlate every event whose notices changed, until no job is left that can be done.

        An event that breaks the evaluation stops no other: its job stays and is tried again with the next call.

        Raises
        ------
        StorageError
            The database does not take the results; the jobs stay.
        """
        report = CorrelationReport()
        broken: set[str] = set()
        while True:
            with self._store.reading() as session:
                found = jobs.take(session, JOBS_AT_ONCE + len(broken))
            waiting = [job for job in found if job.token not in broken]
            if not waiting:
                return report
            for job in waiting:
                try:
                    report += self.on_event(job.key, job)
                except StorageError:
                    raise
                except Exception:  # one bad event must not stop the others
                    log.exception("event broke the correlation", event_id=job.key)
                    broken.add(job.token)

    def on_event(self, event_id: str, job: jobs.Job | None = None) -> CorrelationReport:
        """Re-evaluate everything that has to do with an event, in both directions of time."""
        with self._store.transaction() as session:
            hold(session, LOCK)
            event = events.get(session, event_id)
            report = CorrelationReport()
            if event is not None:
                report += self._pairs_of(session, event)
                report += self._candidates_of(session, event, self._matching.backward(session, event))
            if job is not None:
                jobs.done(session, job)
        return report

    def on_alerts(self, batch: AlertBatch, payloads: Sequence[bytes] | None = None) -> CorrelationReport:
        """Match a batch of alerts, already in the history, with all events.

        Parameters
        ----------
        batch
            The alerts.
        payloads
            The packet of each row, kept for those that match; None where there are none.

        Raises
        ------
        StorageError
            The database does not take the results: the batch must come again.
        """
        with self._store.reading() as session:
            touched, matched = self._matching.forward(session, batch)
        report = CorrelationReport(matched_alerts=int(matched.sum()))
        if not touched and not matched.any():
            return report
        try:
            with self._store.transaction() as session:
                hold(session, LOCK)
                _keep_packets(session, batch, matched, payloads)
                for event_id, keys in sorted(touched.items()):
                    event = events.get(session, event_id)
                    if event is not None:
                        report += self._candidates_of(session, event, keys)
        except StorageError:
            raise
        except Exception:  # one bad event must not stop the others: each is tried by itself, with its past alerts
            log.exception("alerts broke the correlation", n_alerts=len(batch), event_ids=sorted(touched))
            with self._store.transaction() as session:
                _keep_packets(session, batch, matched, payloads)
                for event_id in sorted(touched):
                    jobs.put(session, EVENT_JOB, event_id)
            return CorrelationReport(matched_alerts=int(matched.sum()))
        return report

    # ------------------------------------------------------------------------------------------------------------ event-event

    def _pairs_of(self, session: Session, event: Event) -> CorrelationReport:
        partners = {other.event_id: other for other in self._partners(session, event)}
        written = 0
        for other in sorted(partners.values(), key=lambda partner: partner.event_id):
            maps = self._maps.localizations(session, (*event.localization_ids, *other.localization_ids))
            sky = pair_science.Sky(maps=maps, overlap=self._maps.overlap, min_overlap=self._rules.min_overlap)
            for result in pair_science.evaluate(event, other, self._rules, sky):
                written += self._write_pair(session, result)
        return CorrelationReport(versions=written)

    def _write_pair(self, session: Session, result: pair_science.PairResult) -> int:
        events_of_pair = (result.first, result.second)
        version = self._version(
            kind=result.rule.kind,
            hypothesis=result.rule.name,
            members=tuple(Member(kind=MemberKind.EVENT, id=one.event_id) for one in events_of_pair),
            state=result.state,
            scores=result.scores,
            reasons=result.reasons,
            localization_ids=result.localization_ids,
            events_of_pair=events_of_pair,
        )
        return self._write(session, version, events_of_pair=events_of_pair, candidate=None, hypothesis=None)

    def _partners(self, session: Session, event: Event) -> Iterable[Event]:
        for rule, is_first in pair_science.partners(self._rules, event):
            low, high = rule.window_s if is_first else (-rule.window_s[1], -rule.window_s[0])
            classes = rule.second if is_first else rule.first
            for t0 in event.t0s:
                start, end = t0.plus_s(low - CENTRAL_MARGIN_S), t0.plus_s(high + CENTRAL_MARGIN_S)
                for other in events.in_window(session, classes, start, end):
                    if other.event_id != event.event_id:
                        yield other

    # ----------------------------------------------------------------------------------------------------------- event-object

    def _candidates_of(self, session: Session, event: Event, keys: Iterable[ObjectKey]) -> CorrelationReport:
        targets = self._matching.targets(session, event)
        by_survey: dict[str, list[ObjectKey]] = {}
        for key in sorted(keys):
            by_survey.setdefault(key.survey, []).append(key)
        if not targets or not by_survey:
            return CorrelationReport()
        localizations = self._maps.localizations(session, event.localization_ids)
        coverage = self._coverage(session)
        report = CorrelationReport()
        for survey, of_survey in by_survey.items():
            pixels = np.array([key.hpx29 for key in of_survey], dtype=np.int64)
            past = self._history.of_objects(survey, [key.object_id for key in of_survey], pixels)
            for alerts in _by_object(past):
                found = [
                    one
                    for target in targets
                    if (one := candidate_science.evaluate(target, alerts, localizations, coverage)) is not None
                ]
                changed = sum(self._save_candidate(session, one) for one in found)
                hypotheses = {target.hypothesis.name: target.hypothesis for target in targets}
                versions = self._announce_best(session, event, found, hypotheses)
                report += CorrelationReport(candidates=changed, versions=versions)
        return report

    def _save_candidate(self, session: Session, candidate: Candidate) -> bool:
        known = candidates.get(session, candidate.event_id, candidate.survey, candidate.object_id, candidate.hypothesis)
        if known == candidate:
            return False
        candidates.save(session, candidate)
        return True

    def _announce_best(
        self, session: Session, event: Event, found: Sequence[Candidate], hypotheses: Mapping[str, Hypothesis]
    ) -> int:
        """Write the coincidence of an object with an event: under the best hypothesis worth announcing, or its withdrawal."""
        written = 0
        for kind in sorted({hypotheses[one.hypothesis].kind for one in found}):
            of_kind = [one for one in found if hypotheses[one.hypothesis].kind == kind]
            worthy = [
                one
                for one in of_kind
                if one.state is PairState.OPEN and one.confirmed and one.score >= hypotheses[one.hypothesis].min_announce_score
            ]
            best = max(worthy or of_kind, key=lambda one: (one.score, one.hypothesis))
            members = (
                Member(kind=MemberKind.EVENT, id=event.event_id),
                Member(kind=MemberKind.OBJECT, id=f"{best.survey}:{best.object_id}"),
            )
            if not worthy and coincidences.latest(session, coincidence_id(kind, members)) is None:
                continue
            version = self._version(
                kind=kind,
                hypothesis=best.hypothesis,
                members=members,
                state=PairState.OPEN if worthy else PairState.WITHDRAWN,
                scores=(_rank_score(best), _level_score(best), *best.scores),
                reasons=best.reasons if worthy else (_why_withdrawn(event, best), *best.reasons),
                localization_ids=(event.localization_id,) if event.localization_id else (),
                events_of_pair=(event,),
            )
            written += self._write(
                session, version, events_of_pair=(event,), candidate=best, hypothesis=hypotheses[best.hypothesis]
            )
        return written

    # ---------------------------------------------------------------------------------------------------------------- versions

    def _version(
        self,
        *,
        kind: str,
        hypothesis: str,
        members: tuple[Member, ...],
        state: PairState,
        scores: tuple[Score, ...],
        reasons: tuple[str, ...],
        localization_ids: tuple[str, ...],
        events_of_pair: tuple[Event, ...],
    ) -> Coincidence:
        times = [event.t0 for event in events_of_pair if event.t0 is not None]
        return Coincidence(
            coincidence_id=coincidence_id(kind, members),
            kind=kind,
            hypothesis=hypothesis,
            members=tuple(sorted(members)),
            state=state,
            version=1,
            scores=scores,
            reasons=reasons,
            localization_ids=localization_ids,
            is_live=all(event.is_live for event in events_of_pair),
            t0=min(times) if times else None,
            created_at=self._clock(),
        )

    def _write(
        self,
        session: Session,
        coincidence: Coincidence,
        *,
        events_of_pair: tuple[Event, ...],
        candidate: Candidate | None,
        hypothesis: Hypothesis | None,
    ) -> int:
        """Store a version where it says something new, with what follows from it; return how many were stored."""
        former = coincidences.latest(session, coincidence.coincidence_id)
        if former is not None:
            coincidence = replace(coincidence, version=former.version + 1)
            if _content(former) == _content(coincidence):
                return 0
        coincidences.add(session, coincidence)
        places = tuple(
            self._maps.localization(session, event.localization_id) if event.localization_id else None for event in events_of_pair
        )
        self._announcements.announce(session, coincidence, events=events_of_pair, localizations=places, candidate=candidate)
        if self._followups is not None:
            if coincidence.state is PairState.WITHDRAWN or not coincidence.is_live:
                self._followups.withdraw(session, coincidence)
            elif candidate is not None and hypothesis is not None and hypothesis.followup:
                self._followups.plan(session, coincidence, events_of_pair[0], candidate, hypothesis)
        log.info(
            "coincidence",
            id=coincidence.coincidence_id,
            kind=coincidence.kind,
            state=coincidence.state.value,
            version=coincidence.version,
        )
        return 1


def _keep_packets(session: Session, batch: AlertBatch, matched: NDArray[np.bool_], payloads: Sequence[bytes] | None) -> None:
    if payloads is not None:
        for row in np.flatnonzero(matched):
            packets.save(session, batch.survey, int(batch.source_id[row]), payloads[int(row)])


def _content(coincidence: Coincidence) -> Coincidence:
    """Return a version without what differs between two versions that say the same."""
    return replace(coincidence, version=0, created_at=Instant(0))


def _rank_score(candidate: Candidate) -> Score:
    return Score(
        statistic="rank",
        version=1,
        value=candidate.score,
        unit="1",
        inputs={"sum_of": [one.statistic for one in candidate.scores]},
    )


def _level_score(candidate: Candidate) -> Score:
    return Score(
        statistic="level_2d",
        version=1,
        value=candidate.level,
        unit="1",
        inputs={"ra_deg": candidate.ra_deg, "dec_deg": candidate.dec_deg},
    )


def _why_withdrawn(event: Event, candidate: Candidate) -> str:
    if event.state.value == "retracted":
        return f"withdrawn: {event.event_id} was retracted"
    if event.vetoes:
        return f"withdrawn: {event.event_id}: {'; '.join(event.vetoes)}"
    if candidate.state is PairState.WITHDRAWN:
        return "withdrawn: it no longer fits the current version of the event"
    return "withdrawn: its score fell below the threshold for announcements"


def _by_object(alerts: AlertBatch) -> Iterable[AlertBatch]:
    order = np.argsort(alerts.object_id, kind="stable")
    names = alerts.object_id[order]
    edges = np.flatnonzero(np.r_[True, names[1:] != names[:-1], True]) if len(names) else np.zeros(1, dtype=np.intp)
    for start, stop in itertools.pairwise(edges):
        yield alerts.take(order[start:stop])
