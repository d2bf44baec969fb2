"""A sky map as cells, as fine as a field of view needs them and finer where the map is bright.

Whether a cell lies in a field is asked of one place in it, drawn at random (stratified sampling; the same draw each time).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.sky import FULL_SKY_DEG2, Skymap
from hub.science.healpix import MAX_ORDER, area_sr, at_order, centres
from hub.science.planning.below import Below
from hub.science.planning.fields import Field, Floats, unit_vectors

CELLS_PER_FIELD = 400
"""A field holds at least so many cells: its border then cuts a tenth of them, and errors of it go both ways."""

MAX_CELLS = 1_500_000
"""Where a plan would need more, its cells are coarser."""

SPARE = 4.0
"""The densest part of the map, so many times the area of all fields together, is looked at."""

LARGE = 1e-4
"""A cell that holds more than this is cut in four; of the others a field's border loses or gains little."""

SPLITS = 2
"""So many times."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """The cells that a plan chooses from, in bands of declination and by right ascension within a band."""

    ra_deg: Floats
    """Of one place in each, shape ``(n,)``."""

    dec_deg: Floats
    vectors: Floats
    """The same as unit vectors, shape ``(n, 3)``."""

    prob: Floats
    """Probability of each, shape ``(n,)``."""

    band_deg: float
    """Height of a band."""

    band_starts: NDArray[np.int64]
    """First cell of each band from declination -90 up, shape ``(n_bands + 1,)``."""

    def __len__(self) -> int:
        return len(self.prob)


def cells_of(skymap: Skymap, field: Field, n: int, within: NDArray[np.bool_] | None = None) -> Cells:
    """Return the densest part of a map in cells.

    Parameters
    ----------
    skymap
        The map.
    field, n
        What it is to be covered with, and how many of them.
    within
        For each pixel of the map whether it may be looked at, shape ``(n_pixels,)``; None for all.
    """
    wanted = SPARE * n * field.area_deg2
    area = area_sr(skymap.lo, skymap.hi) * (180.0 / np.pi) ** 2
    usable = skymap.probdensity > 0.0
    if within is not None:
        usable &= within
    ranked = np.flatnonzero(usable)
    ranked = ranked[np.argsort(-skymap.probdensity[ranked], kind="stable")]
    last = int(np.searchsorted(np.cumsum(area[ranked]), wanted)) + 1
    kept = np.sort(ranked[:last])
    # A pixel of the map may be larger than all that is wanted.
    order = _order(field, min(max(wanted, float(area[kept].sum())), FULL_SKY_DEG2))
    lo, hi, density = skymap.lo[kept], skymap.hi[kept], skymap.probdensity[kept]
    shift = 2 * (MAX_ORDER - order)
    first = at_order(lo, hi, order) << shift
    size = np.full(len(first), 1 << shift, dtype=np.int64)
    first, size, prob = _split(first, size, Below(lo, hi, density))
    # One place of each cell, at random: between the rows of their centres fields would leave gaps that no cell sees.
    point = first + np.random.default_rng(0).integers(0, size)
    cell_sr = 4.0 * np.pi / (12 << (2 * order))
    ra, dec = centres(point, point + 1)
    return _banded(ra, dec, prob, max(4.0 * math.degrees(math.sqrt(cell_sr)), 0.02 * field.fov_deg))


def _split(
    first: NDArray[np.int64], size: NDArray[np.int64], below: Below
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return first order-29 pixel, number of them and probability of each cell, those that hold much cut in four."""
    prob = below.between(first, first + size)
    for _ in range(SPLITS):
        large = (prob > LARGE) & (size > 4)
        quarter = np.repeat(size[large] // 4, 4)
        parts = np.repeat(first[large], 4) + quarter * np.tile(np.arange(4), int(np.count_nonzero(large)))
        first = np.concatenate((first[~large], parts))
        size = np.concatenate((size[~large], quarter))
        prob = np.concatenate((prob[~large], below.between(parts, parts + quarter)))
    return first, size, prob


def _order(field: Field, area_deg2: float) -> int:
    needed = CELLS_PER_FIELD * FULL_SKY_DEG2 / (12.0 * field.area_deg2)
    bearable = MAX_CELLS * FULL_SKY_DEG2 / (12.0 * area_deg2)
    finest = math.floor(math.log(max(bearable, 1.0), 4.0))
    return max(0, min(math.ceil(math.log(max(needed, 1.0), 4.0)), finest, MAX_ORDER))


def _banded(ra: Floats, dec: Floats, prob: Floats, band_deg: float) -> Cells:
    n_bands = max(1, math.ceil(180.0 / band_deg))
    band = np.clip(((dec + 90.0) / band_deg).astype(np.int64), 0, n_bands - 1)
    order = np.lexsort((ra, band))
    starts = np.zeros(n_bands + 1, dtype=np.int64)
    np.cumsum(np.bincount(band, minlength=n_bands), out=starts[1:])
    ra, dec = np.ascontiguousarray(ra[order]), np.ascontiguousarray(dec[order])
    return Cells(
        ra_deg=ra,
        dec_deg=dec,
        vectors=np.ascontiguousarray(unit_vectors(ra, dec)),
        prob=np.ascontiguousarray(prob[order]),
        band_deg=band_deg,
        band_starts=starts,
    )
