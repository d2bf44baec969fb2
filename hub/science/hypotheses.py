"""Counterpart hypotheses as data: what an object of a survey may be to an event, ``[[hypothesis]]`` of conf/coincidence.toml."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from hub.model.notice import EventClass
from hub.science.families import Families, Family
from hub.science.ranking_priors import SPEAKING_KINDS, RankingPriors

FLAGS = (
    "prior activity",
    "known variable",
    "saturated",
    "negative detections",
    "solar-system association",
    "low ecliptic latitude",
    "dipole detections",
    "re-created object",
)
"""Facts that are recorded with a candidate; a hypothesis may use them, nothing else does."""

CATALOGUE_FLAGS = ("nuclear", "in * catalogue")
"""Those that the places of objects bring (`hub.science.facts`); the star stands for a kind of catalogue."""


class PriorActivity(StrEnum):
    """What a hypothesis does with an object that was active before its onset window."""

    EXCLUDE = "exclude"
    NOTE = "note"
    REQUIRE = "require"


class Activity(StrEnum):
    """What must have happened at the time of the event."""

    NEW = "new"
    """The object began: its onset is judged."""

    EXCESS_AFTER = "excess after"
    """It became brighter than it was before: its largest flux after t0 against its own past."""

    EXCESS_AT = "excess at"
    """It was active: its flux around t0 against its baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A kind of counterpart that a survey's object may be."""

    name: str
    kind: str
    classes: tuple[EventClass, ...]
    onset_d: tuple[float, float]
    """When the counterpart begins, days after t0."""

    window_d: tuple[float, float]
    """Alerts of which times are looked at, days after t0; how long it lives is the end."""

    max_level: float
    """Largest 2D level inside the localization."""

    min_reliability: float
    """Smallest real-bogus score; an alert without one passes."""

    exclude_solar_system: bool
    exclude_negative: bool
    prior_activity: PriorActivity
    background_per_deg2: float
    """Unrelated objects per square degree that pass the same cuts."""

    min_announce_score: float
    """Score from which on a confirmed candidate becomes a coincidence that leaves the hub."""

    followup: bool
    """Whether an announced coincidence asks for observations."""

    priors: RankingPriors
    """Of the terms of the rank, the same for all hypotheses."""

    typical_delay_d: float | None = None
    """Scale of the delay of the onset after t0, days; None where every time of `onset_d` is as likely."""

    appears_d: float = 0.0
    """So long after the onset it may become bright enough to be detected, days."""

    activity: Activity = Activity.NEW
    near_d: float = 30.0
    """`Activity.EXCESS_AT`: so near to t0 a detection tells of the flux at t0, days."""

    exclude_flags: tuple[str, ...] = ()
    """Recorded flags with which an object does not count: of `FLAGS` and `CATALOGUE_FLAGS`."""

    require_any_class: Mapping[str, float] = field(default_factory=dict)
    """Class or property name to least probability; one of them must be reached, where any is stated."""

    require_catalogue: str | None = None
    """Kind of the catalogue that the object must be in; where none is installed nothing is a candidate of it."""

    source_catalogues: tuple[str, ...] = ()
    """Kinds of the catalogues that hold such sources."""

    unrelated_catalogues: tuple[str, ...] = ()
    """Kinds of the catalogues whose entries are no such sources: the term ``known_source``."""

    max_area_deg2: float | None = None
    """Maps with a larger 90 % area make no candidates of it; None where the limit of all holds."""

    min_flux_njy: float | None = None
    """Fainter alerts do not count."""

    family: str | None = None
    """Of conf/families.toml."""

    light_curve: Family | None = None
    """That family; None where there is none or no families were given."""

    @property
    def first_d(self) -> tuple[float, float]:
        """Return when it may first have been detected, days after t0: a field may be visited long after it began."""
        return self.onset_d[0], self.window_d[1]

    @property
    def fixes_age(self) -> bool:
        """Return whether the time of the event tells how old a counterpart is."""
        return self.activity is Activity.NEW and self.onset_d[1] - self.onset_d[0] <= self.priors.objects.short_onset_d

    @property
    def appearance_d(self) -> tuple[float, float]:
        """Return when it becomes bright enough, days after t0."""
        return self.onset_d[0], self.onset_d[1] + self.appears_d


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """When a candidate may be announced and requested; others are ranked apart."""

    gap_s: float = 1200.0
    """Two detections so far apart are of no asteroid, seconds."""

    ecliptic_deg: float = 20.0
    """With a known host one detection does, farther from the ecliptic than this, degrees."""


