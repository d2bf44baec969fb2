"""HEALPix pixels as half-open intervals ``[lo, hi)`` of NESTED pixels at order 29, the one form that the hub computes with.

A pixel of order k is the interval of the ``4**(29 - k)`` pixels of order 29 inside it, so containment, intersection and sorting
are integer arithmetic. The UNIQ number of a pixel is ``4**(k + 1) + ipix`` (Reinecke & Hivon 2015, A&A 580, A132) and exists
only in files.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int64s = NDArray[np.int64]
"""Order-29 pixels, orders or indices."""

Floats = NDArray[np.float64]
"""Angles or areas."""

MAX_ORDER = 29
"""The finest order that fits into 64 bits."""

N_PIX29 = 12 << 58
"""Number of pixels at order 29; every interval lies inside ``[0, N_PIX29)``."""

PIXEL29_SR = 4.0 * np.pi / N_PIX29
"""Solid angle of one pixel at order 29."""

MIN_UNIQ = 4
"""UNIQ of the first pixel at order 0."""

MAX_UNIQ = (4 << 58) + N_PIX29 - 1
"""UNIQ of the last pixel at order 29."""

SR_TO_DEG2 = (180.0 / np.pi) ** 2
"""Square degrees in one steradian."""


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
    from astropy import units as u  # noqa: PLC0415 - half a second that only those who ask for pixels pay
    from astropy_healpix import lonlat_to_healpix  # noqa: PLC0415 - the same

    ra = np.asarray(ra_deg, dtype=np.float64)
    dec = np.asarray(dec_deg, dtype=np.float64)
    if not (np.isfinite(ra).all() and np.isfinite(dec).all()):
        raise ValueError("positions must be finite numbers")
    if dec.size and np.abs(dec).max() > 90.0:
        raise ValueError("declinations must lie within [-90, 90] degrees")
    # Wrapped first: far from zero, radians lose the digits that order 29 needs.
    pixels = lonlat_to_healpix(np.mod(ra, 360.0) * u.deg, dec * u.deg, 1 << MAX_ORDER, order="nested")
    return np.asarray(pixels, dtype=np.int64)


def ranges_of_uniq(uniq: ArrayLike) -> tuple[Int64s, Int64s]:
    """Return first and one-past-last order-29 pixel of each UNIQ number.

    Raises
    ------
    ValueError
        A number is below `MIN_UNIQ` or above `MAX_UNIQ`.
    """
    numbers = np.asarray(uniq, dtype=np.int64)
    if numbers.size and (numbers.min() < MIN_UNIQ or numbers.max() > MAX_UNIQ):
        raise ValueError("UNIQ numbers must lie between those of order 0 and order 29")
    order = (_log2(numbers) >> 1) - 1
    shift = 2 * (MAX_ORDER - order)
    ipix = numbers - (np.int64(4) << (2 * order))
    return ipix << shift, (ipix + 1) << shift


def order_of_ranges(lo: Int64s, hi: Int64s) -> Int64s:
    """Return the HEALPix order of intervals that are one pixel each."""
    return MAX_ORDER - (_log2(hi - lo) >> 1)


def uniq_of_ranges(lo: Int64s, hi: Int64s) -> Int64s:
    """Return the UNIQ numbers of intervals that are one pixel each."""
    order = order_of_ranges(lo, hi)
    return (np.int64(4) << (2 * order)) + (lo >> (2 * (MAX_ORDER - order)))


def area_sr(lo: Int64s, hi: Int64s) -> Floats:
    """Return the solid angle of each interval in steradians."""
    # 4^-k pi/3 is exact up to the last factor, so equal pixels have bitwise equal areas.
    return (hi - lo).astype(np.float64) * PIXEL29_SR


def centres(lo: Int64s, hi: Int64s) -> tuple[Floats, Floats]:
    """Return right ascension [0, 360) and declination in degrees of the centres of intervals that are one pixel each."""
    from astropy import units as u  # noqa: PLC0415 - half a second that only those who ask for pixels pay
    from astropy_healpix import healpix_to_lonlat  # noqa: PLC0415 - the same

    order = order_of_ranges(lo, hi)
    lon, lat = healpix_to_lonlat(lo >> (2 * (MAX_ORDER - order)), np.int64(1) << order, order="nested")
    return np.asarray(lon.to_value(u.deg), dtype=np.float64) % 360.0, np.asarray(lat.to_value(u.deg), dtype=np.float64)


def find(lo: Int64s, hi: Int64s, pixels: Int64s) -> NDArray[np.intp]:
    """Return the index of the interval that holds each order-29 pixel, -1 where none does.

    Parameters
    ----------
    lo, hi
        Ascending disjoint intervals.
    pixels
        Order-29 pixels of any shape, in any order.
    """
    if len(lo) == 0:
        return np.full(np.shape(pixels), -1, dtype=np.intp)
    index = np.asarray(np.searchsorted(lo, pixels, side="right")) - 1
    # A pixel before the first interval has index -1, which reads the last `hi`: the result is -1 all the same.
    return np.asarray(np.where(pixels < hi[index], index, -1), dtype=np.intp)


def merge(lo: Int64s, hi: Int64s) -> tuple[Int64s, Int64s]:
    """Return the same region as the fewest ascending disjoint intervals: overlapping and touching ones become one.

    The intervals may come in any order and need not be pixels.
    """
    if len(lo) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    order = np.argsort(lo, kind="stable")
    starts, reach = lo[order], np.maximum.accumulate(hi[order])
    first = np.concatenate(([True], starts[1:] > reach[:-1]))
    last = np.concatenate((first[1:], [True]))
    return starts[first], reach[last]


def at_order(lo: Int64s, hi: Int64s, order: int) -> Int64s:
    """Return the ascending NESTED pixels of a coarse order that together cover ascending disjoint intervals.

    Cost grows with the number of pixels returned, at most ``12 * 4**order``.
    """
    shift = 2 * (MAX_ORDER - order)
    first, last = merge(lo >> shift, ((hi - 1) >> shift) + 1)
    lengths = last - first
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total, dtype=np.int64) + np.repeat(first - (ends - lengths), lengths), dtype=np.int64)


def pixels_of_ranges(lo: Int64s, hi: Int64s) -> tuple[Int64s, Int64s]:
    """Return ascending disjoint intervals split into the fewest intervals that are one HEALPix pixel each."""
    lo_parts: list[Int64s] = []
    hi_parts: list[Int64s] = []
    lo, hi = np.asarray(lo, dtype=np.int64), np.asarray(hi, dtype=np.int64)
    for order in range(MAX_ORDER + 1):
        size = np.int64(1) << (2 * (MAX_ORDER - order))
        first = -(-lo // size) * size
        last = hi // size * size
        whole = last > first
        counts = np.where(whole, (last - first) // size, 0)
        starts = np.repeat(first, counts) + size * (np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts))
        lo_parts.append(starts)
        hi_parts.append(starts + size)
        # What is left lies before and after the whole pixels.
        left_hi = np.where(whole, first, hi)
        right_lo = np.where(whole, last, hi)
        lo, hi = np.concatenate((lo, right_lo)), np.concatenate((left_hi, hi))
        rest = hi > lo
        lo, hi = lo[rest], hi[rest]
        if len(lo) == 0:
            break
    all_lo, all_hi = np.concatenate(lo_parts), np.concatenate(hi_parts)
    ascending = np.argsort(all_lo)
    return all_lo[ascending], all_hi[ascending]


def _log2(values: Int64s) -> Int64s:
    """Return the floor of the binary logarithm of positive integers, exact to 2**62."""
    # frexp is exact only below 2**53, so the upper half is taken first.
    upper = values >> 32
    lower = np.where(upper > 0, upper, values)
    exponent = np.frexp(lower.astype(np.float64))[1].astype(np.int64) - 1
    return exponent + np.where(upper > 0, np.int64(32), np.int64(0))
