"""What a night's rows say before any visit is computed: how many alerts each has, and which of them came by a full stream.

A row names the topic that brought it first. A visit of which any row came by a topic of a full stream was heard in full: a filter
may have been faster with some of its alerts. One without such a row may be all that a filter let through, and says nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.archive.columns import ints_of, words_of

Key = tuple[str, int]
"""Survey and visit."""

FullTopics = Mapping[str, Collection[str]]
"""The topics of the full streams of each survey."""

COUNTED = ("survey", "visit", "mid_tai_us", "topic", "partition", "offset")
"""Columns of the archive that are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when a topic brought visits of a survey in one night."""

    survey: str
    topic: str
    first_us: int
    """Middle of the first visit, `Instant.tai_us`."""

    last_us: int
    offsets: Mapping[int, tuple[int, int]]
    """Least and greatest offset in each partition."""

    def joined(self, other: "Span") -> "Span":
        """Return what both together are."""
        offsets = dict(self.offsets)
        for partition, (low, high) in other.offsets.items():
            before = offsets.get(partition, (low, high))
            offsets[partition] = min(low, before[0]), max(high, before[1])
        first, last = min(self.first_us, other.first_us), max(self.last_us, other.last_us)
        return Span(survey=self.survey, topic=self.topic, first_us=first, last_us=last, offsets=offsets)


@dataclass(slots=True, kw_only=True)
class Counted:
    """A night, counted slice by slice."""

    n_alerts: Counter[Key] = field(default_factory=Counter)
    first_us: dict[Key, int] = field(default_factory=dict)
    """Earliest time in each visit."""

    in_full: set[Key] = field(default_factory=set)
    """Visits of which a full stream brought any alert."""

    slices: dict[Key, set[int]] = field(default_factory=dict)
    """Numbers of the slices in which a visit has rows."""

    topics: dict[str, dict[str, bool]] = field(default_factory=dict)
    """All topics that brought visits of a survey, and whether they are of a full stream."""

    spans: dict[tuple[str, str], Span] = field(default_factory=dict)
    """By survey and full topic."""

    def add(self, table: pa.Table, number: int, full: FullTopics) -> None:
        """Count the rows of a slice, `COUNTED`."""
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
            self._count(survey, number, visits[own], ints_of(table["mid_tai_us"])[own], is_full_row)

    def _count(
        self, survey: str, number: int, visits: NDArray[np.int64], times: NDArray[np.int64], is_full: NDArray[np.bool_]
    ) -> None:
        numbers, which, counts = np.unique(visits, return_inverse=True, return_counts=True)
        first = np.full(len(numbers), np.iinfo(np.int64).max)
        np.minimum.at(first, which, times)
        heard = np.bincount(which, weights=is_full, minlength=len(numbers)) > 0
        for visit, n, at, in_full in zip(numbers.tolist(), counts.tolist(), first.tolist(), heard.tolist(), strict=True):
            key = survey, visit
            self.n_alerts[key] += n
            self.first_us[key] = min(at, self.first_us.get(key, at))
            self.slices.setdefault(key, set()).add(number)
            if in_full:
                self.in_full.add(key)

    def _extend(self, survey: str, topic: str, table: pa.Table, rows: NDArray[np.intp]) -> None:
        times, partitions, offsets = (ints_of(table[name])[rows] for name in ("mid_tai_us", "partition", "offset"))
        ranges = {}
        for partition in np.unique(partitions).tolist():
            some = offsets[(partitions == partition) & (offsets >= 0)]
            if len(some):
                ranges[partition] = int(some.min()), int(some.max())
        span = Span(survey=survey, topic=topic, first_us=int(times.min()), last_us=int(times.max()), offsets=ranges)
        before = self.spans.get((survey, topic))
        self.spans[survey, topic] = span if before is None else before.joined(span)


def until(spans: Iterable[Span], counted: Counted, waiting: Collection[Key]) -> list[Span]:
    """Return spans as far as the ledger goes: to the last visit before the first one of their survey that is not in it yet.

    Parameters
    ----------
    spans
        As counted.
    counted
        Of the night.
    waiting
        Visits that are not in the ledger yet.
    """
    first_waiting: dict[str, int] = {}
    for survey, visit in waiting:
        at = counted.first_us[survey, visit]
        first_waiting[survey] = min(at, first_waiting.get(survey, at))
    found = []
    for one in spans:
        last: int | None = one.last_us
        if (stop := first_waiting.get(one.survey)) is not None and stop <= one.last_us:
            done = (at for key, at in counted.first_us.items() if key[0] == one.survey and key in counted.in_full and at < stop)
            last = max(done, default=None)
        if last is not None and one.first_us <= last:
            found.append(Span(survey=one.survey, topic=one.topic, first_us=one.first_us, last_us=last, offsets=one.offsets))
    return found
