"""Many small files become few larger ones while a night lasts.

While a night has few rows, its fresh files are joined into larger fresh ones. Once it has more they are split: into one file for
each cell and survey, and those of a cell are joined again where there are many. So the number of files stays bounded, a row is
rewritten a few times, and a sparse night is not scattered over hundreds of files.

A merged file is written whole before those that it replaces are deleted, and it names them. After a crash in between, their rows
are there twice for a while: readers drop repeats, counting leaves the replaced ones out, and the next merging deletes them.
Versions of a detection that do not hold any more stay until the night is closed: a process that died before it looked at what
they belong to finds them when it looks again.
"""

import fcntl
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.archive import layout
from hub.archive.columns import PIXEL, SCHEMA, concatenated, first_of_versions, ints_of, take_rows
from hub.archive.segments import Footers, Note, beside, publish, read_rows, replaced, stage
from hub.archive.space import translated

CHUNK_ROWS = 400_000
"""Rows that are merged at once: what they take in memory, some 100 MB, is what merging takes."""

CHUNK_FILES = 512
"""Fresh files that are merged at once: as many names stand in each file that replaces them."""

CELL_FILES = 8
"""A cell with more files than this of one survey has the small ones of them made one."""

LARGE_ROWS = 200_000
"""A merged file with more rows is left as it is until its night is closed."""

LEFTOVER_S = 3600.0
"""A file that is being written for so long was left by a process that died, seconds."""

