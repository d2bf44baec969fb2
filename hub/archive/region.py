"""What is asked of the archive: ranges of pixels, and times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.int64]
"""Order-29 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """What is asked for: ascending disjoint half-open ranges of order-29 pixels, and times."""

    lo: Pixels
    hi: Pixels
    start_us: int
    """Least `mid_tai_us`."""

    end_us: int
    """One past the greatest."""

    def touches(self, lo: Pixels | int, hi: Pixels | int) -> NDArray[np.bool_]:
        """Return for each interval of pixels whether some range meets it."""
        return np.asarray(np.searchsorted(self.hi, lo, side="right") < np.searchsorted(self.lo, hi, side="left"))

    def rows(self, pixels: Pixels) -> NDArray[np.bool_]:
        """Return for each of ascending pixels whether some range holds it: the fewer are looked up among the more."""
        if len(self.lo) < len(pixels):
            inside = np.zeros(len(pixels) + 1, dtype=np.int8)
            first, last = np.searchsorted(pixels, self.lo), np.searchsorted(pixels, self.hi)
            used = last > first
            inside[first[used]] += 1
            np.subtract.at(inside, last[used], 1)
            return np.asarray(np.cumsum(inside[:-1], dtype=np.int8) > 0)
        index = np.searchsorted(self.lo, pixels, side="right") - 1
        return np.asarray((index >= 0) & (pixels < self.hi[np.maximum(index, 0)]))

    def found_in(self, pixels: Pixels) -> NDArray[np.intp]:
        """Return the indices of ascending pixels that some range holds, ascending."""
        first, last = np.searchsorted(pixels, self.lo), np.searchsorted(pixels, self.hi)
        n = last - first
        return np.asarray(np.repeat(last - np.cumsum(n), n) + np.arange(n.sum()), dtype=np.intp)
