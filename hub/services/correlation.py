"""Evaluates pairs, writes their new versions, and in the same transaction what follows from them.

Whatever is written about an event is written under its lock, after the object's alerts were read under it, so workers share the
work and none writes from half of what is known. A transaction takes the locks of all its events at once, in the order of their
names, so no two wait for each other.

An object is watched (`hub.storage.watched.watch`, committed) before its alerts are read, with those of what lies close to it; an
alert is archived before anybody looks who watches its object or its place. So of two that come at the same instant at least one
sees the other. Where transactions that write run one after the other, one does all for a batch: of two of them the later looks
after the earlier has watched, or the earlier's alerts are there when the later reads.
"""

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.orm import Session

from hub.errors import StorageError
from hub.model.alert import AlertBatch
from hub.model.coincidence import Coincidence
from hub.model.coverage import Coverage
from hub.model.event import Event
from hub.model.outgoing import Leaves
from hub.ports import AlertHistory, Clock
from hub.science.healpix import pixels29
from hub.science.onset import VisitsBefore
from hub.science.ranking import DEFAULT, Ranking
from hub.science.rules import Rules
from hub.services import expectations, group_jobs, onsets, rates, rescoring
from hub.services.announcement import Announcements
from hub.services.association import Association
from hub.services.candidacy import Candidacy, Done
from hub.services.event_memory import EventMemory
from hub.services.followup import FollowupService
from hub.services.judging import NOTHING_SHRUNK, FactSource, Shrunk, knows_nothing
from hub.services.maps import MapCache
from hub.services.matching import Matching, ObjectKey, Touched
from hub.services.pairing import Pairing
from hub.services.versions import Versions
from hub.storage import candidates, coincidences, events, jobs, packets, sources, ties, watched
from hub.storage.engine import Store
from hub.storage.writing import hold
from hub.telemetry import get_logger

EVENT_JOB = jobs.EVENT_JOB
"""Kind of the job that intake leaves for each event whose notices changed."""

OBJECTS_AT_ONCE = 500
"""Objects of one event that are evaluated in one transaction: its lock is not held for longer."""

JOBS_AT_ONCE = 100
"""Jobs taken in one go."""

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


