"""The sky over a site: its zenith, the Sun and the Moon in the frame of the maps, for any number of places at once.

Altitudes are geometric: without refraction, aberration (20 arcsec), polar motion and UT1 - UTC (below 15 arcsec).
The precession, nutation, Sun and Moon are those of ERFA (IAU 2006/2000A; `epv00`; `moon98`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import erfa  # type: ignore[import-untyped]  # pyerfa has no types
import numpy as np
from numpy.typing import NDArray

from hub.model.instant import Instant
from hub.science.planning.fields import Floats
from hub.science.sites import Constraints, Site

EARTH_RADIUS_AU = 6378.137 / 149_597_870.7
"""Equatorial radius (WGS84) in astronomical units (IAU 2012): it moves the Moon by up to a degree."""

MJD0 = 2_400_000.5
"""Julian date at which the modified one begins."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sky:
    """What is above one site at some moments."""

    zenith: Floats
    """Unit vectors to the zenith, ICRS, shape ``(n, 3)``."""

    moon: Floats
    """Unit vectors to the Moon as seen from the site, shape ``(n, 3)``."""

    sun_altitude_deg: Floats
    """Altitude of the Sun's centre, degrees, shape ``(n,)``."""

    moon_altitude_deg: Floats
    """That of the Moon's."""


def sky_over(site: Site, mjd_utc: Floats) -> Sky:
    """Return the sky over a site at some moments, modified Julian dates in UTC, shape ``(n,)``."""
    tai1, tai2 = erfa.utctai(np.full(len(mjd_utc), MJD0), mjd_utc)
    tt1, tt2 = erfa.taitt(tai1, tai2)
    to_earth = erfa.c2tcio(erfa.c2i06a(tt1, tt2), erfa.era00(MJD0, mjd_utc), np.eye(3))
    lon, lat = math.radians(site.lon_deg), math.radians(site.lat_deg)
    up = np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])
    zenith = np.einsum("nij,i->nj", to_earth, up)
    heliocentric, _ = erfa.epv00(tt1, tt2)
    sun = -heliocentric["p"]
    sun /= np.linalg.norm(sun, axis=1, keepdims=True)
    # The zenith of a sphere is near enough for a parallax: the Earth's flattening moves the Moon by 0.2 degrees of 1 at most.
    moon = erfa.moon98(tt1, tt2)["p"] - EARTH_RADIUS_AU * zenith
    moon /= np.linalg.norm(moon, axis=1, keepdims=True)
    return Sky(
        zenith=np.ascontiguousarray(zenith),
        moon=np.ascontiguousarray(moon),
        sun_altitude_deg=_altitude(zenith, sun),
        moon_altitude_deg=_altitude(zenith, moon),
    )


def _altitude(zenith: Floats, vectors: Floats) -> Floats:
    sine: Floats = np.einsum("nj,nj->n", zenith, vectors)
    return np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))


def least_sine(constraints: Constraints) -> float:
    """Return the smallest sine of the altitude that an airmass allows."""
    return 1.0 / constraints.max_airmass


def most_cosine(constraints: Constraints) -> float:
    """Return the largest cosine of the distance to the Moon that is allowed."""
    return math.cos(math.radians(constraints.min_moon_separation_deg))


def observable(sky: Sky, vectors: Floats, constraints: Constraints) -> NDArray[np.bool_]:
    """Return which places can be observed when: high enough, in the dark and away from the Moon; shape ``(n_places, n_moments)``.

    Parameters
    ----------
    sky
        Over a site.
    vectors
        Unit vectors of the places, ICRS, shape ``(n_places, 3)``.
    constraints
        All must hold at once.
    """
    high = vectors @ sky.zenith.T >= least_sine(constraints)
    away = vectors @ sky.moon.T <= most_cosine(constraints)
    return np.asarray(high & away & (sky.sun_altitude_deg <= constraints.max_sun_altitude_deg))


def moments(start: Instant, offsets_s: Floats | Sequence[float]) -> Floats:
    """Return modified Julian dates in UTC so many seconds after a moment; a leap second between is not seen."""
    return start.mjd_utc + np.asarray(offsets_s, dtype=np.float64) / 86_400.0
