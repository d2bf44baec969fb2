"""LSST values by the names of every schema version, out of a projection or out of a whole record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.codecs.alerts.avro_plan import MISSING as NOTHING
from adapters.codecs.alerts.avro_projection import Projection
from adapters.codecs.alerts.avro_schema import As, Want
from adapters.codecs.alerts.past import Looks, past_of
from adapters.codecs.alerts.reading import EARLIEST_MJD, LATEST_MJD, MISSING, Reading, is_plausible_mjd, problem
from hub.errors import DecodeError
from hub.model.alert import COLUMN_DTYPES, NO_TIME, AlertBatch, Provenance, Words
from hub.model.instant import MJD_OF_1970, Instant
from hub.model.pixel29 import pixels29
from hub.model.revision import revisions, stated

SURVEY = "LSST"
"""Name of the survey in batches."""


def _source(name: str, kind: As, *fields: str) -> Want:
    return Want(name=name, paths=tuple(f"diaSource.{field}" for field in fields), kind=kind)


def _each(array: str, prefix: str, fields: Mapping[str, tuple[str, ...]]) -> list[Want]:
    """Return what is wanted of the items of an array: by the end of the column's name the names of the field."""
    return [
        Want(name=f"{prefix}_{name}", paths=tuple(f"{array}.{field}" for field in names), kind=As.EACH)
        for name, names in fields.items()
    ]


_TIME = {"mjd": ("midpointMjdTai", "midPointTai")}
_FLUX = {"flux": ("psfFlux", "psFlux")}
_ERROR = {"error": ("psfFluxErr", "psFluxErr")}
_BAND = {"band": ("band", "filterName")}
_SIGNS = {"negative": ("isNegative", "is_negative"), "dipole": ("isDipole",)}

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
    _source("is_dipole", As.FLAG, "isDipole"),
    _source("processed_mjd", As.NUMBER, "timeProcessedMjdTai"),
    _source("withdrawn_mjd", As.NUMBER, "timeWithdrawnMjdTai"),
    Want(name="n_history", paths=("prvDiaSources",), kind=As.COUNT),
    *_each("prvDiaSources", "history", _TIME | _FLUX | _BAND | _SIGNS),
    *_each("prvDiaForcedSources", "forced", _TIME | _FLUX | _ERROR | _BAND | {"withdrawn": ("timeWithdrawnMjdTai",)}),
    Want(name="first_mjd", paths=("diaObject.firstDiaSourceMjdTai",), kind=As.NUMBER),
)
"""What the batch reads, under the names of every version."""

_DAY_US = 86_400_000_000
_LATEST_US = int(np.iinfo(np.int64).max)
_NO_VALUES = np.zeros(0)
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
        batch=_with_revision(_batch(found, index, version)),
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
    first_tai_us = min(mid_tai_us, Instant.from_mjd_tai(min(firsts)).tai_us) if firsts else mid_tai_us
    # 0 stands for "none" as often as null does. The ssSource record is no evidence: brokers fill in empty ones.
    is_solar_system = bool(source.get("ssObjectId"))
    own = _looks_of([source])
    own.begins[:] &= not is_solar_system
    past = past_of(
        own, _looks_of(earlier), _looks_of(record.get("prvDiaForcedSources") or ()), _times(np.array([_number(stated)]))
    )
    return _reading(
        source_id=source["diaSourceId"],
        # What the survey took back belongs to no object.
        object_id=0 if is_plausible_mjd(source.get("timeWithdrawnMjdTai")) else source.get("diaObjectId") or 0,
        ra_deg=_number(source["ra"]),
        dec_deg=_number(source.get("dec", source.get("decl"))),
        mid_mjd=_number(mid_mjd),
        mid_tai_us=mid_tai_us,
        first_tai_us=min(first_tai_us, int(past.forced_us[0])),
        n_history=len(history),
        flux_njy=flux,
        flux_err_njy=_number(source.get("psfFluxErr", source.get("psFluxErr"))),
        snr=_number(source.get("snr")),
        reliability=_number(source.get("reliability")),
        band=source.get("band") or source.get("filterName") or "",
        is_solar_system=is_solar_system,
        # Versions before 7.3 have no flag, later ones may hold null: the sign of the flux then says the same.
        is_negative=flux < 0 if negative is None else bool(negative),
        is_saturated=bool(source.get("pixelFlags_saturatedCenter")),  # from 7.0 on
        is_dipole=bool(source.get("isDipole")),  # from 8.0 on
        began_tai_us=int(past.began_us[0]),
        quiet_tai_us=int(past.quiet_us[0]),
    )


def _looks_of(entries: Sequence[Mapping[str, Any]]) -> Looks:
    """Return the looks that sources or forced sources of one record are."""

    def numbers(*names: str) -> NDArray[np.float64]:
        found = (next((one[name] for name in names if one.get(name) is not None), np.nan) for one in entries)
        return np.array([float(value) for value in found], dtype=np.float64)

    texts = [one.get("band") or one.get("filterName") or "" for one in entries]
    bands = [text.encode("utf-8", "surrogateescape") for text in texts]
    is_withdrawn = np.array(
        [one.get("timeWithdrawnMjdTai") is not None and "diaForcedSourceId" in one for one in entries], dtype=bool
    )
    return Looks(
        first=np.array([0, len(entries)]),
        time_us=np.where(is_withdrawn, NO_TIME, _times(numbers("midpointMjdTai", "midPointTai"))),
        flux_njy=numbers("psfFlux", "psFlux"),
        flux_err_njy=numbers("psfFluxErr", "psFluxErr"),
        band=np.array([one[0] if len(one) == 1 else -1 for one in bands], dtype=np.int64),
        begins=_begins(numbers("psfFlux", "psFlux"), numbers("isNegative", "is_negative"), numbers("isDipole")),
    )


