"""Levels of a map as evaluating candidates needs them: half the memory of the full table, which searching regions needs."""

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
    """Four of the columns of a `Levels2D`, all of the shape ``(n,)`` and in its order."""

    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    probdensity: NDArray[np.float64]
    searched_prob: NDArray[np.float64]

    @classmethod
    def of(cls, levels: Levels2D) -> Self:
        """Return what is needed of a full table; the columns are shared."""
        return cls(lo=levels.lo, hi=levels.hi, probdensity=levels.probdensity, searched_prob=levels.searched_prob)

    @property
    def nbytes(self) -> int:
        """Memory of the columns, bytes."""
        return self.lo.nbytes + self.hi.nbytes + self.probdensity.nbytes + self.searched_prob.nbytes

    def lookup(self, pixels: NDArray[np.int64]) -> PlaceHits:
        """Return what the map says of order-29 pixels."""
        index = find(self.lo, self.hi, pixels)
        covered = index >= 0
        return PlaceHits(
            covered=covered,
            searched_prob=np.where(covered, self.searched_prob[index], np.nan),
            probdensity=np.where(covered, self.probdensity[index], np.nan),
        )
