"""What pointings hold of a map: the one scorer, which knows nothing of how they were chosen.

The union of footprints is taken on HEALPix pixels much finer than a field, each counted by its centre and once.
"""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from hub.model.sky import FULL_SKY_DEG2, Skymap
from hub.science.healpix import MAX_ORDER, area_sr, centres
from hub.science.planning.below import Below
from hub.science.planning.fields import Field, Floats, unit_vectors

PIXELS_PER_FIELD = 1_000
"""A field holds at least so many pixels; a border then errs by a part in a thousand of the field, to both sides."""

LEAST_ORDER = 9
"""No coarser than this, 0.11 degrees, however wide the field."""

FIRST_ORDER = 2
"""Pixels of this order are the first that are looked at; from there on only those near a field are cut in four."""

LONGEST = 1.2
"""Farthest that a corner lies from the centre of its pixel at order 0, radians with room to spare; halves with each order."""


def scores(skymap: Skymap, field: Field, places: Floats, already: Floats | None = None) -> tuple[Floats, Floats]:
    """Return the probability in each field, and in the union of it with all before it.

    Parameters
    ----------
    skymap
        The map.
    field, places
        Footprint, and centres in right ascension and declination, shape ``(n, 2)``, degrees.
    already
        Centres of fields that are covered beforehand; what lies in them counts in no union.
    """
    shift = 2 * (MAX_ORDER - order_for(field))
    n_before = 0 if already is None else len(already)
    centred = np.asarray(places if already is None else np.concatenate((already, places)), dtype=np.float64).reshape(-1, 2)
    which, pixels = pixels_of(field, centred)
    prob = Below(skymap.lo, skymap.hi, skymap.probdensity).between(pixels << shift, (pixels + 1) << shift)
    alone = np.asarray(np.bincount(which, weights=prob, minlength=len(centred)), dtype=np.float64)
    _, first = np.unique(pixels, return_index=True)  # the first of equal ones, and fields are in order
    added = np.asarray(np.bincount(which[first], weights=prob[first], minlength=len(centred)), dtype=np.float64)
    return alone[n_before:], np.asarray(np.cumsum(added[n_before:]), dtype=np.float64)


def order_for(field: Field) -> int:
    """Return the order of the pixels on which a field is scored."""
    needed = PIXELS_PER_FIELD * FULL_SKY_DEG2 / (12.0 * field.area_deg2)
    return min(max(math.ceil(math.log(max(needed, 1.0), 4.0)), LEAST_ORDER), MAX_ORDER)


def pixels_of(field: Field, places: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the NESTED pixels of order `order_for` whose centres lie in the field at each place.

    Number of the place, ascending, and pixel; both of shape ``(n,)``, with a pixel once for each field that holds it.
    """
    order = order_for(field)
    vectors = unit_vectors(places[:, 0], places[:, 1])
    n_first = 12 << (2 * FIRST_ORDER)
    which = np.repeat(np.arange(len(places), dtype=np.int64), n_first)
    pixels = np.tile(np.arange(n_first, dtype=np.int64), len(places))
    for level in range(FIRST_ORDER, order + 1):
        if level > FIRST_ORDER:
            which = np.repeat(which, 4)
            pixels = (pixels[:, None] * 4 + np.arange(4)).ravel()
        shift = 2 * (MAX_ORDER - level)
        at = unit_vectors(*centres(pixels << shift, (pixels + 1) << shift))
        reach = math.radians(field.reach_deg) + (LONGEST / (1 << level) if level < order else 0.0)
        near = np.einsum("ij,ij->i", at, vectors[which]) >= math.cos(min(reach, math.pi)) - 1e-12
        which, pixels = which[near], pixels[near]
    shift = 2 * (MAX_ORDER - order)
    ra, dec = centres(pixels << shift, (pixels + 1) << shift)
    inside = np.zeros(len(pixels), dtype=np.bool_)
    bounds = np.searchsorted(which, np.arange(len(places) + 1))
    for (place_ra, place_dec), (begin, end) in zip(places.tolist(), itertools.pairwise(bounds.tolist()), strict=True):
        inside[begin:end] = field.contains(place_ra, place_dec, ra[begin:end], dec[begin:end])
    return which[inside], pixels[inside]


def area_bound(skymap: Skymap, field: Field, n: int) -> float:
    """Return the most probability that any region as large as `n` fields together can hold."""
    size = area_sr(skymap.lo, skymap.hi)
    order = np.argsort(-skymap.probdensity, kind="stable")
    area, prob = np.cumsum(size[order]), np.cumsum(size[order] * skymap.probdensity[order])
    wanted = n * field.area_deg2 * (np.pi / 180.0) ** 2
    return float(np.interp(wanted, np.concatenate(([0.0], area)), np.concatenate(([0.0], prob))))
