"""A compacted night on disk: a HATS catalog (IVOA note "HATS", version 1.0), read without the packages that define it.

::

    nights/60999/
    ├── hats.properties, properties     what the catalog is, key = value
    ├── partition_info.csv              order, pixel and rows of each partition
    ├── point_map.fits                  rows in each pixel of a coarse map
    ├── sources.json                    the files that it was made from, until they are gone
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
import json
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

SOURCES = "sources.json"

REPEATS = "mmhub_repeats"
"""Property: rows that were left out because they repeated others, ever."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that a catalog was made from; one that has the name only is another file."""

    name: str
    """Inside the archive."""

    size: int
    """Bytes."""

    changed_ns: int
    """Time of the last change, nanoseconds since 1970."""

    def is_at(self, archive: Path) -> bool:
        """Return whether the file is still there."""
        try:
            return source_of(archive, archive / self.name) == self
        except FileNotFoundError:
            return False


def source_of(archive: Path, path: Path) -> Source:
    """Return what a file is called as a source; raises `FileNotFoundError` where it is gone."""
    found = path.stat()
    return Source(name=path.relative_to(archive).as_posix(), size=found.st_size, changed_ns=found.st_mtime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a catalog consists of."""

    partitions: tuple[Partition, ...]
    """Ascending in `Partition.lo`."""

    sources: dict[str, Source]
    """By name: files that may still be there, whose rows are in the catalog and do not count elsewhere."""

    repeats: int
    """Rows that were left out, by merging too, because they repeated others."""


NOTHING = Contents(partitions=(), sources={}, repeats=0)
"""Of a night without a catalog."""


def nights(archive: Path) -> list[int]:
    """Return the nights that have a catalog, ascending."""
    folder = archive / NIGHTS
    if not folder.is_dir():
        return []
    names = (entry.removeprefix(".").removesuffix(FORMER) if entry.endswith(FORMER) else entry for entry in os.listdir(folder))  # noqa: PTH208
    return sorted({int(name) for name in names if name.removeprefix("-").isdecimal()})


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


def contents(archive: Path, night: int) -> Contents:
    """Return what a night's catalog consists of.

    Raises
    ------
    FileNotFoundError
        The catalog was replaced meanwhile: ask again.
    StorageError
        It is no catalog.
    """
    folder = catalog_folder(archive, night)
    return NOTHING if folder is None else contents_of(folder)


def contents_of(folder: Path) -> Contents:
    """Return what the catalog in a folder consists of; raises like `contents`."""
    found = folder.stat()
    return _contents(folder, found.st_ino, found.st_mtime_ns)


def partitions(archive: Path, night: int) -> tuple[Partition, ...]:
    """Return the files of a night's catalog, ascending in `lo`; none where the night has no catalog. Raises like `contents`."""
    return contents(archive, night).partitions


def properties_of(folder: Path) -> dict[str, str]:
    """Return the properties of the catalog in a folder; raises `FileNotFoundError` where there is none."""
    lines = (folder / PROPERTIES[0]).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key: value.replace("\\\\", "\\") for key, _, value in pairs}


def write_sources(folder: Path, sources: list[Source]) -> None:
    """Write which files a catalog was made from: after a crash what is written here is there, or what was before."""
    beside = folder / f".{SOURCES}"
    with beside.open("w", encoding="utf-8") as file:
        json.dump([[one.name, one.size, one.changed_ns] for one in sources], file)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(folder / SOURCES)


@functools.lru_cache(maxsize=_KEPT)
def _contents(folder: Path, inode: int, changed_ns: int) -> Contents:
    """Read what there is; a folder that was replaced or changed is another one, so what is kept stays true."""
    found = []
    try:
        properties = properties_of(folder)
        suffix, repeats = properties.get(SUFFIX, ".parquet"), int(properties.get(REPEATS, "0"))
        with (folder / PARTITIONS).open(encoding="ascii", newline="") as file:
            for row in csv.DictReader(file):
                pixel = Pixel(int(row["Norder"]), int(row["Npix"]))
                found.append(Partition(path=folder / DATASET / pixel.path(suffix), pixel=pixel, n_rows=int(row["num_rows"])))
        told = json.loads((folder / SOURCES).read_text(encoding="utf-8"))
        sources = {name: Source(name=name, size=size, changed_ns=changed) for name, size, changed in told}
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{folder} does not list the partitions of a HATS catalog that the hub wrote") from error
    return Contents(partitions=tuple(sorted(found, key=lambda one: one.lo)), sources=sources, repeats=repeats)
