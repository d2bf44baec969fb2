"""Evaluates pairs, writes their new versions, and in the same transaction what follows from them.

Whatever is written about an event is written under its lock, after the object's alerts were read under it, so workers share the
work and none writes from half of what is known. A transaction takes the locks of all its events at once, in the order of their
names, so no two wait for each other.

An object is watched (`hub.storage.candidates.watch`, committed) before its alerts are read; an alert is archived before anybody
looks who watches its object. So of two that come at the same instant at least one sees the other. Where transactions that write
run one after the other, one does all for a batch: of two of them the later looks after the earlier has watched, or the earlier's
alerts are there when the later reads.

A pass may let out less than everything (`Leaves`). What it kept back counts as not done when the next one asks what is news.
So each version remembers how much left because of it, and what is found is compared twice: with the newest version, to know
whether to write another, and with the newest that let out as much, to know whether it has to leave. A version that stands there
already leaves under its number. Pairs whose candidates a quieter pass changed are as good as changed to the next one that lets
out everything (`hub.storage.unsaid`).
"""

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
from hub.model.outgoing import Leaves
from hub.ports import AlertHistory, Clock
from hub.science import pairs as pair_science
from hub.science.light_curves import LightCurves
from hub.science.rules import Hypothesis, Rules
from hub.services.announcement import Announcements
from hub.services.event_memory import EventMemory
from hub.services.followup import FollowupService
from hub.services.judging import UNFIT, Judged, judge, with_unfit
from hub.services.maps import MapCache
from hub.services.matching import Matching, ObjectKey
from hub.storage import candidates, coincidences, events, jobs, packets, unsaid
from hub.storage.engine import Store
from hub.storage.writing import hold
from hub.telemetry import get_logger

EVENT_JOB = "event"
"""Kind of the job that intake leaves for each event whose notices changed."""

