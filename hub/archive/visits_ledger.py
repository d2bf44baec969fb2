"""Keeps the ledgers of the nights: finds out which visits have rows that their ledger has not seen, and computes those anew.

A visit is computed when no rows of it have come for a while, and again when late ones came. Nothing is remembered that a restart
would have to know: the archive and the ledgers tell what is due, and computing it twice gives the same.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from hub.archive import visits_file
from hub.archive.columns import words_of
from hub.archive.layout import list_night
from hub.archive.visits import COLUMNS, detector_visits
from hub.model.instant import Instant
from hub.model.visit import DetectorVisits, joined
from hub.science.footprint_camera import Camera

QUIET_S = 600.0
"""A visit is computed when no rows of it have come for so long, seconds."""

LOOKS = 4
"""So many times in that time a night that changes is looked at: counting its rows takes seconds."""

ROWS_AT_ONCE = 2_000_000
"""Rows of whole visits that are computed at once: some 300 MB."""

Key = tuple[str, int]
"""Survey and visit."""


class Nights(Protocol):
    """What the ledger needs of the archive."""

    folder: Path

    def nights(self) -> list[int]:
        """Return the nights that have rows, ascending."""
        ...

    def scan_night(self, night: int, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield columns of all rows of a night, each alert once."""
        ...


class VisitLedger:
    """The ledgers of an archive; one process at a time may update them (lease ``archive``), any may read.

    Parameters
    ----------
    archive
        What is computed from.
    cameras
        By survey.
    quiet_s
        As `QUIET_S`.
    """

    def __init__(self, archive: Nights, cameras: Mapping[str, Camera], *, quiet_s: float = QUIET_S) -> None:
        self._archive = archive
        self._cameras = cameras
        self._quiet_s = quiet_s
        self._seen: dict[int, dict[Key, tuple[int, Instant]]] = {}
        """For each night the visits that wait: how many alerts they had, and since when."""

        self._looked: dict[int, Instant] = {}

    def update(self, surveys: Collection[str], now: Instant, keep: Callable[[], None] = lambda: None) -> int:
        """Compute what is due, and return how many visits that were.

        Parameters
        ----------
        surveys
            Those that are heard in full: from a part of its alerts nothing can be said of what a survey searched.
        now
            The present.
        keep
            Called now and then, and may raise where it must not go on.

        Raises
        ------
        StorageError
            The archive cannot be read, or a ledger not be written.
        """
        n_done = 0
        for night in self._archive.nights() if surveys else ():
            keep()
            looked = self._looked.get(night)
            if looked is None or now.minus(looked) >= self._quiet_s / LOOKS:
                self._looked[night] = now
                n_done += self._update_night(night, surveys, now)
        return n_done

    def _update_night(self, night: int, surveys: Collection[str], now: Instant) -> int:
        digest = self._digest(night, surveys)
        note = visits_file.read_note(self._archive.folder, night)
        if note.settled == digest:
            self._seen.pop(night, None)
            return 0
        known = visits_file.read(self._archive.folder, night)
        had = _alerts_by_visit(known)
        waiting = self._seen.get(night, {})
        seen: dict[Key, tuple[int, Instant]] = {}
        for key, n in self._count(night, surveys).items():
            if n > had.get(key, 0):
                before = waiting.get(key)
                seen[key] = before if before is not None and before[0] == n else (n, now)
        due = [key for key, (_, since) in seen.items() if now.minus(since) >= self._quiet_s]
        self._seen[night] = {key: told for key, told in seen.items() if key not in set(due)}
        settled = "" if self._seen[night] else digest
        if due or settled:
            computed = [self._compute(night, some) for some in _groups({key: seen[key][0] for key in due})]
            visits_file.write(self._archive.folder, night, _latest([known, *computed]), settled=settled)
        return len(due)

    def _count(self, night: int, surveys: Collection[str]) -> Counter[Key]:
        """Return how many alerts each visit has."""
        counts: Counter[Key] = Counter()
        for table in self._archive.scan_night(night, ("survey", "visit")):
            names = words_of(table["survey"])
            visits = np.asarray(table["visit"].to_numpy(), dtype=np.int64)
            for code in np.unique(names.codes).tolist():
                if names.values[code] in surveys:
                    numbers, counted = np.unique(visits[(names.codes == code) & (visits > 0)], return_counts=True)
                    found = zip(numbers.tolist(), counted.tolist(), strict=True)
                    counts.update({(names.values[code], number): n for number, n in found})
        return counts

    def _compute(self, night: int, keys: Collection[Key]) -> DetectorVisits:
        wanted = {survey: np.array(sorted(visit for name, visit in keys if name == survey)) for survey, _ in keys}
        parts = []
        for table in self._archive.scan_night(night, COLUMNS):
            names = words_of(table["survey"])
            visits = np.asarray(table["visit"].to_numpy(), dtype=np.int64)
            mask = np.zeros(len(visits), dtype=np.bool_)
            for survey, numbers in wanted.items():
                codes = [code for code, name in enumerate(names.values) if name == survey]
                mask |= np.isin(names.codes, codes) & np.isin(visits, numbers)
            if mask.any():
                parts.append(table.filter(pa.array(mask)))
        if not parts:
            return DetectorVisits.empty()
        return detector_visits(pa.concat_tables(parts).unify_dictionaries(), self._cameras)

    def _digest(self, night: int, surveys: Collection[str]) -> str:
        """Return what changes whenever the files of a night do."""
        names = sorted(
            path.relative_to(self._archive.folder).as_posix() for path in list_night(self._archive.folder, night).paths()
        )
        return hashlib.sha256("\n".join([*sorted(surveys), "", *names]).encode()).hexdigest()[:32]


def _alerts_by_visit(visits: DetectorVisits) -> Counter[Key]:
    counts: Counter[Key] = Counter()
    for survey, visit, n in zip(visits.survey.texts(), visits.visit.tolist(), visits.n_alerts.tolist(), strict=True):
        counts[survey, visit] += n
    return counts


def _groups(n_alerts: Mapping[Key, int]) -> Iterator[list[Key]]:
    """Yield visits in groups of bearable size."""
    group: list[Key] = []
    size = 0
    for key in sorted(n_alerts):
        if group and size + n_alerts[key] > ROWS_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(key)
        size += n_alerts[key]
    if group:
        yield group


def _latest(parts: list[DetectorVisits]) -> DetectorVisits:
    """Return all visits, each as it stands in the last part that has it."""
    kept = []
    later: set[Key] = set()
    for part in reversed(parts):
        keys = list(zip(part.survey.texts(), part.visit.tolist(), strict=True))
        kept.append(part.take(np.array([key not in later for key in keys], dtype=np.bool_)))
        later |= set(keys)
    return joined(kept[::-1])