def parse_confirmation(row: Mapping[str, Any]) -> Confirmation:
    """Return when candidates are confirmed, by ``confirm_gap_min`` and ``confirm_ecliptic_deg`` of ``[limits]``.

    Raises
    ------
    KeyError, TypeError, ValueError
        A key is missing or out of range.
    """
    gap, latitude = float(row["confirm_gap_min"]), float(row["confirm_ecliptic_deg"])
    if not 0.0 <= gap <= 1e5 or not 0.0 <= latitude <= 90.0:
        raise ValueError("confirm_gap_min must lie between 0 and 100000, confirm_ecliptic_deg between 0 and 90")
    return Confirmation(gap_s=60.0 * gap, ecliptic_deg=latitude)


_NAMES = {one.name for one in fields(Hypothesis)} - {"light_curve", "min_flux_njy", "priors"} | {"faintest_mag"}


def parse(row: Mapping[str, Any], priors: RankingPriors, families: Families | None = None) -> Hypothesis:
    """Return the hypothesis of a table.

    Raises
    ------
    KeyError, TypeError, ValueError
        A key is missing, unknown or out of range.
    """
    if unknown := set(row) - _NAMES:
        raise ValueError(f"unknown key {min(unknown)!r} in rule {row.get('name')!r}")
    family = row.get("family")
    return Hypothesis(
        name=row["name"],
        kind=row["kind"],
        classes=tuple(EventClass(name) for name in row["classes"]),
        onset_d=_interval(row, "onset_d"),
        window_d=_interval(row, "window_d"),
        max_level=_between(row, "max_level", 0.0, 1.0),
        min_reliability=_between(row, "min_reliability", 0.0, 1.0),
        exclude_solar_system=bool(row["exclude_solar_system"]),
        exclude_negative=bool(row["exclude_negative"]),
        prior_activity=PriorActivity(row["prior_activity"]),
        background_per_deg2=_between(row, "background_per_deg2", 1e-9, 1e6),
        min_announce_score=float(row["min_announce_score"]),
        followup=bool(row["followup"]),
        priors=priors,
        typical_delay_d=_between(row, "typical_delay_d", 1e-6, 1e4) if "typical_delay_d" in row else None,
        appears_d=_between(row, "appears_d", 0.0, 1e3) if "appears_d" in row else 0.0,
        activity=Activity(row.get("activity", "new")),
        near_d=_between(row, "near_d", 0.0, 1e3) if "near_d" in row else 30.0,
        exclude_flags=_flags(row),
        require_any_class={name: float(value) for name, value in row.get("require_any_class", {}).items()},
        require_catalogue=row.get("require_catalogue"),
        source_catalogues=tuple(str(kind) for kind in row.get("source_catalogues", ())),
        unrelated_catalogues=_speaking(row),
        max_area_deg2=_between(row, "max_area_deg2", 0.0, 1e5) if "max_area_deg2" in row else None,
        min_flux_njy=10 ** (0.4 * (31.4 - _between(row, "faintest_mag", -30.0, 40.0))) if "faintest_mag" in row else None,
        family=family,
        light_curve=families.of(str(family)) if family is not None and families is not None else None,
    )


def _flags(row: Mapping[str, Any]) -> tuple[str, ...]:
    named = tuple(row.get("exclude_flags", ()))
    for flag in named:
        of_catalogue = flag in CATALOGUE_FLAGS or (flag.startswith("in ") and flag.endswith(" catalogue"))
        if flag not in FLAGS and not of_catalogue:
            known = ", ".join((*FLAGS, *CATALOGUE_FLAGS))
            raise ValueError(f"exclude_flags of rule {row.get('name')!r}: {flag!r} is none of {known}")
    return named


def _speaking(row: Mapping[str, Any]) -> tuple[str, ...]:
    kinds = tuple(str(kind) for kind in row.get("unrelated_catalogues", ()))
    for kind in kinds:
        if kind not in SPEAKING_KINDS:
            known = ", ".join(SPEAKING_KINDS)
            raise ValueError(f"unrelated_catalogues of rule {row.get('name')!r}: {kind!r} is none of {known}")
        if kind in row.get("source_catalogues", ()) or kind == row.get("require_catalogue"):
            raise ValueError(f"rule {row.get('name')!r} names {kind!r} as catalogue of its sources and of unrelated ones")
    return kinds


def _interval(row: Mapping[str, Any], key: str) -> tuple[float, float]:
    low, high = (float(value) for value in row[key])
    if not low < high:
        raise ValueError(f"{key} of rule {row.get('name')!r} must be [smaller, larger]")
    return low, high


def _between(row: Mapping[str, Any], key: str, low: float, high: float) -> float:
    value = float(row[key])
    if not low <= value <= high:
        raise ValueError(f"{key} of rule {row['name']!r} must lie between {low:g} and {high:g}")
    return value
