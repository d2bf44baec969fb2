"""The sky in tiles of half a degree: what populations are drawn in, so that each tile knows its own without the others.

A tile is ``row * 1024 + column``: rows of equal height in declination, columns of equal width in right ascension.
"""

import math

from hub.science.compiled import compiled

HEIGHT_DEG = 0.5
"""Height of a tile, and about its width."""

ROWS = 360
"""Rows from pole to pole."""


@compiled
def row_of(dec_deg: float) -> int:
    """Return the row of a declination."""
    return min(ROWS - 1, max(0, int((dec_deg + 90.0) / HEIGHT_DEG)))


@compiled
def columns_of(row: int) -> int:
    """Return how many tiles a row has."""
    middle = math.radians((row + 0.5) * HEIGHT_DEG - 90.0)
    return max(1, round(360.0 * math.cos(middle) / HEIGHT_DEG))


@compiled
def area_deg2(row: int) -> float:
    """Return the area of each tile of a row."""
    low = math.radians(row * HEIGHT_DEG - 90.0)
    high = math.radians((row + 1) * HEIGHT_DEG - 90.0)
    return (math.sin(high) - math.sin(low)) * math.degrees(math.degrees(2.0 * math.pi)) / columns_of(row)


@compiled
def edges_of(row: int) -> tuple[float, float]:
    """Return the sines of the declinations between which a row lies."""
    return math.sin(math.radians(row * HEIGHT_DEG - 90.0)), math.sin(math.radians((row + 1) * HEIGHT_DEG - 90.0))


@compiled
def place_between(  # noqa: PLR0917 - compiled functions are called by position
    column: int, columns: int, low: float, high: float, across: float, along: float
) -> tuple[float, float]:
    """Return as `place_in`, for a tile of a row with so many columns and these edges."""
    return 360.0 * (column + across) / columns, math.degrees(math.asin(low + along * (high - low)))


@compiled
def place_in(row: int, column: int, across: float, along: float) -> tuple[float, float]:
    """Return right ascension and declination of a point of a tile in degrees, uniform on the sphere for uniform numbers."""
    low, high = edges_of(row)
    return place_between(column, columns_of(row), low, high, across, along)
