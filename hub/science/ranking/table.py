"""The table of statistics by name."""

from collections.abc import Callable

from hub.model.coincidence import Score
from hub.science.ranking import fading, luminosity, reality, sky, timing
from hub.science.ranking.context import Context, Term

STATISTICS: dict[str, Callable[[Context], Term | None]] = {
    "sky": sky.evaluate,
    "timing": timing.evaluate,
    "fading": fading.evaluate,
    "luminosity": luminosity.evaluate,
    "reality": reality.evaluate,
}
"""Name to function; each gives the log of a likelihood ratio, or None where it cannot speak."""

LOOKS_AT = {"fading": "light curve", "luminosity": "brightness", "reality": "reliability"}
"""Statistics that compare an object with the unrelated ones of the full stream, and in which of `ASPECTS`."""

NO_PAST = "the alerts do not say when the object was first detected"
"""Why ``timing`` cannot speak of some streams."""

VERSION = 1
"""Version of the definitions; raised with any change of a formula."""


def rank(context: Context) -> tuple[float, tuple[Score, ...], tuple[str, ...]]:
    """Return the rank score (sum of the logs), the single scores, and the reasons, largest contribution first.

    A statistic that could speak and must not, because of what is heard of the survey, has a score without a value that says why.
    """
    spoken = {name: term for name, evaluate in STATISTICS.items() if (term := evaluate(context)) is not None}
    silent = {name: why for name in spoken if (why := _silenced(name, context)) is not None}
    terms = {name: term for name, term in spoken.items() if name not in silent}
    total = round(sum(term.value for term in terms.values()), 9)
    scores = tuple(
        Score(statistic=name, version=VERSION, value=round(term.value, 9), unit="1", inputs=term.inputs)
        for name, term in terms.items()
    ) + tuple(
        Score(statistic=name, version=VERSION, value=None, unit="1", inputs={"reason": why}) for name, why in silent.items()
    )
    ordered = sorted(terms.items(), key=lambda item: (-abs(item[1].value), item[0]))
    return total, scores, tuple(f"{name} {term.value:+.2f}: {term.reason}" for name, term in ordered)


def _silenced(name: str, context: Context) -> str | None:
    """Return why a statistic must not be counted, None where it may."""
    if name == "timing" and not context.tells_past:
        return NO_PAST
    aspect = LOOKS_AT.get(name)
    if aspect is None or aspect in context.known_aspects:
        return None
    return f"a filter may have chosen by the {aspect}, so the unrelated objects that pass it are not those of the full stream"
