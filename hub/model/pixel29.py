"""The order-29 HEALPix pixel of a position, NESTED: what alerts are sorted, stored and searched by."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int64s = NDArray[np.int64]
"""Order-29 pixels, orders or indices."""

Floats = NDArray[np.float64]
"""Angles or areas."""

MAX_ORDER = 29
"""The finest order that fits into 64 bits."""

_N_SIDE = 1 << MAX_ORDER

_SPREADING = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
"""Shift and mask of each step that doubles the distances between bits."""


def pixels29(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Int64s:
    """Return the order-29 pixels of positions.

    Parameters
    ----------
    ra_deg
        Right ascensions, ICRS, degrees, any turn.
    dec_deg
        Declinations, degrees, [-90, 90], of the same shape.

    Raises
    ------
    ValueError
        A coordinate is not finite, or a declination lies beyond a pole.
    """
    ra = np.asarray(ra_deg, dtype=np.float64)
    dec = np.asarray(dec_deg, dtype=np.float64)
    if not (np.isfinite(ra).all() and np.isfinite(dec).all()):
        raise ValueError("positions must be finite numbers")
    if dec.size and np.abs(dec).max() > 90.0:
        raise ValueError("declinations must lie within [-90, 90] degrees")
    return np.asarray(_pixels29(*np.broadcast_arrays(ra, dec)), dtype=np.int64)


def _pixels29(ra_deg: Floats, dec_deg: Floats) -> Int64s:
    """Return the pixels by the projection of Gorski et al. 2005, ApJ 622, 759 (sections 4, 5).

    Quarters of a turn come from degrees, which keeps digits that radians lose, and distances from a pole from half the angle.
    """
    quarters = np.mod(ra_deg, 360.0) / 90.0
    quarters = np.where(quarters < 4.0, quarters, 0.0)  # a tiny negative angle becomes a whole turn
    z = np.sin(np.radians(dec_deg))
    # Along the two diagonals of the faces; rounding may leave the last one.
    rising = np.clip((_N_SIDE * (0.5 + quarters - 0.75 * z)).astype(np.int64), 0, 5 * _N_SIDE - 1)
    falling = np.clip((_N_SIDE * (0.5 + quarters + 0.75 * z)).astype(np.int64), 0, 5 * _N_SIDE - 1)
    up, down = rising >> MAX_ORDER, falling >> MAX_ORDER
    face = np.where(up == down, (up & 3) + 4, np.where(up < down, up, down + 8))
    x, y = falling & (_N_SIDE - 1), (_N_SIDE - 1) - (rising & (_N_SIDE - 1))
    if (is_cap := np.abs(z) > 2.0 / 3.0).any():
        is_north = z[is_cap] > 0.0
        quarter = quarters[is_cap].astype(np.int64)
        part = quarters[is_cap] - quarter
        width = _N_SIDE * (np.sqrt(6.0) * np.sin(np.radians(90.0 - np.abs(dec_deg[is_cap])) / 2.0))
        east = np.minimum((part * width).astype(np.int64), _N_SIDE - 1)
        west = np.minimum(((1.0 - part) * width).astype(np.int64), _N_SIDE - 1)
        face[is_cap] = np.where(is_north, quarter, quarter + 8)
        x[is_cap] = np.where(is_north, _N_SIDE - 1 - west, east)
        y[is_cap] = np.where(is_north, _N_SIDE - 1 - east, west)
    return (face << (2 * MAX_ORDER)) | interleaved(x) | (interleaved(y) << 1)


def interleaved(values: Int64s) -> Int64s:
    """Return each number below 2**29 with a zero before each of its bits."""
    spread = values
    for shift, mask in _SPREADING:
        spread = (spread | (spread << shift)) & mask
    return spread


def gathered(pixels: Int64s) -> Int64s:
    """Return the even bits of each number below 2**58: what `interleaved` undoes."""
    values = pixels & _SPREADING[-1][1]
    for shift, (_, mask) in zip([1, 2, 4, 8, 16], [*_SPREADING[-2::-1], (0, 0xFFFFFFFF)], strict=True):
        values = (values | (values >> shift)) & mask
    return values
