"""The ledger of a night as a Parquet file: written whole, read whole or near a position.

Rows are sorted by the pixel of the footprint's middle, so that a question about a position reads few of them. Corners are lists.
"""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hub.archive.columns import words_of
from hub.archive.durable import make_folders, sync_folder
from hub.archive.layout import SUFFIX, VISITS, list_night, name_of, night_of
from hub.archive.places import cone_ranges
from hub.archive.space import translated
from hub.archive.visits_count import FullTopics, Key, Span
from hub.archive.visits_held import Held
from hub.model.alert import Words
from hub.model.instant import Instant
from hub.model.visit import NUMBER_COLUMNS, TEXT_COLUMNS, DetectorVisits, Footprints, joined
from hub.science.footprint import Halves
from hub.science.healpix import pixels29

PIXEL = "_healpix_29"
"""HEALPix pixel at order 29 of the footprint's middle, NESTED."""

ROW_GROUP = 4096
"""Rows that are read at least: twenty visits of 189 detectors."""

VERSION = 5
"""Of the files: version 1 had visits of which only a filtered stream was heard, version 2 did not say in which order they came,
version 3 not at which offsets the rows stood, and version 4 not from which versions of the rows a visit was computed."""

DIGEST = "rows_digest"
"""Column with the digest of the rows from which a visit was computed, `hub.archive.visits_count.Counted.digest`."""

_KEY = b"mmhub"
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What the file of a night says of itself."""

    version: int = 0
    """Of what it says, `VERSION`; 0 where there is no file."""

    settled: str = ""
    """Digest of the archive's files from which every visit was computed; empty where some may be missing."""

    files: str = ""
    """Digest of the archive's files whose rows it has seen, whether it waits for more of them or not."""

    max_radius_deg: float = 0.0
    """Distance of the farthest corner of any footprint from its middle."""

    topics: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    """All topics that brought visits of a survey, and whether they were those of a full stream."""

    spans: tuple[Span, ...] = ()
    """From when to when each full topic was heard: every visit of it in between is in the file."""

    bands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Those of each survey's visits, ascending."""

    unsure: frozenset[str] = frozenset()
    """Surveys with visits of which it is not known in all of their detectors where they looked, in which band or how deep."""

    n_rows: int = -1
    """Rows that the night had when it was computed."""

    held: tuple[Held, ...] = ()
    """At which offsets of each full topic it had rows then, also those of visits that are not in the file yet."""

    @property
    def is_current(self) -> bool:
        """Whether the file is of this version; what an older one says may be more than was heard."""
        return self.version == VERSION

    def agrees_with(self, full: FullTopics) -> bool:
        """Return whether its topics are of full streams now if and only if they were when it was written."""
        return self.is_current and all(
            is_full == (topic in full.get(survey, ())) for survey, own in self.topics.items() for topic, is_full in own.items()
        )

    def topics_with(self, more: Mapping[str, Mapping[str, bool]], full: FullTopics) -> dict[str, dict[str, bool]]:
        """Return its topics and some more, as they are now: rows that are gone came by topics too."""
        found = {survey: {topic: topic in full.get(survey, ()) for topic in own} for survey, own in self.topics.items()}
        for survey, own in more.items():
            found.setdefault(survey, {}).update(own)
        return found


def path_of(archive: Path, night: int) -> Path:
    """Return where the ledger of a night lies."""
    return archive / VISITS / f"{night}{SUFFIX}"


def nights(archive: Path) -> list[int]:
    """Return the nights that have a ledger, ascending."""
    try:
        names = os.listdir(archive / VISITS)  # noqa: PTH208 - names are needed
    except (FileNotFoundError, NotADirectoryError):
        return []
    stems = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
    return sorted(int(stem) for stem in stems if stem.removeprefix("-").isdigit())


