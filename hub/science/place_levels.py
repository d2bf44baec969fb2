"""Levels of a map as evaluating candidates needs them: three eighths of the memory of the full table for regions."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hub.science.healpix import find
from hub.science.levels import Levels2D


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceHits:
    """What a map says of positions; NaN where it has no pixel."""

    covered: NDArray[np.bool_]
    searched_prob: NDArray[np.float64]
    """Inclusive cumulative probability."""

    probdensity: NDArray[np.float64]
    """1/sr."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceLevels:
    """Four of the columns of a `Levels2D`, all of the shape ``(n,)`` and in its order.

    Where each interval begins at the end of the one before, as in maps of the whole sky, ``lo`` and ``hi`` lie in one array.
    """

    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    probdensity: NDArray[np.float64]
    searched_prob: NDArray[np.float64]

    @classmethod
    def of(cls, levels: Levels2D) -> Self:
        """Return what is needed of a full table; the columns of numbers are shared."""
        lo, hi = levels.lo, levels.hi
        if len(lo) and (lo[1:] == hi[:-1]).all():
            edges = np.append(lo, hi[-1])
            edges.setflags(write=False)
            lo, hi = edges[:-1], edges[1:]
        return cls(lo=lo, hi=hi, probdensity=levels.probdensity, searched_prob=levels.searched_prob)

    @property
    def nbytes(self) -> int:
        """Memory of the columns, bytes."""
        is_one = self.lo.base is not None and self.lo.base is self.hi.base
        pixels = self.lo.nbytes + self.lo.itemsize if is_one else self.lo.nbytes + self.hi.nbytes
        return pixels + self.probdensity.nbytes + self.searched_prob.nbytes

    def lookup(self, pixels: NDArray[np.int64]) -> PlaceHits:
        """Return what the map says of order-29 pixels."""
        index = find(self.lo, self.hi, pixels)
        covered = index >= 0
        return PlaceHits(
            covered=covered,
            searched_prob=np.where(covered, self.searched_prob[index], np.nan),
            probdensity=np.where(covered, self.probdensity[index], np.nan),
        )
