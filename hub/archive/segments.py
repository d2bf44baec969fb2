"""One file of rows: written so that it is there whole or not at all, and what its footer tells.

Files never change, so what was read of a footer stays true for as long as the name is there.
"""

import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hub.archive.columns import DICTIONARY_COLUMNS, PIXEL, completed
from hub.archive.durable import folders_of, make_folders, sync_files, sync_folder
from hub.archive.space import translated
from hub.errors import StorageError

ROW_GROUP = 16_384
"""Rows that are read at least: what a small search costs against what a large one does."""

CODEC = "lz4"
"""Compression while a night lasts: decompresses three times as fast as zstd, and takes a fifth more space."""

STATISTICS = (PIXEL, "mid_tai_us")
"""Columns by whose least and greatest value row groups are left out."""

KEPT_BYTES = 24 * 2**20
"""Memory for the footers of files that were looked at lately."""

LIGHT_BYTES, FILE_BYTES, GROUP_BYTES = 2_000, 50_000, 2_500
"""Memory of a footer, about, measured: without Arrow's own form of it; with it, for the file and for each row group."""

_KEY = b"mmhub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a file says of itself besides its rows."""

    survey: str = ""
    """Of all rows; empty where they are of several."""

    cells: dict[int, int] = field(default_factory=dict)
    """Rows in each cell, ascending, as they lie in the file."""

    replaces: tuple[str, ...] = ()
    """Names inside the archive of the files whose rows of this cell are here too, and do not count there."""

    repeats: int = 0
    """Rows that were stored twice, by two processes at the same instant, and left out of this file or of those before it."""

    def metadata(self) -> dict[bytes, bytes]:
        """Return it for a file."""
        return {_KEY: json.dumps({name: getattr(self, name) for name in self.__slots__}).encode()}

    @classmethod
    def of(cls, metadata: dict[bytes, bytes] | None) -> "Note":
        """Return what a file says; nothing where another program wrote it."""
        told: dict[str, Any] = json.loads((metadata or {}).get(_KEY, b"{}"))
        return cls(
            survey=told.get("survey", ""),
            cells={int(cell): n for cell, n in told.get("cells", {}).items()},
            replaces=tuple(told.get("replaces", ())),
            repeats=told.get("repeats", 0),
        )


def replaced(notes: Iterable[Note]) -> dict[str, set[int]]:
    """Return the names of files whose rows are in a merged file too, with the cells for which that is so."""
    found: dict[str, set[int]] = {}
    for note in notes:
        for name in note.replaces:
            found.setdefault(name, set()).update(note.cells)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Footer:
    """What is known of a file without reading rows; arrays have one item per row group."""

    metadata: pq.FileMetaData | None
    """Arrow's own form, which takes 50 KB; None where the file tells it again when rows are read."""

    note: Note
    rows: NDArray[np.int64]
    pixel_lo: NDArray[np.int64]
    """Least order-29 pixel."""

    pixel_hi: NDArray[np.int64]
    """One past the greatest."""

    time_lo: NDArray[np.int64]
    """Least `mid_tai_us`."""

    time_hi: NDArray[np.int64]
    """One past the greatest."""

    @property
    def n_rows(self) -> int:
        """Rows in the file."""
        return int(self.rows.sum())

    @property
    def n_bytes(self) -> int:
        """Memory that it takes, about."""
        return LIGHT_BYTES if self.metadata is None else FILE_BYTES + GROUP_BYTES * len(self.rows)

    def kept(self) -> "Footer":
        """Return what is worth keeping: of a file of one row group, of which there are hundreds for an hour, only the bounds."""
        return self if len(self.rows) > 1 else replace(self, metadata=None)


class Footers:
    """The footers of files that were looked at lately; shared by threads.

    Parameters
    ----------
    limit_bytes
        Those that were not looked at longest are forgotten beyond this.
    """

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[Path, Footer] = OrderedDict()
        self._n_bytes = 0
        self._lock = Lock()

    def get(self, path: Path) -> Footer:
        """Return the footer of a file.

        Raises
        ------
        FileNotFoundError
            It is gone.
        """
        with self._lock:
            if (known := self._kept.get(path)) is not None:
                self._kept.move_to_end(path)
                return known
        found = read_footer(path)
        with self._lock:
            if path not in self._kept:
                self._kept[path] = found.kept()
                self._n_bytes += self._kept[path].n_bytes
            while self._n_bytes > self._limit_bytes and len(self._kept) > 1:
                _, old = self._kept.popitem(last=False)
                self._n_bytes -= old.n_bytes
        return found

    def known(self, path: Path) -> Footer | None:
        """Return the footer of a file where it is in memory."""
        with self._lock:
            if (known := self._kept.get(path)) is not None:
                self._kept.move_to_end(path)
            return known

    @property
    def n_bytes(self) -> int:
        """Memory that is in use, about."""
        return self._n_bytes


