"""New alerts into fresh files: one for each append and night."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from hub.archive import layout
from hub.archive.columns import table_of
from hub.archive.known import KnownIds
from hub.archive.recent import Recent
from hub.archive.segments import Footers, Note, write_segment
from hub.archive.space import shortage
from hub.errors import StorageError
from hub.model.alert import AlertBatch

_NOT_ASCII = 128
"""Least byte that is no ASCII."""


class Writer:
    """Appends under names of its own, so that no two writers meet; safe to share between threads.

    Which rows are new is told by the files that are there when the append begins. Two processes that append one alert at the
    same instant both store it: readers drop the repeat, merging removes it and counts it.
    """

    def __init__(self, archive: Path, footers: Footers, recent: Recent, *, known_bytes: int, min_free_bytes: int) -> None:
        self._archive = archive
        self._min_free_bytes = min_free_bytes
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
        is_new[np.unique(batch.source_id, return_index=True)[1]] = True
        nights = layout.nights_of(batch.mid_tai_us)
        with self._lock:
            if (sentence := shortage(self._archive, self._min_free_bytes)) is not None:
                raise StorageError(sentence)
            for night in np.unique(nights).tolist():
                rows = np.flatnonzero(is_new & (nights == night))
                is_new[rows] = self._append_night(night, batch.take(rows))
        return is_new

    def _append_night(self, night: int, batch: AlertBatch) -> NDArray[np.bool_]:
        """Store the new of rows of one night with different ids."""
        cells = layout.cells_of(batch.hpx29)
        is_new = ~self._known.which(night, batch.survey, cells, batch.source_id)
        rows = np.flatnonzero(is_new)
        if not len(rows):
            return is_new
        rows = rows[np.lexsort((batch.source_id[rows], batch.hpx29[rows]))]
        fresh = batch.take(rows)
        present, counts = np.unique(cells[rows], return_counts=True)
        note = Note(survey=batch.survey, cells=dict(zip(present.tolist(), counts.tolist(), strict=True)))
        path = layout.fresh_file(self._archive, night, self._name())
        write_segment(path, table_of(fresh), note)
        self._known.add(night, batch.survey, cells[rows], fresh.source_id, path)
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
