"""The rows of fresh files in memory, so that the past of a few objects costs no look at every file.

Files never change. So what was read of one, or written to it by this process, is true for as long as a listing names the file;
what a listing does not name any more is forgotten, because its rows are elsewhere by then, or gone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from hub.archive.region import Region
from hub.model.alert import COLUMN_DTYPES, AlertBatch, concatenate

RECENT_BYTES = 16 * 2**20
"""Memory for the rows of fresh files: an eighth of a million of them, about as many as a night has before it is split."""

ROW_BYTES = sum(np.dtype(kind).itemsize for kind in COLUMN_DTYPES.values()) + np.dtype(np.int32).itemsize
"""Memory that a row takes."""

FILE_BYTES = 500
"""What the name of a file costs in memory, about."""

_SLACK_ROWS = 4096
"""So many rows of files that are gone stay among the others until they are taken out, and as many again as are in use."""


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Rows of some files, ascending in ``hpx29``."""

    rows: AlertBatch
    file: NDArray[np.int32]
    """Number of the file of each row."""

    def __len__(self) -> int:
        return len(self.file)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "_Run":
        return _Run(self.rows.take(index), self.file[index])


@dataclass(slots=True)
class _Night:
    files: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Number and rows of each file that is here."""

    runs: dict[str, list[_Run]] = field(default_factory=dict)
    """By survey; each at least twice as long as the next, so that there are few and joining them is cheap."""

    @property
    def n_rows(self) -> int:
        return sum(n for _, n in self.files.values())

    @property
    def n_held(self) -> int:
        """Rows in memory, those of files that are gone included."""
        return sum(len(run) for runs in self.runs.values() for run in runs)

    @property
    def n_bytes(self) -> int:
        return self.n_held * ROW_BYTES + len(self.files) * FILE_BYTES

    def add(self, run: _Run) -> None:
        runs = self.runs.setdefault(run.rows.survey, [])
        runs.append(run)
        while len(runs) > 1 and len(runs[-2]) < 2 * len(runs[-1]):
            last = runs.pop()
            runs[-1] = _joined(runs[-1], last)

    def forget(self, paths: Sequence[Path]) -> None:
        """Leave out some files; their rows go when there are many."""
        for path in paths:
            del self.files[path]
        if self.n_held > 2 * self.n_rows + _SLACK_ROWS:
            self.clear_out()

    def clear_out(self) -> None:
        """Free the memory of rows whose files are gone."""
        here = np.array([number for number, _ in self.files.values()], dtype=np.int32)
        former, self.runs = self.runs, {}
        for run in (run for runs in former.values() for run in runs):
            kept = np.isin(run.file, here)
            if kept.any():
                self.add(run if kept.all() else run.take(kept))


class Recent:
    """Rows of fresh files; safe to share between threads.

    Where there is too little room the largest files are left out: every file that is not here costs about the same to look at.

    Parameters
    ----------
    limit_bytes
        Most memory that rows and names take.
    """

    def __init__(self, limit_bytes: int = RECENT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._nights: dict[int, _Night] = {}
        self._n_files = 0
        self._lock = Lock()

    @property
    def n_bytes(self) -> int:
        """Memory that is in use."""
        with self._lock:
            return self._n_bytes()

    def add(self, night: int, path: Path, rows: AlertBatch) -> None:
        """Remember all rows of a file, which has one survey only; where there is no room, those of larger ones are forgotten.

        Parameters
        ----------
        night
            Of the file.
        path
            Its name, under which no other file will ever be.
        rows
            As the file has them, in any order.
        """
        with self._lock:
            if path in self._nights.get(night, _Night()).files or not self._make_room(len(rows)):
                return
            self._n_files += 1
            one = self._nights.setdefault(night, _Night())
            one.files[path] = self._n_files, len(rows)
            order = np.argsort(rows.hpx29, kind="stable")
            plain = replace(rows, provenance=None).take(order)
            one.add(_Run(plain, np.full(len(rows), self._n_files, dtype=np.int32)))

    def admits(self, n_rows: int) -> bool:
        """Return whether a file of so many rows would be remembered."""
        with self._lock:
            return self._could_free(n_rows) >= self._needed(n_rows)

    def keep_only(self, nights: Collection[int]) -> None:
        """Forget the files of other nights: they were deleted."""
        with self._lock:
            for night in self._nights.keys() - set(nights):
                del self._nights[night]

    def missing(self, night: int, listed: Sequence[Path]) -> list[Path]:
        """Return which fresh files of a night are not here, in their order; forget all of the night that are not listed."""
        with self._lock:
            one = self._nights.get(night)
            if one is None:
                return list(listed)
            if gone := one.files.keys() - set(listed):
                one.forget(list(gone))
                if not one.files:
                    del self._nights[night]
                    return list(listed)
            return [path for path in listed if path not in one.files]

    def rows(self, night: int, listed: Sequence[Path], region: Region, survey: str | None) -> tuple[list[AlertBatch], list[Path]]:
        """Return the rows within a region, of those files of a night that are here and listed; and the other files.

        Parameters
        ----------
        night
            Which.
        listed
            Its fresh files.
        region
            Where; times are not looked at.
        survey
            Whose rows; of all surveys where it is None.
        """
        with self._lock:
            one = self._nights.get(night)
            if one is None:
                return [], list(listed)
            runs = tuple(run for name, own in one.runs.items() if survey in {None, name} for run in own)
            numbers = [one.files.get(path) for path in listed]
        here = np.array([known[0] for known in numbers if known is not None], dtype=np.int32)
        elsewhere = [path for path, known in zip(listed, numbers, strict=True) if known is None]
        found = []
        for run in runs:  # they never change, so nobody waits for this
            rows = region.found_in(run.rows.hpx29)
            rows = rows[np.isin(run.file[rows], here)]
            if len(rows):
                found.append(run.rows.take(rows))
        return found, elsewhere

    def _n_bytes(self) -> int:
        return sum(night.n_bytes for night in self._nights.values())

    @staticmethod
    def _needed(n_rows: int) -> int:
        return n_rows * ROW_BYTES + FILE_BYTES

    def _could_free(self, n_rows: int) -> int:
        """Return how much memory there is without files that are no larger."""
        kept = [n for night in self._nights.values() for _, n in night.files.values() if n <= n_rows]
        return self._limit_bytes - sum(map(self._needed, kept))

    def _make_room(self, n_rows: int) -> bool:
        """Forget what is larger until a file of so many rows fits, and some more; return whether it fits."""
        needed = self._needed(n_rows)
        if self._n_bytes() + needed <= self._limit_bytes:
            return True
        if self._could_free(n_rows) < needed:
            return False
        for one in self._nights.values():
            one.clear_out()
        largest = sorted(
            ((n, night, path) for night, one in self._nights.items() for path, (_, n) in one.files.items()), reverse=True
        )
        for n, night, path in largest:
            if self._n_bytes() + needed <= self._limit_bytes or n <= n_rows:
                break
            self._nights[night].forget([path])
            self._nights[night].clear_out()
        return self._n_bytes() + needed <= self._limit_bytes


def _joined(one: _Run, other: _Run) -> _Run:
    file = np.concatenate([one.file, other.file])
    rows = concatenate([one.rows, other.rows])
    return _Run(rows, file).take(np.argsort(rows.hpx29, kind="stable"))


__all__ = ["FILE_BYTES", "RECENT_BYTES", "ROW_BYTES", "Recent"]
