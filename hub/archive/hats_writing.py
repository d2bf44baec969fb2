"""Writing a HATS catalog with pyarrow alone: partitions of at most so many rows, in one pass, and what belongs around them."""

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hub.archive.durable import sync_files
from hub.archive.hats import (
    COMMON_METADATA,
    DATASET,
    MAX_ORDER,
    METADATA,
    PARTITIONS,
    PIXEL_COLUMN,
    POINT_MAP,
    PROPERTIES,
    SUFFIX,
    Pixel,
)
from hub.archive.segments import STATISTICS

MAX_ROWS = 1_000_000
"""Rows of the largest partition, unless a pixel of `MAP_ORDER` holds more; about 60 MB on disk."""

MAP_ORDER = 8
"""HEALPix order at which rows are counted: 786,432 pixels of 0.05 square degrees. No partition is smaller."""

POINT_MAP_ORDER = 7
"""HEALPix order of the map of rows: pixels of 0.2 square degrees."""

CODEC = "lz4"
"""Compression: 84 bytes a row where zstd takes 67, and read twice as fast."""

ROW_GROUPS = 64
"""Row groups of a partition, about: each costs 20 us to be known of, and what is read is whole ones."""

LEAST_ROW_GROUP = 4096
"""Rows of a row group in a small partition."""

_SHIFT = 2 * (MAX_ORDER - MAP_ORDER)

Counts = NDArray[np.int64]
"""Rows in each pixel of `MAP_ORDER`, shape ``(12 * 4**8,)``."""


def count(pixels29: NDArray[np.int64]) -> Counts:
    """Return how many rows each pixel of `MAP_ORDER` has."""
    return np.bincount(pixels29 >> _SHIFT, minlength=12 << (2 * MAP_ORDER)).astype(np.int64, copy=False)


def divide(counts: Counts, max_rows: int = MAX_ROWS) -> list[Pixel]:
    """Return the fewest pixels that hold all rows and none of them too many, ascending on the sky; empty ones are left out."""
    levels = [counts]
    for _ in range(MAP_ORDER):
        levels.append(levels[-1].reshape(-1, 4).sum(axis=1))
    levels.reverse()

    def inside(pixel: Pixel) -> Iterator[Pixel]:
        n_rows = levels[pixel.order][pixel.number]
        if n_rows == 0:
            return
        if n_rows <= max_rows or pixel.order == MAP_ORDER:
            yield pixel
            return
        for child in range(4 * pixel.number, 4 * pixel.number + 4):
            yield from inside(Pixel(pixel.order + 1, child))

    return [pixel for base in range(12) for pixel in inside(Pixel(0, base))]


