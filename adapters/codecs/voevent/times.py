"""Times of VOEvents to `Instant`: UTC, and the uniform scales TAI, TT, TDB and GPS that coordinate systems name."""

import math
import re
from datetime import UTC, datetime, timedelta

from hub.model.instant import GPS_MINUS_TAI_S, Instant

TT_MINUS_TAI_S = 32.184
"""Terrestrial Time runs ahead of TAI by this, exactly (IAU 1991)."""

_UNIFORM_MINUS_TAI_S = {"TAI": 0.0, "TT": TT_MINUS_TAI_S, "TDB": TT_MINUS_TAI_S, "GPS": float(GPS_MINUS_TAI_S)}
# TDB differs from TT by less than 2 ms (Fairhead & Bretagnon 1990), below any window here, so TAI = TDB - 32.184 s.
_SCALES = frozenset({*_UNIFORM_MINUS_TAI_S, "UTC"})
_FRACTION = re.compile(r"([.,]\d+)")


def instant_of(written: str | None, coord_system: str) -> Instant | None:
    """Return the instant that an ISOTime means on the scale of its coordinate system; None where it cannot be read.

    A time at the barycentre (``TDB-ICRS-BARY``) stays a time at the barycentre: see `light_travel_to_geocentre_s`.
    """
    if written is None:
        return None
    scale = scale_of(coord_system)
    try:
        return Instant.from_utc_iso(written) if scale == "UTC" else _from_uniform(written, _UNIFORM_MINUS_TAI_S[scale])
    except (ValueError, OverflowError):
        return None


def scale_of(coord_system: str) -> str:
    """Return the time scale that a coordinate system id names (``FK5-UTC-GEO`` has it in the middle); UTC where it names none."""
    return next((token for token in coord_system.upper().split("-") if token in _SCALES), "UTC")


def is_barycentric(coord_system: str) -> bool:
    """Return whether times of a coordinate system are those of arrival at the barycentre of the Solar System."""
    return "BARY" in coord_system.upper().split("-")


def light_travel_to_geocentre_s(moment: Instant, ra_deg: float, dec_deg: float) -> float:
    """Return how many seconds a plane wave from a direction passes the geocentre before the barycentre, up to 499 s.

    The Earth's barycentric place is astropy's built-in one (ERFA epv00, good to some kilometres): no file, no network.
    """
    from astropy.coordinates import get_body_barycentric  # noqa: PLC0415 - costs a second, and only Gaia needs it
    from astropy.time import Time  # noqa: PLC0415

    # On the TDB scale nothing asks for Earth rotation, so no table is loaded.
    time = Time(moment.mjd_tai + TT_MINUS_TAI_S / 86_400, format="mjd", scale="tdb")
    x, y, z = get_body_barycentric("earth", time, ephemeris="builtin").xyz.to_value("km")
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    towards = x * math.cos(dec) * math.cos(ra) + y * math.cos(dec) * math.sin(ra) + z * math.sin(dec)
    return float(towards / 299_792.458)


def _from_uniform(written: str, minus_tai_s: float) -> Instant:
    """Return the instant of a text on a scale without leap seconds."""
    # datetime reads at most six decimals.
    moment = datetime.fromisoformat(_FRACTION.sub(lambda found: found[1][:7], written.strip()))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since_1970 = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Instant(since_1970 // timedelta(microseconds=1) - round(minus_tai_s * 1_000_000))
