"""How likely a galaxy lies so near a place by chance."""

import numpy as np

from hub.model.catalog import Entries
from hub.science.healpix import Floats
from hub.science.host_rules import HostRules


def r_mags(entries: Entries, rules: HostRules) -> Floats:
    """Return r of galaxies, from the first of r, g, i, B, K and W1 that is known."""
    found = np.full(len(entries), np.nan)
    for band in (2, 1, 3, 0, 4, 5):
        found = np.where(np.isnan(found), entries.mags[:, band] + rules.to_r[band], found)
    return np.where(np.isnan(found), rules.unknown_mag, found)


def chance_of(ra_deg: Floats, dec_deg: Floats, separation_arcsec: Floats, entries: Entries, rules: HostRules) -> Floats:
    """Return the probability that a galaxy at least as bright lies so near by chance, one entry for each place.

    ``1 - exp(-sigma pi r^2)`` with ``r^2 = offset^2 + 4 R_half^2`` (Bloom, Kulkarni & Djorgovski 2002, AJ 123, 1111). Where the
    shape is known the offset is that along the directional light radius (Sullivan et al. 2006, ApJ 648, 868): an ellipse through
    the place takes the place of the circle.
    """
    r = r_mags(entries, rules)
    per_arcsec2 = 10.0 ** (rules.slope * (r - rules.zero) + rules.height) / (3600.0**2 * rules.slope * np.log(10.0))
    major = entries.semi_major_arcsec
    minor = np.where(np.isnan(entries.semi_minor_arcsec), major, entries.semi_minor_arcsec)
    has_shape = np.isfinite(major) & np.isfinite(minor)
    angle = _bearing(entries.ra_deg, entries.dec_deg, ra_deg, dec_deg) - np.radians(np.nan_to_num(entries.position_angle_deg))
    with np.errstate(invalid="ignore"):
        across = np.hypot(minor * np.cos(angle), major * np.sin(angle))
        squared = np.where(
            np.isfinite(entries.position_angle_deg) & has_shape,
            separation_arcsec**2 * across**2 / (major * minor),
            separation_arcsec**2,
        )
        half_light2 = np.where(has_shape, rules.half_light_share**2 * major * minor, rules.unknown_half_light_arcsec**2)
    return np.asarray(-np.expm1(-np.pi * per_arcsec2 * (squared + 4.0 * half_light2)))


def _bearing(ra1_deg: Floats, dec1_deg: Floats, ra2_deg: Floats, dec2_deg: Floats) -> Floats:
    """Return the angle from north through east, radians, at which the second place lies from the first."""
    ra1, dec1, ra2, dec2 = (np.radians(one) for one in (ra1_deg, dec1_deg, ra2_deg, dec2_deg))
    east = np.sin(ra2 - ra1) * np.cos(dec2)
    north = np.cos(dec1) * np.sin(dec2) - np.sin(dec1) * np.cos(dec2) * np.cos(ra2 - ra1)
    return np.asarray(np.arctan2(east, north))


def galactic_latitude_deg(ra_deg: Floats, dec_deg: Floats) -> Floats:
    """Return galactic latitudes, degrees; the pole is that of the Hipparcos catalogue, volume 1."""
    ra, dec, pole_ra, pole_dec = (np.radians(one) for one in (ra_deg, dec_deg, 192.85948, 27.12825))
    sine = np.sin(dec) * np.sin(pole_dec) + np.cos(dec) * np.cos(pole_dec) * np.cos(ra - pole_ra)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))))
