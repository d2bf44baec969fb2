"""Looking up catalogues by place, many places at once."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hub.catalogs.around import blocks_around
from hub.catalogs.places import forget, pixels_of
from hub.catalogs.writing import SUFFIX, info_of
from hub.errors import ConfigError, NotFound
from hub.model.catalog import MAG_BANDS, CatalogInfo, Entries
from hub.science.healpix import Floats, Int64s, centres, pixels29

CACHE_BYTES = 48 << 20
"""Memory for the row groups of all catalogues of a process whose entries were asked for last."""

WIDE_ARCSEC = 200.0
"""Entries that reach farther are looked for by themselves: few, but each in its own radius."""

_BLOCK = 200_000
"""Places that are looked up at once."""

_FLOATS = (
    "ra_deg",
    "dec_deg",
    "redshift",
    "redshift_err",
    "distance_mpc",
    "distance_err_mpc",
    "semi_major_arcsec",
    "semi_minor_arcsec",
    "position_angle_deg",
    "reach_arcsec",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hits:
    """Entries near places, by place and then by separation and name."""

    place: Int64s
    """Index of the place of each hit, ascending."""

    separation_arcsec: Floats
    entries: Entries

    def __len__(self) -> int:
        return len(self.place)


class Catalog:
    """One catalogue on the disk.

    A look-up finds the rows by their pixels, which lie in memory, and reads the groups of those that it found.
    """

    def __init__(self, path: Path, cache: "GroupCache") -> None:
        """Open a catalogue; raises `ConfigError` where it cannot be read."""
        try:
            self._file = pq.ParquetFile(path)
            self.info: CatalogInfo = info_of(self._file.schema_arrow.metadata or {}, path)
            self._pixels = pixels_of(path, self._file)
            self._reach = self._reaches()
        except (OSError, pa.ArrowInvalid) as error:
            raise ConfigError(f"the catalogue {path} cannot be read: {error}") from error
        self._cache = cache
        self._key = (str(path), path.stat().st_mtime_ns)
        sizes = [self._file.metadata.row_group(number).num_rows for number in range(self._file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._lock = threading.Lock()
        """Held while the file is read: its reader is not for several threads at once."""
        wide = np.flatnonzero(self._reach > WIDE_ARCSEC) if self._reach is not None else np.empty(0, dtype=np.int64)
        self._wide = wide
        self._wide_places = centres(self._pixels[wide], self._pixels[wide] + 1)

    def near(self, ra_deg: Floats, dec_deg: Floats, radius_arcsec: float) -> Hits:
        """Return the entries within a radius of places, or within their own reach where that is farther.

        Parameters
        ----------
        ra_deg, dec_deg
            Places, ICRS, shape ``(n,)``.
        radius_arcsec
            Of the search.
        """
        found = [
            self._block(ra_deg[start : start + _BLOCK], dec_deg[start : start + _BLOCK], radius_arcsec, start)
            for start in range(0, len(ra_deg), _BLOCK)
        ]
        places, rows, separations = (np.concatenate(column) for column in zip(*found, strict=True)) if found else _NOTHING
        entries = self._entries(rows)
        order = np.lexsort((entries.name.astype(str), separations, places))
        return Hits(place=places[order], separation_arcsec=separations[order], entries=entries[order])

    def _block(self, ra_deg: Floats, dec_deg: Floats, radius: float, start: int) -> tuple[Int64s, Int64s, Floats]:
        widest = radius if self._reach is None else max(radius, WIDE_ARCSEC)
        place, lo, hi = blocks_around(pixels29(ra_deg, dec_deg), widest)
        begin, end = np.searchsorted(self._pixels, lo), np.searchsorted(self._pixels, hi)
        counts = end - begin
        owner = np.repeat(place, counts)
        row = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
        if len(self._wide):
            is_wide = np.asarray(self._reach)[row] > WIDE_ARCSEC
            of_wide = self._near_wide(ra_deg, dec_deg, radius)
            owner, row = np.concatenate([owner[~is_wide], of_wide[0]]), np.concatenate([row[~is_wide], of_wide[1]])
        pixels = np.asarray(self._pixels[row])
        separation = separations_arcsec(ra_deg[owner], dec_deg[owner], *centres(pixels, pixels + 1))
        limit = radius if self._reach is None else np.maximum(self._reach[row], radius)
        is_near = separation <= limit
        return owner[is_near] + start, row[is_near], separation[is_near]

    def _near_wide(self, ra_deg: Floats, dec_deg: Floats, radius: float) -> tuple[Int64s, Int64s]:
        """Return places and rows of the entries that reach far, which the blocks around places do not hold."""
        from scipy.spatial import KDTree  # noqa: PLC0415 - only catalogues with wide entries pay

        reach = np.maximum(np.asarray(self._reach)[self._wide], radius) / 3600.0 * (1.0 + 1e-9)
        chords = 2.0 * np.sin(np.radians(np.minimum(reach, 180.0)) / 2.0)
        near = KDTree(_units(ra_deg, dec_deg)).query_ball_point(_units(*self._wide_places), r=chords)
        owner = np.array([one for of_entry in near for one in of_entry], dtype=np.int64)
        return owner, np.repeat(self._wide, [len(one) for one in near])

    def _reaches(self) -> NDArray[np.float32] | None:
        """Return how far each row reaches, None where none does."""
        parts = [batch.column(0).to_numpy() for batch in self._file.iter_batches(columns=["reach_arcsec"], batch_size=1 << 18)]
        if not any(part.any() for part in parts):
            return None
        return np.concatenate(parts)

    def _entries(self, rows: Int64s) -> Entries:
        """Return some rows in the order in which they are asked for."""
        wanted, back = np.unique(rows, return_inverse=True)
        edges = np.searchsorted(wanted, self._starts)
        tables = [
            self._group(number).take(pa.array(wanted[edges[number] : edges[number + 1]] - self._starts[number]))
            for number in np.flatnonzero(np.diff(edges)).tolist()
        ]
        if not tables:
            tables = [self._file.schema_arrow.empty_table()]
        return _entries_of(pa.concat_tables(tables))[back]

    def _group(self, number: int) -> pa.Table:
        def read() -> pa.Table:
            with self._lock:
                return self._file.read_row_group(number, use_threads=False)

        return self._cache.get((*self._key, number), read)


class GroupCache:
    """Row groups in memory; those that were not used longest are forgotten first."""

    def __init__(self, budget_bytes: int = CACHE_BYTES) -> None:
        self._groups: OrderedDict[Any, pa.Table] = OrderedDict()
        self._budget = budget_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Any, read: Any) -> pa.Table:
        """Return a row group, read where it is not known."""
        with self._lock:
            if key not in self._groups:
                self._groups[key] = read()
                self._bytes += self._groups[key].nbytes
                while self._bytes > self._budget and len(self._groups) > 1:
                    self._bytes -= self._groups.popitem(last=False)[1].nbytes
            self._groups.move_to_end(key)
            return self._groups[key]


class Catalogs:
    """The catalogues that a hub uses."""

    def __init__(self, folder: Path, use: Iterable[str] = ()) -> None:
        """Open those that are named, or all; a folder that is not there has none.

        Raises
        ------
        ConfigError
            One that is named is not there, or one cannot be read.
        """
        self.folder = folder
        present = installed(folder)
        names = sorted(set(use)) or present
        missing = [name for name in names if name not in present]
        if missing:
            raise ConfigError(f"catalogs.use: there is no catalogue {missing[0]!r} in {folder}: `mmhub catalog add` makes it")
        cache = GroupCache()
        self.all: tuple[Catalog, ...] = tuple(Catalog(folder / (name + SUFFIX), cache) for name in names)

    def __bool__(self) -> bool:
        return bool(self.all)

    @property
    def infos(self) -> list[CatalogInfo]:
        """What each says of itself, by name."""
        return [one.info for one in self.all]


def installed(folder: Path) -> list[str]:
    """Return the names of the catalogues in a folder, sorted."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))


