"""Ranking statistics of other packages: found by their entry points, loaded where the settings name them."""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hub.errors import ConfigError
from hub.model.coincidence import Score
from hub.science.ranking import PLUGIN, Ranking, Statistic, ranking_of

GROUP = "mmhub.ranking"
"""Group of the entry points; each names a `hub.science.ranking.Statistic`."""

ValueOf = Callable[[Mapping[str, Any]], float]
"""Computes the value of a term again from its stored inputs."""


def installed() -> dict[str, list[EntryPoint]]:
    """Return the plug-ins of all packages that are installed here by name; none is loaded."""
    found: dict[str, list[EntryPoint]] = {}
    for one in entry_points(group=GROUP):
        found.setdefault(one.name, []).append(one)
    return dict(sorted(found.items()))


def load(name: str) -> Statistic:
    """Return the statistic of a plug-in.

    Raises
    ------
    ConfigError
        There is no such plug-in, or several, or it cannot be loaded or is no statistic.
    """
    known = installed()
    found = known.get(name, [])
    if not found:
        others = ", ".join(known) or "none"
        raise ConfigError(f"there is no ranking plug-in {name!r} among those that are installed: {others}")
    if len({one.value for one in found}) > 1:
        raise ConfigError(f"there are several ranking plug-ins {name!r}: {', '.join(sorted(one.value for one in found))}")
    try:
        statistic = found[0].load()
    except Exception as error:
        raise ConfigError(
            f"the ranking plug-in {name!r} ({found[0].value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(statistic, Statistic):
        raise ConfigError(f"the ranking plug-in {name!r} ({found[0].value}) is no hub.science.ranking.Statistic")
    return statistic


def ranking_from(weights: Mapping[str, float], use: Mapping[str, str]) -> Ranking:
    """Return the ranking that the settings ask for.

    Parameters
    ----------
    weights
        By name of the term.
    use
        Name of a term to the plug-in that takes its place, or that is added under a new name.

    Raises
    ------
    ConfigError
        As `load` and `hub.science.ranking.ranking_of`, with the key.
    """
    plugins = {}
    for name, plugin in use.items():
        try:
            plugins[plugin] = load(plugin)
        except ConfigError as error:
            raise ConfigError(f"[ranking.use] {name}: {error}") from error
    return ranking_of(weights, plugins, use)


def values_of(scores: Iterable[Score]) -> dict[str, ValueOf]:
    """Return the functions of the plug-ins that computed some scores, by name; those that are not here are left out."""
    found: dict[str, ValueOf] = {}
    for name in sorted({str(one.inputs[PLUGIN]) for one in scores if PLUGIN in one.inputs}):
        try:
            found[name] = load(name).value_of
        except ConfigError:
            continue  # the number is shown all the same, and that nobody here can compute it
    return found


def sentence(ranking: Ranking) -> str:
    """Return which terms count, with versions and weights, in words; and which plug-ins are there and not used."""
    parts = [
        f"{name}{f' ({plugin})' if plugin else ''} version {version}" + ("" if weight == 1.0 else f" x {weight:g}")
        for name, version, plugin, weight in ranking.identity
    ]
    used = {plugin for _, _, plugin, _ in ranking.identity if plugin}
    unused = [name for name in installed() if name not in used]
    return ", ".join(parts) + (f"; installed and not used: {', '.join(unused)}" if unused else "")
