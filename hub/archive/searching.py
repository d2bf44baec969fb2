"""Rows of the archive by place and time: nights, cells and row groups are left out by their bounds, the rest is cut exactly."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.archive import layout
from hub.archive.columns import (
    ALERT_COLUMNS,
    PIXEL,
    SCHEMA,
    batches_of,
    best_of_each,
    concatenated,
    ints_of,
    take_rows,
)
from hub.archive.holding import Found
from hub.archive.recent import Recent
from hub.archive.region import Region
from hub.archive.segments import Footer, Footers, opened, read_rows
from hub.errors import StorageError
from hub.model.alert import AlertBatch, concatenate

T = TypeVar("T")

_VERSION = ("survey", "source_id", "revision")
"""Columns that tell which rows hold."""

THREADS = 2
"""Files that are read at once by one search."""

WORTH_A_THREAD = 10_000
"""Where row groups with fewer rows than these are read, no threads are started: a row of a fresh file takes a microsecond."""


class Search:
    """Reads the archive without a lock; safe to share between threads."""

    def __init__(self, archive: Path, footers: Footers, recent: Recent, *, threads: int = THREADS) -> None:
        self._archive = archive
        self._footers = footers
        self._recent = recent
        self._threads = threads

    def table(self, region: Region, columns: Sequence[str]) -> pa.Table:
        """Return the rows of a region, of each (survey, source id) the version that holds, in no particular order.

        Parameters
        ----------
        region
            Where and when.
        columns
            Names of `SCHEMA`.
        """
        table, is_distinct = self._table(region, columns)
        if not is_distinct:
            best = best_of_each(table)
            table = table if best is None else take_rows(table, best)
        return table.select(list(columns))

    def alerts(self, region: Region) -> list[AlertBatch]:
        """Return the alerts of a region, as `table` chooses them, one batch for each survey, by name, in no particular order.

        Fresh files that are in memory are not read: a region that meets a night of today meets hundreds of them.
        """
        found: dict[str, list[AlertBatch]] = {}
        for night in self._nights(region) if len(region.lo) else []:
            for batch in repeated(partial(self._alerts_of, night, region), self._archive):
                found.setdefault(batch.survey, []).append(batch)
        rows = [concatenate(batches) for _, batches in sorted(found.items())]
        return [one if len(best := one.best()) == len(one) else one.take(best) for one in rows]

    def _alerts_of(self, night: int, region: Region) -> list[AlertBatch]:
        files = self._listed(night, region)
        here, elsewhere = self._recent.rows(night, files.fresh, region, None)
        tables = self._of_files([*elsewhere, *_beside_fresh(files, region)], region, ALERT_COLUMNS)
        timely = [one.take((one.mid_tai_us >= region.start_us) & (one.mid_tai_us < region.end_us)) for one in here]
        return [*(one for one in timely if len(one)), *(one for table in tables for one in batches_of(table))]

    def at_most(self, region: Region, limit: int) -> int:
        """Return how many rows the row groups have that may hold some of a region; beyond a limit, no others are counted."""
        total = 0
        for night in self._nights(region) if len(region.lo) else []:
            total += repeated(partial(self._at_most, night, region, limit - total), self._archive)
            if total > limit:
                break
        return total

    def _at_most(self, night: int, region: Region, limit: int) -> int:
        files = self._listed(night, region)
        total = 0
        for path in [*files.fresh, *_beside_fresh(files, region)]:
            footer = self._footers.get(path)
            total += int(footer.rows[self._groups(footer, region)].sum())
            if total > limit:
                break
        return total

    def versions(self, region: Region, columns: Sequence[str]) -> pa.Table:
        """Return the rows of a region, all versions of a detection that are stored, one perhaps twice."""
        return self._table(region, columns)[0].select(list(columns))

    def _table(self, region: Region, columns: Sequence[str]) -> tuple[pa.Table, bool]:
        """Return the rows of a region as they are stored, and whether no detection can be there twice."""
        read = tuple(dict.fromkeys((*columns, *_VERSION)))
        nights = self._nights(region) if len(region.lo) else []
        found = [self._of_night(night, region, read) for night in nights]
        parts = [part for tables, _ in found for part in tables]
        table = concatenated(parts, read)
        return table, all(is_distinct for _, is_distinct in found) and _are_apart([tables for tables, _ in found])

    def of_objects(
        self,
        survey: str,
        object_ids: Sequence[str],
        lo: NDArray[np.int64],
        hi: NDArray[np.int64],
        near: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    ) -> list[AlertBatch]:
        """Return the rows of some objects within ascending disjoint ranges of pixels, one batch for each survey, by name.

        Each detection is there once, ordered by time. What another version within the ranges outranks is left out, whichever
        object that one belongs to. Fresh files are looked up in memory, where this process wrote or read them before.

        Parameters
        ----------
        survey, object_ids
            The objects.
        lo, hi
            Where they are.
        near
            Ranges inside of those where the rows of all other objects are wanted too, of whatever survey.
        """
        region = Region(lo=lo, hi=hi, start_us=_LEAST, end_us=_GREATEST)
        around = None if near is None else Region(lo=near[0], hi=near[1], start_us=_LEAST, end_us=_GREATEST)
        found = Found(survey=survey, object_ids=object_ids, near=around)
        nights = self._nights(region)
        self._recent.keep_only(nights)
        for night in nights:
            found.extend(self._of_objects(night, region, survey, object_ids, around))
        return found.holding()

    def _of_objects(self, night: int, region: Region, survey: str, object_ids: Sequence[str], near: Region | None) -> Found:
        of_survey = survey if near is None else None

        def read() -> Found:
            files = self._listed(night, region)
            self._remember(night, files.fresh, of_survey)
            found = Found(survey=survey, object_ids=object_ids, near=near)
            here, elsewhere = self._recent.rows(night, files.fresh, region, of_survey)
            for rows in here:
                found.add(rows)
            fresh = [path for path in elsewhere if near is not None or self._footers.get(path).note.survey in {"", survey}]
            for table in self._of_files([*fresh, *_beside_fresh(files, region)], region, ALERT_COLUMNS):
                found.add_table(table)
            return found

        return repeated(read, self._archive)

    def _remember(self, night: int, fresh: Sequence[Path], survey: str | None) -> None:
        """Bring fresh files of a survey, or of any one, into memory, where there is room."""
        for path in self._recent.missing(night, fresh):
            footer = self._footers.get(path)
            is_wanted = footer.note.survey == survey if survey is not None else bool(footer.note.survey)
            if is_wanted and self._recent.admits(footer.n_rows):
                for batch in batches_of(read_rows(path, footer, range(len(footer.rows)), ALERT_COLUMNS)):
                    self._recent.add(night, path, batch)

    def cells_of(self, night: int) -> list[int]:
        """Return the cells of a night that may have rows, ascending."""
        return list(self._files_by_cell(night))

    def scan(self, night: int, columns: Sequence[str] = tuple(SCHEMA.names)) -> Iterator[pa.Table]:
        """Yield the rows of a night cell by cell, ascending in `PIXEL`, of each (survey, source id) of a cell the one that holds.

        What is appended meanwhile may be there or not. A table holds one cell: 130 tables for a night of a survey.

        Parameters
        ----------
        night
            Which.
        columns
            Names of `SCHEMA`.
        """
        read = tuple(dict.fromkeys((*columns, PIXEL, *_VERSION)))
        for cell in self.cells_of(night):
            whole = np.array([cell << layout.CELL_SHIFT]), np.array([(cell + 1) << layout.CELL_SHIFT])
            region = Region(lo=whole[0], hi=whole[1], start_us=_LEAST, end_us=_GREATEST)
            table = concatenated(self._of_night(night, region, read)[0], read)
            best = best_of_each(table)
            table = table if best is None else take_rows(table, best)
            if table.num_rows:
                order = np.lexsort((ints_of(table["source_id"]), ints_of(table[PIXEL])))
                yield take_rows(table, order).select(list(columns))

    def _nights(self, region: Region) -> list[int]:
        first, last = layout.night_of(region.start_us), layout.night_of(region.end_us - 1)
        return [night for night in layout.nights(self._archive) if first <= night <= last]

    def _files_by_cell(self, night: int) -> dict[int, list[Path]]:
        def listed() -> dict[int, list[Path]]:
            files = layout.list_night(self._archive, night)
            found = {cell: list(paths) for cell, paths in files.cells.items()}
            for path in files.fresh:
                for cell in self._footers.get(path).note.cells:
                    found.setdefault(cell, []).append(path)
            for partition in files.closed:
                first, last = partition.lo >> layout.CELL_SHIFT, (partition.hi - 1) >> layout.CELL_SHIFT
                for cell in range(first, last + 1):
                    found.setdefault(cell, []).append(partition.path)
            return dict(sorted(found.items()))

        return repeated(listed, self._archive)

    def _of_night(self, night: int, region: Region, columns: tuple[str, ...]) -> tuple[list[pa.Table], bool]:
        """Return what each file of a night has, and whether no row can be there twice: a catalog has each once."""

        def read() -> tuple[list[pa.Table], bool]:
            files = self._listed(night, region)
            tables = self._of_files([*files.fresh, *_beside_fresh(files, region)], region, columns)
            return tables, not files.fresh and not files.cells

        return repeated(read, self._archive)

    def _listed(self, night: int, region: Region) -> layout.NightFiles:
        def wanted(cell: int) -> bool:
            return bool(region.touches(cell << layout.CELL_SHIFT, (cell + 1) << layout.CELL_SHIFT))

        return layout.list_night(self._archive, night, wanted)

    def _of_files(self, paths: Sequence[Path], region: Region, columns: tuple[str, ...]) -> list[pa.Table]:
        """Return what each of some files has, in their order; several are read at once."""
        met = [path for path in paths if self._may_have(path, region)]
        if len(met) < 3 or self._threads < 2 or self._are_small(met, region):
            tables = [self._of_file(path, region, columns) for path in met]
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                tables = list(pool.map(lambda path: self._of_file(path, region, columns), met))
        return [table for table in tables if table is not None]

    def _are_small(self, paths: Sequence[Path], region: Region) -> bool:
        """Tell whether it is known that so little is read of some files that threads take longer to start."""
        total = 0
        for path in paths:
            footer = self._footers.known(path)
            if footer is None:
                return False
            total += int(footer.rows[self._groups(footer, region)].sum())
        return total < WORTH_A_THREAD

    def _may_have(self, path: Path, region: Region) -> bool:
        """Tell whether a file may have rows of a region, as far as it is in memory: to give one to a thread takes longer."""
        footer = self._footers.known(path)
        return footer is None or bool(len(self._groups(footer, region)))

    def _of_file(self, path: Path, region: Region, columns: tuple[str, ...]) -> pa.Table | None:
        footer = self._footers.get(path)
        groups = self._groups(footer, region)
        if not len(groups):
            return None
        is_timed = (footer.time_lo[groups] < region.start_us).any() or (footer.time_hi[groups] > region.end_us).any()
        with opened(path, footer) as read:
            # Where the rows are is read first: most files that a small region meets have none there.
            keys = read(groups.tolist(), (PIXEL, "mid_tai_us") if is_timed else (PIXEL,))
            inside = region.rows(ints_of(keys[PIXEL]))
            if is_timed:
                times = ints_of(keys["mid_tai_us"])
                inside &= (times >= region.start_us) & (times < region.end_us)
            begins = np.concatenate(([0], np.cumsum(footer.rows[groups])[:-1]))
            is_hit = np.logical_or.reduceat(inside, begins)
            if not is_hit.any():
                return None
            table = read(groups[is_hit].tolist(), columns)
        if not is_hit.all():
            inside = inside[np.repeat(is_hit, footer.rows[groups])]
        return table if inside.all() else take_rows(table, inside)

    @staticmethod
    def _groups(footer: Footer, region: Region) -> NDArray[np.intp]:
        in_time = (footer.time_lo < region.end_us) & (footer.time_hi > region.start_us)
        return np.flatnonzero(in_time & region.touches(footer.pixel_lo, footer.pixel_hi))


def _beside_fresh(files: layout.NightFiles, region: Region) -> list[Path]:
    """Return the merged files and those of the catalog that a region may meet."""
    merged = [path for paths in files.cells.values() for path in paths]
    return [*merged, *(one.path for one in files.closed if region.touches(one.lo, one.hi))]


def _are_apart(nights: Sequence[Sequence[pa.Table]]) -> bool:
    """Return whether the source ids of no two nights overlap; surveys count them up, and looking is cheaper than sorting."""
    ids = [[ints_of(table["source_id"]) for table in tables if table.num_rows] for tables in nights]
    edges = sorted((min(int(one.min()) for one in some), max(int(one.max()) for one in some)) for some in ids if some)
    return all(before[1] < after[0] for before, after in pairwise(edges))


def repeated(read: Callable[[], T], archive: Path) -> T:
    """Return what reading gives, once no file vanished in between."""
    for _ in range(layout.TRIES):
        try:
            return read()
        except FileNotFoundError:  # merged, compacted or deleted since it was listed: its rows are elsewhere, or gone
            continue
    raise StorageError(f"files of the archive {archive} vanish while they are read: is another program deleting them?")


_LEAST, _GREATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
