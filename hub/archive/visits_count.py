"""What a night's rows say before any visit is computed: how many alerts each has, and which of them came by a full stream.

A row names the topic that brought it first. A visit of which any row came by a topic of a full stream was heard in full: a filter
may have been faster with some of its alerts. One without such a row may be all that a filter let through, and says nothing.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.archive.columns import ints_of, words_of
from hub.archive.visits_held import Held, Offsets

Key = tuple[str, int]
"""Survey and visit."""

FullTopics = Mapping[str, Collection[str]]
"""The topics of the full streams of each survey."""

COUNTED = ("survey", "source_id", "revision", "visit", "mid_tai_us", "topic", "partition", "offset")
"""Columns of the archive that are counted."""


EVIDENCE = 10
"""A visit of fewer alerts tells nothing of the time up to which a stream was read: a single alert may be dated wrongly."""

SLACK_US = 600_000_000
"""Alerts of visits that are no farther apart than this may come in any order, microseconds."""

NO_PLACE = -1
"""Stands for the partition of rows that do not say where in a topic they stood."""

_DIGEST_MAX = (1 << 63) - 1

_Marks = NDArray[np.int64]
"""Shape ``(n, 6)``: visit, partition, least and greatest offset, earliest and latest time of its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when a topic brought visits of a survey in one night."""

    survey: str
    topic: str
    first_us: int
    """Middle of the first visit that came in its turn, in the partition that began last, `Instant.tai_us`."""

    last_us: int
    """Middle of the last visit that came in its turn, in any partition."""

    offsets: Mapping[int, tuple[int, int]]
    """Least and greatest offset in each partition; `NO_PLACE` is among them where rows do not say."""

    times: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """As `first_us` and `last_us`, of each partition."""

    edges: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Time of the visit at the least and of the one at the greatest offset of each partition, in their turn or not."""

    def joined(self, other: "Span") -> "Span":
        """Return what both together are."""
        first, last = min(self.first_us, other.first_us), max(self.last_us, other.last_us)
        offsets, times, edges = (
            _wider(one, two) for one, two in ((self.offsets, other.offsets), (self.times, other.times), (self.edges, other.edges))
        )
        return Span(survey=self.survey, topic=self.topic, first_us=first, last_us=last, offsets=offsets, times=times, edges=edges)


