"""Where things lie in the archive: nights, cells, and the listing of a night's files.

::

    archive/
    ├── fresh/NIGHT/WRITER-SEQ.parquet   one file per append
    ├── cells/NIGHT/CELL/SEQ.parquet     merged from fresh ones
    ├── nights/NIGHT/                    a closed night as a HATS catalog, see `hub.archive.hats`
    ├── visits/NIGHT.parquet             the visit ledger
    └── removed/                         what retention took away, as numbers

Rows move down this list and never up, a file is complete when it has its name, and what is replaced is deleted after its
replacement is there. Readers therefore list in this order: a row that has left one place is found in the next.
"""

import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub.archive import hats
from hub.model.instant import MJD_OF_1970

FRESH = "fresh"
CELLS = "cells"
VISITS = "visits"
REMOVED = "removed"

SUFFIX = ".parquet"
"""Of every file with rows; names that begin with a dot are being written."""

CELL_ORDER = 2
"""HEALPix order of a cell, NESTED: 192 cells of 14.7 degrees."""

CELL_SHIFT = 2 * (29 - CELL_ORDER)
"""Bits by which the cell of an order-29 pixel is found."""

DAY_US = 86_400_000_000
"""Microseconds in a day."""

TRIES = 20
"""How often a night is listed anew because files vanished while it was read."""

DAY_0 = date(1858, 11, 17)
"""Date of MJD 0, and so of night 0."""

_KEPT_PATHS = 8192
"""Paths of files that stay in memory, half a kilobyte each."""

_NIGHT_OFFSET_US = MJD_OF_1970 * DAY_US - DAY_US // 2


def nights_of(mid_tai_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the night of each time: the integer part of MJD(TAI) - 0.5, as Rubin's ``day_obs`` counts."""
    return (mid_tai_us + _NIGHT_OFFSET_US) // DAY_US


def night_of(tai_us: int) -> int:
    """Return the night of one time; also of one that is beyond 64 bits."""
    return (tai_us + _NIGHT_OFFSET_US) // DAY_US


def night_name(night: int) -> str:
    """Return the date on which a night begins, ``2026-11-23``; of one that no calendar has, its number."""
    try:
        return (DAY_0 + timedelta(days=night)).isoformat()
    except OverflowError:
        return str(night)


def cells_of(hpx29: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cell of each order-29 pixel."""
    return hpx29 >> CELL_SHIFT


def fresh_folder(archive: Path, night: int) -> Path:
    """Return where the appended files of a night lie."""
    return archive / FRESH / str(night)


def fresh_file(archive: Path, night: int, name: str) -> Path:
    """Return an appended file of a night: the very object that listings have."""
    return _path(str(fresh_folder(archive, night)), name)


def cell_folder(archive: Path, night: int, cell: int) -> Path:
    """Return where the merged files of a cell lie."""
    return archive / CELLS / str(night) / str(cell)


def name_of(archive: Path, path: Path) -> str:
    """Return a file's name inside the archive, as other files call it."""
    return path.relative_to(archive).as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class NightFiles:
    """The files that held a night's rows at one moment."""

    fresh: tuple[Path, ...]
    cells: dict[int, tuple[Path, ...]]
    """By cell, only those that were asked for."""

    closed: tuple[hats.Partition, ...]
    """Of the night's catalog."""

    closed_repeats: int = 0
    """Rows that are not in the catalog because they repeated others."""

    def paths(self) -> Iterator[Path]:
        """Yield all of them."""
        yield from self.fresh
        for paths in self.cells.values():
            yield from paths
        for partition in self.closed:
            yield partition.path


def nights(archive: Path) -> list[int]:
    """Return the nights that have rows, or had some a moment ago, ascending."""
    found = set(hats.nights(archive))
    for kind in (FRESH, CELLS):
        found.update(int(name) for name in _names(archive / kind) if _is_number(name))
    return sorted(found)


def list_night(archive: Path, night: int, wanted: Callable[[int], bool] = lambda _: True) -> NightFiles:
    """Return the files of a night, those of unwanted cells left out.

    Parameters
    ----------
    archive
        Its folder.
    night
        Which.
    wanted
        Tells whether the files of a cell are asked for.
    """
    fresh = files_in(fresh_folder(archive, night))
    cells = {
        int(name): files_in(archive / CELLS / str(night) / name)
        for name in _names(archive / CELLS / str(night))
        if _is_number(name) and wanted(int(name))
    }
    closed = _closed(archive, night)
    if closed.sources:  # a crash left files whose rows are in the catalog
        fresh = _not_in(closed, archive, fresh)
        cells = {cell: _not_in(closed, archive, paths) for cell, paths in cells.items()}
    cells = {cell: paths for cell, paths in cells.items() if paths}
    return NightFiles(fresh=fresh, cells=cells, closed=closed.partitions, closed_repeats=closed.repeats)


def files_in(folder: Path) -> tuple[Path, ...]:
    """Return the complete files in a folder, by name; none where there is no folder."""
    where = str(folder)
    return tuple(_path(where, name) for name in sorted(_names(folder)) if name.endswith(SUFFIX) and not name.startswith("."))


@functools.lru_cache(maxsize=_KEPT_PATHS)
def _path(folder: str, name: str) -> Path:
    """Return one object for each file: folders are listed with every batch, and making or comparing paths costs more."""
    return Path(folder, name)


def _closed(archive: Path, night: int) -> hats.Contents:
    for _ in range(TRIES):
        try:
            return hats.contents(archive, night)
        except FileNotFoundError:  # replaced by a newer one while it was read
            continue
    return hats.NOTHING


def _not_in(catalog: hats.Contents, archive: Path, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the files that a catalog was not made from."""

    def is_source(path: Path) -> bool:
        known = catalog.sources.get(name_of(archive, path))
        return known is not None and known.is_at(archive)

    return tuple(path for path in paths if not is_source(path))


def _names(folder: Path) -> list[str]:
    """Return the names in a folder, of a moment in which none came or went.

    A listing that takes several reads may miss both a file that is renamed meanwhile and the one that replaces it.
    """
    for _ in range(TRIES):
        try:
            before = folder.stat().st_mtime_ns
            names = os.listdir(folder)  # noqa: PTH208 - names are needed, and there may be many
            if folder.stat().st_mtime_ns == before:
                return names
        except (FileNotFoundError, NotADirectoryError):
            return []
    return names


def _is_number(name: str) -> bool:
    return name.removeprefix("-").isdigit()
