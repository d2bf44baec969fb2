"""Small pieces of sky as order-29 ranges."""

import numpy as np
from numpy.typing import NDArray

from hub.ports import NEIGHBOUR_ARCSEC, OBJECT_RADIUS_ARCSEC
from hub.science.healpix import MAX_ORDER, N_PIX29, merge, neighbours, pixels29

OBJECT_ORDER = 12
"""HEALPix order of the pixels around an object: 51 arcsec, far more than `OBJECT_RADIUS_ARCSEC` also where they are narrowest."""

NEIGHBOUR_ORDER = 14
"""The same of the pixels around an object in which its neighbours lie: 13 arcsec."""

_MARGIN = 2.0
"""A pixel's farthest corner lies at most this many times the square root of its area from its centre (1.45 at the poles)."""

_NEAR = 0.4
"""All within this many times the square root of a pixel's area lies in the pixel or its neighbours."""

_PIXEL0_DEG = 58.6323
"""Square root of the area of a pixel at order 0, degrees."""

Pixels = NDArray[np.int64]
"""Order-29 pixels."""

assert OBJECT_RADIUS_ARCSEC < _NEAR * _PIXEL0_DEG * 3600 / 2**OBJECT_ORDER
assert NEIGHBOUR_ARCSEC < _NEAR * _PIXEL0_DEG * 3600 / 2**NEIGHBOUR_ORDER


def around(hpx29: Pixels) -> tuple[Pixels, Pixels]:
    """Return ranges that hold all within `OBJECT_RADIUS_ARCSEC` of some pixels, and more: coarse pixels and their neighbours."""
    shift = 2 * (MAX_ORDER - OBJECT_ORDER)
    pixels = neighbours(np.unique(hpx29 >> shift), OBJECT_ORDER)
    return merge(pixels << shift, (pixels + 1) << shift)


def closely_around(hpx29: Pixels) -> tuple[Pixels, Pixels]:
    """Return ranges that hold all within `NEIGHBOUR_ARCSEC` of some pixels, and a few times more."""
    shift = 2 * (MAX_ORDER - NEIGHBOUR_ORDER)
    pixels = neighbours(np.unique(hpx29 >> shift), NEIGHBOUR_ORDER)
    return merge(pixels << shift, (pixels + 1) << shift)


def cone_ranges(ra_deg: float, dec_deg: float, radius_deg: float) -> tuple[Pixels, Pixels]:
    """Return ranges of pixels that cover a cone (ICRS), and a rim of about an eighth of its radius."""
    from astropy import units as u  # noqa: PLC0415 - half a second that only those who ask pay
    from astropy_healpix import HEALPix  # noqa: PLC0415

    wanted = np.log2(_PIXEL0_DEG / max(radius_deg / 8, 1e-6))
    order = int(np.clip(wanted, 0, 20))
    margin = _MARGIN * _PIXEL0_DEG / 2**order
    grid = HEALPix(nside=1 << order, order="nested")
    reach = min(radius_deg + margin, 180.0)
    found = np.asarray(grid.cone_search_lonlat(ra_deg * u.deg, dec_deg * u.deg, reach * u.deg), dtype=np.int64)
    shift = 2 * (MAX_ORDER - order)
    return merge(found << shift, (found + 1) << shift)


def around_points(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], radius_deg: float) -> tuple[Pixels, Pixels]:
    """Return ranges that hold all within a distance of any of some positions (ICRS), and more: coarse pixels and those around."""
    order = int(np.floor(np.log2(_NEAR * _PIXEL0_DEG / max(radius_deg, 1e-3))))
    if order < 1:
        return np.array([0]), np.array([N_PIX29])
    shift = 2 * (MAX_ORDER - order)
    pixels = neighbours(np.unique(pixels29(ra_deg, dec_deg) >> shift), order)
    return merge(pixels << shift, (pixels + 1) << shift)


def separations_deg(ra_deg: float, dec_deg: float, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angle of each position from a place, degrees (haversine: exact also for small angles)."""
    a1, d1, a2, d2 = np.radians(ra_deg), np.radians(dec_deg), np.radians(ra), np.radians(dec)
    h = np.sin((d2 - d1) / 2) ** 2 + np.cos(d1) * np.cos(d2) * np.sin((a2 - a1) / 2) ** 2
    return np.asarray(np.degrees(2 * np.arcsin(np.sqrt(np.minimum(1.0, h)))))