class CatalogWriter:
    """Writes the partitions of one catalog, one after another, and at the end what belongs around them.

    Parameters
    ----------
    folder
        Of the catalog; it is made and must not be there.
    schema
        Of every table; it has `PIXEL_COLUMN` as int64. Dictionaries become plain texts in the catalog, which other programs
        join more easily; in the files they take no more space.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder
        self._schema = plain(schema)
        self._suffix = f".{secrets.token_hex(4)}.parquet"
        self._footers: list[tuple[Pixel, pq.FileMetaData]] = []
        self._counts = count(np.empty(0, dtype=np.int64))
        (folder / DATASET).mkdir(parents=True)

    @property
    def n_rows(self) -> int:
        """Rows written so far."""
        return sum(footer.num_rows for _, footer in self._footers)

    def write(self, pixel: Pixel, table: pa.Table) -> None:
        """Write the rows of a pixel, ascending in `PIXEL_COLUMN`; a table without rows is left out.

        What the table's schema says beside the columns is kept in the file.

        Raises
        ------
        ValueError
            Rows are not in order, or lie outside.
        OSError
            The disk is full or the like.
        """
        if table.num_rows == 0:
            return
        pixels = np.asarray(table[PIXEL_COLUMN].to_numpy(), dtype=np.int64)
        if pixels[0] < pixel.lo or pixels[-1] >= pixel.hi or (np.diff(pixels) < 0).any():
            raise ValueError(f"rows of pixel {pixel.number} at order {pixel.order} are not in order or lie outside")
        self._counts += count(pixels)
        name = pixel.path(self._suffix)
        path = self._folder / DATASET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        footers: list[pq.FileMetaData] = []
        pq.write_table(
            table,
            path,
            row_group_size=max(LEAST_ROW_GROUP, -(-table.num_rows // ROW_GROUPS)),
            compression=CODEC,
            use_dictionary=[field.name for field in table.schema if pa.types.is_dictionary(field.type)],
            write_statistics=[name for name in STATISTICS if name in table.column_names],
            metadata_collector=footers,
            store_schema=False,  # which would bring the dictionaries back
        )
        (footer,) = footers
        footer.set_file_path(name)
        self._footers.append((pixel, footer))

    def finish(self, properties: Mapping[str, Any]) -> None:
        """Write the metadata, then bring everything to the disk.

        Parameters
        ----------
        properties
            By the names of the standard, besides those that follow from the rows.
        """
        dataset = self._folder / DATASET
        ascending = [footer for _, footer in sorted(self._footers, key=lambda one: (one[0].lo, one[0].order))]
        pq.write_metadata(self._schema, dataset / COMMON_METADATA)
        pq.write_metadata(self._schema, dataset / METADATA, metadata_collector=ascending)
        _write_partitions(self._folder, self._footers)
        order = write_point_map(self._folder / POINT_MAP, self._counts)
        size_kib = sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file()) // 1024
        _write_properties(
            self._folder,
            {
                **properties,
                "hats_nrows": self.n_rows,
                "hats_col_healpix": PIXEL_COLUMN,
                "hats_col_healpix_order": MAX_ORDER,
                SUFFIX: self._suffix,
                "hats_max_rows": max((footer.num_rows for _, footer in self._footers), default=0),
                "hats_order": max((pixel.order for pixel, _ in self._footers), default=0),
                "hats_skymap_order": order,
                "hats_estsize": size_kib,
                "hats_version": "v1.0",
                "moc_sky_fraction": f"{np.count_nonzero(self._counts) / len(self._counts):.6f}",
            },
        )
        sync_files([*self._folder.rglob("*"), self._folder], self._folder)


def plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which dictionaries are what they stand for."""
    fields = [field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in schema]
    return pa.schema(fields)


def write_point_map(path: Path, counts: Counts) -> int:
    """Write how many rows each pixel of `POINT_MAP_ORDER` has, as a FITS table of those that have any; return the order.

    LSDB takes from it which part of the sky a catalog covers, and reads no row group outside.
    """
    from astropy.io import fits  # noqa: PLC0415 - half a second that only a compaction pays

    sums = counts.reshape(12 << (2 * POINT_MAP_ORDER), -1).sum(axis=1)
    pixels = np.flatnonzero(sums)
    columns = [fits.Column("PIXEL", "K", array=pixels), fits.Column("VALUE", "K", array=sums[pixels])]
    table = fits.BinTableHDU.from_columns(columns)
    keywords = {
        "PIXTYPE": "HEALPIX",
        "INDXSCHM": "EXPLICIT",
        "ORDERING": "NESTED",
        "COORDSYS": "C",
        "NSIDE": 1 << POINT_MAP_ORDER,
    }
    table.header.update({**keywords, "OBS_NPIX": len(pixels)})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return POINT_MAP_ORDER


def _write_partitions(folder: Path, footers: list[tuple[Pixel, pq.FileMetaData]]) -> None:
    rows = [f"{pixel.order},{pixel.number},{footer.num_rows}" for pixel, footer in sorted(footers, key=lambda one: one[0])]
    (folder / PARTITIONS).write_text("\n".join(["Norder,Npix,num_rows", *rows, ""]), encoding="ascii")


def _write_properties(folder: Path, properties: Mapping[str, Any]) -> None:
    """Write key = value lines; values are plain words and numbers, so that nothing needs escaping but the backslash."""
    lines = ["#HATS catalog"]
    for key, value in properties.items():
        text = str(value).replace("\\", "\\\\")
        if "\n" in text:
            raise ValueError(f"the property {key} must be one line")
        lines.append(f"{key}={text}")
    for name in PROPERTIES:
        (folder / name).write_text("\n".join([*lines, ""]), encoding="utf-8")