def _reported(done: Done) -> CorrelationReport:
    return CorrelationReport(candidates=done.candidates, versions=done.versions)


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
        facts: FactSource = knows_nothing,
        visits: VisitsBefore | None = None,
        ranking: Ranking = DEFAULT,
    ) -> None:
        self._store = store
        self._rules = rules
        self._events = EventMemory()
        self._matching = Matching(history=history, rules=rules, maps=maps)
        versions = Versions(
            maps=maps, announcements=announcements, followups=followups, clock=clock, leaves=leaves, budget=rules.budget
        )
        self._association = Association(policy=rules.association, maps=maps, clock=clock)
        self._pairing = Pairing(rules=rules, maps=maps, versions=versions)
        self._candidacy = Candidacy(
            history=history,
            rules=rules,
            matching=self._matching,
            coverage=coverage,
            versions=versions,
            facts=facts,
            visits=visits,
            ranking=ranking,
            expectations=expectations.Expectations(ranking),
        )

    def leaving(self, leaves: Leaves) -> "Correlation":
        """Return a correlation like this one, of whose new versions only so much leaves the hub; maps in memory are shared."""
        other = copy.copy(self)
        versions = replace(self._candidacy.versions, leaves=leaves)
        other._pairing = replace(self._pairing, versions=versions)  # noqa: SLF001 - of our own class
        other._candidacy = replace(self._candidacy, versions=versions)  # noqa: SLF001 - the same
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
        while self._candidacy.versions.leaves is Leaves.ALL:
            with self._store.reading() as session:
                found = jobs.take(session, JOBS_AT_ONCE + len(broken))
            waiting = [job for job in found if job.token not in broken]
            if not waiting:
                return report
            for job in waiting:
                try:
                    report += self._done(job)
                except StorageError:
                    raise
                except Exception:  # one bad event must not stop the others
                    log.exception("event broke the correlation", event_id=job.key)
                    broken.add(job.token)
        return report

    def _done(self, job: jobs.Job) -> CorrelationReport:
        """Do one job."""
        match job.kind:
            case rates.PAIRS_JOB:
                return self._on_pairs(job)
            case rescoring.OBJECT_JOB:
                return self._on_object(job)
            case onsets.ONSETS_JOB:
                return self._on_onsets(job)
            case group_jobs.GROUP_JOB:
                return self._on_group(job)
            case expectations.WORTHS_JOB:
                return self._on_worths(job)
            case _:
                return self.on_event(job.key, job)

    def _on_onsets(self, job: jobs.Job) -> CorrelationReport:
        """Evaluate the candidates of an event again, and nothing else: the ledger tells more of the time before they began."""
        with self._store.reading() as session:
            known = self._matching.known(session, job.key)
        report = CorrelationReport()
        *parts, last = _parts(sorted(known))
        for part in parts:
            with self._store.transaction() as session:
                _lock(session, [job.key])
                report += _reported(self._candidacy.of_event(session, events.get(session, job.key), part))
        with self._store.transaction() as session:
            _lock(session, [job.key])
            report += _reported(self._candidacy.of_event(session, events.get(session, job.key), last))
            jobs.done(session, job)
        return report

    def _on_worths(self, job: jobs.Job) -> CorrelationReport:
        """Write the coincidences of an event's objects again: what they are worth was measured anew."""
        with self._store.transaction() as session:
            _lock(session, [job.key])
            done = self._candidacy.measured_anew(session, events.get(session, job.key))
            jobs.done(session, job)
        return _reported(done)

    def _on_object(self, job: jobs.Job) -> CorrelationReport:
        """Evaluate an object again as the candidate that it is or was of any event: somebody said something of it."""
        survey, _, object_id = job.key.partition(":")
        with self._store.reading() as session:
            known = candidates.search(session, survey=survey, object_id=object_id, limit=None)
        pixels = pixels29([one.ra_deg for one in known], [one.dec_deg for one in known]).tolist()
        touched = {
            one.event_id: {ObjectKey(survey=survey, object_id=object_id, hpx29=pixel)}
            for one, pixel in zip(known, pixels, strict=True)
        }
        with self._store.transaction() as session:
            report = self._touched(session, touched) if touched else CorrelationReport()
            jobs.done(session, job)
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
            is_due = self._association.is_due(session, event)
            around = None if is_due else self._around(session, event_id, event, rules_changed=rules_changed)
        if around is None:
            self._associate(event_id)
            with self._store.reading() as session:
                around = self._around(session, event_id, events.get(session, event_id), rules_changed=rules_changed)
        keys, partners, former, known = around
        unwatched: dict[str, list[tuple[str, str, int]]] = {}
        for key in sorted(keys):
            if (event_id, key.object_id, key.survey) not in known:
                unwatched.setdefault(key.survey, []).append((event_id, key.object_id, key.hpx29))
        self._watch(unwatched)
        report = CorrelationReport()
        *parts, last = _parts(sorted(keys))
        for part in parts:
            with self._store.transaction() as session:
                _lock(session, [event_id])
                report += _reported(self._candidacy.of_event(session, events.get(session, event_id), part))
        with self._store.transaction() as session:
            _lock(session, [event_id, *partners, *former])
            if partners or former:
                rates.hold_rates(session)
            event = events.get(session, event_id)
            written = self._pairing.of_event(session, event, partners | former)
            if rules_changed:
                written += self._pairing.withdraw_unfit(session, event, former)
            report += _reported(self._candidacy.of_event(session, event, last)) + CorrelationReport(versions=written)
            self._candidacy.versions.follow_up(session, event)
            self._forget_unsearched(session, event)
            if job is not None:
                if event is not None:
                    rates.leave_jobs(session, self._rules, event)
                jobs.done(session, job)
        return report

    def _on_pairs(self, job: jobs.Job) -> CorrelationReport:
        """Evaluate the pairs of an event again, and nothing else: something came late that their rates count."""
        with self._store.reading() as session:
            partners = self._pairing.reach(session, events.get(session, job.key))
        with self._store.transaction() as session:
            _lock(session, [job.key, *partners])
            rates.hold_rates(session)
            written = self._pairing.of_event(session, events.get(session, job.key), partners)
            jobs.done(session, job)
        return CorrelationReport(versions=written)

    def _on_group(self, job: jobs.Job) -> CorrelationReport:
        """Compute the group of an event again, and nothing else: its counterparts changed."""
        with self._store.transaction() as session:
            _lock(session, [job.key])
            rates.hold_rates(session)
            self._pairing.of_objects(session, events.get(session, job.key))
            jobs.done(session, job)
        return CorrelationReport()

    def _forget_unsearched(self, session: Session, event: Event | None) -> None:
        """Delete the candidates of an event that nothing lifts any more, once all that left because of them is taken back."""
        is_all = self._candidacy.versions.leaves is Leaves.ALL
        if event is None or not is_all or self._matching.is_searched(session, event):
            return
        if not ties.objects_of(session, [event.event_id]):  # alerts that the archive has dropped leave some open
            candidates.forget(session, event.event_id)

    def _around(
        self, session: Session, event_id: str, event: Event | None, *, rules_changed: bool
    ) -> tuple[set[ObjectKey], set[str], set[str], set[tuple[str, str, str]]]:
        """Return the objects and events that an event is evaluated with, events that former rules paired, and what is watched."""
        keys = self._matching.backward(session, event) if event is not None else set()
        partners = self._pairing.reach(session, event)
        former = _partners_of(event_id, coincidences.of_events(session, event_id)) if rules_changed else set()
        known = set() if rules_changed else watched.of_event(session, event_id)
        return keys, partners, former, known

    def _associate(self, event_id: str) -> None:
        """Bring the sources around an event up to date; other sources that changes have a job of their own."""
        with self._store.transaction() as session:
            changed = self._association.update(session, [event_id])
            own = sources.source_ids(session, [event_id]).get(event_id, event_id)
            for other in sorted(changed - {own}):
                jobs.put(session, EVENT_JOB, other)

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
        self._watch({batch.survey: touched.unwatched})
        try:
            with self._store.transaction() as session:
                done = self._touched(session, touched.events, _shrunk(batch, touched))
                _keep_packets(session, batch, touched, payloads)
            return report + done
        except StorageError:
            raise
        except Exception:  # one bad event must not stop the others: each is tried by itself
            log.exception("alerts broke the correlation", n_alerts=len(batch), event_ids=sorted(touched.events))
        with self._store.transaction() as session:
            _keep_packets(session, batch, touched, payloads)
            if self._candidacy.versions.leaves is Leaves.ALL:
                for event_id in sorted(touched.events):
                    jobs.put(session, EVENT_JOB, event_id)
                return report
        return report + self._one_by_one(touched.events, _shrunk(batch, touched))

    def _at_once(self, batch: AlertBatch, payloads: Sequence[bytes] | None) -> CorrelationReport:
        """Match a batch and evaluate what it touched in one transaction that no other writes beside."""
        if not self._matching.is_ready(batch):  # to prepare many maps takes seconds, for which no writer should wait
            with self._store.reading() as session:
                self._matching.forward(session, batch)
        with self._store.transaction() as session:
            touched = self._matching.forward(session, batch)
            report = CorrelationReport(matched_alerts=int(touched.matched.sum()), in_large_maps=touched.n_in_large)
            if touched.events:
                watched.watch(session, batch.survey, touched.unwatched)
                report += self._touched(session, touched.events, _shrunk(batch, touched))
                _keep_packets(session, batch, touched, payloads)
        return report

    def _one_by_one(self, touched: Mapping[str, Collection[ObjectKey]], shrunk: Shrunk) -> CorrelationReport:
        """Evaluate what a batch touched, each event by itself; those that break are named in the report."""
        report = CorrelationReport()
        for event_id, keys in sorted(touched.items()):
            try:
                with self._store.transaction() as session:
                    report += self._touched(session, {event_id: keys}, shrunk)
            except StorageError:
                raise
            except Exception:  # one bad event must not stop the others
                log.exception("event broke the correlation", event_id=event_id)
                report += CorrelationReport(broken=(event_id,))
        return report

    def _watch(self, unwatched: Mapping[str, Collection[tuple[str, str, int]]]) -> None:
        """Have pairs of each survey (event id, object id, pixel) looked at with every new alert from now on."""
        if any(unwatched.values()):
            with self._store.transaction() as session:
                for survey, pairs in unwatched.items():
                    watched.watch(session, survey, pairs)

    def _touched(
        self, session: Session, touched: Mapping[str, Collection[ObjectKey]], shrunk: Shrunk = NOTHING_SHRUNK
    ) -> CorrelationReport:
        """Evaluate the objects that a batch touched; everything is read once for all events."""
        _lock(session, touched)
        past = self._candidacy.past({key for keys in touched.values() for key in keys})
        pairs = [(event, touched[event.event_id]) for event in self._events.of_ids(session, touched)]
        return _reported(self._candidacy.evaluate(session, pairs, past, only_changed=True, shrunk=shrunk))


