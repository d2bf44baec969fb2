"""The table of statistics by name, what each counts, and the rank as their weighted sum."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hub.errors import ConfigError
from hub.model.coincidence import Score
from hub.science.ranking import (
    activity,
    classification,
    colour,
    distance,
    fading,
    known_source,
    luminosity,
    reality,
    sky,
    timing,
)
from hub.science.ranking.context import Context, Silence, Term

DIGITS = 9
"""Digits after the point to which values are rounded, so that the order of sums never matters."""

NO_PAST = "the alerts do not say when the object was first detected"
"""Why ``timing`` cannot speak of some streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One ranking statistic: the log of a likelihood ratio; a plug-in is an instance of this."""

    name: str
    version: int
    """Of its definition; raised with any change of the formula."""

    unit: str
    """``1``: the natural logarithm of a ratio."""

    evaluate: Callable[[Context], Term | Silence | None]
    """None where it does not speak of such objects at all."""

    value_of: Callable[[Mapping[str, Any]], float]
    """Computes the value again from the stored inputs of a term."""

    looks_at: str | None = None
    """Of `hub.model.coverage.ASPECTS` that in which it compares an object with the unrelated ones of the full stream."""

    plugin: str = ""
    """Name of the plug-in that it comes from; empty for those of the hub."""


SHIPPED = (
    Statistic(name="sky", version=1, unit="1", evaluate=sky.evaluate, value_of=sky.value_of),
    Statistic(name="timing", version=2, unit="1", evaluate=timing.evaluate, value_of=timing.value_of),
    Statistic(name="activity", version=1, unit="1", evaluate=activity.evaluate, value_of=activity.value_of),
    Statistic(name="fading", version=2, unit="1", evaluate=fading.evaluate, value_of=fading.value_of, looks_at="light curve"),
    Statistic(
        name="luminosity", version=3, unit="1", evaluate=luminosity.evaluate, value_of=luminosity.value_of, looks_at="brightness"
    ),
    Statistic(name="colour", version=2, unit="1", evaluate=colour.evaluate, value_of=colour.value_of, looks_at="light curve"),
    Statistic(name="reality", version=1, unit="1", evaluate=reality.evaluate, value_of=reality.value_of, looks_at="reliability"),
)
"""Those of the hub, in the order in which scores are stored."""

STATISTICS = {one.name: one.evaluate for one in SHIPPED}
"""Name to function."""

VALUES: dict[str, Callable[[Mapping[str, Any]], float]] = {one.name: one.value_of for one in SHIPPED} | {
    distance.NAME: distance.value_of,
    classification.NAME: classification.value_of,
    known_source.NAME: known_source.value_of,
}
"""Name to the function that computes the value again from what is stored, of the hub's own; terms from outside add theirs."""

FORMER: dict[tuple[str, int], Callable[[Mapping[str, Any]], float]] = {(distance.NAME, 1): distance.value_of_version_1}
"""The same for terms of an earlier version, by name and version, where the formula or the inputs were others."""

STORED_WITHOUT: Mapping[str, Mapping[str, float]] = {
    "sky": {"floor": -20.0},
    "timing": {"floor": -10.0, "shortest_d": 1e-4},
    "activity": {"cap": 4.0},
    "fading": {"background_mag_per_d": 0.08, "cap": 4.0},
    "luminosity": {"range_mag": 8.0, "cap": 4.0},
    "colour": {},
    "reality": {"weight": 0.5},
}
"""Inputs that terms lack which were stored before these were: what they were computed with then, whatever the file says now."""

PLUGIN = "plugin"
"""Input of a score that a plug-in computed: its name, by which its function is found again."""

EXTRA_VERSIONS = {distance.NAME: distance.VERSION}
"""Versions of terms that are computed outside; of others 1."""

RESERVED = frozenset(
    {"rank", "level_2d", "level_3d", "overlap", "bayes_factor", "mu", "chance", "live_maps", "probability", "expected_unrelated"}
)
"""Names of other numbers of a candidate or coincidence, which no statistic may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Which statistics count, and how much."""

    statistics: tuple[Statistic, ...] = SHIPPED
    weights: Mapping[str, float] = field(default_factory=dict)
    """Factor of a term in the sum, 1 where there is none; 0 leaves it out of the sum, and it is shown all the same."""

    def weight(self, name: str) -> float:
        """Return the factor of a term."""
        return self.weights.get(name, 1.0)

    def counts(self, name: str) -> bool:
        """Return whether a score of this name is a term of the rank: a statistic, or a term that is computed outside."""
        return name in VALUES or any(one.name == name for one in self.statistics)

    def is_outside(self, name: str) -> bool:
        """Return whether a term follows from more than the alerts of an object and the map: a catalogue, a class, the ledger."""
        return name == "timing" or (name in VALUES and all(one.name != name for one in self.statistics))

    def shares(self, scores: Iterable[Score]) -> dict[str, float]:
        """Return what each of a candidate's scores counts in its rank, by name; those without a value are left out."""
        return {
            one.statistic: self.weight(one.statistic) * one.value
            for one in scores
            if one.value is not None and self.counts(one.statistic)
        }

    @property
    def identity(self) -> list[list[Any]]:
        """What two rankings differ by: name, version, plug-in and weight of each term, as JSON values."""
        found = [[one.name, one.version, one.plugin, self.weight(one.name)] for one in self.statistics]
        own = {one.name for one in self.statistics}
        return found + [[name, EXTRA_VERSIONS.get(name, 1), "", self.weight(name)] for name in sorted(VALUES) if name not in own]