OBJECTS_AT_ONCE = 500
"""Objects of one event that are evaluated in one transaction: its lock is not held for longer."""

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
    """Coincidence versions written, or let out only now."""

    matched_alerts: int = 0
    """Alerts of the batch that fit some event."""

    in_large_maps: int = 0
    """Pairs of an alert and an event that would fit but for the map, which is too large to make candidates."""

    broken: tuple[str, ...] = ()
    """Events whose evaluation broke where no job could be left for them."""

    def __add__(self, other: "CorrelationReport") -> "CorrelationReport":
        return CorrelationReport(
            candidates=self.candidates + other.candidates,
            versions=self.versions + other.versions,
            matched_alerts=self.matched_alerts + other.matched_alerts,
            in_large_maps=self.in_large_maps + other.in_large_maps,
            broken=(*self.broken, *other.broken),
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
        leaves: Leaves = Leaves.ALL,
    ) -> None:
        self._store = store
        self._history = history
        self._rules = rules
        self._maps = maps
        self._events = EventMemory()
        self._matching = Matching(history=history, rules=rules, maps=maps)
        self._announcements = announcements
        self._followups = followups
        self._clock = clock
        self._coverage = coverage
        self._leaves = leaves

    def leaving(self, leaves: Leaves) -> "Correlation":
        """Return a correlation like this one, of whose new versions only so much leaves the hub; maps in memory are shared."""
        other = copy.copy(self)
        other._leaves = leaves  # noqa: SLF001 - of our own class
        return other

    def run_jobs(self) -> CorrelationReport:
        """Correlate every event whose notices changed, until no job is left that can be done.

        An event that breaks the evaluation stops no other: its job stays and is tried again with the next call. A correlation of
        which not everything leaves does none: jobs are for those who announce.

        Raises
        ------
        StorageError
            The database does not take the results; the jobs stay.
        """
        report = CorrelationReport()
        broken: set[str] = set()
        while self._leaves is Leaves.ALL:
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
        return report

    def on_event(self, event_id: str, job: jobs.Job | None = None, *, rules_changed: bool = False) -> CorrelationReport:
        """Re-evaluate everything that has to do with an event, in both directions of time.

        Parameters
        ----------
        event_id
            Of the event.
        job
            Taken away in the transaction of the last results.
        rules_changed
            Whether to withdraw pairs of events that only former rules made; notices alone never unmake one.
        """
        with self._store.reading() as session:
            event = events.get(session, event_id)
            keys = self._matching.backward(session, event) if event is not None else set()
            partners = {one.event_id for one in self._partners(session, event)} if event is not None else set()
            former = _partners_of(event_id, coincidences.of_events(session, event_id)) if rules_changed else set()
            unwatched = {(event_id, key.object_id, key.survey) for key in keys} - candidates.watched_of(session, event_id)
        self._watch(unwatched)
        report = CorrelationReport()
        *parts, last = _parts(sorted(keys))
        for part in parts:
            with self._store.transaction() as session:
                _lock(session, [event_id])
                report += self._candidates_of(session, events.get(session, event_id), part)
        with self._store.transaction() as session:
            _lock(session, [event_id, *partners, *former])
            event = events.get(session, event_id)
            report += self._pairs_of(session, event, partners | former)
            if rules_changed:
                report += self._withdraw_unfit(session, event, former)
            report += self._candidates_of(session, event, last)
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
        if self._store.has_one_writer:
            try:
                return self._at_once(batch, payloads)
            except StorageError:
                raise
            except Exception:  # one bad event must not stop the others: they are told apart below
                log.exception("alerts broke the correlation", n_alerts=len(batch))
        with self._store.reading() as session:
            touched = self._matching.forward(session, batch)
        report = CorrelationReport(matched_alerts=int(touched.matched.sum()), in_large_maps=touched.n_in_large)
        if not touched.events:
            return report
        self._watch((event_id, object_id, batch.survey) for event_id, object_id in touched.unwatched)
        try:
            with self._store.transaction() as session:
                done = self._touched(session, touched.events)
                _keep_packets(session, batch, touched.matched, payloads)
            return report + done
        except StorageError:
            raise
        except Exception:  # one bad event must not stop the others: each is tried by itself
            log.exception("alerts broke the correlation", n_alerts=len(batch), event_ids=sorted(touched.events))
        with self._store.transaction() as session:
            _keep_packets(session, batch, touched.matched, payloads)
            if self._leaves is Leaves.ALL:
                for event_id in sorted(touched.events):
                    jobs.put(session, EVENT_JOB, event_id)
                return report
        return report + self._one_by_one(touched.events)

    def _at_once(self, batch: AlertBatch, payloads: Sequence[bytes] | None) -> CorrelationReport:
        """Match a batch and evaluate what it touched in one transaction that no other writes beside."""
        if not self._matching.is_ready(batch):  # to prepare many maps takes seconds, for which no writer should wait
            with self._store.reading() as session:
                self._matching.forward(session, batch)
        with self._store.transaction() as session:
            touched = self._matching.forward(session, batch)
            report = CorrelationReport(matched_alerts=int(touched.matched.sum()), in_large_maps=touched.n_in_large)
            if touched.events:
                candidates.watch(session, batch.survey, touched.unwatched)
                report += self._touched(session, touched.events)
                _keep_packets(session, batch, touched.matched, payloads)
        return report

    def _one_by_one(self, touched: Mapping[str, Collection[ObjectKey]]) -> CorrelationReport:
        """Evaluate what a batch touched, each event by itself; those that break are named in the report."""
        report = CorrelationReport()
        for event_id, keys in sorted(touched.items()):
            try:
                with self._store.transaction() as session:
                    report += self._touched(session, {event_id: keys})
            except StorageError:
                raise
            except Exception:  # one bad event must not stop the others
                log.exception("event broke the correlation", event_id=event_id)
                report += CorrelationReport(broken=(event_id,))
        return report

    def _watch(self, pairs: Iterable[tuple[str, str, str]]) -> None:
        """Have pairs (event id, object id, survey) looked at with every new alert from now on."""
        by_survey: dict[str, list[tuple[str, str]]] = {}
        for event_id, object_id, survey in pairs:
            by_survey.setdefault(survey, []).append((event_id, object_id))
        if by_survey:
            with self._store.transaction() as session:
                for survey, of_survey in by_survey.items():
                    candidates.watch(session, survey, of_survey)

    def _touched(self, session: Session, touched: Mapping[str, Collection[ObjectKey]]) -> CorrelationReport:
        """Evaluate the objects that a batch touched; everything is read once for all events."""
        _lock(session, touched)
        past = self._past({key for keys in touched.values() for key in keys})
        pairs = [(event, touched[event.event_id]) for event in self._events.of_ids(session, touched)]
        return self._evaluate(session, pairs, past, only_changed=True)

    # ------------------------------------------------------------------------------------------------------------ event-event

    def _pairs_of(self, session: Session, event: Event | None, locked: Collection[str]) -> CorrelationReport:
        """Evaluate an event with its partners; one that came after the locks were taken has a job of its own, which does it."""
        if event is None:
            return CorrelationReport()
        written = sum(self._write_pair(session, result) for result in self._fitting_pairs(session, event, locked))
        return CorrelationReport(versions=written)

    def _fitting_pairs(self, session: Session, event: Event, locked: Collection[str]) -> Iterable[pair_science.PairResult]:
        partners = {other.event_id: other for other in self._partners(session, event) if other.event_id in locked}
        for other in sorted(partners.values(), key=lambda partner: partner.event_id):
            maps = self._maps.localizations(session, (*event.localization_ids, *other.localization_ids))
            sky = pair_science.Sky(maps=maps, overlap=self._maps.overlap, min_overlap=self._rules.min_overlap)
            yield from pair_science.evaluate(event, other, self._rules, sky)

    def _withdraw_unfit(self, session: Session, event: Event | None, locked: Collection[str]) -> CorrelationReport:
        """Withdraw the open pairs of an event with others that the present rules do not make."""
        if event is None:
            return CorrelationReport()
        fitting = {
            coincidence_id(result.rule.kind, _members((result.first, result.second)))
            for result in self._fitting_pairs(session, event, locked)
        }
        written = 0
        for former in coincidences.of_events(session, event.event_id):
            others = [member.id for member in former.members if member.id != event.event_id]
            if former.coincidence_id in fitting or not set(others) <= set(locked):
                continue
            reasons = former.reasons if former.state is PairState.WITHDRAWN else (UNFIT, *former.reasons)
            withdrawn = replace(former, state=PairState.WITHDRAWN, reasons=reasons, created_at=self._clock())
            of_pair = tuple(events.of_ids(session, [member.id for member in former.members]))
            newest = coincidences.newest_of(session, [former.coincidence_id]).get(former.coincidence_id)
            written += self._write(session, withdrawn, newest, events_of_pair=of_pair, candidate=None, hypothesis=None)
        return CorrelationReport(versions=written)

    def _write_pair(self, session: Session, result: pair_science.PairResult) -> int:
        events_of_pair = (result.first, result.second)
        version = self._version(
            kind=result.rule.kind,
            hypothesis=result.rule.name,
            members=_members(events_of_pair),
            state=result.state,
            scores=result.scores,
            reasons=result.reasons,
            localization_ids=result.localization_ids,
            events_of_pair=events_of_pair,
        )
        newest = coincidences.newest_of(session, [version.coincidence_id]).get(version.coincidence_id)
        return self._write(session, version, newest, events_of_pair=events_of_pair, candidate=None, hypothesis=None)

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

    def _candidates_of(self, session: Session, event: Event | None, keys: Collection[ObjectKey]) -> CorrelationReport:
        if event is None or not keys:
            return CorrelationReport()
        return self._evaluate(session, [(event, keys)], self._past(keys), only_changed=False)

    def _past(self, keys: Collection[ObjectKey]) -> dict[str, LightCurves]:
        """Return the archived alerts of some objects, by survey; objects that have none are left out."""
        by_survey: dict[str, list[ObjectKey]] = {}
        for key in keys:
            by_survey.setdefault(key.survey, []).append(key)
        found = {}
        for survey, of_survey in by_survey.items():
            pixels = np.array([key.hpx29 for key in of_survey], dtype=np.int64)
            found[survey] = LightCurves.of(self._history.of_objects(survey, [key.object_id for key in of_survey], pixels))
        return found

    def _evaluate(
        self,
        session: Session,
        pairs: Sequence[tuple[Event, Collection[ObjectKey]]],
        past: Mapping[str, LightCurves],
        *,
        only_changed: bool,
    ) -> CorrelationReport:
        """Write the candidates that some objects are of events, and the coincidences of them.

        Parameters
        ----------
        session
            That holds the locks of the events.
        pairs
            Events, read under their locks, and the objects of each.
        past
            Their alerts, read under the locks.
        only_changed
            Whether to pass over the coincidences of candidates that did not change: where the event did not.
        """
        coverage = self._coverage(session)
        judged = judge(session, self._matching, pairs, past, coverage)
        stored = candidates.stored(session, {name for of_event in judged for name in of_event.names})
        judged = [with_unfit(of_event, past, stored) for of_event in judged]
        found = [one for of_event in judged for one in of_event.candidates]
        changed = candidates.save_all(session, found, stored)
        due = {(one.event_id, one.survey, one.object_id) for one in (changed if only_changed else found)}
        due |= self._unsaid(session, found, changed)
        return CorrelationReport(candidates=len(changed), versions=self._announce(session, judged, due))

    def _unsaid(self, session: Session, found: Iterable[Candidate], changed: Iterable[Candidate]) -> set[unsaid.Pair]:
        """Return the pairs that quieter passes changed, of those that were evaluated; remember what this one does not let out."""
        if self._leaves is not Leaves.ALL:
            unsaid.add(session, {(one.event_id, one.survey, one.object_id) for one in changed})
        if self._leaves is Leaves.NOTHING:
            return set()
        pairs = {(one.event_id, one.survey, one.object_id) for one in found}
        known = unsaid.of_events(session, {event_id for event_id, _, _ in pairs}) & pairs
        if self._leaves is Leaves.ALL:
            unsaid.forget(session, known)
        return known

    def _announce(self, session: Session, judged: Iterable[Judged], due: Collection[tuple[str, str, str]]) -> int:
        """Write the coincidences of objects with events; return how many versions were written.

        Parameters
        ----------
        session
            That holds the locks of the events.
        judged
            The candidates of each event.
        due
            Event id, survey and object id of those to look at.
        """
        rules = {one.name: one for one in self._rules.hypotheses}
        pairs: dict[str, tuple[Event, tuple[Member, Member], str, list[Candidate]]] = {}
        for of_event in judged:
            event = of_event.event
            for one in sorted(of_event.candidates, key=lambda one: (one.survey, one.object_id)):
                if (one.event_id, one.survey, one.object_id) not in due:
                    continue
                members = (
                    Member(kind=MemberKind.EVENT, id=event.event_id),
                    Member(kind=MemberKind.OBJECT, id=f"{one.survey}:{one.object_id}"),
                )
                for kind in (rules[one.hypothesis].kind,) if one.hypothesis in rules else self._former_kinds(session, one):
                    pairs.setdefault(coincidence_id(kind, members), (event, members, kind, []))[3].append(one)
        known = coincidences.newest_of(session, pairs)
        return sum(
            self._announce_best(session, event, rules, members, kind, of_kind, known.get(name))
            for name, (event, members, kind, of_kind) in pairs.items()
        )

    def _former_kinds(self, session: Session, candidate: Candidate) -> tuple[str, ...]:
        """Return of which kinds of coincidence a candidate is whose hypothesis is in the rules no more."""
        object_id = f"{candidate.survey}:{candidate.object_id}"
        pairs = coincidences.search(session, event_id=candidate.event_id, object_id=object_id, limit=None)
        return tuple(sorted({pair.kind for pair in pairs if pair.hypothesis == candidate.hypothesis}))

    def _announce_best(  # noqa: PLR0917 - all that a version says
        self,
        session: Session,
        event: Event,
        rules: Mapping[str, Hypothesis],
        members: tuple[Member, Member],
        kind: str,
        of_kind: Sequence[Candidate],
        newest: coincidences.Newest | None,
    ) -> int:
        """Write the coincidence of an object with an event: under the best hypothesis worth announcing, or its withdrawal."""
        worthy = [
            one
            for one in of_kind
            if one.state is PairState.OPEN and one.confirmed and one.score >= rules[one.hypothesis].min_announce_score
        ]
        if not worthy and newest is None:
            return 0
        best = max(worthy or of_kind, key=lambda one: (one.score, one.hypothesis))
        version = self._version(
            kind=kind,
            hypothesis=best.hypothesis,
            members=members,
            state=PairState.OPEN if worthy else PairState.WITHDRAWN,
            scores=(_rank_score(best), _level_score(best), *best.scores),
            reasons=best.reasons if worthy else (_why_withdrawn(event, best), *(one for one in best.reasons if one != UNFIT)),
            localization_ids=(event.localization_id,) if event.localization_id else (),
            events_of_pair=(event,),
        )
        hypothesis = rules.get(best.hypothesis)
        return self._write(session, version, newest, events_of_pair=(event,), candidate=best, hypothesis=hypothesis)

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
        found: Coincidence,
        newest: coincidences.Newest | None,
        *,
        events_of_pair: tuple[Event, ...],
        candidate: Candidate | None,
        hypothesis: Hypothesis | None,
    ) -> int:
        """Store what was found where it differs from the newest version, with what follows.

        Returns how many versions were written, or let out only now.
        """
        is_new = newest is None or _content(newest.version) != _content(found)
        if newest is not None:
            found = replace(found, version=newest.version.version + is_new)
        news = self._news(session, found, newest)
        if is_new:
            coincidences.add(session, found, let_out=self._leaves)
        elif newest is not None and not newest.let_out.covers(self._leaves):
            coincidences.mark_let_out(session, found, self._leaves)
        if not is_new and not news:
            return 0
        self._let_out(session, found, news, events_of_pair, candidate, hypothesis)
        log.info(
            "coincidence",
            id=found.coincidence_id,
            kind=found.kind,
            state=found.state.value,
            version=found.version,
        )
        return 1

    def _news(self, session: Session, found: Coincidence, newest: coincidences.Newest | None) -> set[Leaves]:
        """Return what of that which this pass lets out has to leave: that of which the last to leave said something else."""
        news = {one for one in (Leaves.MESSAGES, Leaves.ALL) if self._leaves.covers(one)}
        if newest is None:
            return news
        said = {
            one: newest.version
            if newest.let_out.covers(one)
            else coincidences.last_let_out(session, found.coincidence_id, one)  # a quieter pass wrote the newest
            for one in news
        }
        return {one for one, last in said.items() if last is None or _content(last) != _content(found)}

    def _let_out(  # noqa: PLR0917 - all that a version says
        self,
        session: Session,
        coincidence: Coincidence,
        news: Collection[Leaves],
        events_of_pair: tuple[Event, ...],
        candidate: Candidate | None,
        hypothesis: Hypothesis | None,
    ) -> None:
        """Write down what leaves the hub because of a version: the one place through which anything does."""
        if Leaves.MESSAGES in news:
            places = tuple(
                self._maps.localization(session, event.localization_id) if event.localization_id else None
                for event in events_of_pair
            )
            self._announcements.announce(session, coincidence, events=events_of_pair, localizations=places, candidate=candidate)
        if self._followups is None or Leaves.ALL not in news:
            return
        if coincidence.state is PairState.WITHDRAWN or not coincidence.is_live:
            self._followups.withdraw(session, coincidence)
        elif candidate is not None and hypothesis is not None and hypothesis.followup:
            self._followups.plan(session, coincidence, events_of_pair[0], candidate, hypothesis)


