"""New alerts into fresh files: one for each append and night."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from hub.archive import layout, owner
from hub.archive.columns import table_of
from hub.archive.durable import make_folders
from hub.archive.known import KnownIds, Versions
from hub.archive.recent import Recent
from hub.archive.segments import Footers, Note, write_segment
from hub.archive.space import shortage, translated
from hub.errors import StorageError
from hub.model.alert import AlertBatch

_NOT_ASCII = 128
"""Least byte that is no ASCII."""


class Writer:
    """Appends under names of its own, so that no two writers meet; safe to share between threads.

    Which rows are new is told by the files that are there when the append begins. Two processes that append one alert at the
    same instant both store it: readers drop the repeat, merging removes it and counts it.
    """

    def __init__(
        self,
        archive: Path,
        footers: Footers,
        recent: Recent,
        *,
        known_bytes: int,
        min_free_bytes: int,
        database: Callable[[], str] | None = None,
    ) -> None:
        self._archive = archive
        self._min_free_bytes = min_free_bytes
        self._database = database
        """Gives the number of the database whose archive it must be; None once it is known to be, or where nobody asks."""

        self._known = KnownIds(archive, footers, known_bytes)
        self._recent = recent
        self._lock = Lock()
        self._names = _names()
        self._pid = os.getpid()

    def append(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Store what is not there yet; see `hub.ports.AlertHistory.append`."""
        is_new = np.zeros(len(batch), dtype=bool)
        if len(batch) == 0:
            return is_new
        best = batch.best()
        nights = layout.nights_of(batch.mid_tai_us)
        with self._lock:
            if (sentence := shortage(self._archive, self._min_free_bytes)) is not None:
                raise StorageError(sentence)
            self._claim()
            self._known.forget()
            for night in np.unique(nights[best]).tolist():
                rows = best[nights[best] == night]
                is_new[rows] = self._append_night(night, batch.take(rows))
        return is_new

    def _claim(self) -> None:
        """Refuse an archive of another database: no book of that one would tell of these rows."""
        if self._database is None:
            return
        database = self._database()
        with translated(self._archive):
            make_folders(self._archive)
        if owner.claim(self._archive, database) != database:
            raise StorageError(owner.foreign(self._archive))
        self._database = None

    def outranking(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Return which rows of a batch, all stored, hold instead of other versions that are stored; see `ArchiveHistory`."""
        found = np.zeros(len(batch), dtype=bool)
        nights, cells = layout.nights_of(batch.mid_tai_us), layout.cells_of(batch.hpx29)
        versions = Versions(batch.source_id, batch.revision)
        with self._lock:
            for night in np.unique(nights).tolist():
                rows = np.flatnonzero(nights == night)
                found[rows] = self._known.look_up(night, batch.survey, cells[rows], versions.take(rows)).outranks
        return found

    def _append_night(self, night: int, batch: AlertBatch) -> NDArray[np.bool_]:
        """Store the new of rows of one night with different ids."""
        cells = layout.cells_of(batch.hpx29)
        versions = Versions(batch.source_id, batch.revision)
        is_new = ~self._known.look_up(night, batch.survey, cells, versions).is_known
        rows = np.flatnonzero(is_new)
        if not len(rows):
            return is_new
        rows = rows[np.lexsort((batch.source_id[rows], batch.hpx29[rows]))]
        fresh = batch.take(rows)
        present, counts = np.unique(cells[rows], return_counts=True)
        note = Note(survey=batch.survey, cells=dict(zip(present.tolist(), counts.tolist(), strict=True)))
        path = layout.fresh_file(self._archive, night, self._name())
        write_segment(path, table_of(fresh), note)
        self._known.add(night, batch.survey, cells[rows], versions.take(rows), path)
        if _is_plain(fresh.object_id) and _is_plain(fresh.band):  # else what is read of the file differs, and has to be read
            self._recent.add(night, path, fresh)
        return is_new

    def _name(self) -> str:
        if os.getpid() != self._pid:  # a child that was forked has its parent's names
            self._pid, self._names = os.getpid(), _names()
        return next(self._names)


def _is_plain(texts: NDArray[np.bytes_]) -> bool:
    """Return whether all of them are ASCII, without zeros inside."""
    raw = np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), -1)
    return bool((raw < _NOT_ASCII).all()) and not ((raw[:, :-1] == 0) & (raw[:, 1:] != 0)).any()


def _names() -> Iterator[str]:
    writer = secrets.token_hex(6)
    number = 0
    while True:
        number += 1
        yield f"{writer}-{number:08}{layout.SUFFIX}"
