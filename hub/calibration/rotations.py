"""Overlaps of one map with another under a million random rotations, by looking pixels up.

One map is laid out on pixels of one order, exactly where its own pixels are no finer. The other becomes points: its probability
on pixels of a coarse order, each at its centre of mass. For a rotation the overlap is the sum over the turned points of their
probability times ``4 pi`` times the density found there. What that costs in accuracy is measured against the exact overlap of
maps that are really made at the turned place (`hub.calibration.null_law`).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hub.calibration.result import Floats
from hub.model.pixel29 import gathered
from hub.model.sky import Skymap
from hub.science.healpix import MAX_ORDER, area_sr, find
from hub.science.subpixels import centre_vectors

LAID_OUT_ORDER = 8
"""Of the map that is looked up: 0.23 degrees, 786,432 pixels, six megabytes."""

_LEAST_PROBABILITY = 1e-6
"""Points with less are left out; all of them hold less than 1e-3."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """A map as points."""

    vectors: Floats
    """Unit vectors, shape ``(n, 3)``."""

    probability: Floats
    """Of each, shape ``(n,)``, sum 1."""


def random_rotations(rng: Generator, number: int) -> Floats:
    """Return rotation matrices that are uniform over SO(3), shape ``(number, 3, 3)``: those of random unit quaternions."""
    q = rng.normal(size=(4, number))
    w, x, y, z = q / np.sqrt((q * q).sum(axis=0))
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.ascontiguousarray(np.moveaxis(np.array(rows), 2, 0))


def laid_out(skymap: Skymap, order: int = LAID_OUT_ORDER) -> Floats:
    """Return the density of a map relative to a uniform one on all pixels of an order, means over finer pixels.

    They are numbered by base pixel, row and column, as `rotation_kernel.pixel_of` does.
    """
    n = 12 << (2 * order)
    shift = 2 * (MAX_ORDER - order)
    first = np.arange(n, dtype=np.int64) << shift
    row = find(skymap.lo, skymap.hi, first)
    size = np.int64(1) << shift
    whole = (row >= 0) & (skymap.hi[row] - skymap.lo[row] >= size)
    mean = np.where(whole, skymap.probdensity[row], 0.0)
    finer = np.flatnonzero(skymap.hi - skymap.lo < size)
    mass = skymap.probdensity[finer] * area_sr(skymap.lo[finer], skymap.hi[finer])
    mean += np.bincount(skymap.lo[finer] >> shift, weights=mass, minlength=n) * (n / (4.0 * math.pi))
    nested = np.arange(n, dtype=np.int64)
    face, within = nested >> (2 * order), nested & ((1 << (2 * order)) - 1)
    table = np.empty(n)
    table[(((face << order) | gathered(within >> 1)) << order) | gathered(within)] = mean / mean.mean()
    return table


def points_of(skymap: Skymap, order: int) -> Points:
    """Return a map as the centres of mass of its probability on the pixels of an order; coarser pixels of its own are split."""
    shift = 2 * (MAX_ORDER - order)
    size = np.int64(1) << shift
    parts = np.maximum((skymap.hi - skymap.lo) // size, 1)
    row = np.repeat(np.arange(len(skymap.lo)), parts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(parts) - parts, parts)
    lo = skymap.lo[row] + within * size
    hi = np.minimum(lo + size, skymap.hi[row])
    mass = skymap.probdensity[row] * area_sr(lo, hi)
    pixel, place = np.unique(lo >> shift, return_inverse=True)
    probability = np.bincount(place, weights=mass)
    centres = centre_vectors(lo, hi)[:, 0]
    sums = np.stack([np.bincount(place, weights=mass * axis, minlength=len(pixel)) for axis in centres], axis=1)
    kept = probability > _LEAST_PROBABILITY * probability.sum()
    vectors = sums[kept] / np.linalg.norm(sums[kept], axis=1, keepdims=True)
    return Points(vectors=np.ascontiguousarray(vectors), probability=probability[kept] / probability[kept].sum())


def overlaps(table: Floats, points: Points, rotations: Floats) -> Floats:
    """Return the overlap integral for each rotation of the points, shape ``(n,)``.

    Parameters
    ----------
    table
        A map that `laid_out` made.
    points
        The other map.
    rotations
        Shape ``(n, 3, 3)``.
    """
    from hub.calibration.rotation_kernel import overlaps_of_rotations  # noqa: PLC0415 - numba takes a second to import

    order = round(math.log2(len(table) / 12) / 2)
    return overlaps_of_rotations(table, order, points.vectors, points.probability, rotations)


def turned(vectors: NDArray[np.float64], rotation: Floats) -> Floats:
    """Return vectors of shape ``(..., 3)`` turned by one rotation."""
    return np.asarray(vectors @ rotation.T)
