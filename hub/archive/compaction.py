"""A closed night's files become one sorted HATS catalog; so do the rows that come late, with those that are there.

The catalog is built beside, checked and renamed into its place; only then the files that it was made from are deleted. It says
which these were: what a crash leaves of them is known, is not counted again, and goes at the next start. Memory is that of one
partition, and of 9 bytes for each row of the night.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.archive import hats, layout
from hub.archive.columns import SCHEMA
from hub.archive.compaction_rows import Rows
from hub.archive.durable import make_folders, sync_folder
from hub.archive.hats_writing import MAX_ROWS, CatalogWriter, divide
from hub.archive.merging import alone
from hub.archive.segments import Footers
from hub.archive.space import free_bytes, translated
from hub.errors import StorageError
from hub.model.instant import MJD_OF_1970, Instant
from hub.version import VERSION

CLOSED_AFTER_S = 6 * 3600.0
"""A night is compacted this long after its end at noon UTC, seconds: Rubin's sources come within a day, most within minutes."""

QUIET_S = 3600.0
"""A night that got rows later than this is left alone, seconds: while a topic is read again, more will come."""

SPARE_BYTES = 256_000_000
"""Room that must be left on the disk beside the catalog that is built."""

_BUILDING = ".building"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What became of a night."""

    night: int
    n_rows: int
    """In the catalog."""

    n_partitions: int
    n_files: int
    """Files that it replaces; those of a former catalog of the night do not count."""

    repeats: dict[str, int]
    """By survey: rows that two processes had stored at the same instant, each counting its own as new. What merging left out
    before is not among them."""


def night_end(night: int) -> Instant:
    """Return when a night ends: the noon (TAI) after it."""
    return Instant((night + 1 - MJD_OF_1970) * layout.DAY_US + layout.DAY_US // 2)


def open_nights(archive: Path, now: Instant, *, after_s: float = CLOSED_AFTER_S) -> list[int]:
    """Return the nights that ended so long ago and have files that are in no catalog, or should be gone, ascending."""
    ended = (night for night in layout.nights(archive) if now.minus(night_end(night)) >= after_s)
    return [night for night in ended if any(_segments(layout.list_night(archive, night))) or _is_untidy(archive, night)]


def due(archive: Path, now: Instant) -> list[int]:
    """Return the nights that should be compacted now, ascending."""
    found = []
    for night in open_nights(archive, now):
        try:
            newest_ns = max((path.stat().st_mtime_ns for path in _segments(layout.list_night(archive, night))), default=0)
        except FileNotFoundError:  # merged meanwhile: rows come
            continue
        if now.minus(Instant.from_unix_s(newest_ns / 1e9)) >= QUIET_S:
            found.append(night)
    return found


def compact_due(archive: Path, now: Instant, *, keep: Callable[[], None] = lambda: None) -> Compacted | None:
    """Compact the earliest night that should be and can be; return None where there is none, or another process is at it.

    To be called again and again, under the lease ``archive``; parameters as `compact`.

    Raises
    ------
    StorageError
        Some night should be compacted, and none could be: why the first one could not.
    """
    if not (nights := due(archive, now)):
        return None
    fault: StorageError | None = None
    with alone(archive) as is_mine:
        for night in nights if is_mine else ():
            try:
                if (done := _compact(archive, night, MAX_ROWS, keep)) is not None:
                    return done
            except StorageError as error:  # a damaged file of one night does not stop the others
                fault = fault or error
    if fault is not None:
        raise fault
    return None


def compact(archive: Path, night: int, *, max_rows: int = MAX_ROWS, keep: Callable[[], None] = lambda: None) -> Compacted | None:
    """Make one catalog of a night's files and its former catalog; return None where no file is new.

    Parameters
    ----------
    archive
        Its folder.
    night
        Which; that it is over is for the caller to know.
    max_rows
        Rows of the largest partition.
    keep
        Called between partitions, at least every some seconds: holds the lease longer. What it raises ends the work, nothing is
        changed then.

    Raises
    ------
    StorageError
        There is no room, the disk has a fault, another process merges or compacts, or the catalog is not what it should be; the
        night is as it was.
    """
    if not archive.is_dir():
        return None
    with alone(archive) as is_mine:
        if not is_mine:
            raise StorageError(f"another process merges or compacts the archive {archive}")
        return _compact(archive, night, max_rows, keep)


def tidy(archive: Path, night: int) -> None:
    """End what a crash interrupted: half a catalog goes, a former one that was not replaced is back, sources of one go."""
    folder = archive / hats.NIGHTS
    current, former = folder / str(night), folder / f".{night}{hats.FORMER}"
    shutil.rmtree(folder / f".{night}{_BUILDING}", ignore_errors=True)
    if former.is_dir():
        if current.is_dir():
            shutil.rmtree(former)
        else:
            former.rename(current)
            sync_folder(folder)
    if current.is_dir():
        _delete_sources(archive, night, current)


def _compact(archive: Path, night: int, max_rows: int, keep: Callable[[], None]) -> Compacted | None:
    with translated(archive / hats.NIGHTS):
        make_folders(archive / hats.NIGHTS)
        tidy(archive, night)
        for _ in range(layout.TRIES):
            try:
                return _compact_once(archive, night, max_rows, keep)
            except FileNotFoundError:  # a process of another machine that lost its lease merges: list again
                continue
    raise StorageError(f"files of the night {night} of the archive {archive} vanish while they are compacted")


def _compact_once(archive: Path, night: int, max_rows: int, keep: Callable[[], None]) -> Compacted | None:
    files = layout.list_night(archive, night)
    segments = list(_segments(files))
    if not segments:
        return None
    sources = [hats.source_of(archive, path) for path in segments]
    _refuse_without_room(archive, files)
    rows = Rows(archive, files, Footers())
    surveys, counts = rows.survey_all(keep)
    expected = sum(one.n_distinct for one in surveys.values())
    building = archive / hats.NIGHTS / f".{night}{_BUILDING}"
    shutil.rmtree(building, ignore_errors=True)
    try:
        writer = CatalogWriter(building, SCHEMA)
        for pixel in divide(counts, max_rows):
            writer.write(pixel, rows.of(pixel, surveys))
            keep()
        hats.write_sources(building, sources)
        repeats = {name: n for name, one in sorted(surveys.items()) if (n := one.n_rows - one.n_distinct)}
        writer.finish(_properties(night) | {hats.REPEATS: str(rows.repeats_before + sum(repeats.values()))})
        n_rows, n_partitions = _check(building, expected)
        keep()
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    _replace(archive, night, building)
    _delete_sources(archive, night, archive / hats.NIGHTS / str(night))
    return Compacted(night=night, n_rows=n_rows, n_partitions=n_partitions, n_files=len(segments), repeats=repeats)


def _replace(archive: Path, night: int, building: Path) -> None:
    """Bring the new catalog into its place; readers find the former one until they find the new one."""
    folder = archive / hats.NIGHTS
    current, former = folder / str(night), folder / f".{night}{hats.FORMER}"
    if current.is_dir():
        current.rename(former)
    building.rename(current)
    sync_folder(folder)
    shutil.rmtree(former, ignore_errors=True)


def _delete_sources(archive: Path, night: int, catalog: Path) -> None:
    """Delete the files that a catalog was made from; then it need not name them any more."""
    if not (sources := hats.contents_of(catalog).sources):
        return
    for one in sources.values():
        if one.is_at(archive):
            (archive / one.name).unlink()
    for cell in (archive / layout.CELLS / str(night)).glob("*"):
        _remove_if_empty(cell)
    _remove_if_empty(archive / layout.CELLS / str(night))
    hats.write_sources(catalog, [])


def _check(folder: Path, expected: int) -> tuple[int, int]:
    """Return rows and partitions of a catalog by what is on the disk now."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - beside the other uses it would be a second way to read

    found = hats.contents_of(folder).partitions
    n_rows = sum(pq.read_metadata(one.path).num_rows for one in found)
    listed, gathered = sum(one.n_rows for one in found), pq.read_metadata(folder / hats.DATASET / hats.METADATA).num_rows
    if not n_rows == listed == gathered == expected:
        raise StorageError(f"the catalog that was built in {folder} has {n_rows} rows, not {expected}: the night stays as it is")
    return n_rows, len(found)


