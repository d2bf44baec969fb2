"""Looks after the archive: merges, compacts, deletes what is too old, one process of all at a time, and says what it did."""

import time
from pathlib import Path
from threading import Event, Lock

from hub.archive import layout, owner, visits_file
from hub.archive.compaction import compact_due
from hub.archive.history import ArchiveHistory
from hub.archive.retention import Retired
from hub.archive.space import translated
from hub.archive.visits_ledger import VisitLedger
from hub.archive.visits_slices import bounds
from hub.errors import StorageError
from hub.ports import Clock, Health, Incident
from hub.services import coverage, onsets, searched
from hub.services.instance import is_gone, this_process
from hub.storage import incidents, leases
from hub.storage.engine import Store
from hub.storage.identity import identity
from hub.telemetry import get_logger

LEASE = "archive"
"""Who holds it may merge, compact and delete."""

LEASE_S = 300.0
"""How long it is taken, seconds; it is held longer while there is work."""

RENEWED_AFTER_S = LEASE_S / 10
"""The lease is held longer when it was not for so long, seconds."""

ASKED_AT_FIRST = 3
"""A process that begins has the candidates of the last so many nights with a ledger evaluated again."""

log = get_logger("archive")


class _Elsewhere(StorageError):
    """Another process looks after the archive."""


class _ToldToStop(StorageError):
    """The process is about to end."""


def has_rows(folder: Path) -> bool:
    """Return whether an archive has anything to look after; raises `StorageError` where the disk does not say."""
    with translated(folder):
        return bool(layout.nights(folder))


class ArchiveCare:
    """Does what is due; safe to run in several processes.

    Whatever it does may be broken off anywhere, by `stop` or by the end of the process: the archive is then as it was, or what is
    left over is found and finished by whoever looks after it next.
    """

    def __init__(self, store: Store, history: ArchiveHistory, clock: Clock) -> None:
        self._store = store
        self._history = history
        self._clock = clock
        self._holder = f"{this_process()}/archive"
        self._visits = VisitLedger(history, searched.cameras())
        self._onsets_of: int | None = ASKED_AT_FIRST
        self._is_mine = False
        self._renewed = 0.0
        self._is_told_to_stop = Event()
        self._state = "waiting"
        self._fault = ""
        self._n = {"merged": 0, "repeats": 0, "compacted": 0, "deleted": 0, "visits": 0}
        self._lock = Lock()

    def step(self) -> int:
        """Do what is due; return 1 where there may be more at once, else 0."""
        try:
            self._renew()
            self._claim()
            more = 0
            for part in (self._tidy, self._compact, self._keep_ledger):
                self._keep()
                more += part()
        except _Elsewhere:
            self._state, self._fault = "another process does it", ""
            return 0
        except _ToldToStop:
            return 0
        except StorageError as error:
            if str(error) != self._fault:
                log.warning("archive not looked after", error=str(error))
            self._state, self._fault = "faulty", str(error)
            return 0
        self._state, self._fault = "running", ""
        return min(more, 1)

    def stop(self) -> None:
        """Let a step that is under way end at the next place where it can; callable from any thread."""
        self._is_told_to_stop.set()

    def release(self) -> None:
        """Let another process look after the archive at once; to be called when no step is under way.

        Raises
        ------
        StorageError
            The database does not take it.
        """
        with self._store.transaction() as session:
            leases.release(session, LEASE, self._holder)

    def health(self) -> Health:
        """Return how the archive is; callable from any thread."""
        fault = [f"the archive is not looked after: {self._fault}"] if self._fault else []
        try:
            alarms = [*self._history.alarms(), *fault]
        except StorageError as error:
            alarms = [str(error)]
        with self._lock:
            return Health(state=self._state, alarms=tuple(alarms), facts=dict(self._n))

    def _claim(self) -> None:
        """Refuse an archive that belongs to another database: each would write the ledgers of the other one anew."""
        folder = self._history.folder
        if self._is_mine or not has_rows(folder):
            return
        with self._store.transaction() as session:
            database = identity(session)
        if owner.claim(folder, database) != database:
            raise StorageError(owner.foreign(folder))
        self._is_mine = True

    def _tidy(self) -> int:
        done = self._history.tidy(self._clock(), self._keep)
        if done.merged.files:
            log.debug("archive merged", files=done.merged.files, rows=done.merged.rows, repeats=done.merged.repeats)
        for night in done.retired:
            self._tell(night)
        self._add(merged=done.merged.files, repeats=done.merged.repeats, deleted=len(done.retired))
        return 0

    def _compact(self) -> int:
        done = compact_due(self._history.folder, self._clock(), keep=self._keep)
        if done is None:
            return 0
        log.info("night compacted", night=done.night, rows=done.n_rows, files=done.n_files, partitions=done.n_partitions)
        self._add(compacted=1, repeats=sum(done.repeats.values()))
        return 1

    def _keep_ledger(self) -> int:
        with self._store.reading() as session:
            surveys = searched.surveys_in_full(coverage.heard(session))
        done = self._visits.update(surveys, self._clock(), self._keep)
        if done:
            log.debug("visits written", visits=done)
        self._ask_for_onsets()
        self._add(visits=done)
        return 0

    def _ask_for_onsets(self) -> None:
        """Have candidates evaluated again whose onset the ledgers of some nights may bound: those that have become complete."""
        nights = self._visits.settled()
        if self._onsets_of is not None:  # what was settled before the process began, it may not have asked for
            nights = sorted({*nights, *visits_file.nights(self._history.folder)[-self._onsets_of :]})
        if nights:
            with self._store.transaction() as session:
                onsets.ask(session, bounds(nights[0])[0])
        self._onsets_of = None

    def _tell(self, one: Retired) -> None:
        (log.warning if one.is_early else log.info)("night deleted", night=one.night, rows=one.rows, n_bytes=one.n_bytes)
        now = self._clock()
        incident = Incident(
            kind="night-deleted",
            subject=f"{one.night}/{now.to_utc_iso()}",
            text=one.text,
            facts={"night": one.night, "rows": one.rows, "bytes": one.n_bytes},
        )
        with self._store.transaction() as session:
            incidents.record(session, "archive", incident, now)

    def _keep(self) -> None:
        if self._is_told_to_stop.is_set():
            raise _ToldToStop("the archive is left as it is")
        if time.monotonic() - self._renewed > RENEWED_AFTER_S:
            self._renew()

    def _renew(self) -> None:
        now = self._clock()
        with self._store.transaction() as session:
            former = leases.holder_of(session, LEASE)
            dead = former if former is not None and is_gone(former) else None
            until = now.plus_s(LEASE_S)
            is_mine = leases.acquire(session, LEASE, self._holder, now=now, until=until, instead_of=dead)
        if not is_mine:
            raise _Elsewhere("another process looks after the archive")
        self._renewed = time.monotonic()

    def _add(self, **more: int) -> None:
        with self._lock:
            for name, number in more.items():
                self._n[name] += number
