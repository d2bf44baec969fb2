"""HEALPix pixels as half-open intervals ``[lo, hi)`` of NESTED pixels at order 29, the one form that the hub computes with.

A pixel of order k is the interval of the ``4**(29 - k)`` pixels of order 29 inside it, so containment, intersection and sorting
are integer arithmetic. The UNIQ number of a pixel is ``4**(k + 1) + ipix`` (Reinecke & Hivon 2015, A&A 580, A132) and exists
only in files.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hub.model.pixel29 import MAX_ORDER, Floats, Int64s, gathered, interleaved, pixels29

N_PIX29 = 12 << 58
"""Number of pixels at order 29; every interval lies inside ``[0, N_PIX29)``."""

PIXEL29_SR = 4.0 * np.pi / N_PIX29
"""Solid angle of one pixel at order 29."""

MIN_UNIQ = 4
"""UNIQ of the first pixel at order 0."""

MAX_UNIQ = (4 << 58) + N_PIX29 - 1
"""UNIQ of the last pixel at order 29."""

_CLOSE = 0.05
"""How far from a corner its pixels are looked for, in pixels: far from where the next corner is."""

_BEARINGS = 48
"""Directions that are looked into; the narrowest corner of a pixel spans several."""

SR_TO_DEG2 = (180.0 / np.pi) ** 2
"""Square degrees in one steradian."""


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
    order = order_of_ranges(lo, hi)
    pixel = lo >> (2 * (MAX_ORDER - order))
    n_side = np.int64(1) << order
    face = pixel >> (2 * order)
    within = pixel & (n_side * n_side - 1)
    x, y = gathered(within), gathered(within >> 1)
    row, column = face >> 2, face & 3
    # Eighths of a turn along the equator, and half faces above it, times `n_side`: exact as integers.
    height = x + y + 1 - row * n_side
    width = np.maximum(np.minimum(2 * n_side - np.abs(height), n_side), 1)
    middle = np.where(row == 1, 2 * column, 2 * column + 1)
    ra = 45.0 * (middle + (x - y) / width)
    share = width / n_side
    polar = 2.0 * np.degrees(np.arcsin(share / np.sqrt(6.0)))
    is_cap = np.abs(height) > n_side
    level = np.degrees(np.arcsin(np.clip(height / n_side, -1.0, 1.0) * (2.0 / 3.0)))
    dec = np.where(is_cap, np.copysign(90.0 - polar, height), level)
    return np.asarray(ra % 360.0, dtype=np.float64), np.asarray(dec, dtype=np.float64)


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


def neighbours(pixels: Int64s, order: int) -> Int64s:
    """Return the distinct pixels of an order that touch given ones at an edge or a corner, and those themselves, ascending.

    Parameters
    ----------
    pixels
        NESTED.
    order
        Theirs, at most 20: finer ones lie too close together for the way that is used at the edges of the 12 faces.
    """
    n_side = 1 << order
    face, within = pixels >> (2 * order), pixels & (n_side * n_side - 1)
    x, y = gathered(within), gathered(within >> 1)
    is_inside = (x > 0) & (x < n_side - 1) & (y > 0) & (y < n_side - 1)
    beside = [pixels, _across_edges(pixels[~is_inside], order)]
    face, x, y = face[is_inside] << (2 * order), x[is_inside], y[is_inside]
    for dx in (-1, 0, 1):
        row = face | interleaved(x + dx)
        beside += [row | (interleaved(y + dy) << 1) for dy in (-1, 0, 1)]
    return np.unique(np.concatenate(beside))


def _across_edges(pixels: Int64s, order: int) -> Int64s:
    """Return the pixels of points close around the corners of given ones: all neighbours touch a corner."""
    shift = 2 * (MAX_ORDER - order)
    # The centre of the finest pixel stands for its corner.
    corners = np.concatenate([pixels << shift | corner for corner in _corners(shift)])
    ra, dec = (np.radians(angle)[:, None] for angle in centres(corners, corners + 1))
    reach = _CLOSE * np.sqrt(np.pi / 3.0) / (1 << order)
    bearing = np.linspace(0.0, 2.0 * np.pi, _BEARINGS, endpoint=False)
    to_dec = np.arcsin(np.sin(dec) * np.cos(reach) + np.cos(dec) * np.sin(reach) * np.cos(bearing))
    to_ra = ra + np.arctan2(np.sin(bearing) * np.sin(reach) * np.cos(dec), np.cos(reach) - np.sin(dec) * np.sin(to_dec))
    return np.unique(pixels29(np.degrees(to_ra), np.clip(np.degrees(to_dec), -90.0, 90.0)) >> shift).ravel()


def _corners(shift: int) -> tuple[int, ...]:
    """Return the first, last and both outermost pixels within one that has ``2**shift``."""
    last = (1 << shift) - 1
    x = last & 0x5555555555555555
    return 0, x, last ^ x, last


def _log2(values: Int64s) -> Int64s:
    """Return the floor of the binary logarithm of positive integers, exact to 2**62."""
    # frexp is exact only below 2**53, so the upper half is taken first.
    upper = values >> 32
    lower = np.where(upper > 0, upper, values)
    exponent = np.frexp(lower.astype(np.float64))[1].astype(np.int64) - 1
    return exponent + np.where(upper > 0, np.int64(32), np.int64(0))


__all__ = [
    "MAX_ORDER",
    "MAX_UNIQ",
    "MIN_UNIQ",
    "N_PIX29",
    "PIXEL29_SR",
    "SR_TO_DEG2",
    "Floats",
    "Int64s",
    "area_sr",
    "at_order",
    "centres",
    "find",
    "merge",
    "neighbours",
    "order_of_ranges",
    "pixels29",
    "pixels_of_ranges",
    "ranges_of_uniq",
    "uniq_of_ranges",
]
