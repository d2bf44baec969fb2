"""Centres of HEALPix pixels and of their equal parts as unit vectors, for many pixels at once.

Works on the coordinates ``x`` and ``y`` inside a base pixel (Górski et al. 2005, ApJ 622, 759, section 5.2; Calabretta & Roukema
2007, MNRAS 381, 865). Declination depends on ``x + y`` alone, and between the polar caps right ascension on ``x - y`` alone: the
``n**2`` parts of a pixel there share ``2 n - 1`` values of each, and most of the trigonometry is done once for several of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.science.healpix import MAX_ORDER, Floats, Int64s, order_of_ranges

_ROW = np.array([2.0, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])
"""Distance of the southern corner of each base pixel from the north pole, in units in which the poles are 4 apart."""

_COLUMN = np.array([1.0, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])
"""Right ascension of the same corner, in units of 45 degrees."""

_MASKS = (
    (1, 0x3333333333333333),
    (2, 0x0F0F0F0F0F0F0F0F),
    (4, 0x00FF00FF00FF00FF),
    (8, 0x0000FFFF0000FFFF),
    (16, 0x00000000FFFFFFFF),
)
"""Steps that push every second bit together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pixels:
    """Pixels on their base pixels, each array of shape ``(n,)``."""

    x: Floats
    """Southern corner along the side that runs to the north-east, [0, 1)."""

    y: Floats
    """The same along the side that runs to the north-west."""

    row: Floats
    column: Floats
    """Southern corner of the base pixel, see `_ROW` and `_COLUMN`."""

    step: Floats
    """Side of a part."""

    def take(self, rows: NDArray[np.intp]) -> "_Pixels":
        return _Pixels(x=self.x[rows], y=self.y[rows], row=self.row[rows], column=self.column[rows], step=self.step[rows])


def centre_vectors(lo: Int64s, hi: Int64s, parts: int = 1) -> Floats:
    """Return the unit vectors of the centres of ``parts**2`` equal parts of each pixel.

    Parameters
    ----------
    lo, hi
        Intervals of order-29 pixels that are one pixel each.
    parts
        Parts along each side, a power of two.

    Returns
    -------
    array of float64, shape ``(3, parts**2, n)``
        Unit vectors; the order of the parts is the same for all pixels and means nothing. Right to about 1e-15, at the poles too.
    """
    order = order_of_ranges(lo, hi)
    ipix = lo >> (2 * (MAX_ORDER - order))
    nside = np.int64(1) << order
    face = ipix >> (2 * order)
    inside = ipix & (nside * nside - 1)
    step = 1.0 / (nside * parts)  # a power of two: products with it are exact
    pixels = _Pixels(
        x=_every_second_bit(inside) * parts * step,
        y=_every_second_bit(inside >> 1) * parts * step,
        row=_ROW[face],
        column=_COLUMN[face],
        step=step,
    )
    vectors = np.empty((3, parts * parts, len(lo)))
    # A pixel belongs to the belt where none of it lies beyond the border of a cap.
    farthest = pixels.row - pixels.x - pixels.y
    belt = (farthest <= 3.0) & (farthest - 2.0 * parts * step >= 1.0)
    if belt.all():
        _fill_belt(vectors, pixels, parts)
    else:
        for fill, rows in ((_fill_belt, np.flatnonzero(belt)), (_fill_caps, np.flatnonzero(~belt))):
            some = np.empty((3, parts * parts, len(rows)))
            fill(some, pixels.take(rows), parts)
            vectors[:, :, rows] = some
    return vectors


def _fill_belt(vectors: Floats, pixels: _Pixels, parts: int) -> None:
    """Set the vectors of pixels between the polar caps."""
    number = np.arange(2 * parts - 1)[:, None]
    z = (2.0 - (pixels.row - (pixels.x + pixels.y + (number + 1.0) * pixels.step))) * (2.0 / 3.0)
    away = np.sqrt((1.0 - z) * (1.0 + z))
    ra = (0.25 * np.pi) * (pixels.column + (pixels.x - pixels.y + (number - (parts - 1.0)) * pixels.step))
    cosine, sine = np.cos(ra), np.sin(ra)
    for i in range(parts):
        for j in range(parts):
            part, along, across = i * parts + j, i + j, i - j + parts - 1
            np.multiply(away[along], cosine[across], out=vectors[0, part])
            np.multiply(away[along], sine[across], out=vectors[1, part])
            vectors[2, part] = z[along]


def _fill_caps(vectors: Floats, pixels: _Pixels, parts: int) -> None:
    """Set the vectors of any pixels; near the poles without the loss of digits that ``sqrt(1 - z**2)`` brings."""
    middles = np.arange(parts) + 0.5
    x = pixels.x + np.repeat(middles, parts)[:, None] * pixels.step
    y = pixels.y + np.tile(middles, parts)[:, None] * pixels.step
    below = pixels.row - x - y
    is_north, is_south = below < 1.0, below > 3.0
    ring = np.where(is_north, below, np.where(is_south, 4.0 - below, 1.0))
    lost = ring * ring / 3.0
    belt_z = (2.0 - below) * (2.0 / 3.0)
    z = np.where(is_north, 1.0 - lost, np.where(is_south, lost - 1.0, belt_z))
    away = np.sqrt(np.where(is_north | is_south, lost * (2.0 - lost), (1.0 - belt_z) * (1.0 + belt_z)))
    ra = (0.25 * np.pi) * (pixels.column * ring + x - y) / ring
    np.multiply(away, np.cos(ra), out=vectors[0])
    np.multiply(away, np.sin(ra), out=vectors[1])
    vectors[2] = z


def _every_second_bit(numbers: Int64s) -> NDArray[np.int64]:
    """Return the bits 0, 2, 4 ... of numbers below 2**60, pushed together."""
    found = numbers & 0x5555555555555555
    for shift, mask in _MASKS:
        found = (found | (found >> shift)) & mask
    return found
