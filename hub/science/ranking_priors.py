"""Priors of the terms of the rank, and of what objects are taken for: tables ``[ranking.*]`` of conf/coincidence.toml."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hub.model.catalog import CatalogKind
from hub.science.toml_rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyPriors:
    """Of the term `sky`."""

    floor: float
    """Least value, so that an object far outside keeps a finite score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingPriors:
    """Of the term `timing`."""

    floor: float
    """Least value."""

    shortest_d: float
    """An interval is at least so long, days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityPriors:
    """Of the term `activity`."""

    scale: float
    """Excesses of counterparts spread over so many times the object's own variability."""

    cap: float
    """Largest contribution either way."""

    least_past: int
    """A baseline has at least so many detections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FadingPriors:
    """Of the term `fading`."""

    background_mag_per_d: float
    """Spread of the rates of unrelated transients."""

    min_baseline_d: float
    """Two detections closer than this say nothing about a rate, days."""

    cap: float
    """Largest contribution either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LuminosityPriors:
    """Of the term `luminosity`."""

    range_mag: float
    """Unrelated transients are taken as uniform over so many magnitudes where the limit of the visit is unknown."""

    counts_slope: float
    """Logarithm of the number of unrelated transients per magnitude, per magnitude."""

    limit_sigma: float
    """Signal to noise of the faintest that are detected."""

    cap: float
    """Largest contribution either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourPriors:
    """Of the term `colour`."""

    within_d: float
    """Two detections so near in time have one colour, days."""

    background_mag: float
    """Mean colour of unrelated transients, of any two bands, AB."""

    background_spread_mag: float
    other_share: float
    """Share of the unrelated objects of any colour: false detections, and what faded between two of them."""

    other_spread_mag: float
    """Spread of their colours around that mean."""

    cap: float
    """Largest contribution either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealityPriors:
    """Of the term `reality`."""

    weight: float
    """Factor of the log odds."""

    least: float
    """A stated reliability is at least so large."""

    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSourcePriors:
    """Of the term `known_source`."""

    variable_counterparts: float
    """Share of the true counterparts that a catalogue of variables has an entry at the place of, by chance or in truth."""

    variable_unrelated: float
    """The same of unrelated objects that pass the cuts."""

    agn_counterparts: float
    """As of variables, of active nuclei."""

    agn_unrelated: float
    floor: float
    """Least value."""

    @property
    def shares(self) -> Mapping[str, tuple[float, float]]:
        """Share of the counterparts and of the unrelated, by kind of catalogue."""
        return {
            CatalogKind.VARIABLE.value: (self.variable_counterparts, self.variable_unrelated),
            CatalogKind.AGN.value: (self.agn_counterparts, self.agn_unrelated),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPriors:
    """What an object is taken for."""

    short_onset_d: float
    """An onset window that is no longer than this fixes the age of a counterpart, days."""

    variable_age_d: float
    """A known variable was first detected longer before the event, days, ..."""

    variable_detections: int
    """... and detected at least so often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingPriors:
    """All of them."""

    sky: SkyPriors
    timing: TimingPriors
    activity: ActivityPriors
    fading: FadingPriors
    luminosity: LuminosityPriors
    colour: ColourPriors
    reality: RealityPriors
    known_source: KnownSourcePriors
    objects: ObjectPriors


SPEAKING_KINDS = (CatalogKind.VARIABLE.value, CatalogKind.AGN.value)
"""Kinds of catalogues that `KnownSourcePriors` has shares of; entries of blazars count as active nuclei."""


_TABLES: Mapping[str, type[Any]] = {
    "sky": SkyPriors,
    "timing": TimingPriors,
    "activity": ActivityPriors,
    "fading": FadingPriors,
    "luminosity": LuminosityPriors,
    "colour": ColourPriors,
    "reality": RealityPriors,
    "known_source": KnownSourcePriors,
    "objects": ObjectPriors,
}

_COUNTS = frozenset({"least_past", "variable_detections"})
_FLOORS = frozenset({"floor"})
_SIGNED = frozenset({"background_mag"})
_SHARES = frozenset({"other_share", "variable_counterparts", "variable_unrelated", "agn_counterparts", "agn_unrelated"})


def parse(data: Any) -> RankingPriors:
    """Return the tables; raises `ValueError` where a key is missing, unknown or out of range."""
    row = Row(data, "[ranking]")
    row.only(*_TABLES)
    return RankingPriors(**{name: _table(row.table(name), kind) for name, kind in _TABLES.items()})


def _table(row: Row, kind: type[Any]) -> Any:
    names = [one.name for one in fields(kind)]
    row.only(*names)
    return kind(**{name: _value(row, name) for name in names})


def _value(row: Row, name: str) -> float | int:
    if name in _COUNTS:
        return row.whole(name, least=1)
    if name in _FLOORS:
        return row.number(name, least=-1e3, most=0.0)
    if name in _SIGNED:
        return row.number(name, least=-1e3, most=1e3)
    return row.number(name, above=0.0, most=1.0 if name in _SHARES else 1e4)
