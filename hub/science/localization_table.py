"""The table of localizations, conf/localizations.toml: what is made of which notice's stated position."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from hub.errors import ConfigError
from hub.model.instant import Instant
from hub.model.notice import EventClass, Notice, Stage
from hub.model.sky import Localization, LocalizationSource, StatedPosition, whole_sky
from hub.science.localization import SystematicModel, Treatment, localization_from_skymap, localize

_CONDITIONS = {"name", "mission", "kinds", "streams", "properties", "since", "until"}
_TREATMENT = {"model", "systematic_included", "containment", "scale", "least_sigma_deg", "prefer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of notice."""

    name: str
    mission: str
    treatment: Treatment
    kinds: tuple[str, ...] = ()
    """Stages of processing as codecs name them (`Notice.systematic_model`); empty for any."""

    streams: tuple[str, ...] = ()
    """Patterns of stream names in small letters; empty for any."""

    properties: Mapping[str, str] = field(default_factory=dict)
    """Properties of the notice, in small letters."""

    since: Instant | None = None
    until: Instant | None = None
    prefers_position: bool = False
    """Whether the stated region, where it can be drawn, is better than the map in the same notice."""

    def fits(self, notice: Notice) -> bool:
        """Tell whether the row is of a notice's kind and time."""
        if notice.mission != self.mission or (self.kinds and notice.systematic_model not in self.kinds):
            return False
        if self.streams and not any(fnmatchcase(notice.stream.lower(), pattern) for pattern in self.streams):
            return False
        if any(str(notice.properties.get(name, "")).lower() != value for name, value in self.properties.items()):
            return False
        if self.since is None and self.until is None:
            return True
        at = notice.issued_at or notice.t0
        return at is not None and (self.since is None or self.since <= at) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSky:
    """Which events are searched for by their time on the whole sky, where nothing says where they lie."""

    classes: frozenset[EventClass] = frozenset()
    least_detectors: int = 1
    """Notices that state fewer (``n_detectors``) are left out."""

    def holds(self, notice: Notice) -> bool:
        """Tell whether a notice without a place stands for the whole sky."""
        if notice.event_class not in self.classes or notice.stage is Stage.RETRACTION:
            return False
        stated = notice.properties.get("n_detectors")
        return not isinstance(stated, int | float) or stated >= self.least_detectors


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalizationTable:
    """All of conf/localizations.toml."""

    models: Mapping[str, SystematicModel]
    rows: tuple[Row, ...]
    containment: float
    """Probability inside a region that states none."""

    whole_sky: WholeSky = field(default_factory=WholeSky)

    def row_of(self, notice: Notice) -> Row | None:
        """Return the first row that fits a notice; None where it has none."""
        return next((row for row in self.rows if row.fits(notice)), None)

    def treatment_of(self, notice: Notice) -> Treatment:
        """Return what is made of a notice's position."""
        row = self.row_of(notice)
        return Treatment(containment=self.containment) if row is None else row.treatment

    def prefers_position(self, notice: Notice) -> bool:
        """Tell whether a notice's stated region is better than the map beside it."""
        row = self.row_of(notice)
        return row is not None and row.prefers_position

    def place_of(self, notice: Notice) -> Localization | None:
        """Return the map of a notice's position; None where it states none that can be drawn."""
        position = notice.position
        if position is None:
            return None
        odd = notice.properties.get("odd_containment")
        if position.containment is None and isinstance(odd, int | float):
            position = replace(position, containment=float(odd))  # so that the remark says what was stated
        return localize(position, self.treatment_of(notice))

    def stand_in(self, notice: Notice) -> Localization | None:
        """Return what stands for the place of a notice that has none: the whole sky, or nothing."""
        if not self.whole_sky.holds(notice):
            return None
        said = "The notice states no place that can be drawn: counterparts are searched by time, on the whole sky."
        return localization_from_skymap(whole_sky(), (said,), source=LocalizationSource.WHOLE_SKY)

    def localize(self, position: StatedPosition, model: str | None = None) -> Localization | None:
        """Return the map of a position of which only the systematic model is known, by its name.

        Raises
        ------
        ValueError
            There is no systematic model of that name.
        """
        treatment = Treatment(containment=self.containment)
        return localize(position, treatment if model is None else _with_model(treatment, model, self.models))


