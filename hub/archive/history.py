"""The archive as the memory of past alerts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.archive import layout
from hub.archive.appending import Writer
from hub.archive.columns import ALERT_COLUMNS, SCHEMA, batches_of
from hub.archive.counting import Counts
from hub.archive.merging import Merged, Policy, merge_due, sweep
from hub.archive.places import around, closely_around, cone_ranges, separations_deg
from hub.archive.recent import RECENT_BYTES, Recent
from hub.archive.region import Region
from hub.archive.retention import Retired, retire
from hub.archive.searching import THREADS, Search
from hub.archive.segments import Footers
from hub.archive.space import shortage
from hub.archive.visits_slices import bounds
from hub.model.alert import AlertBatch
from hub.model.instant import Instant
from hub.science.healpix import merge

MIB = 2**20
"""Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """How an archive is kept."""

    keep_days: float = 400.0
    """Nights older than this are deleted, days."""

    max_bytes: int = 0
    """Largest size; 0 for no limit."""

    min_free_bytes: int = 0
    """With less room than this nothing is appended."""

    known_bytes: int = 96 * MIB
    """Memory for the source ids of the cells that are appended to."""

    recent_bytes: int = RECENT_BYTES
    """Memory for the rows of fresh files."""

    merging: Policy = field(default_factory=Policy)
    """When a night is merged."""

    threads: int = THREADS
    """Files that are read at once by one search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What tidying did."""

    merged: Merged
    retired: tuple[Retired, ...]
    swept: int
    """Files that a process which died was writing."""


