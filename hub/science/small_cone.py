"""Cones of a few arcseconds: the coarse cells that hold them, and exact separations."""

import math

import numpy as np
from numpy.typing import NDArray

from hub.science.healpix import pixels29

CELL_ORDER = 14
"""HEALPix order of the cells in which places are looked up: pixels of 13 arcseconds."""

CELL_SHIFT = 2 * (29 - CELL_ORDER)
"""Bits by which an order-29 pixel is shifted to the right to become its cell."""

LARGEST_ARCSEC = 6.0
"""Radius up to which `cells_around` finds every cell: less than half a pixel."""

_CELL_BITS = 2 * CELL_ORDER + 4
_MARGIN = 1.5
_DIRECTIONS = 32


def cell_of(ra_deg: float, dec_deg: float) -> int:
    """Return the cell of a place (ICRS, NESTED)."""
    return int(cells_of(np.array([ra_deg]), np.array([dec_deg]))[0])


def cells_of(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the cells of many places."""
    return pixels29(ra_deg, dec_deg) >> CELL_SHIFT


def cells_around(ra_deg: float, dec_deg: float, radius_arcsec: float) -> list[int]:
    """Return the cells that a cone touches, and perhaps a neighbour.

    They are those of the centre and of a ring half as wide again: a corner of a cell that reaches into the cone is, at the ring,
    wider than the spacing of the points there. Exact also at the poles.

    Raises
    ------
    ValueError
        The radius is larger than `LARGEST_ARCSEC`.
    """
    if radius_arcsec > LARGEST_ARCSEC:
        raise ValueError(f"a cone of {radius_arcsec:g} arcsec is too wide for this index")
    centre = _unit(ra_deg, dec_deg)
    east = np.cross([0.0, 0.0, 1.0], centre) if abs(centre[2]) < 0.9 else np.cross([1.0, 0.0, 0.0], centre)
    east /= np.linalg.norm(east)
    north = np.cross(centre, east)
    angles = np.linspace(0.0, 2 * np.pi, _DIRECTIONS, endpoint=False)
    radius = np.radians(_MARGIN * radius_arcsec / 3600)
    ring = centre + radius * (np.outer(np.cos(angles), east) + np.outer(np.sin(angles), north))
    points = np.vstack([centre, ring])
    ra = np.degrees(np.arctan2(points[:, 1], points[:, 0])) % 360.0
    dec = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    return sorted({int(cell) for cell in pixels29(ra, dec) >> CELL_SHIFT})


def cells_around_all(
    ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], radius_arcsec: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cells that the cones around many places touch, as `cells_around` does for one.

    Returns
    -------
    place, cell
        Index into the places, ascending, and cell; each pair once.
    """
    if radius_arcsec > LARGEST_ARCSEC:
        raise ValueError(f"a cone of {radius_arcsec:g} arcsec is too wide for this index")
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    centre = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=-1)
    north = np.cross(centre, east)
    angles = np.linspace(0.0, 2 * np.pi, _DIRECTIONS, endpoint=False)
    radius = np.radians(_MARGIN * radius_arcsec / 3600)
    along, up = np.append(radius * np.cos(angles), 0.0), np.append(radius * np.sin(angles), 0.0)
    points = centre[:, None] + along[None, :, None] * east[:, None] + up[None, :, None] * north[:, None]
    to_ra = np.degrees(np.arctan2(points[..., 1], points[..., 0])) % 360.0
    to_dec = np.degrees(np.arctan2(points[..., 2], np.hypot(points[..., 0], points[..., 1])))
    cells = (pixels29(to_ra, to_dec) >> CELL_SHIFT).ravel()
    places = np.repeat(np.arange(len(ra)), _DIRECTIONS + 1)
    found = np.unique((places << _CELL_BITS) | cells)
    return found >> _CELL_BITS, found & ((1 << _CELL_BITS) - 1)


def separation_arcsec(ra1_deg: float, dec1_deg: float, ra2_deg: float, dec2_deg: float) -> float:
    """Return the angle between two places, arcseconds; exact for small angles."""
    chord = float(np.linalg.norm(_unit(ra1_deg, dec1_deg) - _unit(ra2_deg, dec2_deg)))
    return math.degrees(2 * math.asin(min(1.0, chord / 2))) * 3600


def _unit(ra_deg: float, dec_deg: float) -> NDArray[np.float64]:
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