def _members(events_of_pair: Iterable[Event]) -> tuple[Member, ...]:
    return tuple(Member(kind=MemberKind.EVENT, id=one.event_id) for one in events_of_pair)


def _partners_of(event_id: str, pairs: Iterable[Coincidence]) -> set[str]:
    return {member.id for pair in pairs for member in pair.members if member.id != event_id}


def _lock(session: Session, event_ids: Iterable[str]) -> None:
    """Let nobody else write about some events until the transaction ends."""
    for event_id in sorted(set(event_ids)):
        hold(session, f"correlation {event_id}")


def _parts(keys: Sequence[ObjectKey]) -> list[Sequence[ObjectKey]]:
    """Return the objects in parts for one transaction each, at least one part."""
    return [keys[start : start + OBJECTS_AT_ONCE] for start in range(0, len(keys), OBJECTS_AT_ONCE)] or [()]


def _keep_packets(session: Session, batch: AlertBatch, matched: NDArray[np.bool_], payloads: Sequence[bytes] | None) -> None:
    """Keep the packets of rows that match; last in a transaction, for others may write the same ones and are waited for."""
    if payloads is not None:
        rows = np.flatnonzero(matched).tolist()
        packets.save_all(session, batch.survey, ((int(batch.source_id[row]), payloads[row]) for row in rows))


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
    if UNFIT in candidate.reasons:
        return UNFIT
    if candidate.state is PairState.WITHDRAWN:
        return "withdrawn: it no longer fits the current version of the event"
    return "withdrawn: its score fell below the threshold for announcements"
