"""LSST values by the names of every schema version, out of a walk or out of a whole record."""

from collections.abc import Mapping
from typing import Any

from adapters.codecs.alerts.reading import MISSING, Reading, is_plausible_mjd
from hub.errors import DecodeError
from hub.model.instant import Instant

SURVEY = "LSST"
"""Name of the survey in batches."""


def from_walk(values: Mapping[str, Any]) -> Reading:
    """Return the reading of what `LsstSchema.walk` found.

    Raises
    ------
    DecodeError
        An id or the time is not usable.
    """
    source = {path.removeprefix("diaSource."): value for path, value in values.items()}
    history = source.get("prvDiaSources.midpointMjdTai") or source.get("prvDiaSources.midPointTai") or ()
    if (band := source.get("band") or source.get("filterName")) is not None:
        source["band"] = band.decode("utf-8", "replace")
    return _reading(source, history, source.get("diaObject.firstDiaSourceMjdTai"))


def from_record(record: Mapping[str, Any]) -> Reading:
    """Return the reading of a record decoded in full; as `from_walk` otherwise."""
    source = record["diaSource"]
    earlier = record.get("prvDiaSources") or ()
    history = [entry.get("midpointMjdTai", entry.get("midPointTai")) for entry in earlier]
    return _reading(source, history, (record.get("diaObject") or {}).get("firstDiaSourceMjdTai"))


def _reading(source: Mapping[str, Any], history: Any, first_mjd: float | None) -> Reading:
    """Combine the values; old names (``decl``, ``midPointTai``, ``filterName``, ``psFlux``) are those of versions 3 and 4."""
    source_id = source["diaSourceId"]
    object_id = source.get("diaObjectId") or 0
    if source_id <= 0 or object_id < 0:
        raise DecodeError(f"diaSourceId {source_id} and diaObjectId {object_id} cannot be ids of an alert")
    mid_mjd = source.get("midpointMjdTai", source.get("midPointTai"))
    mid_tai_us = Instant.from_mjd_tai(mid_mjd).tai_us if is_plausible_mjd(mid_mjd) else 0
    # firstDiaSourceMjdTai is null or NaN in many packets, and absent before 9.0: the history then tells the first detection.
    firsts = [mjd for mjd in (first_mjd, *history) if is_plausible_mjd(mjd)]
    first_tai_us = min(mid_tai_us, Instant.from_mjd_tai(min(firsts)).tai_us) if firsts else mid_tai_us
    flux = _number(source.get("psfFlux", source.get("psFlux")))
    negative = source.get("isNegative", source.get("is_negative"))
    return Reading(
        source_id=source_id,
        object_id=str(object_id) if object_id else "",
        ra_deg=_number(source["ra"]),
        dec_deg=_number(source.get("dec", source.get("decl"))),
        mid_mjd=_number(mid_mjd),
        mid_tai_us=mid_tai_us,
        first_tai_us=first_tai_us,
        n_history=len(history),
        flux_njy=flux,
        flux_err_njy=_number(source.get("psfFluxErr", source.get("psFluxErr"))),
        snr=_number(source.get("snr")),
        reliability=_number(source.get("reliability")),
        band=source.get("band") or source.get("filterName") or "",
        # 0 stands for "none" as often as null does. The ssSource record is no evidence: brokers fill in empty ones.
        is_solar_system=bool(source.get("ssObjectId")),
        # Versions before 7.3 have no flag, later ones may hold null: the sign of the flux then says the same.
        is_negative=flux < 0 if negative is None else bool(negative),
        is_saturated=bool(source.get("pixelFlags_saturatedCenter")),  # from 7.0 on
    )


def _number(value: float | None) -> float:
    return MISSING if value is None else value