def load_localization_table(text: str) -> LocalizationTable:
    """Return the table in a TOML text; raises `ConfigError`."""
    try:
        data = tomllib.loads(text)
        _known(data, {"version", "default", "model", "notice", "whole_sky"}, "the file")
        containment = _between(data["default"], "containment", 0.0, 1.0)
        _known(data["default"], {"containment"}, "[default]")
        models = {name: _model(name, row) for name, row in data["model"].items()}
        rows = tuple(_row(row, models, containment) for row in data.get("notice", []))
        everywhere = _whole_sky(data.get("whole_sky", {}))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        missing = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"conf/localizations.toml: {missing}") from error
    return LocalizationTable(models=models, rows=rows, containment=containment, whole_sky=everywhere)


def _whole_sky(row: Mapping[str, Any]) -> WholeSky:
    _known(row, {"classes", "least_detectors"}, "[whole_sky]")
    least = row.get("least_detectors", 1)
    if isinstance(least, bool) or not isinstance(least, int) or least < 1:
        raise ValueError("least_detectors of [whole_sky] is a number of at least 1")
    return WholeSky(classes=frozenset(EventClass(name) for name in row.get("classes", ())), least_detectors=least)


def _model(name: str, row: Mapping[str, Any]) -> SystematicModel:
    where = f"model {name}"
    _known(row, {"core_weight", "core_deg", "tail_deg"}, where)
    model = SystematicModel(
        core_weight=_between(row, "core_weight", 0.0, 1.0, closed=True),
        core_deg=_between(row, "core_deg", 0.0, 180.0),
        tail_deg=_between(row, "tail_deg", 0.0, 180.0),
    )
    if model.tail_deg < model.core_deg:
        raise ValueError(f"{where}: the tail is narrower than the core")
    return model


def _row(row: Mapping[str, Any], models: Mapping[str, SystematicModel], containment: float) -> Row:
    where = f"notice {row['name']!r}"
    _known(row, _CONDITIONS | _TREATMENT, where)
    included = row.get("systematic_included")
    if included is not None and not isinstance(included, bool):
        raise ValueError(f"{where}: systematic_included is true or false")
    if row.get("prefer", "map") not in ("map", "position"):
        raise ValueError(f'{where}: prefer is "map" or "position"')
    if included is True and _TREATMENT & set(row) & {"model", "scale", "least_sigma_deg"}:
        raise ValueError(f"{where}: systematic errors are in, and nothing is added to them")
    treatment = Treatment(
        containment=_between(row, "containment", 0.0, 1.0) if "containment" in row else containment,
        systematic_included=included,
        scale=_between(row, "scale", 0.0, 100.0) if "scale" in row else 1.0,
        least_sigma_deg=_between(row, "least_sigma_deg", 0.0, 90.0) if "least_sigma_deg" in row else 0.0,
    )
    since, until = _moment(row, "since", where), _moment(row, "until", where)
    if since is not None and until is not None and not since < until:
        raise ValueError(f"{where}: since is before until")
    return Row(
        name=str(row["name"]),
        mission=str(row["mission"]),
        treatment=_with_model(treatment, row["model"], models) if "model" in row else treatment,
        kinds=_words(row, "kinds", where),
        streams=tuple(pattern.lower() for pattern in _words(row, "streams", where)),
        properties={name: str(value).lower() for name, value in row.get("properties", {}).items()},
        since=since,
        until=until,
        prefers_position=row.get("prefer") == "position",
    )


def _with_model(treatment: Treatment, name: str, models: Mapping[str, SystematicModel]) -> Treatment:
    if name not in models:
        raise ValueError(f"there is no systematic model {name!r}")
    return replace(treatment, model=models[name], model_name=name)


def _words(row: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    words = row.get(key, [])
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise ValueError(f"{where}: {key} is a list of words")
    return tuple(words)


def _moment(row: Mapping[str, Any], key: str, where: str) -> Instant | None:
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"{where}: {key} is a date and time with its zone, e.g. 2019-09-11T13:28:39Z")
    return Instant.from_datetime(value)


def _between(row: Mapping[str, Any], key: str, low: float, high: float, *, closed: bool = False) -> float:
    value = row[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} is no number")
    if not (low < value < high or (closed and value in (low, high))):
        raise ValueError(f"{key} = {value:g} lies outside {low:g} to {high:g}")
    return float(value)


def _known(row: Mapping[str, Any], keys: set[str], where: str) -> None:
    unknown = set(row) - keys
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r} in {where}")
