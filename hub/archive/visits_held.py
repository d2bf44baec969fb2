"""At which offsets of a topic the archive has rows: what the books say was understood must be here too.

A packet that was read and understood and of which no row is here may be of a visit that no ledger tells of: its alerts named no
visit, or came by a filter first, or are in another archive. Nothing excuses a hole: whose packet stood in it is not known.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Run = tuple[int, int]
"""First and last offset of some that follow each other."""

MAX_RUNS = 20_000
"""Most runs of a partition in one night that are remembered; of a night with more holes nothing is said to be here."""

_BLOCK = 1 << 16
_MAX_BLOCKS = 4000
"""So many at once, 260 MB: a night has some hundreds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a night has of one topic."""

    survey: str
    topic: str
    runs: dict[int, list[Run]]
    """By partition, ascending: offsets of the rows that name a visit."""

    def joined(self, other: "Held") -> "Held":
        """Return what both have."""
        runs = {one: merged([*self.runs.get(one, ()), *other.runs.get(one, ())]) for one in self.runs.keys() | other.runs.keys()}
        return Held(survey=self.survey, topic=self.topic, runs=runs)


class Offsets:
    """Offsets of rows that come in any order; a byte for each, whatever their number."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, int], NDArray[np.bool_]] = {}
        self._is_full = False

    def add(self, partitions: NDArray[np.int64], offsets: NDArray[np.int64]) -> None:
        """Add those of some rows; negative ones are none."""
        good = offsets >= 0
        partitions, offsets = partitions[good], offsets[good]
        blocks = offsets // _BLOCK
        order = np.lexsort((blocks, partitions))
        partitions, offsets, blocks = partitions[order], offsets[order], blocks[order]
        cuts = np.flatnonzero((np.diff(partitions) != 0) | (np.diff(blocks) != 0)) + 1
        for own in np.split(np.arange(len(offsets)), cuts) if len(offsets) else ():
            key = int(partitions[own[0]]), int(blocks[own[0]])
            if key not in self._blocks:
                if len(self._blocks) >= _MAX_BLOCKS:
                    self._is_full = True
                    return
                self._blocks[key] = np.zeros(_BLOCK, dtype=np.bool_)
            self._blocks[key][offsets[own] % _BLOCK] = True

    def runs(self) -> dict[int, list[Run]]:
        """Return the runs of each partition."""
        found: dict[int, list[Run]] = {}
        for (partition, block), flags in sorted(self._blocks.items() if not self._is_full else ()):
            edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
            begin = block * _BLOCK
            some = [(begin + low, begin + end - 1) for low, end in edges.reshape(-1, 2).tolist()]
            found[partition] = merged([*found.get(partition, ()), *some])
        return {partition: runs for partition, runs in found.items() if len(runs) <= MAX_RUNS}


def merged(runs: Iterable[Run]) -> list[Run]:
    """Return the runs that cover the same offsets, ascending, none next to another."""
    found: list[Run] = []
    for low, high in sorted(runs):
        if found and low <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(high, found[-1][1])
        else:
            found.append((low, high))
    return found


def n_missing(runs: Sequence[Run], low: int, high: int) -> int:
    """Return how many offsets from one to another, both included, are in no run; runs are as `merged` returns them."""
    if high < low:
        return 0
    first = bisect_left(runs, low, key=lambda run: run[1])
    last = bisect_right(runs, high, key=lambda run: run[0])
    here = sum(min(run[1], high) - max(run[0], low) + 1 for run in runs[first:last])
    return high - low + 1 - here
