"""Points that stand for the region of a map: at equal steps of area or probability along the HEALPix curve, the same each time.

The nested numbering fills the sky without jumps, so points at equal steps along it lie evenly spread, and nothing is drawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.sky import Skymap
from hub.science.footprint import unit_vectors
from hub.science.healpix import SR_TO_DEG2, Floats, Int64s, area_sr, centres
from hub.science.levels import Levels2D

GALACTIC_POLE_DEG = (192.85948, 27.12825)
"""Right ascension and declination of the north galactic pole, ICRS (Hipparcos catalogue, ESA SP-1200, section 1.5.3)."""

ECLIPTIC_POLE_DEG = (270.0, 66.5607089)
"""The same of the ecliptic, J2000 (IAU 1976 obliquity)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapPoints:
    """Points of a map's region, all columns of shape ``(n,)``."""

    row: NDArray[np.intp]
    """Index of the map's pixel that holds each."""

    ra_deg: Floats
    """ICRS, [0, 360)."""

    dec_deg: Floats

    area_deg2: Floats
    """Area that each stands for; the sum is the region's."""

    prob: Floats
    """Probability that each stands for, of a map whose sum is 1."""

    level: Floats
    """Inclusive 2D level of its pixel."""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def galactic_latitude_deg(self) -> Floats:
        """Of each, degrees."""
        return _latitude_deg(self, GALACTIC_POLE_DEG)


def by_area(skymap: Skymap, levels: Levels2D, max_level: float, n: int) -> MapPoints:
    """Return ``n`` points, each for the same area of the smallest region that reaches a level; none where the map is empty."""
    rows = np.flatnonzero(levels.region(max_level))
    return _points(skymap, levels, rows, area_sr(skymap.lo[rows], skymap.hi[rows]), n)


def by_prob(skymap: Skymap, levels: Levels2D, max_level: float, n: int) -> MapPoints:
    """Return ``n`` points, each for the same probability of the smallest region that reaches a level."""
    rows = np.flatnonzero(levels.region(max_level))
    return _points(skymap, levels, rows, skymap.probdensity[rows] * area_sr(skymap.lo[rows], skymap.hi[rows]), n)


def shifted(points: MapPoints, ra_shift_deg: float) -> MapPoints:
    """Return the points of the same map turned about the celestial pole."""
    return MapPoints(
        row=points.row,
        ra_deg=(points.ra_deg + ra_shift_deg) % 360.0,
        dec_deg=points.dec_deg,
        area_deg2=points.area_deg2,
        prob=points.prob,
        level=points.level,
    )


def latitudes_deg(points: MapPoints) -> tuple[float, float]:
    """Return the mean distance from the galactic plane and from the ecliptic, degrees, each point as likely as it is.

    Both are unsigned: unrelated objects depend on them, not on the side.
    """
    weights = points.prob if points.prob.sum() > 0 else None
    galactic, ecliptic = (np.abs(_latitude_deg(points, pole)) for pole in (GALACTIC_POLE_DEG, ECLIPTIC_POLE_DEG))
    return float(np.average(galactic, weights=weights)), float(np.average(ecliptic, weights=weights))


def _latitude_deg(points: MapPoints, pole_deg: tuple[float, float]) -> Floats:
    sine = unit_vectors(points.ra_deg, points.dec_deg) @ unit_vectors(*pole_deg)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))))


def _points(skymap: Skymap, levels: Levels2D, rows: NDArray[np.intp], mass: Floats, n: int) -> MapPoints:
    total = float(mass.sum())
    if not total > 0.0:
        rows, mass, n = rows[:0], mass[:0], 0
    ends = np.cumsum(mass)
    at = (np.arange(n) + 0.5) / max(n, 1) * total
    index = np.minimum(np.searchsorted(ends, at, side="right"), max(len(rows) - 1, 0))
    row = rows[index]
    lo, hi = skymap.lo[row], skymap.hi[row]
    share = np.clip((at - (ends[index] - mass[index])) / mass[index], 0.0, 1.0)
    pixel: Int64s = np.minimum(lo + (share * (hi - lo)).astype(np.int64), hi - 1)
    ra, dec = centres(pixel, pixel + 1)
    areas = area_sr(skymap.lo, skymap.hi)
    whole = float((skymap.probdensity * areas).sum())
    per_point = total / max(n, 1) / mass[index]  # how much of its pixel each stands for
    return MapPoints(
        row=row,
        ra_deg=ra,
        dec_deg=dec,
        area_deg2=per_point * areas[row] * SR_TO_DEG2,
        prob=per_point * skymap.probdensity[row] * areas[row] / max(whole, 1e-300),
        level=levels.searched_prob[row],
    )
