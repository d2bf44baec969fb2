"""Making a catalogue of the local format from a public file, of any length in bounded memory: sorted runs, then their merge."""

import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hub.catalogs.columns import SCHEMA, table_of
from hub.catalogs.reading import Refused, blocks
from hub.catalogs.recipes import Recipe, completeness_of
from hub.errors import ConfigError, InvalidRequest
from hub.model.catalog import CatalogInfo, CatalogKind

FORMAT = 1
"""Version of the local format."""

META = b"mmhub.catalog"
"""Key of the catalogue's own description in the file."""

SUFFIX = ".parquet"
ROWS_IN_GROUP = 8_192
"""Rows of a row group: a look-up reads whole groups."""

ROWS_IN_RUN = 200_000
"""Rows that are sorted in memory at once."""

ROWS_IN_BATCH = 4_096
"""Rows of a run that are read at once when runs are merged."""

_COARSE = 46
"""Bits by which a pixel is shifted to the one of order 6 by which runs are merged."""

_N_COARSE = 12 << 12
"""Number of those pixels."""


def add(path: Path, recipe: Recipe, folder: Path, name: str) -> CatalogInfo:
    """Write a catalogue into a folder, in the place of one of the same name, and return what it says of itself.

    Whoever has the former one open goes on reading it; the new one is there whole or not at all.

    Raises
    ------
    InvalidRequest
        The file cannot be read, or no row of it can be used.
    """
    try:
        digest = _digest(path)
    except OSError as error:
        raise InvalidRequest(f"the catalogue {path} cannot be read: {error.strerror}") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder of catalogues {folder} cannot be made: {error.strerror}") from error
    work = Path(tempfile.mkdtemp(prefix=".adding-", dir=folder))
    try:
        refused = Refused()
        runs, kinds, n_rows = _runs(path, recipe, refused, work)
        if not n_rows:
            why = "; ".join(refused.sentences()) or "it has no rows"
            raise InvalidRequest(f"no row of {path} can be used: {why}")
        info = CatalogInfo(
            name=name,
            recipe=recipe.name,
            kinds=tuple(sorted(kinds)),
            source=recipe.source,
            digest=digest,
            n_rows=n_rows,
            refused=refused.sentences(),
            completeness=recipe.completeness,
        )
        _merge(runs, work / "whole", info)
        (work / "whole").replace(folder / (name + SUFFIX))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return info


def info_of(metadata: dict[bytes, bytes], path: Path) -> CatalogInfo:
    """Return what a catalogue says of itself; raises `ConfigError` where it is none of this version."""
    try:
        data = json.loads(metadata[META])
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{path} is no catalogue of the hub: make it by `mmhub catalog add`") from error
    if data.pop("format", None) != FORMAT:
        raise ConfigError(f"the catalogue {path} has another format: make it again by `mmhub catalog add`")
    of_hosts = data.pop("completeness")
    return CatalogInfo(
        completeness=completeness_of(of_hosts) if of_hosts is not None else None,
        kinds=tuple(CatalogKind(one) for one in data.pop("kinds")),
        refused=tuple(data.pop("refused")),
        **data,
    )


def _digest(path: Path) -> str:
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            sha.update(part)
    return sha.hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Rows that are sorted by themselves, in a file."""

    path: Path
    first: NDArray[np.int64]
    """First pixel of each batch in it."""

    last: NDArray[np.int64]
    counts: NDArray[np.int64]
    """Rows by pixel of the order of `_COARSE`."""


def _runs(path: Path, recipe: Recipe, refused: Refused, work: Path) -> tuple[list[_Run], set[CatalogKind], int]:
    """Write the rows of a file as runs; return them, the kinds in them, and how many rows."""
    runs: list[_Run] = []
    waiting: list[pa.Table] = []
    kinds: set[CatalogKind] = set()
    n_rows = n_read = 0
    for raw, named in blocks(path, recipe, refused):
        table = table_of(raw, named, recipe, refused, n_read)
        n_read += len(next(iter(raw.values())))
        n_rows += len(table)
        kinds |= {CatalogKind(one) for one in table["kind"].unique().to_pylist()}
        waiting.append(table)
        if sum(map(len, waiting)) >= ROWS_IN_RUN:
            runs.append(_run(waiting, work / f"run{len(runs)}"))
            waiting = []
    if waiting:
        runs.append(_run(waiting, work / f"run{len(runs)}"))
    return runs, kinds, n_rows


def _run(tables: list[pa.Table], path: Path) -> _Run:
    table = _sorted(tables)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_table(table, max_chunksize=ROWS_IN_BATCH)
    pixels = table["_healpix_29"].to_numpy()
    starts = np.arange(0, len(pixels), ROWS_IN_BATCH)
    return _Run(
        path=path,
        first=pixels[starts],
        last=pixels[np.minimum(starts + ROWS_IN_BATCH, len(pixels)) - 1],
        counts=np.bincount(pixels >> _COARSE, minlength=_N_COARSE),
    )


def _sorted(tables: list[pa.Table]) -> pa.Table:
    """Return the rows of some tables by pixel and then by id, so that the order of the file does not matter."""
    return pa.concat_tables(tables).combine_chunks().sort_by([("_healpix_29", "ascending"), ("id", "ascending")])


def _merge(runs: list[_Run], target: Path, info: CatalogInfo) -> None:
    metadata: dict[str, Any] = {"format": FORMAT, **asdict(info)}
    schema = SCHEMA.with_metadata({META: json.dumps(metadata).encode()})
    with pq.ParquetWriter(
        target, schema, compression="zstd", sorting_columns=[pq.SortingColumn(0)], write_statistics=["_healpix_29"]
    ) as writer:
        for table in _merged(runs):
            writer.write_table(table, row_group_size=ROWS_IN_GROUP)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _merged(runs: list[_Run]) -> Iterator[pa.Table]:
    """Yield all rows in order, about as many at once as a run has."""
    part = np.cumsum(np.sum([run.counts for run in runs], axis=0)) // ROWS_IN_RUN
    first = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), _N_COARSE]
    with ExitStack() as stack:
        readers = [pa.ipc.open_file(stack.enter_context(pa.OSFile(str(run.path), "rb"))) for run in runs]
        for low, high in itertools.pairwise(first):
            lo, hi = low << _COARSE, high << _COARSE
            parts = []
            for run, reader in zip(runs, readers, strict=True):
                for number in np.flatnonzero((run.last >= lo) & (run.first < hi)).tolist():
                    batch = pa.Table.from_batches([reader.get_batch(number)])
                    start, stop = np.searchsorted(batch["_healpix_29"].to_numpy(), [lo, hi]).tolist()
                    parts.append(batch.slice(start, stop - start))
            if parts:
                yield _sorted(parts)