def _partners_of(event_id: str, pairs: Iterable[Coincidence]) -> set[str]:
    return {member.id for pair in pairs for member in pair.members if member.id != event_id}


def _lock(session: Session, event_ids: Iterable[str]) -> None:
    """Let nobody else write about some events until the transaction ends."""
    for event_id in sorted(set(event_ids)):
        hold(session, f"correlation {event_id}")


def _parts(keys: Sequence[ObjectKey]) -> list[Sequence[ObjectKey]]:
    """Return the objects in parts for one transaction each, at least one part."""
    return [keys[start : start + OBJECTS_AT_ONCE] for start in range(0, len(keys), OBJECTS_AT_ONCE)] or [()]


def _shrunk(batch: AlertBatch, touched: Touched) -> Shrunk:
    return frozenset((batch.survey, object_id) for object_id in touched.shrunk)


def _keep_packets(session: Session, batch: AlertBatch, touched: Touched, payloads: Sequence[bytes] | None) -> None:
    """Keep the packets of rows that match; last in a transaction, for others may write the same ones and are waited for."""
    if payloads is not None:
        for mask, is_instead in ((touched.matched & ~touched.revised, False), (touched.matched & touched.revised, True)):
            rows = np.flatnonzero(mask).tolist()
            found = ((int(batch.source_id[row]), payloads[row]) for row in rows)
            packets.save_all(session, batch.survey, found, instead=is_instead)
