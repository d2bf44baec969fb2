"""The coincidence rules of conf/coincidence.toml as types: which pairs, which windows, which rates, which hypotheses."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from hub.errors import ConfigError
from hub.model.notice import EventClass
from hub.science import (
    association_policy,
    budget,
    hypotheses,
    low_significance,
    odds,
    pair_tables,
    ranking_priors,
    searches,
    spatial,
    trigger_rates,
)
from hub.science.association_policy import NO_ASSOCIATION, AssociationPolicy
from hub.science.budget import Budget
from hub.science.families import Families, load_families
from hub.science.hypotheses import FLAGS, Activity, Confirmation, Hypothesis, PriorActivity
from hub.science.low_significance import LowSignificance
from hub.science.odds import OddsPolicy
from hub.science.pair_tables import Answering, Clocks, Feeds
from hub.science.searches import YEAR_S, FarMethod, Search
from hub.science.spatial import SpatialLimits
from hub.science.trigger_rates import RatePolicy

__all__ = [
    "FLAGS",
    "YEAR_S",
    "Activity",
    "FarMethod",
    "Hypothesis",
    "PairRule",
    "PriorActivity",
    "RateOf",
    "Rules",
    "load_rules",
    "searched_hz",
]

DAY_S = 86_400.0
"""Seconds in a day."""


_TABLES = ("association", "low_significance", "rate_policy", "clock_errors_s", "answering", "odds", "feeds", "ranking")


class RateOf(StrEnum):
    """Which member of a pair the configured rate belongs to; the other brings its own false-alarm rate."""

    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRule:
    """Events of two kinds that may be one."""

    name: str
    kind: str
    first: tuple[EventClass, ...]
    second: tuple[EventClass, ...]
    windows_s: tuple[tuple[float, float], ...]
    """Second minus first, inclusive, seconds; the narrowest first, of which the first that fits counts."""

    rate_hz: float | None
    """Mean rate of the member named by `rate_of`; None where the method does not need it."""

    rate_of: RateOf
    method: FarMethod
    trials: int
    other_rate_hz: float | None = None
    """Rate of alerts of the member that brings its own false-alarm rate, real ones included; None where the rules state none."""

    search: str | None = None
    """The search that window, method, rate and thresholds are those of; None where the rule states its own."""

    second_missions: tuple[str, ...] = ()
    """Only these missions as second member; empty for all."""

    max_first_far_hz: float | None = None
    """Targeted searches: largest false-alarm rate of the first member that the search looks at."""

    max_second_far_hz: float | None = None
    """The same for the second member."""

    duration_of: tuple[str, ...] = ()
    """Whose durations, where they are stated, widen the windows: of ``first``, ``second``."""

    max_duration_s: float = 0.0
    """Longest duration that does."""

    @property
    def window_s(self) -> tuple[float, float]:
        """The interval that holds all windows, seconds."""
        return min(low for low, _ in self.windows_s), max(high for _, high in self.windows_s)

    @property
    def width_s(self) -> float:
        """Width of the narrowest window, seconds."""
        return self.windows_s[0][1] - self.windows_s[0][0]

    @property
    def all_trials(self) -> int:
        """Factor for the trials of a pair of this rule: its own, for each of its windows."""
        return self.trials * len(self.windows_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All of conf/coincidence.toml."""

    version: int
    min_overlap: float
    """Least overlap integral of an event-event pair."""

    spatial: SpatialLimits
    """Which maps say nothing about a place."""

    max_area_deg2: float
    """Maps with a larger 90 % area make no candidates."""

    confirmation: Confirmation
    """When a candidate is confirmed."""

    look_back_d: float
    """How long before its first detection a visit bounds the onset of an object, days."""

    families: Families | None
    """Light curves; None where none were given."""

    profile: str
    """Whose rates and thresholds the pairs use, of `profiles`."""

    profiles: tuple[str, ...]
    """Sets of numbers that every search has."""

    searches: tuple[Search, ...]
    pairs: tuple[PairRule, ...]
    hypotheses: tuple[Hypothesis, ...]
    association: AssociationPolicy = NO_ASSOCIATION
    """When events of several missions are one burst."""

    class_rates_hz: Mapping[EventClass, float]
    """Rates of alerts by class, where ``[rates]`` has one."""

    rate_policy: RatePolicy
    """How rates are measured."""

    clocks: Clocks
    answering: tuple[Answering, ...]
    """Searches that answer an event, and say themselves how probable their find is by chance."""

    odds: OddsPolicy
    feeds: Feeds | None = None
    """Detectors whose alarms are counted together; None where the file has none."""

    low_significance: LowSignificance = low_significance.NONE
    """Which events do nothing by themselves but make pairs."""

    budget: Budget | None = None
    """Of false announcements; None where the file has none, and everything leaves."""

    def hypotheses_for(self, classes: Sequence[EventClass]) -> tuple[Hypothesis, ...]:
        """Return the hypotheses that any of these event classes allows."""
        return tuple(h for h in self.hypotheses if set(h.classes) & set(classes))

    def max_area_of(self, hypothesis: Hypothesis) -> float:
        """Return the largest 90 % area of a map that makes candidates of a hypothesis, square degrees."""
        own = hypothesis.max_area_deg2
        return self.max_area_deg2 if own is None else own

    @property
    def widest_pair_s(self) -> float:
        """Largest time difference that any pair rule allows, seconds."""
        return max((max(map(abs, rule.window_s)) for rule in self.pairs), default=0.0)


