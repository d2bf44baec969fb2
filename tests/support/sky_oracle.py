"""Where positions lie in HEALPix tiles, from the projection's definition alone (Gorski et al. 2005, ApJ 622, 759, section 5).

Real numbers in the square of a base pixel instead of integers: written apart from the hub's code and from every library.
"""

import math
from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-13
"""Positions nearer to an edge than this share of a base pixel's side may be on either side: some roundings of a double."""


@dataclass(frozen=True)
class Place:
    """A position in the square of its base pixel."""

    face: int
    x: float
    y: float
    """North-eastern and north-western coordinate, [0, 1)."""


@dataclass(frozen=True)
class Squares:
    """Tiles in the squares of their base pixels, columns of shape ``(n,)``."""

    face: np.ndarray
    west: np.ndarray
    east: np.ndarray
    """Bounds of x, half-open."""

    south: np.ndarray
    north: np.ndarray
    """Bounds of y, half-open."""


def place_of(ra_deg: float, dec_deg: float) -> Place:
    """Return the base pixel of a position and where in it it lies."""
    z = math.sin(math.radians(dec_deg))
    turn = (ra_deg % 360.0) / 90.0 % 4.0
    if abs(z) <= 2.0 / 3.0:
        # Cylindrical equal area: lines of constant x and y are diagonals of the (turn, z) plane.
        up, down = 0.5 + turn - 0.75 * z, 0.5 + turn + 0.75 * z
        k, m = math.floor(up), math.floor(down)
        face = (k % 4) + 4 if k == m else (k % 4 if k < m else m % 4 + 8)
        return Place(face, down - m, 1.0 - (up - k))
    quarter = min(math.floor(turn), 3)
    across = turn - quarter
    # Distance from the pole where the equatorial belt would have 1: sqrt(3 (1 - |z|)), without losing digits at the pole.
    sigma = math.sqrt(6.0) * math.sin(math.radians(90.0 - abs(dec_deg)) / 2.0)
    right, left = across * sigma, (1.0 - across) * sigma
    if z >= 0:
        return Place(quarter, 1.0 - left, 1.0 - right)
    return Place(quarter + 8, right, left)


def squares_of(orders: list[int], ipix: list[int]) -> Squares:
    """Return the squares of tiles, each an order and a NESTED number."""
    rows = []
    for order, number in zip(orders, ipix, strict=True):
        bits = f"{number & ((1 << 2 * order) - 1):0{max(2 * order, 2)}b}"
        column, row = int(bits[1::2], 2), int(bits[0::2], 2)
        side = 1 << order
        rows.append((number >> (2 * order), column / side, (column + 1) / side, row / side, (row + 1) / side))
    return Squares(*np.array(rows).T)


def holding(place: Place, squares: Squares) -> np.ndarray | None:
    """Return which tiles hold a place, None where rounding decides about any of them."""
    if min(place.x, 1.0 - place.x, place.y, 1.0 - place.y) < ROUNDING:
        return None
    surely, perhaps = (_within(place, squares, margin) for margin in (-ROUNDING, ROUNDING))
    return surely if (surely == perhaps).all() else None


def _within(place: Place, squares: Squares, margin: float) -> np.ndarray:
    """Return which tiles hold a place when all of them are wider by a margin on each side."""
    inside_x = (squares.west - margin <= place.x) & (place.x < squares.east + margin)
    return (squares.face == place.face) & inside_x & (squares.south - margin <= place.y) & (place.y < squares.north + margin)
