"""ZTF values out of a record: the survey's own packets (schemas 1.x to 4.x) and those that BABAMUL publishes again."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adapters.codecs.alerts.past import Looks, past_of
from adapters.codecs.alerts.reading import MISSING, Reading, half_exposure_us, is_plausible_mjd
from hub.errors import DecodeError
from hub.model.alert import NO_TIME
from hub.model.instant import Instant
from hub.model.visit import DEPTH_SIGMA

SURVEY = "ZTF"
"""Name of the survey in batches."""

BANDS = {1: "g", 2: "r", 3: "i"}
"""``fid`` to band."""

AB_ZERO_NJY = 3631e9
"""Flux density of AB magnitude 0, nJy (Oke & Gunn 1983)."""

SNR_OF_SIGMA_MAG = 2.5 / math.log(10)
"""Signal-to-noise ratio times the 1-sigma error in magnitudes, 1.0857."""

SOLAR_SYSTEM_ARCSEC = 5.0
"""A known solar-system object this near is the source.

``ssdistnr`` is the distance to the nearest known one within 30 arcsec, -999 without one. Ephemerides of known objects are good to
about an arcsecond, so one farther than this is a passer-by, and a transient behind it must not be lost.
"""

EXPOSURE_S = 30.0
"""Length of nearly all exposures, seconds (Bellm et al. 2019, PASP 131, 018002); packets before schema 3.3 do not say it."""

_MJD_OF_JD = 2_400_000.5
_MJD_OF_1972 = 41_317.0
"""Before, UTC had no whole leap seconds."""

_NO_COUNTS = -99_998.0
"""``forcediffimflux`` is -99999 where the photometry failed."""

_FID = {band: fid for fid, band in BANDS.items()}
_POSITIVE = {"t": True, "1": True, "f": False, "0": False}


def from_record(record: Mapping[str, Any]) -> Reading:
    """Return the reading of a record.

    ``jd`` is the start of the exposure (ztf-avro-alert, docs/schema.md), so half of its length is added to each time. The object
    id stays even for a solar-system source: ZTF gives one to every position.

    Raises
    ------
    DecodeError
        A value is missing without which there is no alert, or has another type than in ZTF's schemas.
    """
    candidate = record.get("candidate")
    object_id = record.get("objectId")
    source_id = record.get("candid")
    if not isinstance(candidate, Mapping) or not isinstance(object_id, str) or not object_id:
        raise DecodeError("the packet has no candidate or no objectId")
    if isinstance(source_id, bool) or not isinstance(source_id, int) or not source_id:  # negative in packets of 2016 and 2017
        raise DecodeError(f"candid {str(source_id)[:40]!r} is no id of a ZTF alert")
    jd = _number(candidate, "jd")
    half_us = half_exposure_us(_number(candidate, "exptime"), EXPOSURE_S)
    mid_tai_us = Instant.from_jd_utc(jd).tai_us + half_us if is_plausible_mjd(jd - _MJD_OF_JD) else 0
    earlier = _earlier_detections(record, jd)
    starts = [start for start in (_number(candidate, "jdstarthist"), *earlier) if is_plausible_mjd(start - _MJD_OF_JD)]
    first_tai_us = min(mid_tai_us, Instant.from_jd_utc(min(starts)).tai_us + half_us) if starts else mid_tai_us
    positive = _is_positive(candidate.get("isdiffpos"))
    flux = _ab_flux_njy(_number(candidate, "magpsf")) * (1 if positive else -1)
    sigma = _positive_number(candidate, "sigmapsf")
    is_solar_system = _is_solar_system(candidate)
    own = _Look(mid_tai_us or NO_TIME, flux, MISSING, _filter(candidate), positive and not is_solar_system)
    past = past_of(
        _looks([own]),
        _looks(_detections(record, half_us, _njy_of_stated(candidate, flux))),
        _looks(_forced(record, half_us, _njy_of_stated(candidate, flux))),
        np.array([NO_TIME]),
    )
    return Reading(
        source_id=source_id,
        object_id=object_id,
        ra_deg=_number(candidate, "ra"),
        dec_deg=_number(candidate, "dec"),
        mid_mjd=jd - _MJD_OF_JD,
        mid_tai_us=mid_tai_us,
        first_tai_us=min(first_tai_us, int(past.forced_us[0])),
        n_history=len(earlier),
        flux_njy=flux,
        flux_err_njy=abs(flux) * sigma / SNR_OF_SIGMA_MAG,
        snr=SNR_OF_SIGMA_MAG / sigma,
        reliability=_reliability(candidate),
        band=_band(candidate.get("fid")),
        is_solar_system=is_solar_system,
        is_negative=not positive,
        is_saturated=False,  # the packet has no such flag, and none for dipoles
        began_tai_us=int(past.began_us[0]),
        quiet_tai_us=int(past.quiet_us[0]),
        template_tai_us=_instant_us(_number(candidate, "jdendref")),
    )


class _Look(NamedTuple):
    """One of `Looks`."""

    time_us: int
    flux_njy: float
    flux_err_njy: float
    band: int
    begins: bool


def _looks(looks: Sequence[_Look]) -> Looks:
    """Return the looks of one packet."""
    time_us, flux, error, band, begins = zip(*looks, strict=True) if looks else ((), (), (), (), ())
    return Looks(
        first=np.array([0, len(looks)], dtype=np.int64),
        time_us=np.array(time_us, dtype=np.int64),
        flux_njy=np.array(flux, dtype=np.float64),
        flux_err_njy=np.array(error, dtype=np.float64),
        band=np.array(band, dtype=np.int64),
        begins=np.array(begins, dtype=np.bool_),
    )


def _detections(record: Mapping[str, Any], half_us: int, njy: float) -> list[_Look]:
    """Return earlier detections: of ZTF in magnitudes with a sign, of BABAMUL as fluxes with one."""
    found = []
    for entry in record.get("prv_candidates") or ():
        if "candid" in entry and entry["candid"] is None:
            continue
        if "magpsf" in entry:
            positive = _POSITIVE.get(str(entry.get("isdiffpos")).lower()[:1], False)
            flux = _ab_flux_njy(_number(entry, "magpsf")) * (1 if positive else -1)
        else:
            flux = _number(entry, "psfFlux") * njy
            # A flux that is not stated is no reason to believe that nothing was there.
            positive = not flux <= 0.0
        begins = positive and not _is_solar_system(entry)
        found.append(_Look(_instant_us(_number(entry, "jd"), half_us), flux, MISSING, _filter(entry), begins))
    return found


def _forced(record: Mapping[str, Any], half_us: int, njy: float) -> list[_Look]:
    """Return forced photometry and upper limits.

    ZTF states forced fluxes in counts with their zero point (``fp_hists``, from schema 4.0) and limits as magnitudes of 5 sigma,
    among the detections; BABAMUL has fluxes, and errors alone for what was not detected.
    """
    found = []
    for entry in _records(record, "prv_candidates"):
        if "candid" in entry and entry["candid"] is None:
            error = _ab_flux_njy(_number(entry, "diffmaglim")) / DEPTH_SIGMA
            found.append(_Look(_instant_us(_number(entry, "jd"), half_us), 0.0, error, _filter(entry), False))
    for entry in _records(record, "prv_nondetections"):
        error = _number(entry, "psfFluxErr") * njy
        found.append(_Look(_instant_us(_number(entry, "jd"), half_us), 0.0, error, _filter(entry), False))
    for entry in _records(record, "fp_hists"):
        if "forcediffimflux" in entry:
            counts, error = _number(entry, "forcediffimflux"), _number(entry, "forcediffimfluxunc")
            scale = _ab_flux_njy(_number(entry, "magzpsci"))
            if counts <= _NO_COUNTS or not error > 0.0:
                continue
        else:
            counts, error, scale = _number(entry, "psfFlux"), _number(entry, "psfFluxErr"), njy
        time_us = _instant_us(_number(entry, "jd"), half_us)
        found.append(_Look(time_us, counts * scale, error * scale, _filter(entry), False))
    return found


def _records(record: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    entries = record.get(name) or ()
    if not all(isinstance(entry, Mapping) for entry in entries):
        raise DecodeError(f"{name} holds something else than records")
    return list(entries)


def _njy_of_stated(candidate: Mapping[str, Any], flux_njy: float) -> float:
    """Return how many nanojansky the unit of ``psfFlux`` is, which BABAMUL does not state: the magnitude beside it tells."""
    stated = abs(_number(candidate, "psfFlux"))
    return abs(flux_njy) / stated if stated > 0.0 else MISSING


def _instant_us(jd: float, half_us: int = 0) -> int:
    """Return a Julian Date (UTC) as `Instant.tai_us`; `NO_TIME` for one that is none of an image."""
    mjd = jd - _MJD_OF_JD
    return Instant.from_jd_utc(jd).tai_us + half_us if is_plausible_mjd(mjd) and mjd >= _MJD_OF_1972 else NO_TIME


def _filter(record: Mapping[str, Any]) -> int:
    """Return the number of a filter, -1 where it is not known."""
    fid = record.get("fid")
    if isinstance(fid, int):
        return fid
    return _FID.get(str(record.get("band")), -1)


def _earlier_detections(record: Mapping[str, Any], jd: float) -> list[float]:
    """Return the Julian Dates of earlier detections: a null ``candid`` is an upper limit, and BABAMUL lists detections only."""
    entries = record.get("prv_candidates") or ()
    if not all(isinstance(entry, Mapping) for entry in entries):
        raise DecodeError("prv_candidates holds something else than records")
    detections = [entry for entry in entries if "candid" not in entry or entry["candid"] is not None]
    return [earlier for entry in detections if (earlier := _number(entry, "jd")) < jd]


def _is_positive(isdiffpos: object) -> bool:
    """Return the sign of the subtraction; packets write t, f, 1, 0 as text, BABAMUL a boolean."""
    if isinstance(isdiffpos, bool):
        return isdiffpos
    if (positive := _POSITIVE.get(str(isdiffpos))) is None:
        raise DecodeError(f"isdiffpos {str(isdiffpos)[:10]!r} is neither t nor f")
    return positive


def _is_solar_system(candidate: Mapping[str, Any]) -> bool:
    named = candidate.get("ssnamenr") not in (None, "", "null")
    return named and 0.0 <= _number(candidate, "ssdistnr") < SOLAR_SYSTEM_ARCSEC


def _reliability(candidate: Mapping[str, Any]) -> float:
    """Return the deep-learning score, the older random-forest one before there was one (schema 3.3)."""
    for name in ("drb", "rb"):
        score = _number(candidate, name)
        if score >= 0:
            return score
    return MISSING


def _band(fid: object) -> str:
    band = BANDS.get(fid) if isinstance(fid, int) else None
    if band is None:
        raise DecodeError(f"fid {str(fid)[:10]!r} is none of ZTF's filters 1, 2 and 3")
    return band


def _ab_flux_njy(magnitude: float) -> float:
    """Return the flux density of an AB magnitude; missing for the sentinel -999 and what else no source has."""
    return AB_ZERO_NJY * 10.0 ** (-0.4 * magnitude) if -30.0 < magnitude < 60.0 else MISSING


def _positive_number(record: Mapping[str, Any], name: str) -> float:
    value = _number(record, name)
    return value if value > 0 else MISSING


def _number(record: Mapping[str, Any], name: str) -> float:
    """Return a number, `MISSING` for null or an absent field."""
    value = record.get(name)
    if value is None:
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(f"{name} is no number")
    return float(value)
