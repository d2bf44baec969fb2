"""Ranges of order-29 pixels that hold all around places, for many places at once."""

import numpy as np

from hub.model.pixel29 import gathered, interleaved
from hub.science.healpix import MAX_ORDER, Int64s, neighbours

_PIXEL0_ARCSEC = 58.6323 * 3600
"""Square root of the area of a pixel at order 0."""

_NARROWEST = 0.4
"""Of a pixel's size: what lies so near a place is in its pixel or in one that touches it, also where pixels are narrowest."""

_FINEST = 20
"""Order beyond which blocks are not made: `neighbours` does not know finer ones, and a pixel is a fifth of an arcsecond there."""


def blocks_around(at: Int64s, radius_arcsec: float) -> tuple[Int64s, Int64s, Int64s]:
    """Return ranges that hold all within a radius of places.

    They are four pixels for each: its own and the three beyond its nearest corner; where those cross an edge of the twelve faces,
    its own and all that touch it.

    Parameters
    ----------
    at
        Order-29 pixels of the places.
    radius_arcsec
        Of the search.

    Returns
    -------
    place, lo, hi
        Index into the places, and range, of any number for each.
    """
    half = _NARROWEST * _PIXEL0_ARCSEC / 2.0
    if radius_arcsec > half:
        lo = np.arange(12, dtype=np.int64) << (2 * MAX_ORDER)
        n = len(at)
        return np.repeat(np.arange(n), 12), np.tile(lo, n), np.tile(lo + (np.int64(1) << (2 * MAX_ORDER)), n)
    order = int(np.clip(np.floor(np.log2(half / max(radius_arcsec, 1e-3))), 0, _FINEST))
    shift = 2 * (MAX_ORDER - order)
    coarse, quarter = at >> shift, at >> (shift - 2)
    n_side = 1 << order
    face, within = coarse >> (2 * order), coarse & (n_side * n_side - 1)
    x, y = gathered(within), gathered(within >> 1)
    to_x, to_y = x + np.where(quarter & 1, 1, -1), y + np.where(quarter & 2, 1, -1)
    is_inside = (to_x >= 0) & (to_x < n_side) & (to_y >= 0) & (to_y < n_side)
    inside = np.flatnonzero(is_inside)
    base = face[inside] << (2 * order)
    rows = interleaved(x[inside]), interleaved(to_x[inside])
    columns = interleaved(y[inside]) << 1, interleaved(to_y[inside]) << 1
    pixels = [base | row | column for row in rows for column in columns]
    places = [inside] * 4
    edge = np.flatnonzero(~is_inside)
    cells, cell = np.unique(coarse[edge], return_inverse=True)
    around = [neighbours(cells[number : number + 1], order) for number in range(len(cells))]
    for one, number in zip(edge.tolist(), cell.tolist(), strict=True):
        places.append(np.full(len(around[number]), one, dtype=np.int64))
        pixels.append(around[number])
    place, pixel = np.concatenate(places), np.concatenate(pixels)
    return place, pixel << shift, (pixel + 1) << shift