def load_rules(text: str, families_text: str | None = None) -> Rules:
    """Return the rules in a TOML text, with the light curves in the text of conf/families.toml where it is given.

    Raises
    ------
    ConfigError
        A key is missing, unknown or out of range; the sentence names it.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the coincidence rules are no valid TOML: {error}") from error
    unknown = set(data) - {"version", "limits", "profiles", "rates", "search", "pair", "hypothesis", *_TABLES, "budget"}
    if unknown:
        raise ConfigError(f"coincidence rules: unknown key {min(unknown)!r}")
    families = load_families(families_text) if families_text is not None else None
    try:
        rates = {name: float(value) / YEAR_S for name, value in data["rates"].items()}
        profiles, profile = _profiles(data["profiles"])
        priors = ranking_priors.parse(data["ranking"])
        by_name = _searches(data.get("search", []), profiles, rates)
        rules = Rules(
            version=int(data["version"]),
            min_overlap=float(data["limits"]["min_overlap"]),
            spatial=spatial.parse(data["limits"]),
            max_area_deg2=_between(data["limits"], "max_area_deg2", 0.0, 1e5),
            confirmation=hypotheses.parse_confirmation(data["limits"]),
            look_back_d=_between(data["limits"], "look_back_d", 0.0, 400.0),
            families=families,
            profile=profile,
            profiles=profiles,
            searches=tuple(by_name.values()),
            pairs=tuple(_pair(row, rates, by_name, profile) for row in data.get("pair", [])),
            hypotheses=tuple(hypotheses.parse(row, priors, families) for row in data.get("hypothesis", [])),
            association=association_policy.parse(data["association"]) if "association" in data else NO_ASSOCIATION,
            class_rates_hz={one: rates[f"{one.value}_per_yr"] for one in EventClass if f"{one.value}_per_yr" in rates},
            rate_policy=trigger_rates.parse_policy(data["rate_policy"]),
            clocks=pair_tables.parse_clocks(data.get("clock_errors_s", {})),
            answering=pair_tables.parse_answering(data.get("answering", [])),
            odds=odds.parse(data["odds"], YEAR_S),
            feeds=pair_tables.parse_feeds(data["feeds"], YEAR_S) if "feeds" in data else None,
            low_significance=low_significance.parse(data.get("low_significance", {})),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"coincidence rules: {_sentence(error)}") from error
    _check_methods(rules)
    for names in ([p.name for p in rules.pairs], [h.name for h in rules.hypotheses]):
        if len(set(names)) != len(names):
            raise ConfigError("coincidence rules: two rules have one name")
    if "budget" not in data:
        return rules
    try:
        return replace(rules, budget=budget.parse(data["budget"], _spenders(rules)))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"coincidence rules: {_sentence(error)}") from error


def _spenders(rules: Rules) -> list[budget.Spender]:
    pairs = [budget.Spender(name=one.name, kind=one.kind, search=one.search, trials=one.all_trials) for one in rules.pairs]
    return pairs + [
        budget.Spender(
            name=one.name,
            kind=one.kind,
            least_score=one.min_announce_score,
            least_events_per_month=budget.MONTH_S * searched_hz(one, rules),
        )
        for one in rules.hypotheses
    ]


def searched_hz(hypothesis: Hypothesis, rules: Rules) -> float:
    """Return how often events come that a hypothesis searches for certain, by the rates of its classes, Hz.

    Those of gravitational waves say nothing of it: they count alerts of low significance too, which are not searched.
    """
    total = 0.0
    for one in hypothesis.classes:
        if one in {EventClass.CBC, EventClass.BURST}:
            continue
        of_feeds = rules.feeds.all_false_alarms_hz if rules.feeds is not None and one is rules.feeds.event_class else 0.0
        total += rules.class_rates_hz.get(one, 0.0) + of_feeds
    return total


def _check_methods(rules: Rules) -> None:
    for pair in rules.pairs:
        if pair.method is FarMethod.ANSWERING:
            raise ConfigError("coincidence rules: no rule can have the method 'answering': pairs come to it by themselves")
        if pair.method is FarMethod.FEEDS and rules.feeds is None:
            raise ConfigError(f"coincidence rules: pair {pair.name} needs the table [feeds]")


def _profiles(row: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    names, used = tuple(str(name) for name in row["names"]), str(row["used"])
    if used not in names:
        raise ValueError(f"used of profiles: {used!r} is none of {', '.join(names)}")
    return names, used


def _searches(rows: Sequence[Mapping[str, Any]], profiles: Sequence[str], rates: Mapping[str, float]) -> dict[str, Search]:
    found = [searches.parse(row, profiles, rates) for row in rows]
    by_name = {search.name: search for search in found}
    if len(by_name) != len(found):
        raise ValueError("two searches have one name")
    return by_name


def _pair(row: Mapping[str, Any], rates: Mapping[str, float], by_name: Mapping[str, Search], profile: str) -> PairRule:
    _check_keys(row, {*_names(PairRule), "window_s", "rate", "other_rate"} - {"windows_s", "rate_hz", "other_rate_hz"})
    return _of_search(row, by_name[row["search"]], profile) if "search" in row else _by_itself(row, rates)


def _of_search(row: Mapping[str, Any], search: Search, profile: str) -> PairRule:
    said = set(row) & {"window_s", "rate", "rate_of", "other_rate", "method", "max_first_far_hz", "max_second_far_hz"}
    if said:
        raise ValueError(f"{min(said)} of rule {row['name']!r} is that of its search {search.name!r} and must not be given")
    return PairRule(
        **_who(row),
        search=search.name,
        windows_s=(search.window_s,),
        rate_hz=search.rate_hz.get(profile),
        other_rate_hz=search.gw_rate_hz,
        rate_of=RateOf.SECOND,
        method=search.method,
        max_first_far_hz=search.max_gw_far_hz.get(profile),
        max_second_far_hz=search.max_external_far_hz.get(profile),
    )


def _by_itself(row: Mapping[str, Any], rates: Mapping[str, float]) -> PairRule:
    method = FarMethod(row["method"])
    rule = PairRule(
        **_who(row),
        windows_s=_windows(row),
        rate_hz=rates[row["rate"]] if "rate" in row else None,
        other_rate_hz=rates[row["other_rate"]] if "other_rate" in row else None,
        rate_of=RateOf(row.get("rate_of", "second")),
        method=method,
        max_first_far_hz=row.get("max_first_far_hz"),
        max_second_far_hz=row.get("max_second_far_hz"),
    )
    if method is FarMethod.UNTARGETED and rule.rate_hz is None:
        raise ValueError(f"pair {rule.name!r} is untargeted and needs a rate")
    if method is FarMethod.UNTARGETED and rule.other_rate_hz is None:
        raise ValueError(
            f"pair {rule.name!r} needs other_rate: the rate at which unrelated real events agree goes with every pair"
        )
    if method is FarMethod.TARGETED and (rule.max_first_far_hz is None or rule.max_second_far_hz is None):
        raise ValueError(f"pair {rule.name!r} is targeted and needs both maxima of the false-alarm rate")
    return rule


def _who(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "kind": row["kind"],
        "first": tuple(EventClass(name) for name in row["first"]),
        "second": tuple(EventClass(name) for name in row["second"]),
        "trials": int(row["trials"]),
        "second_missions": tuple(row.get("second_missions", ())),
        "duration_of": _duration_of(row),
        "max_duration_s": float(row.get("max_duration_s", 0.0)),
    }


def _windows(row: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """Return the windows of a rule, ``[low, high]`` or a list of them, the narrowest first."""
    stated = row["window_s"]
    several = stated if stated and isinstance(stated[0], list) else [stated]
    found = [_interval({**row, "window_s": one}, "window_s") for one in several]
    return tuple(sorted(found, key=lambda window: (window[1] - window[0], window)))


def _duration_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    named = tuple(row.get("duration_of", ()))
    for name in named:
        if name not in ("first", "second"):
            raise ValueError(f"duration_of of rule {row.get('name')!r}: {name!r} is neither 'first' nor 'second'")
    if named and "max_duration_s" not in row:
        raise ValueError(f"rule {row.get('name')!r} needs max_duration_s, the longest duration that widens its windows")
    return named


def _names(kind: type[Any]) -> set[str]:
    return {f.name for f in fields(kind)}


def _check_keys(row: Mapping[str, Any], known: set[str]) -> None:
    unknown = set(row) - known
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r} in rule {row.get('name')!r}")


def _interval(row: Mapping[str, Any], key: str) -> tuple[float, float]:
    low, high = (float(value) for value in row[key])
    if not low < high:
        raise ValueError(f"{key} of rule {row.get('name')!r} must be [smaller, larger]")
    return low, high


def _between(row: Mapping[str, Any], key: str, low: float, high: float) -> float:
    value = float(row[key])
    if not low <= value <= high:
        owner = f" of rule {row['name']!r}" if "name" in row else ""
        raise ValueError(f"{key}{owner} must lie between {low:g} and {high:g}")
    return value


def _sentence(error: Exception) -> str:
    return f"missing key {error}" if isinstance(error, KeyError) else str(error)
