"""The field of view of an instrument, and which places lie in it."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hub.model.sky import FULL_SKY_DEG2

Floats = NDArray[np.float64]

MAX_FOV_DEG = 90.0
"""Widest field: the tangent plane has no places farther than a right angle from its centre."""


class Shape(StrEnum):
    """Outline of a field."""

    SQUARE = "square"
    """Sides along right ascension and declination in the tangent plane at the centre: position angle 0."""

    CIRCLE = "circle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of view."""

    fov_deg: float
    """Side of the square, diameter of the circle, degrees: the angle between the middles of opposite sides."""

    shape: Shape = Shape.SQUARE

    def __post_init__(self) -> None:
        if not 0.0 < self.fov_deg <= MAX_FOV_DEG:
            raise ValueError(f"a field of view is between 0 and {MAX_FOV_DEG:g} degrees wide, not {self.fov_deg:g}")

    @property
    def half_tan(self) -> float:
        """Half the side in the tangent plane; tangent of the radius of a circle."""
        return math.tan(math.radians(self.fov_deg) / 2.0)

    @property
    def reach_deg(self) -> float:
        """Farthest that a place of the field lies from its centre, degrees."""
        if self.shape is Shape.CIRCLE:
            return self.fov_deg / 2.0
        return math.degrees(math.atan(math.sqrt(2.0) * self.half_tan))

    @property
    def area_deg2(self) -> float:
        """Solid angle in square degrees."""
        if self.shape is Shape.CIRCLE:
            share = (1.0 - math.cos(math.radians(self.fov_deg / 2.0))) / 2.0
        else:  # a pyramid with half angles a, a at its side planes: 4 asin(sin^2 a)
            share = math.asin(math.sin(math.radians(self.fov_deg) / 2.0) ** 2) / math.pi
        return share * FULL_SKY_DEG2

    def contains(self, centre_ra_deg: float, centre_dec_deg: float, ra_deg: Floats, dec_deg: Floats) -> NDArray[np.bool_]:
        """Return which places lie in the field when it is centred on a place; all ICRS, degrees; borders belong to it."""
        vectors = unit_vectors(ra_deg, dec_deg)
        centre, east, north = tangent_basis(centre_ra_deg, centre_dec_deg)
        depth = vectors @ centre
        if self.shape is Shape.CIRCLE:
            return np.asarray(depth >= math.cos(math.radians(self.fov_deg / 2.0)))
        limit = self.half_tan * depth
        return np.asarray((depth > 0.0) & (np.abs(vectors @ east) <= limit) & (np.abs(vectors @ north) <= limit))

    def corners(self, centre_ra_deg: float, centre_dec_deg: float) -> Floats:
        """Return right ascension [0, 360) and declination of the corners of a square, shape ``(4, 2)``, degrees.

        The north-eastern one is first, then clockwise on a map with east to the left: SE, SW, NW.

        Raises
        ------
        ValueError
            A circle has none.
        """
        if self.shape is Shape.CIRCLE:
            raise ValueError("a circle has no corners")
        centre, east, north = tangent_basis(centre_ra_deg, centre_dec_deg)
        signs = ((1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (-1.0, 1.0))
        points = np.array([centre + self.half_tan * (along * east + up * north) for along, up in signs])
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        return places_of(points)


def unit_vectors(ra_deg: Floats, dec_deg: Floats) -> Floats:
    """Return unit vectors of places, shape ``(..., 3)``: x to right ascension 0 on the equator, z to the north pole."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack((np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)), axis=-1)


def places_of(vectors: Floats) -> Floats:
    """Return right ascension [0, 360) and declination in degrees of unit vectors, shape ``(..., 2)``."""
    ra = np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) % 360.0
    dec = np.degrees(np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1])))
    return np.stack((ra % 360.0, dec), axis=-1)


def tangent_basis(ra_deg: float, dec_deg: float) -> tuple[Floats, Floats, Floats]:
    """Return the unit vectors to a place, and there to the east and to the north."""
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    centre = np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])
    east = np.array([-math.sin(ra), math.cos(ra), 0.0])
    north = np.array([-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec)])
    return centre, east, north
