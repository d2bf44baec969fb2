"""How well two sky maps agree: the overlap integral on their common refinement, and the map that both together give.

``I = 4 pi * Integral(p_a p_b dOmega)`` of two normalised densities is 1 where a map says nothing, above 1 where they support one
common source, and 0 where they exclude it (Ashton et al. 2018, ApJ 860, 6). Both maps are constant on the intersections of their
pixels, so the sum over those is exact, however different their resolutions are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.sky import Skymap
from hub.science.healpix import Int64s, area_sr, find


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Common:
    """Intersections of the pixels of two maps; each is a whole pixel of one of them."""

    lo: Int64s
    hi: Int64s
    row_a: NDArray[np.intp]
    row_b: NDArray[np.intp]


def overlap_integral(a: Skymap, b: Skymap) -> float:
    """Return the overlap integral of two maps, dimensionless, >= 0.

    Maps are divided by their sums; a partial map is zero outside its pixels. Cost is a merge of the two sorted lists of pixels.
    """
    common = _refine(a, b)
    product = a.probdensity[common.row_a] * b.probdensity[common.row_b] * area_sr(common.lo, common.hi)
    return float(4.0 * np.pi * product.sum() / (total_probability(a) * total_probability(b)))


def overlap_of_all(maps: Sequence[Skymap]) -> float:
    """Return the overlap integral of several maps at once, ``(4 pi)^(k-1) * Integral(prod p_i dOmega)``, dimensionless, >= 0.

    It is 1 where only one of the maps says anything. It is not the product of the overlaps of pairs: three maps can overlap two
    by two and exclude each other together. The order of the maps does not change it.

    Parameters
    ----------
    maps
        At least one.
    """
    ordered = sorted(maps, key=lambda one: one.digest())  # so that rounding does not depend on who comes first
    together, integral = ordered[0], 1.0
    for one in ordered[1:]:
        factor = overlap_integral(together, one)
        if factor <= 0.0:
            return 0.0
        integral *= factor
        together = combine(together, one)
    return integral


def overlap_with_point(skymap: Skymap, pixel: int) -> float:
    """Return the overlap integral of a map with a source known to lie in one order-29 pixel: 4 pi times the density there."""
    row = int(find(skymap.lo, skymap.hi, np.array([pixel], dtype=np.int64))[0])
    return 0.0 if row < 0 else float(4.0 * np.pi * skymap.probdensity[row] / total_probability(skymap))


def combine(a: Skymap, b: Skymap) -> Skymap:
    """Return the normalised product of two maps on their common refinement, with the distance layers of the first.

    Raises
    ------
    ValueError
        The maps exclude each other: their product is zero everywhere.
    """
    common = _refine(a, b)
    density = a.probdensity[common.row_a] * b.probdensity[common.row_b]
    total = float((density * area_sr(common.lo, common.hi)).sum())
    if not total > 0.0:
        raise ValueError("the maps have no common region, so there is no combined map")
    return Skymap(
        lo=common.lo,
        hi=common.hi,
        probdensity=density / total,
        distmu=None if a.distmu is None else a.distmu[common.row_a],
        distsigma=None if a.distsigma is None else a.distsigma[common.row_a],
        distnorm=None if a.distnorm is None else a.distnorm[common.row_a],
    )


def refinement(maps: Sequence[Skymap]) -> tuple[Int64s, Int64s]:
    """Return the pixels on which all of some maps, at least one, are constant: first and one past the last, ascending."""
    together = maps[0]
    for one in maps[1:]:
        if not len(together.lo):
            break  # nothing has no common region with anything
        common = _refine(together, one)
        together = Skymap(lo=common.lo, hi=common.hi, probdensity=together.probdensity[common.row_a])
    return together.lo, together.hi


def total_probability(skymap: Skymap) -> float:
    """Return the integral of a map over its pixels."""
    return float((skymap.probdensity * area_sr(skymap.lo, skymap.hi)).sum())


def _refine(a: Skymap, b: Skymap) -> _Common:
    """Return the intersections of the two maps' pixels, ascending.

    Pixels nest, so two that meet lie one in the other, and the inner one is the intersection: the pixels of a inside pixels of
    b, and the strictly smaller pixels of b inside pixels of a, are all of them.
    """
    in_b = find(b.lo, b.hi, a.lo)
    a_inside = (in_b >= 0) & (a.hi <= b.hi[in_b])
    in_a = find(a.lo, a.hi, b.lo)
    b_inside = (in_a >= 0) & (b.hi <= a.hi[in_a]) & (b.hi - b.lo < (a.hi - a.lo)[in_a])
    rows_a, rows_b = np.flatnonzero(a_inside), np.flatnonzero(b_inside)
    lo = np.concatenate((a.lo[rows_a], b.lo[rows_b]))
    ascending = np.argsort(lo)
    return _Common(
        lo=lo[ascending],
        hi=np.concatenate((a.hi[rows_a], b.hi[rows_b]))[ascending],
        row_a=np.concatenate((rows_a, in_a[rows_b]))[ascending],
        row_b=np.concatenate((in_b[rows_a], rows_b))[ascending],
    )
