"""LSST values by the names of every schema version, out of a projection or out of a whole record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.codecs.alerts.avro_plan import MISSING as NOTHING
from adapters.codecs.alerts.avro_projection import Projection
from adapters.codecs.alerts.avro_schema import As, Want
from adapters.codecs.alerts.reading import EARLIEST_MJD, LATEST_MJD, MISSING, Reading, is_plausible_mjd, problem
from hub.errors import DecodeError
from hub.model.alert import AlertBatch, Provenance, Words
from hub.model.instant import MJD_OF_1970, Instant
from hub.model.pixel29 import pixels29

SURVEY = "LSST"
"""Name of the survey in batches."""


def _source(name: str, kind: As, *fields: str) -> Want:
    return Want(name=name, paths=tuple(f"diaSource.{field}" for field in fields), kind=kind)


WANTS = (
    Want(name="reason", paths=("observation_reason",), kind=As.TEXT),
    Want(name="target", paths=("target_name",), kind=As.TEXT),
    _source("source_id", As.INTEGER, "diaSourceId"),
    _source("visit", As.INTEGER, "visit"),
    _source("detector", As.INTEGER, "detector"),
    _source("object_id", As.INTEGER, "diaObjectId"),
    _source("ss_object_id", As.INTEGER, "ssObjectId"),
    _source("mid_mjd", As.NUMBER, "midpointMjdTai", "midPointTai"),
    _source("ra_deg", As.NUMBER, "ra"),
    _source("dec_deg", As.NUMBER, "dec", "decl"),
    _source("flux_njy", As.NUMBER, "psfFlux", "psFlux"),
    _source("flux_err_njy", As.NUMBER, "psfFluxErr", "psFluxErr"),
    _source("snr", As.NUMBER, "snr"),
    _source("reliability", As.NUMBER, "reliability"),
    _source("reliability_version", As.TEXT, "reliabilityVersion"),
    _source("band", As.TEXT, "band", "filterName"),
    _source("is_negative", As.FLAG, "isNegative", "is_negative"),
    _source("is_saturated", As.FLAG, "pixelFlags_saturatedCenter"),
    Want(name="n_history", paths=("prvDiaSources",), kind=As.COUNT),
    Want(
        name="earliest_mjd",
        paths=("prvDiaSources.midpointMjdTai", "prvDiaSources.midPointTai"),
        kind=As.LEAST,
        within=(EARLIEST_MJD, LATEST_MJD),
    ),
    Want(name="first_mjd", paths=("diaObject.firstDiaSourceMjdTai",), kind=As.NUMBER),
)
"""What the batch reads, under the names of every version."""

_DAY_US = 86_400_000_000
_MAX_BAND = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Alerts of one schema as columns, and what is wrong with the others."""

    batch: AlertBatch
    index: NDArray[np.intp]
    """For each row of the batch the message of the projection."""

    faults: tuple[tuple[int, str], ...]
    """Message of the projection and why it has no row, ascending."""


def to_rows(found: Projection, version: str) -> Rows:
    """Return what a projection of `WANTS` says.

    Good packets are made into rows column by column; each bad one is then read by itself for its sentence.
    """
    good = _good(found)
    index = np.flatnonzero(good)
    return Rows(
        batch=_batch(found, index, version),
        index=index,
        faults=tuple((row, _fault(found, row)) for row in np.flatnonzero(~good).tolist()),
    )