def _wider(one: Mapping[int, tuple[int, int]], other: Mapping[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    found = dict(one)
    for partition, (low, high) in other.items():
        before = found.get(partition, (low, high))
        found[partition] = min(low, before[0]), max(high, before[1])
    return found


@dataclass(slots=True, kw_only=True)
class Counted:
    """A night, counted slice by slice."""

    n_alerts: Counter[Key] = field(default_factory=Counter)
    first_us: dict[Key, int] = field(default_factory=dict)
    """Earliest time in each visit."""

    digest: dict[Key, int] = field(default_factory=dict)
    """Of the rows of each visit, in whatever order: another one where a row came, went, or holds in another version."""

    in_full: set[Key] = field(default_factory=set)
    """Visits of which a full stream brought any alert."""

    slices: dict[Key, set[int]] = field(default_factory=dict)
    """Numbers of the slices in which a visit has rows."""

    topics: dict[str, dict[str, bool]] = field(default_factory=dict)
    """All topics that brought visits of a survey, and whether they are of a full stream."""

    marks: dict[tuple[str, str], _Marks] = field(default_factory=dict)
    """Where the rows of each visit stood, by survey and full topic."""

    offsets: dict[tuple[str, str], Offsets] = field(default_factory=dict)
    """Those of all rows that name a visit, by survey and full topic."""

    n_rows: int = 0
    """Of all surveys."""

    def add(self, table: pa.Table, number: int, full: FullTopics) -> None:
        """Count the rows of a slice, `COUNTED`."""
        self.n_rows += table.num_rows
        names = words_of(table["survey"])
        visits, topics = ints_of(table["visit"]), words_of(table["topic"])
        for code in np.unique(names.codes).tolist():
            survey = names.values[code]
            if survey not in full:
                continue
            own = np.flatnonzero((names.codes == code) & (visits > 0))
            by_topic = topics.codes[own]
            for topic in np.unique(by_topic).tolist():
                text = topics.values[topic]
                is_full = text in full[survey]
                self.topics.setdefault(survey, {})[text] = is_full
                if is_full:
                    self._extend(survey, text, table, own[by_topic == topic])
            is_full_row = np.isin(by_topic, [index for index, text in enumerate(topics.values) if text in full[survey]])
            digests = _digests(ints_of(table["source_id"])[own], ints_of(table["revision"])[own])
            self._count(survey, number, visits[own], ints_of(table["mid_tai_us"])[own], is_full_row, digests)

    def _count(  # noqa: PLR0917 - columns
        self,
        survey: str,
        number: int,
        visits: NDArray[np.int64],
        times: NDArray[np.int64],
        is_full: NDArray[np.bool_],
        digests: NDArray[np.uint64],
    ) -> None:
        numbers, which, counts = np.unique(visits, return_inverse=True, return_counts=True)
        first = np.full(len(numbers), np.iinfo(np.int64).max)
        np.minimum.at(first, which, times)
        heard = np.bincount(which, weights=is_full, minlength=len(numbers)) > 0
        sums = np.zeros(len(numbers), dtype=np.uint64)
        np.add.at(sums, which, digests)
        columns = (numbers.tolist(), counts.tolist(), first.tolist(), heard.tolist(), sums.tolist())
        for visit, n, at, in_full, digest in zip(*columns, strict=True):
            key = survey, visit
            self.n_alerts[key] += n
            self.digest[key] = (self.digest.get(key, 0) + digest) & _DIGEST_MAX
            self.first_us[key] = min(at, self.first_us.get(key, at))
            self.slices.setdefault(key, set()).add(number)
            if in_full:
                self.in_full.add(key)

    def _extend(self, survey: str, topic: str, table: pa.Table, rows: NDArray[np.intp]) -> None:
        visits, times, partitions, offsets = (
            ints_of(table[name])[rows] for name in ("visit", "mid_tai_us", "partition", "offset")
        )
        self.offsets.setdefault((survey, topic), Offsets()).add(partitions, offsets)
        partitions = np.where(offsets < 0, NO_PLACE, partitions)
        marks = _reduced(np.stack([visits, partitions, offsets, offsets, times, times], axis=1))
        before = self.marks.get((survey, topic))
        self.marks[survey, topic] = marks if before is None else _reduced(np.concatenate([before, marks]))


def _digests(ids: NDArray[np.int64], revisions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a number for each version of a detection, whose sums tell sets apart (splitmix64, Steele et al. 2014)."""
    found = ids.astype(np.uint64)
    for more in (np.zeros(1, dtype=np.uint64), revisions.astype(np.uint64)):
        found = (found ^ more) + np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        found ^= found >> np.uint64(31)
    return found


def _reduced(marks: _Marks) -> _Marks:
    """Return one row for each visit and partition."""
    if not len(marks):
        return marks
    marks = marks[np.lexsort((marks[:, 1], marks[:, 0]))]
    first = np.flatnonzero(np.concatenate(([True], (np.diff(marks[:, :2], axis=0) != 0).any(axis=1))))
    found = marks[first]
    for column, least in ((2, np.minimum), (3, np.maximum), (4, np.minimum), (5, np.maximum)):
        found[:, column] = least.reduceat(marks[:, column], first)
    return found


def spans_of(counted: Counted, waiting: Collection[Key], now_us: int) -> list[Span]:
    """Return from when to when each full topic was heard, before the first visit that is not in the ledger yet.

    The offsets say in which order visits came. One that is dated before those that came before it, or after those that came after
    it, by more than `SLACK_US`, extends nothing: most visits of a partition ascend, and where it is not clear which ones do, the
    time is the shorter one. Nor do visits of fewer than `EVIDENCE` alerts and those that are dated after the present.

    Parameters
    ----------
    counted
        Of the night.
    waiting
        Visits that are not in the ledger yet.
    now_us
        The present, `Instant.tai_us`.
    """
    stops: dict[str, int] = {}
    for survey, visit in waiting:
        at = counted.first_us[survey, visit]
        stops[survey] = min(at, stops.get(survey, at))
    found = []
    for (survey, topic), every in counted.marks.items():
        marks = every[[counted.n_alerts[survey, visit] >= EVIDENCE for visit in every[:, 0].tolist()]]
        good = marks[(marks[:, 5] <= now_us) & (marks[:, 4] < stops.get(survey, np.iinfo(np.int64).max))]
        times = {partition: _turns(good[good[:, 1] == partition]) for partition in np.unique(good[:, 1]).tolist()}
        if not times:
            continue
        first, last = max(one[0] for one in times.values()), max(one[1] for one in times.values())
        if first <= last:
            own = ((partition, marks[marks[:, 1] == partition]) for partition in np.unique(marks[:, 1]).tolist())
            parts = dict(own)
            offsets = {partition: (int(some[:, 2].min()), int(some[:, 3].max())) for partition, some in parts.items()}
            edges = {
                partition: (int(some[some[:, 2].argmin(), 4]), int(some[some[:, 3].argmax(), 5]))
                for partition, some in parts.items()
            }
            found.append(
                Span(survey=survey, topic=topic, first_us=first, last_us=last, offsets=offsets, times=times, edges=edges)
            )
    return found


def held_of(counted: Counted) -> list[Held]:
    """Return at which offsets of each full topic a night has rows, whatever becomes of their visits."""
    return [Held(survey=survey, topic=topic, runs=own.runs()) for (survey, topic), own in counted.offsets.items()]


def _turns(marks: _Marks) -> tuple[int, int]:
    """Return the times of the first and of the last visit of a partition that came in their turn."""
    if marks[0, 1] == NO_PLACE:
        return int(marks[:, 4].min()), int(marks[:, 5].max())
    marks = marks[np.argsort(marks[:, 2], kind="stable")]
    first, last = -_least_end((-marks[::-1, 5]).tolist()), _least_end(marks[:, 4].tolist())
    return first, int(marks[marks[:, 4] <= last + SLACK_US, 4].max())


def _least_end(times: Sequence[int]) -> int:
    """Return the least number that any longest ascending part of a sequence ends with: one that is out of turn is in none."""
    ends: list[int] = []
    for at in times:
        place = bisect_right(ends, at)
        ends[place : place + 1] = [at]
    return ends[-1]
