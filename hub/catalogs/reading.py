"""Files of public catalogues as blocks of raw columns: text by the block, FITS by slices, other tables whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv

from hub.catalogs.recipes import Recipe
from hub.errors import InvalidRequest

BLOCK_BYTES = 8 << 20
"""Text that is read at once."""

BLOCK_ROWS = 100_000
"""Rows of a table that are read at once."""

_MASK = ".mask"

FITS = (".fits", ".fit", ".fits.gz")
HDF5 = (".hdf5", ".h5")
VOTABLE = (".xml", ".vot", ".votable")


@dataclass(slots=True)
class Refused:
    """Rows that were set aside, by reason."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, n: int) -> None:
        """Count rows."""
        if n:
            self.counts[reason] = self.counts.get(reason, 0) + n

    def sentences(self) -> tuple[str, ...]:
        """Return one sentence a reason."""
        return tuple(f"{n} row{'s were' if n != 1 else ' was'} set aside: {reason}" for reason, n in sorted(self.counts.items()))


def blocks(
    path: Path, recipe: Recipe, refused: Refused
) -> Iterator[tuple[Mapping[str, pa.Array], Mapping[str, tuple[str, ...]]]]:
    """Yield the columns of a file that a recipe names, block by block, with the names that the recipe's columns have there.

    Text and FITS of any length need the memory of some blocks.

    Raises
    ------
    InvalidRequest
        The file cannot be read, or has no columns for the position.
    """
    suffixes = path.name.lower()
    try:
        if suffixes.endswith(FITS):
            yield from _of_fits(path, recipe)
        elif suffixes.endswith(HDF5 + VOTABLE):
            yield from _of_table(path, recipe)
        else:
            yield from _of_text(path, recipe, refused)
    except (OSError, pa.ArrowInvalid, ValueError, KeyError, ImportError) as error:
        if isinstance(error, InvalidRequest):
            raise
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidRequest(f"the catalogue {path} cannot be read: {text}") from error


def _wanted(columns: Mapping[str, tuple[str, ...]], present: list[str], path: Path) -> dict[str, tuple[str, ...]]:
    named = {ours: tuple(one for one in theirs if one in present) for ours, theirs in columns.items()}
    missing = [ours for ours in ("ra", "dec") if not named.get(ours)]
    if missing:
        has = ", ".join(present[:12]) + (" ..." if len(present) > 12 else "")
        raise InvalidRequest(
            f"{path} has no column for {' and '.join(missing)}: it has {has}; name them by --columns ra=...,dec=..."
        )
    return {ours: theirs for ours, theirs in named.items() if theirs}


def _of_text(path: Path, recipe: Recipe, refused: Refused) -> Iterator[tuple[dict[str, pa.Array], dict[str, tuple[str, ...]]]]:
    first = _first_line(path)
    columns = {ours: tuple(theirs) for ours, theirs in recipe.columns.items()}
    delimiter = next((one for one in (",", "\t", "|", ";") if one in first), recipe.delimiter or ",")
    has_header = any(one in _cells(first, delimiter) for theirs in (columns["ra"], columns["dec"]) for one in theirs)
    if has_header:
        header = _cells(first, delimiter)
    else:
        if not recipe.numbers:
            raise InvalidRequest(
                f"{path} has no header with a column for the position: it begins with {first[:60]!r}; "
                "name the columns by --columns ra=...,dec=..."
            )
        columns = {ours: tuple(theirs) for ours, theirs in recipe.numbers.items()}
        delimiter = recipe.delimiter or delimiter
        header = [str(number + 1) for number in range(len(_cells(first, delimiter)))]
    named = _wanted(columns, header, path)
    include = sorted({one for theirs in named.values() for name in theirs for one in (name, name + _MASK) if one in header})

    def set_aside(row: Any) -> str:
        refused.add("its number of columns differs from that of the first row", 1)
        return "skip"

    # `open_csv` would read ahead without end.
    for data in _text_blocks(path, skip_first=has_header):
        table = pc_csv.read_csv(
            pa.BufferReader(data),
            read_options=pc_csv.ReadOptions(block_size=2 * BLOCK_BYTES, column_names=header, use_threads=False),
            parse_options=pc_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=set_aside),
            convert_options=pc_csv.ConvertOptions(
                include_columns=include, column_types=dict.fromkeys(include, pa.string()), check_utf8=False
            ),
        ).combine_chunks()
        columns_of_block = {name: table[name].chunk(0) for name in include if len(table)}
        if columns_of_block:
            yield _unmasked(columns_of_block, recipe), named