def from_record(record: Mapping[str, Any]) -> Reading:
    """Return the reading of a record.

    Raises
    ------
    DecodeError
        An id is not usable.
    """
    source = record["diaSource"]
    earlier = record.get("prvDiaSources") or ()
    history = [entry.get("midpointMjdTai", entry.get("midPointTai")) for entry in earlier]
    # firstDiaSourceMjdTai is null or NaN in many packets, and absent before 9.0: the history then tells the first detection.
    stated = (record.get("diaObject") or {}).get("firstDiaSourceMjdTai")
    flux = _number(source.get("psfFlux", source.get("psFlux")))
    negative = source.get("isNegative", source.get("is_negative"))
    mid_mjd = source.get("midpointMjdTai", source.get("midPointTai"))
    mid_tai_us = Instant.from_mjd_tai(mid_mjd).tai_us if is_plausible_mjd(mid_mjd) else 0
    firsts = [mjd for mjd in (stated, *history) if is_plausible_mjd(mjd)]
    return _reading(
        source_id=source["diaSourceId"],
        object_id=source.get("diaObjectId") or 0,
        ra_deg=_number(source["ra"]),
        dec_deg=_number(source.get("dec", source.get("decl"))),
        mid_mjd=_number(mid_mjd),
        mid_tai_us=mid_tai_us,
        first_tai_us=min(mid_tai_us, Instant.from_mjd_tai(min(firsts)).tai_us) if firsts else mid_tai_us,
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


def _reading(*, source_id: int, object_id: int, **values: Any) -> Reading:
    if source_id <= 0 or object_id < 0:
        raise DecodeError(f"diaSourceId {source_id} and diaObjectId {object_id} cannot be ids of an alert")
    return Reading(source_id=source_id, object_id=str(object_id) if object_id else "", **values)


def _number(value: float | None) -> float:
    return MISSING if value is None else value


def _stated(column: NDArray[np.int64], otherwise: int) -> NDArray[np.int64]:
    """Return a column with another number where nothing is stated."""
    return np.where(column == NOTHING, otherwise, column)


def _good(found: Projection) -> NDArray[np.bool_]:
    """Return which messages make rows: the rules of `reading.problem`, for whole columns; comparisons with NaN are false."""
    whole, number = found.integers, found.numbers
    good = found.faults == 0
    good &= (_stated(whole["source_id"], 0) > 0) & (_stated(whole["object_id"], 0) >= 0)
    good &= _is_plausible(number["mid_mjd"])
    good &= (number["ra_deg"] >= 0.0) & (number["ra_deg"] < 360.0)
    good &= (number["dec_deg"] >= -90.0) & (number["dec_deg"] <= 90.0)
    for name in ("flux_njy", "flux_err_njy", "snr", "reliability"):
        good &= ~np.isinf(number[name])
    sizes = found.sizes["band"]
    text = found.short_texts("band", _MAX_BAND)
    is_plain = ((text >= 0x20) & (text < 0x7F)) | (np.arange(_MAX_BAND) >= sizes[:, None])
    return np.asarray(good & (sizes <= _MAX_BAND) & is_plain.all(axis=1))


def _fault(found: Projection, row: int) -> str:
    """Return the sentence on a message that makes no row."""
    if (sentence := found.sentence(row)) is not None:
        return sentence
    whole, number = found.integers, found.numbers
    names = ("ra_deg", "dec_deg", "mid_mjd", "flux_njy", "flux_err_njy", "snr", "reliability")
    try:
        reading = _reading(
            source_id=int(_stated(whole["source_id"][row : row + 1], 0)[0]),
            object_id=int(_stated(whole["object_id"][row : row + 1], 0)[0]),
            **{name: float(number[name][row]) for name in names},
            mid_tai_us=0,
            first_tai_us=0,
            n_history=0,
            band=(found.text("band", row) or b"").decode("utf-8", "replace"),
            is_solar_system=False,
            is_negative=False,
            is_saturated=False,
        )
    except DecodeError as error:
        return error.reason
    return problem(reading) or "the alert breaks a rule"


def _is_plausible(mjd: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (mjd >= EARLIEST_MJD) & (mjd <= LATEST_MJD)


def _tai_us(mjd: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `Instant.tai_us` of believable dates, MJD(TAI), rounded as `Instant.from_mjd_tai` does."""
    day = np.floor(mjd)
    return np.asarray((day.astype(np.int64) - MJD_OF_1970) * _DAY_US + np.rint((mjd - day) * _DAY_US).astype(np.int64))


def _batch(found: Projection, index: NDArray[np.intp], version: str) -> AlertBatch:
    whole = {name: column[index] for name, column in found.integers.items()}
    number = {name: column[index] for name, column in found.numbers.items()}
    mid_mjd, flux = number["mid_mjd"], number["flux_njy"]
    # firstDiaSourceMjdTai is null or NaN in many packets, and absent before 9.0: the history then tells the first detection.
    first_mjd = np.where(_is_plausible(number["first_mjd"]), number["first_mjd"], np.nan)
    negative = whole["is_negative"]
    band = found.short_texts("band", _MAX_BAND)[index]
    return AlertBatch(
        survey=SURVEY,
        source_id=whole["source_id"],
        object_id=_object_ids(_stated(whole["object_id"], 0)),
        ra_deg=number["ra_deg"],
        dec_deg=number["dec_deg"],
        mid_tai_us=_tai_us(mid_mjd),
        first_tai_us=_tai_us(np.fmin(np.fmin(first_mjd, number["earliest_mjd"]), mid_mjd)),
        n_history=_stated(whole["n_history"], 0).astype(np.int32),
        flux_njy=flux,
        flux_err_njy=number["flux_err_njy"],
        snr=number["snr"],
        reliability=number["reliability"],
        band=np.ascontiguousarray(band).view(f"S{_MAX_BAND}").reshape(-1),
        # 0 stands for "none" as often as null does. The ssSource record is no evidence: brokers fill in empty ones.
        is_solar_system=_stated(whole["ss_object_id"], 0) != 0,
        # Versions before 7.3 have no flag, later ones may hold null: the sign of the flux then says the same.
        is_negative=np.where(negative == NOTHING, flux < 0, negative == 1),
        is_saturated=whole["is_saturated"] == 1,  # from 7.0 on
        hpx29=pixels29(number["ra_deg"], number["dec_deg"]),
        provenance=_provenance(found, index, whole, version),
    )


def _object_ids(ids: NDArray[np.int64]) -> NDArray[np.bytes_]:
    """Return ids as text, none for 0."""
    out = np.zeros((len(ids), 32), dtype=np.uint8)
    if len(ids):
        from adapters.codecs.alerts import avro_kernel  # noqa: PLC0415 - compiled code that only those who read alerts pay for

        avro_kernel.write_decimals(ids, out)
        out[ids == 0] = 0
    return out.view("S32").reshape(-1)


def _provenance(found: Projection, index: NDArray[np.intp], whole: Mapping[str, NDArray[np.int64]], version: str) -> Provenance:
    n = len(index)
    unknown = Provenance.unknown(n)
    detector = _stated(whole["detector"], -1)
    return Provenance(
        visit=_stated(whole["visit"], 0),
        detector=np.where(abs(detector) < 2**31, detector, -1).astype(np.int32),
        reason=found.words("reason", index),
        target=found.words("target", index),
        schema=Words.constant(f"lsst-{version}", n),
        reliability_version=found.words("reliability_version", index),
        topic=unknown.topic,
        partition=unknown.partition,
        offset=unknown.offset,
    )