def _times(mjd: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `Instant.tai_us` of dates, MJD(TAI), `NO_TIME` of those that cannot be believed."""
    is_told = _is_plausible(mjd)
    return np.where(is_told, _tai_us(np.where(is_told, mjd, EARLIEST_MJD)), NO_TIME)


def _begins(flux: NDArray[np.float64], negative: NDArray[np.float64], dipole: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell of which detections an object may begin; what is NaN is not stated."""
    return np.asarray(~(flux <= 0.0) & ~(negative == 1.0) & ~(dipole == 1.0), dtype=np.bool_)


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
    first_mjd = number["first_mjd"]
    # Versions before 7.3 have no flag, later ones may hold null: the sign of the flux then says the same.
    negative = whole["is_negative"]
    band = found.short_texts("band", _MAX_BAND)[index]
    mid_us = _tai_us(mid_mjd)
    is_negative = np.where(negative == NOTHING, flux < 0, negative == 1)
    is_dipole = whole["is_dipole"] == 1
    is_withdrawn = _is_plausible(number["withdrawn_mjd"])
    is_solar_system = _stated(whole["ss_object_id"], 0) != 0
    own = Looks(
        first=np.arange(len(index) + 1),
        time_us=mid_us,
        flux_njy=flux,
        flux_err_njy=number["flux_err_njy"],
        band=np.where(found.sizes["band"][index] == 1, band[:, 0], -1).astype(np.int64),
        begins=~is_negative & ~is_dipole & ~is_solar_system & ~(flux <= 0.0),
    )
    history = _looks(found, "history", index)
    earliest_us = np.full(len(index), _LATEST_US)
    np.minimum.at(earliest_us, history.packet, np.where(history.time_us == NO_TIME, _LATEST_US, history.time_us))
    stated_us = _times(first_mjd)
    past = past_of(own, history, _looks(found, "forced", index), stated_us)
    first_us = np.minimum(np.minimum(np.where(stated_us == NO_TIME, mid_us, stated_us), earliest_us), mid_us)
    return AlertBatch(
        survey=SURVEY,
        source_id=whole["source_id"],
        # What the survey took back belongs to no object.
        object_id=_object_ids(np.where(is_withdrawn, 0, _stated(whole["object_id"], 0))),
        ra_deg=number["ra_deg"],
        dec_deg=number["dec_deg"],
        mid_tai_us=mid_us,
        first_tai_us=np.minimum(first_us, past.forced_us),
        n_history=_stated(whole["n_history"], 0).astype(np.int32),
        flux_njy=flux,
        flux_err_njy=number["flux_err_njy"],
        snr=number["snr"],
        reliability=number["reliability"],
        band=np.ascontiguousarray(band).view(f"S{_MAX_BAND}").reshape(-1),
        # 0 stands for "none" as often as null does. The ssSource record is no evidence: brokers fill in empty ones.
        is_solar_system=is_solar_system,
        is_negative=is_negative,
        is_saturated=whole["is_saturated"] == 1,  # from 7.0 on
        hpx29=pixels29(number["ra_deg"], number["dec_deg"]),
        is_dipole=is_dipole,  # from 8.0 on
        began_tai_us=past.began_us,
        quiet_tai_us=past.quiet_us,
        template_tai_us=np.full(len(index), NO_TIME),  # no version dates the template
        revision=stated(number["processed_mjd"], is_withdrawn),
        provenance=_provenance(found, index, whole, version),
    )


def _with_revision(batch: AlertBatch) -> AlertBatch:
    """Return the rows with their revisions, of which they have what the packets say of themselves."""
    columns = {name: getattr(batch, name) for name in COLUMN_DTYPES}
    place = batch.provenance
    more = (place.visit, place.detector) if place is not None else ()
    return replace(batch, revision=revisions(columns, batch.revision, more))


def _looks(found: Projection, prefix: str, index: NDArray[np.intp]) -> Looks:
    """Return the looks in an array of some packets."""
    first = found.items[f"{prefix}_mjd"]
    counts = np.diff(first)[index]
    edges = np.concatenate(([0], np.cumsum(counts)))
    rows = np.arange(edges[-1]) + np.repeat(first[index] - edges[:-1], counts)

    def column(name: str) -> NDArray[np.float64]:
        values = found.each.get(f"{prefix}_{name}", _NO_VALUES)
        return values[rows] if len(values) else np.full(len(rows), np.nan)

    mjd, flux, band = column("mjd"), column("flux"), column("band")
    return Looks(
        first=edges,
        time_us=np.where(np.isnan(column("withdrawn")), _times(mjd), NO_TIME),
        flux_njy=flux,
        flux_err_njy=column("error"),
        band=np.where(np.isnan(band), -1, np.nan_to_num(band)).astype(np.int64),
        begins=_begins(flux, column("negative"), column("dipole")),
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
