"""How far places are from the two planes that unrelated things crowd in: the ecliptic and the Galaxy's."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

OBLIQUITY_DEG = 23.43928
"""Of the ecliptic at J2000, degrees (IAU 2006)."""

GALACTIC_POLE_DEG = (192.85948, 27.12825)
"""Right ascension and declination of the Galaxy's north pole, ICRS (ESA 1997, Hipparcos catalogue, volume 1, section 1.5.3)."""


def ecliptic_latitude_deg(ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.float64]:
    """Return the ecliptic latitude of places, degrees; the shape is that of the arguments."""
    return _latitude(ra_deg, dec_deg, (270.0, 90.0 - OBLIQUITY_DEG))


def galactic_latitude_deg(ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.float64]:
    """Return the Galactic latitude of places, degrees; the shape is that of the arguments."""
    return _latitude(ra_deg, dec_deg, GALACTIC_POLE_DEG)


def _latitude(ra_deg: ArrayLike, dec_deg: ArrayLike, pole_deg: tuple[float, float]) -> NDArray[np.float64]:
    ra, dec = np.radians(np.asarray(ra_deg, dtype=np.float64)), np.radians(np.asarray(dec_deg, dtype=np.float64))
    pole_ra, pole_dec = np.radians(pole_deg[0]), np.radians(pole_deg[1])
    sine = np.sin(dec) * np.sin(pole_dec) + np.cos(dec) * np.cos(pole_dec) * np.cos(ra - pole_ra)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))), dtype=np.float64)
