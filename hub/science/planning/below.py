"""Probability of any interval of pixels of a map, whatever their sizes: differences of its running sum."""

import numpy as np
from numpy.typing import NDArray

from hub.model.pixel29 import Floats, Int64s
from hub.science.healpix import PIXEL29_SR, area_sr


class Below:
    """How much of a map lies before an order-29 pixel."""

    def __init__(self, lo: Int64s, hi: Int64s, density: Floats) -> None:
        """Take ascending disjoint intervals and their densities, 1/sr."""
        self._lo, self._hi, self._density = lo, hi, density
        self._before = np.concatenate(([0.0], np.cumsum(area_sr(lo, hi) * density)))

    def between(self, begin: Int64s, end: Int64s) -> NDArray[np.float64]:
        """Return the probability in each interval ``[begin, end)``, good to the rounding of a sum that ends at 1."""
        if not len(self._lo):
            return np.zeros(len(begin))
        return np.maximum(self._until(end) - self._until(begin), 0.0)

    def _until(self, pixel: Int64s) -> NDArray[np.float64]:
        index = np.searchsorted(self._lo, pixel, side="right") - 1
        held = np.maximum(index, 0)
        part = (np.minimum(pixel, self._hi[held]) - self._lo[held]).astype(np.float64) * PIXEL29_SR * self._density[held]
        return np.asarray(np.where(index >= 0, self._before[held] + part, 0.0))