_LOCK = ".merging"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a night is merged."""

    more_than: int = 64
    """It has more fresh files than this."""

    older_than_s: float = 600.0
    """Or some that are older than this and were not merged yet, seconds."""

    split_rows: int = 200_000
    """With so many rows in fresh files it is split into cells; with fewer, fresh files are joined."""


@dataclass(slots=True)
class Merged:
    """What merging did."""

    files: int = 0
    """That were replaced."""

    rows: int = 0
    """That were written."""

    repeats: int = 0
    """Rows that two processes had stored at the same instant, and that were left out."""

    nights: list[int] = field(default_factory=list)


def merge_due(
    archive: Path,
    footers: Footers,
    *,
    policy: Policy,
    keep: Callable[[], None] = lambda: None,
) -> Merged:
    """Merge the fresh files of every night that has many or old ones.

    Parameters
    ----------
    archive
        Its folder.
    footers
        Of its files.
    policy
        Which nights are due.
    keep
        Called between files: holds the lease longer. What it raises ends the work, and nothing is lost then.

    Raises
    ------
    StorageError
        The disk is full or does not work.
    """
    done = Merged()
    with alone(archive) as is_mine:
        if not is_mine:
            return done
        for night in layout.nights(archive):
            delete_replaced(archive, footers, night)
            for _ in range(layout.TRIES):
                files = layout.list_night(archive, night)
                chosen = _due(footers, files.fresh, policy)
                if not chosen:
                    break
                _merge(archive, footers, _Job(night=night, files=files, chosen=chosen, policy=policy, keep=keep), done)
                done.nights = sorted({*done.nights, night})
    return done


@contextmanager
def alone(archive: Path) -> Iterator[bool]:
    """Keep out other processes of this machine that merge or delete, whatever became of the lease; tell whether that worked."""
    if not archive.is_dir():
        yield False
        return
    with translated(archive):
        file = (archive / _LOCK).open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def sweep(archive: Path, *, older_than_s: float = LEFTOVER_S) -> int:
    """Delete files that processes which died were writing; return how many."""
    n = 0
    for pattern in (f"{layout.FRESH}/*/.*{layout.SUFFIX}", f"{layout.CELLS}/*/*/.*{layout.SUFFIX}"):
        for path in archive.glob(pattern):
            try:
                if time.time() - path.stat().st_mtime > older_than_s:
                    path.unlink()
                    n += 1
            except FileNotFoundError:  # it was being written after all
                continue
    return n


def delete_replaced(archive: Path, footers: Footers, night: int) -> None:
    """Delete the files of a night all of whose rows are in others, and the folders that are empty then."""
    files = layout.list_night(archive, night)
    gone = _replaced(archive, footers, files)
    for cell, paths in files.cells.items():
        for path in paths:
            if cell in gone.get(layout.name_of(archive, path), ()):
                path.unlink(missing_ok=True)
    for path in files.fresh if gone else ():
        if gone.get(layout.name_of(archive, path), set()).issuperset(footers.get(path).note.cells):
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    night: int
    files: layout.NightFiles
    chosen: list[Path]
    """Fresh files."""

    policy: Policy
    keep: Callable[[], None]


def _due(footers: Footers, fresh: Sequence[Path], policy: Policy) -> list[Path]:
    """Return the fresh files of a night that should be merged now, none where it is not due."""
    rows = {path: footers.get(path).n_rows for path in fresh}
    oldest = time.time() - policy.older_than_s
    n_old = sum(not footers.get(path).note.replaces and path.stat().st_mtime < oldest for path in fresh)
    if len(fresh) <= policy.more_than and n_old < 2:
        return []
    if sum(rows.values()) < policy.split_rows:
        chosen = _small_of(rows, 0, at_least=max(2, len(fresh) // 2, n_old))
        return chosen if len(chosen) > 1 else []
    chosen, n_rows = [], 0
    for path in fresh:
        n_rows += rows[path]
        if chosen and (n_rows > CHUNK_ROWS or len(chosen) == CHUNK_FILES):
            break
        chosen.append(path)
    return chosen


def _small_of(rows: Mapping[Path, int], n_rows: int, *, at_least: int) -> list[Path]:
    """Return the smallest files, and larger ones while they are no larger than what is joined: so a row is seldom rewritten."""
    joined: list[Path] = []
    for path in sorted(rows, key=lambda path: rows[path]):
        is_enough = len(joined) >= at_least and rows[path] > n_rows
        if is_enough or rows[path] > LARGE_ROWS or n_rows + rows[path] > CHUNK_ROWS or len(joined) == CHUNK_FILES:
            break
        joined.append(path)
        n_rows += rows[path]
    return joined


def _merge(archive: Path, footers: Footers, job: _Job, done: Merged) -> None:
    gone = _replaced(archive, footers, job.files)
    is_split = sum(footers.get(path).n_rows for path in job.files.fresh) >= job.policy.split_rows
    for survey in sorted({footers.get(path).note.survey for path in job.chosen}):
        own = [path for path in job.chosen if footers.get(path).note.survey == survey]
        work = _Work(archive=archive, footers=footers, job=job, survey=survey, fresh=own, gone=gone)
        if is_split:
            _split(work, done)
        elif len(own) > 1:
            _join(work, done)
        job.keep()
        if is_split or len(own) > 1:
            for path in own:
                path.unlink(missing_ok=True)
            done.files += len(own)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    archive: Path
    footers: Footers
    job: _Job
    survey: str
    fresh: list[Path]
    """The chosen ones of the survey."""

    gone: dict[str, set[int]]
    """As `hub.archive.segments.replaced`."""

    def write(self, path: Path, parts: list[pa.Table], former: Sequence[Path], names: Sequence[str], done: Merged) -> None:
        """Stage one file of some tables, which says which names it replaces and has the repeats of the former files."""
        owed = (one for one in former if layout.name_of(self.archive, one) not in self.gone)  # else another file has told them
        before = sum(self.footers.get(one).note.repeats for one in owed)
        n_rows = sum(part.num_rows for part in parts)
        rows = parts[0] if len(parts) == 1 else _in_order(concatenated(parts))
        first = first_of_versions(rows)
        rows = rows if first is None else take_rows(rows, first)
        present, counts = np.unique(layout.cells_of(ints_of(rows[PIXEL])), return_counts=True)
        note = Note(
            survey=self.survey,
            cells=dict(zip(present.tolist(), counts.tolist(), strict=True)),
            replaces=tuple(names),
            repeats=before + n_rows - rows.num_rows,
        )
        stage(path, rows, note)
        done.rows += rows.num_rows
        done.repeats += n_rows - rows.num_rows


def _join(work: _Work, done: Merged) -> None:
    """Make one fresh file of some."""
    table, _ = _rows_of(work)
    path = layout.fresh_folder(work.archive, work.job.night) / f"joined-{secrets.token_hex(6)}{layout.SUFFIX}"
    work.write(path, [table], work.fresh, [layout.name_of(work.archive, one) for one in work.fresh], done)
    publish(work.archive, [path])


def _split(work: _Work, done: Merged) -> None:
    """Make one file for each cell of some fresh ones; what these left out of repeats is told by the first."""
    table, cells = _rows_of(work)
    former, joined = list(work.fresh), list[Path]()
    present, begins = np.unique(cells, return_index=True)
    staged: list[Path] = []
    try:
        for cell, begin, end in zip(present.tolist(), begins.tolist(), [*begins[1:].tolist(), len(cells)], strict=True):
            old = _small_files(work, cell, end - begin)
            staged.append(_new_path(work.archive, work.job.night, cell, work.job.files))
            work.write(
                staged[-1],
                [table.slice(begin, end - begin), *(_whole(work.footers, path) for path in old)],
                [*old, *former],
                [*_names_in(work, cell), *(layout.name_of(work.archive, path) for path in old)],
                done,
            )
            former = []
            joined += old
            work.job.keep()
        publish(work.archive, staged)
    except BaseException:
        for path in staged:
            beside(path).unlink(missing_ok=True)
        raise
    for path in joined:
        path.unlink(missing_ok=True)
    done.files += len(joined)


def _small_files(work: _Work, cell: int, n_rows: int) -> list[Path]:
    """Return the merged files of a cell that so many new rows are joined with: none while there are few."""
    footers = work.footers
    merged = [path for path in work.job.files.cells.get(cell, ()) if footers.get(path).note.survey == work.survey]
    if len(merged) < CELL_FILES:
        return []
    return _small_of({path: footers.get(path).n_rows for path in merged}, n_rows, at_least=CELL_FILES // 2)


def _names_in(work: _Work, cell: int) -> list[str]:
    """Return the names of the fresh files whose rows of a cell are not in another file yet."""
    names = {layout.name_of(work.archive, path): work.footers.get(path).note for path in work.fresh}
    return [name for name, note in names.items() if cell in note.cells and cell not in work.gone.get(name, ())]


def _whole(footers: Footers, path: Path) -> pa.Table:
    footer = footers.get(path)
    return read_rows(path, footer, range(len(footer.rows)), SCHEMA.names)


def _rows_of(work: _Work) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return the rows of the fresh files in order, and the cell of each; what a merged file has already is left out."""
    tables = []
    for path in work.fresh:
        table = _whole(work.footers, path)
        if gone := work.gone.get(layout.name_of(work.archive, path)):
            table = take_rows(table, ~np.isin(layout.cells_of(ints_of(table[PIXEL])), sorted(gone)))
        tables.append(table)
    table = _in_order(concatenated(tables))
    return table, layout.cells_of(ints_of(table[PIXEL]))


def _in_order(table: pa.Table) -> pa.Table:
    return take_rows(table, np.lexsort((ints_of(table["source_id"]), ints_of(table[PIXEL]))))


def _replaced(archive: Path, footers: Footers, files: layout.NightFiles) -> dict[str, set[int]]:
    paths = [*files.fresh, *(path for paths in files.cells.values() for path in paths)]
    return replaced(footers.get(path).note for path in paths)


def _new_path(archive: Path, night: int, cell: int, files: layout.NightFiles) -> Path:
    """Return a name that comes after those of a cell; its end keeps processes apart that both believe they have the lease."""
    numbers = [int(path.name.partition("-")[0]) for path in files.cells.get(cell, ())]
    return layout.cell_folder(archive, night, cell) / f"{max(numbers, default=0) + 1:08}-{secrets.token_hex(4)}{layout.SUFFIX}"
