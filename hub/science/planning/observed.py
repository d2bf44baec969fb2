"""A map without what others have observed of it, for a plan of the rest."""

import math

import numpy as np
from numpy.typing import NDArray

from hub.model.sky import Skymap
from hub.model.visit import Footprints
from hub.science.footprint import ON_EDGE, Halves, unit_vectors
from hub.science.healpix import MAX_ORDER, Floats, centres

ORDER = 10
"""HEALPix order of the pixels of which each belongs to a footprint or not, by its centre: 0.06 degrees, a fraction of any field
that a map is searched with. Pixels that are smaller in the map stay so."""

_CORNER = 1.2
"""Farthest that a corner lies from the centre of its pixel at order 0, radians with room to spare; halves with each order."""


def left(skymap: Skymap, polygons: Footprints) -> Skymap:
    """Return a map with nothing where footprints lie, and as it was elsewhere: its sum is what is left.

    Parameters
    ----------
    skymap
        The map.
    polygons
        Convex footprints, in any order; they may overlap.
    """
    halves = Halves.of(polygons)
    if not (halves.radius >= 0).any():
        return skymap
    cut = skymap
    for order in range(ORDER):
        cut = _in_four(cut, _near(cut, halves) & (cut.hi - cut.lo == np.int64(1) << 2 * (MAX_ORDER - order)))
    inside = _inside(cut, halves)
    return _taken(cut, np.arange(len(cut.lo)), cut.lo, cut.hi, np.where(inside, 0.0, cut.probdensity))


def _near(skymap: Skymap, halves: Halves) -> NDArray[np.bool_]:
    """Return which pixels of a map may meet a footprint."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 - takes a third of a second, and few need it

    filled = halves.radius >= 0
    tree = cKDTree(halves.centre[filled])
    n_pixels = (skymap.hi - skymap.lo).astype(np.float64)
    reach = np.minimum(float(halves.radius.max()) + _CORNER * np.sqrt(n_pixels / float(1 << 2 * MAX_ORDER)), math.pi)
    distance, _ = tree.query(_vectors(skymap))
    return np.asarray(distance <= 2.0 * np.sin(reach / 2.0) + 1e-9)


def _in_four(skymap: Skymap, chosen: NDArray[np.bool_]) -> Skymap:
    """Return a map with some pixels in four parts each, of the same values."""
    counts = np.where(chosen, 4, 1)
    row = np.repeat(np.arange(len(counts)), counts)
    part = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    size = (skymap.hi - skymap.lo)[row] // counts[row]
    lo = skymap.lo[row] + part * size
    return _taken(skymap, row, lo, lo + size, skymap.probdensity[row])


def _inside(skymap: Skymap, halves: Halves) -> NDArray[np.bool_]:
    """Return which pixels have their centre in a footprint."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 - as above

    vectors = _vectors(skymap)
    tree = cKDTree(vectors)
    found = np.zeros(len(vectors), dtype=np.bool_)
    for number in np.flatnonzero(halves.radius >= 0).tolist():
        chord = 2.0 * math.sin(min(float(halves.radius[number]), math.pi) / 2.0) + 1e-9
        near = np.array(tree.query_ball_point(halves.centre[number], chord), dtype=np.intp)
        normals = halves.normals[halves.first[number] : halves.first[number + 1]]
        found[near[(vectors[near] @ normals.T >= -ON_EDGE).all(axis=1)]] = True
    return found


def _vectors(skymap: Skymap) -> Floats:
    return unit_vectors(*centres(skymap.lo, skymap.hi))


def _taken(skymap: Skymap, row: NDArray[np.intp], lo: NDArray[np.int64], hi: NDArray[np.int64], density: Floats) -> Skymap:
    layers = {
        name: None if (column := getattr(skymap, name)) is None else column[row] for name in ("distmu", "distsigma", "distnorm")
    }
    return Skymap(lo=lo, hi=hi, probdensity=density, **layers)