def read_footer(path: Path) -> Footer:
    """Return the footer of a file.

    Raises
    ------
    FileNotFoundError
        It is gone.
    StorageError
        It is damaged, or the disk does not work.
    """
    with translated(path):
        metadata = pq.read_metadata(path)
    n = metadata.num_row_groups
    groups = [metadata.row_group(index) for index in range(n)]
    # Not by `metadata.schema`: the two then hold each other, and 50 KB wait for the garbage collector.
    names = {groups[0].column(index).path_in_schema: index for index in range(metadata.num_columns)} if n else {}
    bounds = {name: _bounds(groups, names[name]) for name in STATISTICS} if n else dict.fromkeys(STATISTICS, _NO_BOUNDS)
    return Footer(
        metadata=metadata,
        note=Note.of(metadata.metadata),
        rows=np.array([group.num_rows for group in groups], dtype=np.int64),
        pixel_lo=bounds[PIXEL][0],
        pixel_hi=bounds[PIXEL][1],
        time_lo=bounds["mid_tai_us"][0],
        time_hi=bounds["mid_tai_us"][1],
    )


def read_rows(path: Path, footer: Footer, groups: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """Return columns of some row groups; raises as `read_footer`."""
    with opened(path, footer) as read:
        return read(groups, columns)


@contextmanager
def opened(path: Path, footer: Footer) -> Iterator[Callable[[Sequence[int], Sequence[str]], pa.Table]]:
    """Give what reads columns of some row groups of a file, which may be called again; raises as `read_footer`."""
    coded = list(DICTIONARY_COLUMNS)  # the texts of a catalog are plain for other programs, and coded in its files all the same
    with translated(path), pq.ParquetFile(path, metadata=footer.metadata, read_dictionary=coded) as file:
        yield lambda groups, columns: completed(
            file.read_row_groups(list(groups), columns=list(columns), use_threads=False), columns
        )


def write_segment(path: Path, table: pa.Table, note: Note) -> None:
    """Write rows under a name that is not there yet; the file and its name are on the disk when this returns.

    Raises
    ------
    StorageError
        The disk is full or does not work; nothing is left behind.
    """
    for is_last in (False, False, True):
        try:
            with translated(path):
                _write_durably(path, table, note)
        except FileNotFoundError as error:  # the folder was taken away with a night that is too old
            if is_last:
                raise StorageError(f"{path} cannot be written: its folder vanishes") from error
        else:
            return


def stage(path: Path, table: pa.Table, note: Note) -> None:
    """Write rows beside a name that is not there yet, for `publish`; nothing is synced.

    Raises
    ------
    StorageError
        The disk is full or does not work; nothing of this file is left behind.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(beside(path), table, note)


def publish(archive: Path, paths: Sequence[Path]) -> None:
    """Give staged files their names; all is on the disk when this returns.

    Raises
    ------
    StorageError
        The disk does not work; some may have their names then, and are whole.
    """
    with translated(archive):
        sync_files([beside(path) for path in paths], archive)
        for path in paths:
            beside(path).rename(path)
        sync_files(folders_of(paths, archive), archive)


def beside(path: Path) -> Path:
    """Return the name under which a file is written."""
    return path.with_name(f".{path.name}")


def _write_durably(path: Path, table: pa.Table, note: Note) -> None:
    make_folders(path.parent)
    _write(beside(path), table, note, is_synced=True)
    try:
        beside(path).rename(path)
    except BaseException:
        beside(path).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _write(path: Path, table: pa.Table, note: Note, *, is_synced: bool = False) -> None:
    try:
        with path.open("wb") as file:
            pq.write_table(
                table.replace_schema_metadata(note.metadata()),
                file,
                row_group_size=ROW_GROUP,
                compression=CODEC,
                use_dictionary=list(DICTIONARY_COLUMNS),
                write_statistics=list(STATISTICS),
            )
            if is_synced:
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


_NO_BOUNDS = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def _bounds(groups: Sequence[pq.RowGroupMetaData], index: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return least values, and greatest ones and one; everything where a file has no statistics."""
    found = [group.column(index).statistics for group in groups]
    edges = [(one.min, one.max + 1) if one is not None and one.has_min_max else _EVERYTHING for one in found]
    table = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


_EVERYTHING = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