def _refuse_without_room(archive: Path, files: layout.NightFiles) -> None:
    """Raise `StorageError` where the disk has no room for a second copy."""
    needed = sum(path.stat().st_size for path in files.paths()) + SPARE_BYTES
    free = free_bytes(archive)
    if free < needed:
        raise StorageError(
            f"the disk of the archive {archive} has {free / 1e6:.0f} MB free, and compacting a night needs {needed / 1e6:.0f} MB"
        )


def _properties(night: int) -> dict[str, str]:
    noon = Instant((night - MJD_OF_1970) * layout.DAY_US + layout.DAY_US // 2)
    return {
        "obs_collection": f"alerts-{night}",
        "dataproduct_type": "source",
        "obs_title": f"Survey alerts of the night that began at noon on {noon.to_utc_iso()[:10]} (MJD {night})",
        "hats_col_ra": "ra",
        "hats_col_dec": "dec",
        "hats_builder": f"multimessenger-hub {VERSION}",
        "t_min": f"{night + 0.5}",
        "t_max": f"{night + 1.5}",
    }


def _is_untidy(archive: Path, night: int) -> bool:
    try:
        return bool(hats.contents(archive, night).sources)
    except FileNotFoundError:  # replaced at this instant
        return False


def _segments(files: layout.NightFiles) -> Iterator[Path]:
    """Yield the files that are in no catalog."""
    yield from files.fresh
    for paths in files.cells.values():
        yield from paths


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # not empty, or gone
        return
