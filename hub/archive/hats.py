"""A compacted night on disk: a HATS catalog (IVOA note "HATS", version 1.0), read without the packages that define it.

::

    nights/60999/
    ├── hats.properties, properties     what the catalog is, key = value
    ├── partition_info.csv              order, pixel and rows of each partition
    ├── point_map.fits                  rows in each pixel of a coarse map
    ├── sources.json                    the files that it was made from
    └── dataset/
        ├── _common_metadata            the schema
        ├── _metadata                   the footers of all partitions in one
        └── Norder=2/Dir=0/Npix=17.a1b2c3d4.parquet ...

Partitions do not overlap; rows in each ascend in `_healpix_29`. The middle of their names differs from catalog to catalog, so
that a file never changes although its night may be compacted again; the properties tell it (``hats_npix_suffix``). Folders whose
names begin with a dot are being built or were replaced.
"""

import csv
import functools
import os
from dataclasses import dataclass
from pathlib import Path

from hub.errors import StorageError

NIGHTS = "nights"
"""Folder of the compacted nights inside the archive."""

PIXEL_COLUMN = "_healpix_29"
"""HEALPix pixel at order 29, NESTED: what rows are sorted by."""

MAX_ORDER = 29
"""Of `PIXEL_COLUMN`."""

DIRECTORY_SIZE = 10_000
"""Pixels in one ``Dir=`` folder, by the standard."""

DATASET = "dataset"
PARTITIONS = "partition_info.csv"
METADATA = "_metadata"
COMMON_METADATA = "_common_metadata"
PROPERTIES = ("hats.properties", "properties")
"""The name of today, and the one that older readers look for."""

POINT_MAP = "point_map.fits"

FORMER = ".old"
"""End of the name, after a dot and the night, of a catalog that is being replaced."""

SUFFIX = "hats_npix_suffix"
"""Property: how names of partitions end."""

_KEPT = 2000
"""Lists of partitions that stay in memory: some years of nights."""


@dataclass(frozen=True, slots=True, order=True)
class Pixel:
    """One HEALPix pixel, NESTED."""

    order: int
    number: int

    @property
    def lo(self) -> int:
        """First order-29 pixel inside."""
        return self.number << (2 * (MAX_ORDER - self.order))

    @property
    def hi(self) -> int:
        """One past the last order-29 pixel inside."""
        return (self.number + 1) << (2 * (MAX_ORDER - self.order))

    def path(self, suffix: str) -> str:
        """Return the path of the partition's file, relative to the folder of the dataset."""
        directory = self.number // DIRECTORY_SIZE * DIRECTORY_SIZE
        return f"Norder={self.order}/Dir={directory}/Npix={self.number}{suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One file of a compacted night."""

    path: Path
    pixel: Pixel
    n_rows: int

    @property
    def lo(self) -> int:
        """No row has a smaller order-29 pixel."""
        return self.pixel.lo

    @property
    def hi(self) -> int:
        """Every row has a smaller order-29 pixel."""
        return self.pixel.hi


def nights(archive: Path) -> list[int]:
    """Return the nights that have a catalog, ascending."""
    folder = archive / NIGHTS
    if not folder.is_dir():
        return []
    names = (entry.removeprefix(".").removesuffix(FORMER) if entry.endswith(FORMER) else entry for entry in os.listdir(folder))  # noqa: PTH208
    return sorted({int(name) for name in names if name.removeprefix("-").isdigit()})


def catalog_folder(archive: Path, night: int) -> Path | None:
    """Return the folder of a night's catalog; None where the night has none.

    A catalog that is being replaced is for an instant found under its former name only. Who finds neither looks once more,
    because the new one may have come in between.
    """
    current, former = archive / NIGHTS / str(night), archive / NIGHTS / f".{night}{FORMER}"
    for folder in (current, former, current):
        if folder.is_dir():
            return folder
    return None


def partitions(archive: Path, night: int) -> tuple[Partition, ...]:
    """Return the files of a night's catalog, ascending in `lo`; none where the night has no catalog.

    Raises
    ------
    FileNotFoundError
        The catalog was replaced meanwhile: ask again.
    StorageError
        It is no catalog.
    """
    folder = catalog_folder(archive, night)
    return () if folder is None else partitions_in(folder)


def partitions_in(folder: Path) -> tuple[Partition, ...]:
    """Return the files of the catalog in a folder, ascending in `lo`; raises like `partitions`."""
    found = folder.stat()
    return _partitions(folder, found.st_ino, found.st_mtime_ns)


def properties_in(folder: Path) -> dict[str, str]:
    """Return the properties of the catalog in a folder; raises `FileNotFoundError` where there is none."""
    lines = (folder / PROPERTIES[0]).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key: value.replace("\\\\", "\\") for key, _, value in pairs}


@functools.lru_cache(maxsize=_KEPT)
def _partitions(folder: Path, inode: int, changed_ns: int) -> tuple[Partition, ...]:
    """Read the list of partitions; a folder that was replaced is another one, so what is kept stays true."""
    suffix = properties_in(folder).get(SUFFIX, ".parquet")
    found = []
    with (folder / PARTITIONS).open(encoding="ascii", newline="") as file:
        try:
            for row in csv.DictReader(file):
                pixel = Pixel(int(row["Norder"]), int(row["Npix"]))
                found.append(Partition(path=folder / DATASET / pixel.path(suffix), pixel=pixel, n_rows=int(row["num_rows"])))
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(f"{folder / PARTITIONS} does not list the partitions of a HATS catalog") from error
    return tuple(sorted(found, key=lambda one: one.lo))