Stamp = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and time of change of some catalogues: another one where any of them is another file."""


def stamp_of(folder: Path, use: Iterable[str] = ()) -> Stamp:
    """Return what tells whether the catalogues of a folder that are used have changed; opens none of them."""
    found = []
    for name in sorted(set(use)) or installed(folder):
        with suppress(OSError):  # it is not there, or was taken away this instant
            state = (folder / (name + SUFFIX)).stat()
            found.append((name, state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(found)


def infos_in(folder: Path) -> list[CatalogInfo]:
    """Return what the catalogues in a folder say of themselves, by name; raises `ConfigError` where one cannot be read."""
    found = []
    for name in installed(folder):
        path = folder / (name + SUFFIX)
        try:
            found.append(info_of(pq.read_schema(path).metadata or {}, path))
        except (OSError, pa.ArrowInvalid) as error:
            raise ConfigError(f"the catalogue {path} cannot be read: {error}") from error
    return found


def remove(folder: Path, name: str) -> None:
    """Take a catalogue away; raises `NotFound`."""
    if name not in installed(folder):
        raise NotFound(f"there is no catalogue {name} in {folder}")
    (folder / (name + SUFFIX)).unlink()
    forget(folder / (name + SUFFIX))


_NOTHING = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))


def _entries_of(table: pa.Table) -> Entries:
    def column(name: str, dtype: Any) -> Any:
        return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=dtype)

    return Entries(
        mags=np.stack([column(f"mag_{band}", np.float64) for band in MAG_BANDS], axis=1),
        **{name: column(name, object) for name in ("name", "kind", "distance_kind")},
        **{name: column(name, np.float64) for name in _FLOATS},
    )


def separations_arcsec(ra1_deg: Floats, dec1_deg: Floats, ra2_deg: Floats, dec2_deg: Floats) -> Floats:
    """Return the angles between pairs of places, arcseconds (haversine: exact also for small angles)."""
    ra1, dec1, ra2, dec2 = (np.radians(one) for one in (ra1_deg, dec1_deg, ra2_deg, dec2_deg))
    h = np.sin((dec2 - dec1) / 2) ** 2 + np.cos(dec1) * np.cos(dec2) * np.sin((ra2 - ra1) / 2) ** 2
    return np.asarray(np.degrees(2 * np.arcsin(np.sqrt(np.minimum(1.0, h)))) * 3600.0)


def _units(ra_deg: Floats, dec_deg: Floats) -> Floats:
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)


__all__: Sequence[str] = (
    "Catalog",
    "Catalogs",
    "Hits",
    "Stamp",
    "infos_in",
    "installed",
    "remove",
    "separations_arcsec",
    "stamp_of",
)
