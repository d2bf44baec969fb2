"""One alert as any survey states it, the checks it must pass, and the way into columns."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hub.model.alert import NO_TIME, AlertBatch, Provenance, Words
from hub.model.pixel29 import pixels29

EARLIEST_MJD = 40_000.0
"""Earliest believable time of an alert, MJD (1968): older ones are times on another scale or corruption."""

LATEST_MJD = 80_000.0
"""Latest believable time of an alert, MJD (2077)."""

MISSING = math.nan
"""A number that the packet does not state; packets write null or NaN, and the sentinel -999 in ZTF's case."""


class Reading(NamedTuple):
    """The values of one alert by the hub's names; a tuple because thousands are made each second."""

    source_id: int
    object_id: str
    ra_deg: float
    dec_deg: float
    mid_mjd: float
    """Middle of the exposure as the packet states it, on the survey's scale: only for the check of its range."""

    mid_tai_us: int
    first_tai_us: int
    n_history: int
    flux_njy: float
    flux_err_njy: float
    snr: float
    reliability: float
    band: str
    is_solar_system: bool
    is_negative: bool
    is_saturated: bool
    is_dipole: bool = False
    began_tai_us: int = NO_TIME
    quiet_tai_us: int = NO_TIME
    template_tai_us: int = NO_TIME


def is_plausible_mjd(mjd: float | None) -> bool:
    """Return whether a time can be that of an alert (False for NaN and None)."""
    return mjd is not None and EARLIEST_MJD <= mjd <= LATEST_MJD


def half_exposure_us(exposure_s: float, default_s: float) -> int:
    """Return half an exposure in microseconds; of the default where the stated length is none of an exposure."""
    length_s = exposure_s if 0.0 < exposure_s <= 3600.0 else default_s
    return round(length_s * 500_000)


def problem(reading: Reading) -> str | None:
    """Return why an alert must not reach the crossmatch, as a sentence; None for a good one."""
    return unreadable(reading) or untimely(reading)


def untimely(reading: Reading) -> str | None:
    """Return why the stated time cannot be that of an alert, as a sentence; None for a believable one."""
    if is_plausible_mjd(reading.mid_mjd):
        return None
    return f"MJD {reading.mid_mjd} is no believable time of an exposure ({EARLIEST_MJD:.0f} to {LATEST_MJD:.0f})"


def unreadable(reading: Reading) -> str | None:
    """Return what makes an alert meaningless even for a person, as a sentence; None for one that can be shown."""
    if math.isnan(reading.ra_deg) or math.isnan(reading.dec_deg):
        return "the alert states no position"
    if not 0.0 <= reading.ra_deg < 360.0:
        return f"right ascension {reading.ra_deg} deg is outside [0, 360)"
    if not -90.0 <= reading.dec_deg <= 90.0:
        return f"declination {reading.dec_deg} deg is outside [-90, 90]"
    if not math.isfinite(reading.mid_mjd):
        return untimely(reading)
    for name in ("flux_njy", "flux_err_njy", "snr", "reliability"):
        if math.isinf(getattr(reading, name)):
            return f"{name} is infinite"
    if not (_is_plain(reading.object_id) and len(reading.object_id) <= 32):
        return f"object id {reading.object_id[:40]!r} has more than 32 characters or others than printable ASCII"
    if not (_is_plain(reading.band) and len(reading.band) <= 4):
        return f"band {reading.band[:10]!r} has more than 4 characters or others than printable ASCII"
    return None


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def to_batch(survey: str, readings: Sequence[Reading], formats: Sequence[str]) -> AlertBatch:
    """Return the columns of checked alerts, at least one; ``formats`` names for each the format and version of its packet."""
    columns = dict(zip(Reading._fields, zip(*readings, strict=True), strict=True))
    del columns["mid_mjd"]
    for name in ("object_id", "band"):
        columns[name] = tuple(text.encode("ascii") for text in columns[name])
    hpx29 = pixels29(np.array(columns["ra_deg"]), np.array(columns["dec_deg"]))
    batch = AlertBatch.from_columns(survey, **columns, hpx29=hpx29)
    return replace(batch, provenance=replace(Provenance.unknown(len(batch)), schema=Words.of(formats)))