DEFAULT = Ranking()
"""As shipped."""


def ranking_of(weights: Mapping[str, float], plugins: Mapping[str, Statistic], use: Mapping[str, str]) -> Ranking:
    """Return the ranking that somebody wishes.

    Parameters
    ----------
    weights
        By name of the statistic, or of a term that is computed outside.
    plugins
        Statistics by the name under which they were found.
    use
        Name of a statistic to that of the plug-in that takes its place, or that is added under a new name.

    Raises
    ------
    ConfigError
        A plug-in is not there, a name is that of another number, or a weight is of no statistic.
    """
    found = {one.name: one for one in SHIPPED}
    for name, plugin in use.items():
        if plugin not in plugins:
            others = ", ".join(sorted(plugins)) or "none"
            raise ConfigError(f"[ranking.use] {name}: there is no statistic {plugin!r} among the plug-ins: {others}")
        if name in RESERVED or (name in VALUES and name not in found):
            raise ConfigError(f"[ranking.use] {name}: the hub has another number of this name, choose another name")
        one = plugins[plugin]
        found[name] = replace(one, name=name, plugin=plugin, evaluate=_guarded(plugin, one.evaluate))
    known = {*found, *VALUES}
    for name, weight in weights.items():
        if name not in known:
            raise ConfigError(f"[ranking.weights] {name}: there is no such statistic; there are {', '.join(sorted(known))}")
        if not (math.isfinite(weight) and weight >= 0.0):
            raise ConfigError(f"[ranking.weights] {name}: a weight is a number of at least 0, not {weight:g}")
    return Ranking(statistics=tuple(found.values()), weights=dict(weights))


def _guarded(plugin: str, evaluate: Callable[[Context], Term | Silence | None]) -> Callable[[Context], Term | Silence | None]:
    """Return the function of a plug-in that is neutral, and says so, where it breaks: foreign code stops no evaluation."""

    def guarded(context: Context) -> Term | Silence | None:
        try:
            found: object = evaluate(context)
        except Exception as error:  # noqa: BLE001 - foreign code: what breaks in it must not hold up all candidates
            return Silence(reason=f"the plug-in {plugin} broke: {type(error).__name__}")
        if isinstance(found, Term) and not math.isfinite(found.value):
            return Silence(reason=f"the plug-in {plugin} gave no number")
        if found is None or isinstance(found, Term | Silence):
            return found
        return Silence(reason=f"the plug-in {plugin} gave neither a term nor a silence")

    return guarded


def rank(context: Context, ranking: Ranking = DEFAULT) -> tuple[float, tuple[Score, ...], tuple[str, ...]]:
    """Return the rank score (weighted sum of the logs), the single scores, and the reasons, largest contribution first.

    A statistic that could speak and must not, because of what is heard of the survey or known of the object, has a score without
    a value that says why, and a reason.
    """
    terms: dict[str, tuple[float, str]] = {}
    spoken: list[Score] = []
    silent: list[Score] = []
    quiet: list[str] = []
    for one in ranking.statistics:
        term = one.evaluate(context)
        if term is None:
            continue
        name = one.name
        why = _silenced(one, context)
        if isinstance(term, Silence):
            if why is None:
                why = term.reason
                quiet.append(f"{name}: {why}")
        elif why is None:
            terms[name] = ranking.weight(name) * term.value, term.reason
            inputs = {**term.inputs, PLUGIN: one.plugin} if one.plugin else term.inputs
            spoken.append(
                Score(statistic=name, version=one.version, value=round(term.value, DIGITS), unit=one.unit, inputs=inputs)
            )
            continue
        silent.append(Score(statistic=name, version=one.version, value=None, unit=one.unit, inputs={"reason": why}))
    for name, term in context.extra_terms.items():
        terms[name] = ranking.weight(name) * term.value, term.reason
        version = EXTRA_VERSIONS.get(name, 1)
        spoken.append(Score(statistic=name, version=version, value=round(term.value, DIGITS), unit="1", inputs=term.inputs))
    total = round(sum([value for value, _ in terms.values()]), DIGITS)
    ordered = sorted([(-abs(value), name) for name, (value, _) in terms.items()])
    reasons = [f"{name} {terms[name][0]:+.2f}: {terms[name][1]}" for _, name in ordered]
    return total, (*spoken, *silent), (*reasons, *quiet)


def _silenced(one: Statistic, context: Context) -> str | None:
    """Return why a statistic must not be counted, None where it may."""
    if one.name == "timing" and not context.tells_past:
        return NO_PAST
    if one.looks_at is None or one.looks_at in context.known_aspects:
        return None
    aspect = one.looks_at
    return f"a filter may have chosen by the {aspect}, so the unrelated objects that pass it are not those of the full stream"
