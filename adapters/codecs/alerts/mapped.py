"""One decoded packet to a reading, by a stream map: the reader for every stream that has none of its own."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from adapters.codecs.alerts.reading import MISSING, Reading, half_exposure_us, is_plausible_mjd
from adapters.codecs.alerts.stream_map import AnnotationTable, BrightnessTable, Scale, StreamMap
from adapters.codecs.alerts.ztf import AB_ZERO_NJY, SNR_OF_SIGMA_MAG
from hub.errors import DecodeError
from hub.model.instant import Instant

NJY = {"nJy": 1.0, "uJy": 1e3, "mJy": 1e6, "Jy": 1e9}
"""Nanojansky in a unit of flux density."""

_MJD_OF_JD = 2_400_000.5
_MJD_OF_UNIX = 40_587.0
_DAY_S = 86_400.0
_INT64 = range(-(2**63), 2**63)
_SIGNS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False, "-1": False}
_NO_ITEMS: Sequence[Any] = ()


class MappedReader:
    """Reads packets of one stream. It keeps nothing between them."""

    def __init__(self, stream: StreamMap) -> None:
        self._map = stream
        self._missing_numbers = frozenset(stream.missing.numbers)
        self._missing_texts = frozenset(stream.missing.texts)

    def read(self, packet: Mapping[str, Any]) -> Reading:
        """Return the reading of a packet.

        Raises
        ------
        DecodeError
            A value is missing without which there is no alert, or is of another kind than the map says.
        """
        said, row = self._map, self._row(packet)
        object_id = self._object_id(packet, row)
        stated_mjd, stated_us = self._instant(self._first(packet, row, said.time.field))
        offset_us = self._offset_us(packet, row)
        mid_us = stated_us + offset_us if stated_us else 0
        n_history, firsts = self._history(packet, row, stated_mjd)
        if said.time.first is not None:
            firsts.append(self._instant(self._first(packet, row, said.time.first), said.time.first_scale)[1])
        earlier = [first + offset_us for first in firsts if first]
        positive = self._sign(packet, row)
        flux, error, snr = self._brightness(packet, row, positive)
        band = self._band(packet, row)
        negative = None if said.quality.negative is None else self._first(packet, row, said.quality.negative)
        return Reading(
            source_id=self._source_id(packet, row, object_id, mid_us, band),
            object_id=object_id,
            ra_deg=self._number(packet, row, said.position.ra),
            dec_deg=self._number(packet, row, said.position.dec),
            mid_mjd=stated_mjd,
            mid_tai_us=mid_us,
            first_tai_us=min([mid_us, *earlier]),
            n_history=n_history,
            flux_njy=flux,
            flux_err_njy=error,
            snr=snr,
            reliability=self._reliability(packet, row),
            band=band,
            is_solar_system=self._is_solar_system(packet, row),
            is_negative=(flux < 0 if positive is None else not positive) if negative is None else bool(negative),
            is_saturated=said.quality.saturated is not None and bool(self._first(packet, row, said.quality.saturated)),
        )

    def annotations(self, packet: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what the broker says of the object: ``kind``, ``value``, ``source`` and ``version`` of each statement.

        Kinds and values are those of `hub.model.annotation.AnnotationKind`. What has not the type of its kind is left out: a
        broker's slip in its own words is no reason to refuse the survey's alert.
        """
        row = self._row(packet)
        found = []
        for one in self._map.annotations:
            value = _statement(one, self._known(_at(packet, row, one.field)))
            if value is not None:
                version = None if one.version is None else self._known(_at(packet, row, one.version))
                found.append(
                    {
                        "kind": one.kind,
                        "value": value,
                        "source": one.source,
                        "version": "" if version is None else str(version)[:40],
                    }
                )
        return found

    # ------------------------------------------------------------------------------------------------- finding values

    def _row(self, packet: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the item that is the alert, where the packet is a list of detections: the newest."""
        if self._map.row is None:
            return {}
        items = self._items(packet, (self._map.row.list,))
        if not items:
            raise DecodeError(f"{self._map.row.list} holds no detection")
        times = [self._instant(self._first(packet, item, self._map.time.field))[1] for item in items]
        newest: Mapping[str, Any] = items[times.index(max(times))]
        return newest

    def _items(self, packet: Mapping[str, Any], paths: Iterable[str]) -> Sequence[Any]:
        """Return the records of a list, forced photometry left out; none where there is no list."""
        found: Any = next((value for path in paths if (value := _at(packet, {}, path)) is not None), _NO_ITEMS)
        if not isinstance(found, list | tuple) or not all(isinstance(item, Mapping) for item in found):
            raise DecodeError(f"{next(iter(paths))} holds something else than records")
        row = self._map.row
        if row is None or row.forced is None or row.list not in paths:
            return found
        forced = row.forced.removeprefix("row.")
        return [item for item in found if not _at(item, {}, forced)]

    def _known(self, value: Any) -> Any:
        """Return a value, None for one that stands for "not known"."""
        if isinstance(value, float) and (math.isnan(value) or value in self._missing_numbers):
            return None
        if isinstance(value, str) and value in self._missing_texts:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and float(value) in self._missing_numbers:
            return None
        return value

    def _first(self, packet: Mapping[str, Any], row: Mapping[str, Any], paths: Iterable[str]) -> Any:
        return next((value for path in paths if (value := self._known(_at(packet, row, path))) is not None), None)

    def _number(self, packet: Mapping[str, Any], row: Mapping[str, Any], paths: tuple[str, ...] | None) -> float:
        """Return a number, `MISSING` where it is not stated."""
        value = None if paths is None else self._first(packet, row, paths)
        if value is None:
            return MISSING
        assert paths is not None
        return _as_number(value, paths[0])

    # ------------------------------------------------------------------------------------------------------- one value

    def _source_id(self, packet: Mapping[str, Any], row: Mapping[str, Any], object_id: str, mid_us: int, band: str) -> int:
        said = self._map.id
        if said.source is None:
            return _made_id(object_id, mid_us, band)
        value, name = self._first(packet, row, said.source), said.source[0]
        if isinstance(value, str) and value.startswith(said.source_prefix):
            digits = value.removeprefix(said.source_prefix)
            value = int(digits) if digits.isascii() and digits.lstrip("-").isdigit() and len(digits) <= 20 else value
        elif said.source_prefix:
            raise DecodeError(f"{name} {str(value)[:40]!r} does not begin with {said.source_prefix!r}")
        if isinstance(value, float):
            raise DecodeError(f"{name} is a floating-point number, in which ids of 18 digits lose their last ones")
        lowest = 1 if said.source_positive else _INT64.start
        if isinstance(value, bool) or not isinstance(value, int) or value == 0 or not lowest <= value < _INT64.stop:
            raise DecodeError(f"{name} {str(value)[:40]!r} is no id of a {self._map.survey} alert")
        return value

    def _object_id(self, packet: Mapping[str, Any], row: Mapping[str, Any]) -> str:
        said = self._map.id
        value, name = self._first(packet, row, said.object), said.object[0]
        if value is None or (value == 0 and not isinstance(value, str)):
            if said.object_required or said.source is None:
                raise DecodeError(f"the packet has no {name}")
            return ""
        if isinstance(value, float):
            raise DecodeError(f"{name} is a floating-point number, in which ids of 18 digits lose their last ones")
        if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, int) and value < 0):
            raise DecodeError(f"{name} {str(value)[:40]!r} cannot be the id of an object")
        return str(value)

    def _instant(self, value: Any, scale: Scale | None = None) -> tuple[float, int]:
        """Return a stated time as MJD, for the check of its range, and as microseconds of TAI; 0 for one that is none."""
        if value is None:
            return MISSING, 0
        scale, name = scale or self._map.time.scale, self._map.time.field[0]
        if scale == "iso_utc":
            return _of_text(value, name)
        number = _as_number(value, name)
        match scale:
            case "mjd_tai" | "mjd_utc":
                mjd = number
            case "jd_tai" | "jd_utc":
                mjd = number - _MJD_OF_JD
            case "unix_s_utc":
                mjd = number / _DAY_S + _MJD_OF_UNIX
        if not is_plausible_mjd(mjd):
            return mjd, 0
        try:
            return mjd, _INSTANTS[scale](number).tai_us
        except ValueError as error:
            raise DecodeError(f"{name} {number} lies before 1972, when UTC had no whole leap seconds") from error

    def _offset_us(self, packet: Mapping[str, Any], row: Mapping[str, Any]) -> int:
        """Return how much later the middle of the exposure is than the stated time, microseconds."""
        said = self._map.time
        if said.at == "middle":
            return 0
        exposure_s = self._number(packet, row, said.exposure_s)
        return half_exposure_us(exposure_s, said.exposure_default_s)

    def _history(self, packet: Mapping[str, Any], row: Mapping[str, Any], mjd: float) -> tuple[int, list[int]]:
        """Return how many earlier detections there are, and their times."""
        said = self._map.history
        if said is None:
            return 0, []
        items = self._items(packet, said.list)
        if said.detection is not None:
            items = [item for item in items if said.detection not in item or self._known(item[said.detection]) is not None]
        times = [self._instant(self._first(item, {}, said.time), said.scale) for item in items]
        if said.earlier_only:
            times = [time for time in times if time[0] < mjd]
        return len(times), [tai_us for _, tai_us in times]

    def _sign(self, packet: Mapping[str, Any], row: Mapping[str, Any]) -> bool | None:
        said = self._map.brightness
        if said is None or said.positive is None:
            return None
        value = self._first(packet, row, said.positive)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if (positive := _SIGNS.get(str(value).lower())) is None:
            if value is None:
                raise DecodeError(f"{said.positive[0]} is missing")
            raise DecodeError(f"{said.positive[0]} {str(value)[:10]!r} is neither true nor false")
        return positive

    def _brightness(self, packet: Mapping[str, Any], row: Mapping[str, Any], positive: bool | None) -> tuple[float, float, float]:
        """Return flux, its error, both nJy, and the signal-to-noise ratio."""
        said = self._map.brightness
        if said is None:
            return MISSING, MISSING, MISSING
        stated, error = self._number(packet, row, said.field), self._number(packet, row, said.error)
        snr = self._number(packet, row, said.snr)
        if said.unit == "AB mag":
            return _of_magnitude(stated, error, snr, said, positive)
        unit = NJY[said.unit]
        flux = stated * unit
        return (flux if positive is not False else -abs(flux)), error * unit, snr

    def _band(self, packet: Mapping[str, Any], row: Mapping[str, Any]) -> str:
        said = self._map.band
        value = None if said is None else self._first(packet, row, said.field)
        if said is None or value is None:
            return ""
        if not said.names:
            if not isinstance(value, str):
                raise DecodeError(f"{said.field[0]} {str(value)[:10]!r} is no name of a band")
            return value
        if (band := said.names.get(str(value))) is None:
            raise DecodeError(f"{said.field[0]} {str(value)[:10]!r} is none of the filters {', '.join(said.names)}")
        return band

    def _reliability(self, packet: Mapping[str, Any], row: Mapping[str, Any]) -> float:
        for path in self._map.quality.reliability or ():
            score = self._number(packet, row, (path,))
            if score >= 0:
                return score
        return MISSING

    def _is_solar_system(self, packet: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
        said = self._map.solar_system
        if said is None or not any(self._known(_at(packet, row, path)) for path in said.field):
            return False
        return said.distance is None or 0.0 <= self._number(packet, row, (said.distance,)) < said.within_arcsec


_INSTANTS: dict[str, Callable[[float], Instant]] = {
    "mjd_tai": Instant.from_mjd_tai,
    "mjd_utc": Instant.from_mjd_utc,
    "jd_tai": lambda jd: Instant.from_mjd_tai(jd - _MJD_OF_JD),
    "jd_utc": Instant.from_jd_utc,
    "unix_s_utc": Instant.from_unix_s,
}


def _statement(said: AnnotationTable, value: Any) -> dict[str, Any] | None:
    """Return what one field says, None where it says nothing of its kind."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    is_text = isinstance(value, str) and bool(value.strip())
    match said.kind:
        case "classification" if said.label:
            return {"class": said.label, "probability": float(value)} if is_number and 0 <= value <= 1 else None
        case "classification":
            return {"class": value[:80]} if is_text else None
        case "redshift":
            return {"z": float(value)} if is_number and value > -1 else None
        case "name" | "host":
            return {"name": value[:80]} if is_text else None


def _at(packet: Mapping[str, Any], row: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a path, None where nothing does."""
    value: Any = packet
    if path.startswith("row."):
        value, path = row, path.removeprefix("row.")
    for name in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list | tuple) and name.isdigit() and len(name) < 9:
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def _as_number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(f"{name} is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise DecodeError(f"{name} is larger than any number that it can be") from error


def _of_text(value: Any, name: str) -> tuple[float, int]:
    try:
        instant = Instant.from_utc_iso(value)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise DecodeError(f"{name} {str(value)[:40]!r} is no time") from error
    return instant.mjd_utc, instant.tai_us if is_plausible_mjd(instant.mjd_utc) else 0


def _of_magnitude(
    magnitude: float, error: float, snr: float, said: BrightnessTable, positive: bool | None
) -> tuple[float, float, float]:
    """Return flux and error in nJy and the signal-to-noise ratio of an AB magnitude with its 1-sigma error."""
    flux = AB_ZERO_NJY * 10.0 ** (-0.4 * magnitude) if -30.0 < magnitude < 60.0 else MISSING
    flux *= -1 if positive is False else 1
    sigma = error if error > 0 else MISSING
    return flux, abs(flux) * sigma / SNR_OF_SIGMA_MAG, SNR_OF_SIGMA_MAG / sigma if said.snr is None else snr


def _made_id(object_id: str, mid_us: int, band: str) -> int:
    """Return an id for a detection whose own is not in the packet: below zero, where no survey has any, and always the same."""
    digest = hashlib.sha256(f"{object_id}|{mid_us}|{band}".encode()).digest()
    return -(int.from_bytes(digest[:8], "big") >> 1) - 1