class ArchiveHistory:
    """`hub.ports.AlertHistory` on Parquet files; any number of processes may append and read.

    Parameters
    ----------
    folder
        Of the archive; made when the first alert comes.
    settings
        How it is kept.
    database
        Gives the number of the database that it belongs to (`hub.storage.identity`); asked before the first row is appended, and
        an archive of another one is refused. Nobody is asked where it is not given.
    """

    def __init__(
        self, folder: Path, settings: ArchiveSettings | None = None, *, database: Callable[[], str] | None = None
    ) -> None:
        self.folder = folder
        self.settings = settings or ArchiveSettings()
        self._footers = Footers()
        self._recent = Recent(self.settings.recent_bytes)
        self._search = Search(folder, self._footers, self._recent, threads=self.settings.threads)
        self._counts = Counts(folder, self._footers)
        self._writer = Writer(
            folder,
            self._footers,
            self._recent,
            known_bytes=self.settings.known_bytes,
            min_free_bytes=self.settings.min_free_bytes,
            database=database,
        )

    def append(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Store the rows that are not there yet, durably; see the port."""
        return self._writer.append(batch)

    def outranking(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Return which rows of a batch that was appended hold instead of other versions of the detection.

        The same when a row comes again. Of two processes that append versions of one detection at the same instant, and ask this
        afterwards, one sees the version of the other.
        """
        return self._writer.outranking(batch)

    def versions(self, batch: AlertBatch) -> AlertBatch:
        """Return all versions that are stored of some detections and lie where these or near them, in no particular order."""
        lo, hi = around(np.unique(batch.hpx29))
        nights = layout.nights_of(batch.mid_tai_us)
        region = Region(
            lo=lo, hi=hi, start_us=int(bounds(int(nights.min()))[0].tai_us), end_us=int(bounds(int(nights.max()))[1].tai_us)
        )
        for found in batches_of(self._search.versions(region, ALERT_COLUMNS)):
            if found.survey == batch.survey:
                return found.take(np.isin(found.source_id, batch.source_id))
        return AlertBatch.empty(batch.survey)

    def in_region(self, lo: NDArray[np.int64], hi: NDArray[np.int64], start: Instant, end: Instant) -> list[AlertBatch]:
        """Return all alerts inside ascending disjoint order-29 ranges and the time window, one batch per survey, by name."""
        return self._search.alerts(Region(lo=lo, hi=hi, start_us=start.tai_us, end_us=end.tai_us))

    def at_most(self, lo: NDArray[np.int64], hi: NDArray[np.int64], start: Instant, end: Instant, limit: int) -> int:
        """Return a bound on the alerts of a region, from the footers of files alone; see `hub.services.matching.KnowsSize`."""
        return self._search.at_most(Region(lo=lo, hi=hi, start_us=start.tai_us, end_us=end.tai_us), limit)

    def rows_in_region(
        self,
        lo: NDArray[np.int64],
        hi: NDArray[np.int64],
        start: Instant,
        end: Instant,
        columns: Sequence[str] = tuple(SCHEMA.names),
    ) -> pa.Table:
        """Return some columns of what `in_region` finds, of all surveys, in no particular order."""
        return self._search.table(Region(lo=lo, hi=hi, start_us=start.tai_us, end_us=end.tai_us), columns)

    def of_objects(self, survey: str, object_ids: Sequence[str], hpx29: NDArray[np.int64]) -> AlertBatch:
        """Return all alerts of some objects, ordered by time; see the port."""
        if not len(object_ids):
            return AlertBatch.empty(survey)
        lo, hi = around(np.unique(hpx29))
        found = self._search.of_objects(survey, sorted(set(object_ids)), lo, hi)
        return found[0] if found else AlertBatch.empty(survey)

    def with_neighbours(self, survey: str, object_ids: Sequence[str], hpx29: NDArray[np.int64]) -> list[AlertBatch]:
        """Return all alerts of some objects and of what lies around them; see the port."""
        if not len(object_ids):
            return []
        pixels = np.unique(hpx29)
        return self._search.of_objects(survey, sorted(set(object_ids)), *around(pixels), near=closely_around(pixels))

    def cone(
        self, ra_deg: float, dec_deg: float, radius_deg: float, start: Instant | None = None, end: Instant | None = None
    ) -> list[AlertBatch]:
        """Return all alerts within a radius (ICRS), inclusive, one batch per survey, by name, each ordered by time."""
        lo, hi = cone_ranges(ra_deg, dec_deg, radius_deg)
        region = Region(
            lo=lo,
            hi=hi,
            start_us=_LEAST if start is None else start.tai_us,
            end_us=_GREATEST if end is None else end.tai_us,
        )
        found = []
        for batch in batches_of(self._search.table(region, ALERT_COLUMNS)):
            near = separations_deg(ra_deg, dec_deg, batch.ra_deg, batch.dec_deg) <= radius_deg
            if near.any():
                inside = batch.take(near)
                found.append(inside.take(np.lexsort((inside.source_id, inside.mid_tai_us))))
        return found

    def is_from(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Return for each alert of a survey whether its row came from the packet that the batch's provenance names."""
        place = batch.provenance
        if place is None or not len(batch):
            return np.zeros(len(batch), dtype=bool)
        pixels = np.unique(batch.hpx29)
        lo, hi = merge(pixels, pixels + 1)
        region = Region(lo=lo, hi=hi, start_us=int(batch.mid_tai_us.min()), end_us=int(batch.mid_tai_us.max()) + 1)
        names = ("survey", "source_id", "topic", "partition", "offset")
        columns = [column.to_pylist() for column in self._search.versions(region, names).columns]
        stored = {row[1:] for row in zip(*columns, strict=True) if row[0] == batch.survey}
        named = zip(batch.source_id.tolist(), place.topic.texts(), place.partition.tolist(), place.offset.tolist(), strict=True)
        return np.array([one in stored for one in named], dtype=bool)

    def nights(self) -> list[int]:
        """Return the nights that have rows, ascending."""
        return layout.nights(self.folder)

    def scan_night(self, night: int, columns: Sequence[str] = tuple(SCHEMA.names)) -> Iterator[pa.Table]:
        """Yield the rows of a night cell by cell, ascending in ``_healpix_29`` throughout, each alert once."""
        return self._search.scan(night, columns)

    def count(self) -> int:
        """Return how many alerts are stored.

        It is exact but for alerts that two processes appended at the same instant, which count twice until they are merged.
        """
        return self._counts.stored()

    def count_ever(self) -> int:
        """Return how many alerts were ever told to be new: those that are stored, and those that retention deleted."""
        return self._counts.ever()

    def tidy(self, now: Instant, keep: Callable[[], None] = lambda: None) -> Tidied:
        """Merge what is fresh, delete what is too old, remove what crashes left; under the lease ``archive``.

        Parameters
        ----------
        now
            The present.
        keep
            Called now and then: holds the lease longer. What it raises ends the work, and nothing is lost then.

        Raises
        ------
        StorageError
            The disk is full or does not work.
        """
        swept = sweep(self.folder)
        merged = merge_due(
            self.folder,
            self._footers,
            policy=self.settings.merging,
            keep=keep,
        )
        keep()
        retired = retire(self.folder, now=now, keep_days=self.settings.keep_days, max_bytes=self.settings.max_bytes)
        return Tidied(merged=merged, retired=tuple(retired), swept=swept)

    def alarms(self) -> tuple[str, ...]:
        """Return what a person must know: that there is no room."""
        sentence = shortage(self.folder, self.settings.min_free_bytes)
        return () if sentence is None else (sentence,)


_LEAST, _GREATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