def write(
    archive: Path,
    night: int,
    visits: DetectorVisits,
    *,
    settled: str = "",
    files: str = "",
    digests: Mapping[Key, int] = MappingProxyType({}),
    topics: Mapping[str, Mapping[str, bool]] = MappingProxyType({}),
    spans: Sequence[Span] = (),
    n_rows: int = -1,
    held: Sequence[Held] = (),
) -> None:
    """Put the ledger of a night in the place of the one that is there; on the disk when this returns.

    Raises
    ------
    StorageError
        The disk is full or does not work; what was there stays.
    """
    path = path_of(archive, night)
    note = {
        "version": VERSION,
        "settled": settled,
        "files": files,
        "unsure": sorted({visits.survey.values[code] for code in np.unique(visits.survey.codes[visits.is_unsure]).tolist()}),
        "max_radius_deg": _max_radius_deg(visits),
        "topics": topics,
        "spans": [asdict(one) for one in spans],
        "bands": _bands(visits),
        "n_rows": n_rows,
        "held": [asdict(one) for one in held],
    }
    with translated(path):
        make_folders(path.parent)
        beside = path.with_name(f".{path.name}")
        try:
            with beside.open("wb") as file:
                _write(file, visits, digests, {_KEY: json.dumps(note).encode()})
                file.flush()
                os.fsync(file.fileno())
            beside.rename(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def read_note(archive: Path, night: int) -> Note:
    """Return what the ledger of a night says of itself; nothing where there is none."""
    path = path_of(archive, night)
    try:
        with translated(path):
            told = path.stat()
            return _note_at(path, (told.st_ino, told.st_size, told.st_mtime_ns))
    except FileNotFoundError:
        return Note()


@lru_cache(maxsize=256)
def _note_at(path: Path, state: tuple[int, int, int]) -> Note:
    return _note(pq.read_metadata(path))


def digest_of(archive: Path, night: int, surveys: Collection[str]) -> str:
    """Return what changes whenever the files of a night do, or the surveys that are heard in full."""
    names = sorted(name_of(archive, path) for path in list_night(archive, night).paths())
    return hashlib.sha256("\n".join([*sorted(surveys), "", *names]).encode()).hexdigest()[:32]


def has_seen_all(archive: Path, night: int, note: Note) -> bool:
    """Return whether a night has the files from which its ledger was computed, and no other ones.

    Files that were merged or compacted since have other names, and may hold other versions: the ledger must look again.
    """
    return bool(note.files) and note.files == digest_of(archive, night, ())


def digests(archive: Path, night: int) -> dict[Key, int]:
    """Return the digest of the rows from which each visit of a night's ledger was computed."""
    path = path_of(archive, night)
    try:
        with translated(path), pq.ParquetFile(path, read_dictionary=["survey"]) as file:
            if DIGEST not in file.schema_arrow.names:
                return {}
            table = file.read(["survey", "visit", DIGEST], use_threads=False)
    except FileNotFoundError:
        return {}
    names = words_of(table["survey"])
    columns = names.codes.tolist(), table["visit"].to_pylist(), table[DIGEST].to_pylist()
    return {(names.values[code], visit): digest for code, visit, digest in zip(*columns, strict=True)}


def read(archive: Path, night: int) -> DetectorVisits:
    """Return the ledger of a night, no rows where there is none; raises `StorageError` where it cannot be read."""
    return _read(archive, night, None)


Ranges = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Ascending disjoint half-open ranges of order-29 pixels: their first ones, and one past their last ones."""


def read_near(archive: Path, night: int, ra_deg: float, dec_deg: float, within_deg: float = 0.0) -> DetectorVisits:
    """Return the rows of a night whose footprints may hold a position or come so near to it, and some more."""

    def around(metadata: pq.FileMetaData) -> Ranges:
        return cone_ranges(ra_deg, dec_deg, min(_note(metadata).max_radius_deg + within_deg + 1e-6, 180.0))

    return _read(archive, night, around)


def read_in(archive: Path, night: int, ranges: Ranges) -> DetectorVisits:
    """Return the rows of a night whose footprints' middles lie in some parts of the sky, and some more: whole row groups."""
    return _read(archive, night, lambda _: ranges)


State = tuple[int, int, int]
"""Inode, size and time of a file: another one whenever the ledger of a night was written again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """What the row groups of a file have."""

    number: NDArray[np.int64]
    """Of each row group that has rows."""

    least: NDArray[np.int64]
    """Least pixel of the footprints' middles."""

    greatest: NDArray[np.int64]
    max_radius_deg: float
    surveys: frozenset[str]
    """Those of which a full stream was heard in that night."""

    unsure: frozenset[str] = frozenset()
    """As `Note.unsure`."""

    def near(self, lo: NDArray[np.int64], hi: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of the groups that have a pixel in ascending disjoint ranges, perhaps."""
        inside = np.searchsorted(lo, self.greatest, side="right") > np.searchsorted(hi, self.least, side="right")
        return self.number[inside]


def states(archive: Path) -> dict[int, State]:
    """Return the state of each night's ledger."""
    found = {}
    for night in nights(archive):
        try:
            told = path_of(archive, night).stat()
        except FileNotFoundError:  # deleted in this very moment
            continue
        found[night] = (told.st_ino, told.st_size, told.st_mtime_ns)
    return found


def groups_of(archive: Path, night: int) -> Groups:
    """Return what the row groups of a night's ledger have; none where there is no ledger of this version."""
    try:
        with translated(path_of(archive, night)):
            metadata = pq.read_metadata(path_of(archive, night))
    except FileNotFoundError:
        return _NO_GROUPS
    note = _note(metadata)
    if not note.is_current:
        return _NO_GROUPS
    column = metadata.schema.names.index(PIXEL)
    told = [(group, metadata.row_group(group).column(column).statistics) for group in range(metadata.num_row_groups)]
    rows = [(group, bounds.min, bounds.max) for group, bounds in told if bounds is not None]
    number, least, greatest = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Groups(
        number=number,
        least=least,
        greatest=greatest,
        max_radius_deg=note.max_radius_deg,
        surveys=frozenset(one.survey for one in note.spans),
        unsure=note.unsure,
    )


_NOTHING: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
_NO_GROUPS = Groups(number=_NOTHING, least=_NOTHING, greatest=_NOTHING, max_radius_deg=0.0, surveys=frozenset())


def read_group(archive: Path, night: int, group: int) -> DetectorVisits:
    """Return the rows of one row group of a night's ledger; none where it has become another file with fewer of them."""
    path = path_of(archive, night)
    try:
        with translated(path), pq.ParquetFile(path, read_dictionary=list(TEXT_COLUMNS)) as file:
            if group >= file.metadata.num_row_groups:
                return DetectorVisits.empty()
            return _visits(file.read_row_groups([group], use_threads=False))
    except FileNotFoundError:
        return DetectorVisits.empty()


def read_nights(archive: Path, some: Sequence[int]) -> DetectorVisits:
    """Return the ledgers of some nights."""
    return joined([read(archive, night) for night in some])


def delete_old(archive: Path, with_rows: Collection[int], before: Instant) -> list[int]:
    """Delete the ledgers of nights that began before a time and have no rows any more, and return which nights those were.

    Raises
    ------
    StorageError
        The disk does not work.
    """
    gone = [night for night in nights(archive) if night < night_of(before.tai_us) and night not in with_rows]
    for night in gone:
        with translated(path_of(archive, night)):
            path_of(archive, night).unlink(missing_ok=True)
    return gone


def _read(archive: Path, night: int, where: Callable[[pq.FileMetaData], Ranges] | None) -> DetectorVisits:
    path = path_of(archive, night)
    try:
        with translated(path), pq.ParquetFile(path, read_dictionary=list(TEXT_COLUMNS)) as file:
            groups = list(range(file.metadata.num_row_groups))
            if where is not None:
                groups = _groups_in(file.metadata, *where(file.metadata))
            return _visits(file.read_row_groups(groups, use_threads=False))
    except FileNotFoundError:
        return DetectorVisits.empty()


def _groups_in(metadata: pq.FileMetaData, lo: NDArray[np.int64], hi: NDArray[np.int64]) -> list[int]:
    """Return the row groups that may have footprints whose middles lie in some ranges."""
    column = metadata.schema.names.index(PIXEL)
    found = []
    for group in range(metadata.num_row_groups):
        bounds = metadata.row_group(group).column(column).statistics
        if bounds is None:  # no rows
            continue
        if np.searchsorted(lo, bounds.max, side="right") > np.searchsorted(hi, bounds.min, side="right"):
            found.append(group)
    return found


def _note(metadata: pq.FileMetaData) -> Note:
    told = json.loads((metadata.metadata or {}).get(_KEY, b"{}"))
    return Note(
        version=int(told.get("version", 1)),
        settled=str(told.get("settled", "")),
        files=str(told.get("files", "")),
        unsure=frozenset(told.get("unsure", ())),
        max_radius_deg=float(told.get("max_radius_deg", 180.0)),
        topics=told.get("topics", {}),
        spans=tuple(_span(one) for one in told.get("spans", ())),
        bands={survey: tuple(bands) for survey, bands in told.get("bands", {}).items()},
        n_rows=int(told.get("n_rows", -1)),
        held=tuple(_held(one) for one in told.get("held", ())),
    )


def _span(told: Mapping[str, Any]) -> Span:
    offsets, times, edges = (
        {int(partition): (int(low), int(high)) for partition, (low, high) in told.get(name, {}).items()}
        for name in ("offsets", "times", "edges")
    )
    return Span(
        survey=told["survey"],
        topic=told["topic"],
        first_us=int(told["first_us"]),
        last_us=int(told["last_us"]),
        offsets=offsets,
        times=times,
        edges=edges,
    )


def _held(told: Mapping[str, Any]) -> Held:
    runs = {int(partition): [(int(low), int(high)) for low, high in some] for partition, some in told["runs"].items()}
    return Held(survey=told["survey"], topic=told["topic"], runs=runs)


def _bands(visits: DetectorVisits) -> dict[str, list[str]]:
    """Return the bands of each survey; a detector whose alerts differ has several, with commas."""
    pairs = np.unique(np.stack([visits.survey.codes, visits.band.codes], axis=1), axis=0)
    found: dict[str, set[str]] = {}
    for survey, band in pairs.tolist():
        found.setdefault(visits.survey.values[survey], set()).update(visits.band.values[band].split(","))
    return {survey: sorted(bands - {""}) for survey, bands in found.items()}


def _write(file: IO[bytes], visits: DetectorVisits, digests: Mapping[Key, int], metadata: Mapping[bytes, bytes]) -> None:
    """Write the visits, one row group after the other: a night of a survey has 170,000 rows, and none but these are copied."""
    tables = _tables(visits, digests)
    first = next(tables).replace_schema_metadata(metadata)
    with pq.ParquetWriter(
        file, first.schema, compression="zstd", write_statistics=[PIXEL], use_dictionary=list(TEXT_COLUMNS)
    ) as writer:
        writer.write_table(first, ROW_GROUP)
        for table in tables:
            writer.write_table(table.replace_schema_metadata(metadata), ROW_GROUP)


def _max_radius_deg(visits: DetectorVisits) -> float:
    """Return the distance of the farthest corner of any footprint from its middle."""
    parts = (
        visits.polygons.take(np.arange(begin, min(begin + ROW_GROUP, len(visits)))) for begin in range(0, len(visits), ROW_GROUP)
    )
    return max((float(np.degrees(np.maximum(Halves.of(part).radius, 0.0)).max(initial=0.0)) for part in parts), default=0.0)


def _tables(visits: DetectorVisits, digests: Mapping[Key, int]) -> Iterator[pa.Table]:
    """Yield the rows of each row group; one table without rows where there are none."""
    pixel = pixels29(visits.ra_deg, visits.dec_deg) if len(visits) else np.zeros(0, dtype=np.int64)
    names = sorted(set(visits.survey.values))
    survey = np.array([names.index(name) for name in visits.survey.values] or [0])[visits.survey.codes]
    order = np.lexsort((visits.detector, visits.visit, survey, pixel)) if len(visits) else np.zeros(0, dtype=np.int64)
    coded = {name: _coded(getattr(visits, name).take(order)) for name in TEXT_COLUMNS}
    for begin in range(0, max(len(order), 1), ROW_GROUP):
        own = order[begin : begin + ROW_GROUP]
        polygons = visits.polygons.take(own)
        offsets = pa.array(polygons.first.astype(np.int32))
        columns: dict[str, Any] = {PIXEL: pixel[own]}
        columns |= {name: getattr(visits, name)[own] for name in NUMBER_COLUMNS}
        columns |= {name: coded[name].slice(begin, len(own)) for name in TEXT_COLUMNS}
        keys = zip(visits.survey.take(own).texts(), visits.visit[own].tolist(), strict=True)
        columns[DIGEST] = np.array([digests.get(key, 0) for key in keys], dtype=np.int64)
        columns["corner_ra_deg"] = pa.ListArray.from_arrays(offsets, pa.array(polygons.ra_deg))
        columns["corner_dec_deg"] = pa.ListArray.from_arrays(offsets, pa.array(polygons.dec_deg))
        yield pa.table(columns)


def _coded(words: Words) -> pa.DictionaryArray:
    return pa.array(words.values or ("",)).take(pa.array(words.codes)).dictionary_encode()


def _visits(table: pa.Table) -> DetectorVisits:
    columns: dict[str, Any] = {name: np.array(table[name].to_numpy(), dtype=kind) for name, kind in NUMBER_COLUMNS.items()}
    columns |= {name: words_of(table[name]) for name in TEXT_COLUMNS}
    return DetectorVisits(**columns, polygons=_polygons(table["corner_ra_deg"], table["corner_dec_deg"]))


def _polygons(ra: pa.ChunkedArray, dec: pa.ChunkedArray) -> Footprints:
    import pyarrow.compute as pc  # noqa: PLC0415

    counts = np.asarray(pc.list_value_length(ra).to_numpy(), dtype=np.int64)
    return Footprints(
        first=np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts))), ra_deg=_flat(ra), dec_deg=_flat(dec)
    )


def _flat(lists: pa.ChunkedArray) -> NDArray[np.float64]:
    parts = [np.asarray(chunk.flatten().to_numpy(), dtype=np.float64) for chunk in lists.chunks]
    return np.concatenate([np.zeros(0), *parts])