def _text_blocks(path: Path, *, skip_first: bool) -> Iterator[bytes]:
    """Yield the lines of a file in blocks, the first one left out where it is a header."""
    with path.open("rb") as file:
        if skip_first:
            file.readline()
        while block := file.read(BLOCK_BYTES):
            yield block + file.readline(1 << 20)


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline(1 << 20)
    if b"\0" in line:
        raise InvalidRequest(f"{path} is no text, and its name ends neither in .fits nor in .hdf5 nor in .vot")
    text = line.decode("utf-8", errors="replace").rstrip("\r\n").removeprefix("\ufeff")
    if not text.strip():
        raise InvalidRequest(f"the catalogue {path} is empty")
    return text


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(delimiter)]


def _unmasked(columns: dict[str, pa.Array], recipe: Recipe) -> dict[str, pa.Array]:
    import pyarrow.compute as pc  # noqa: PLC0415 - only who reads a catalogue pays

    found = {}
    for name, values in columns.items():
        if name.endswith(_MASK):
            continue
        mask = columns.get(name + _MASK)
        if mask is not None:
            is_masked = pc.equal(pc.utf8_lower(mask.cast(pa.string())), "true")
            values = pc.if_else(is_masked, pa.scalar(None, values.type), values)  # noqa: PLW2901 - the same values but for those
        found[name] = values
    return found


def _of_fits(path: Path, recipe: Recipe) -> Iterator[tuple[dict[str, pa.Array], dict[str, tuple[str, ...]]]]:
    from astropy.io import fits  # noqa: PLC0415 - half a second that only who reads FITS pays

    with fits.open(path, memmap=not path.name.endswith(".gz")) as file:
        tables = [one for one in file if isinstance(one, fits.BinTableHDU | fits.TableHDU)]
        if not tables:
            raise InvalidRequest(f"{path} has no table")
        data = tables[0].data
        named = _wanted({ours: tuple(theirs) for ours, theirs in recipe.columns.items()}, list(data.names), path)
        include = sorted({one for theirs in named.values() for one in theirs})
        for start in range(0, len(data), BLOCK_ROWS):
            part = data[start : start + BLOCK_ROWS]
            yield {name: _arrow(np.asarray(part[name])) for name in include}, named


def _of_table(path: Path, recipe: Recipe) -> Iterator[tuple[dict[str, pa.Array], dict[str, tuple[str, ...]]]]:
    from astropy.table import Table  # noqa: PLC0415 - the same

    is_hdf5 = path.name.lower().endswith(HDF5)
    table = _hdf5(path) if is_hdf5 else Table.read(path, format="votable")
    named = _wanted({ours: tuple(theirs) for ours, theirs in recipe.columns.items()}, list(table.colnames), path)
    include = sorted({one for theirs in named.values() for one in theirs})
    for start in range(0, len(table), BLOCK_ROWS):
        part = table[start : start + BLOCK_ROWS]
        yield (
            {
                name: _arrow(np.asarray(part[name].filled(np.nan) if _is_masked_float(part[name]) else part[name]))
                for name in include
            },
            named,
        )


def _hdf5(path: Path) -> Any:
    import h5py  # noqa: PLC0415 - comes with ligo.skymap
    from astropy.table import Table  # noqa: PLC0415

    with h5py.File(path, "r") as file:
        tables = [one for one in file.values() if isinstance(one, h5py.Dataset) and one.dtype.names]
        if not tables:
            raise InvalidRequest(f"{path} has no table")
        return Table(tables[0][:])


def _is_masked_float(column: Any) -> bool:
    return hasattr(column, "filled") and column.dtype.kind == "f"


def _arrow(values: Any) -> pa.Array:
    if values.dtype.kind in "SO":
        texts = [one.decode("utf-8", errors="replace") if isinstance(one, bytes) else str(one) for one in values.tolist()]
        return pa.array(texts, pa.string())
    if values.dtype.kind == "U":
        return pa.array(values.tolist(), pa.string())
    return pa.array(values.astype(values.dtype.newbyteorder("=")))
