"""Convex polygons on the sphere: edges, sizes, and which of them hold a position.

A polygon is the intersection of the half-spheres to the left of its edges, which are great circles; so poles and right ascension
0 are places like all others.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hub.model.visit import Footprints
from hub.science.healpix import SR_TO_DEG2, Floats, Int64s

ON_EDGE = 1e-12
"""A position as far outside an edge as this still counts as inside, radians: the corners themselves do."""

_EMPTY = 2.0
"""Stands for the cosine of the radius of a polygon without corners: no position is that near."""


def unit_vectors(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
    """Return unit vectors of positions in degrees, shape ``(n, 3)``."""
    ra, dec = np.radians(np.asarray(ra_deg, dtype=np.float64)), np.radians(np.asarray(dec_deg, dtype=np.float64))
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def positions_of(vectors: Floats) -> tuple[Floats, Floats]:
    """Return right ascension [0, 360) and declination in degrees of vectors of any length, shape ``(n, 3)``."""
    ra = np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) % 360.0
    dec = np.degrees(np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1])))
    return np.where(ra == 360.0, 0.0, ra), dec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Halves:
    """Polygons as their edges' half-spheres, ready for questions."""

    first: Int64s
    """Index of the first edge of each polygon, shape ``(n + 1,)``."""

    normals: Floats
    """Unit vector to the inner side of each edge, shape ``(m, 3)``: a position is inside where no product with it is negative."""

    centre: Floats
    """Unit vector of the middle of each polygon, shape ``(n, 3)``; zero for one without corners."""

    radius: Floats
    """Distance of the farthest corner from the middle, radians, shape ``(n,)``; -1 for one without corners."""

    @classmethod
    def of(cls, polygons: Footprints) -> Self:
        """Return the half-spheres of polygons."""
        corners = unit_vectors(polygons.ra_deg, polygons.dec_deg)
        counts = polygons.n_corners
        following = np.arange(1, len(corners) + 1, dtype=np.int64)
        filled = counts > 0
        following[polygons.first[1:][filled] - 1] = polygons.first[:-1][filled]
        # The difference keeps the digits of a short edge that the product of two nearly equal vectors would lose.
        normals = np.cross(corners, corners[following] - corners)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        owner = np.repeat(np.arange(len(polygons)), counts)
        centre = np.zeros((len(polygons), 3))
        np.add.at(centre, owner, corners)
        length = np.linalg.norm(centre, axis=1)
        centre[filled] /= length[filled, None]
        radius = np.full(len(polygons), -1.0)
        chord = np.linalg.norm(corners - centre[owner], axis=1)
        np.maximum.at(radius, owner, 2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)))
        return cls(first=polygons.first, normals=normals, centre=centre, radius=radius)


def holding(halves: Halves, ra_deg: float, dec_deg: float) -> NDArray[np.bool_]:
    """Return for each polygon whether it holds a position, shape ``(n,)``."""
    point = unit_vectors(ra_deg, dec_deg)
    near = halves.centre @ point >= np.where(halves.radius >= 0, np.cos(np.minimum(halves.radius + 1e-6, np.pi)), _EMPTY)
    found = np.zeros(len(near), dtype=np.bool_)
    for index in np.flatnonzero(near).tolist():
        own = slice(int(halves.first[index]), int(halves.first[index + 1]))
        found[index] = bool((halves.normals[own] @ point >= -ON_EDGE).all())
    return found


def areas_deg2(polygons: Footprints) -> Floats:
    """Return the area of each polygon in square degrees, 0 for one without corners.

    The sum of the triangles between the first corner and each further edge, each by the formula of Van Oosterom & Strackee
    (1983, IEEE Trans. Biomed. Eng. 30, 125): right for the smallest ones too.
    """
    corners = unit_vectors(polygons.ra_deg, polygons.dec_deg)
    counts = polygons.n_corners
    n_triangles = np.maximum(counts - 2, 0)
    owner = np.repeat(np.arange(len(polygons)), n_triangles)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(n_triangles) - n_triangles, n_triangles)
    a = corners[polygons.first[owner]]
    b = corners[polygons.first[owner] + number + 1]
    c = corners[polygons.first[owner] + number + 2]
    volume = np.einsum("ij,ij->i", a, np.cross(b - a, c - a))
    cosines = 1.0 + (a * b).sum(axis=1) + (b * c).sum(axis=1) + (c * a).sum(axis=1)
    triangles = 2.0 * np.arctan2(volume, cosines)
    return np.asarray(np.bincount(owner, weights=triangles, minlength=len(polygons)) * SR_TO_DEG2)
