"""The table of statistics by name."""

from collections.abc import Callable, Mapping
from typing import Any

from hub.model.coincidence import Score
from hub.science.ranking import classification, distance, fading, luminosity, reality, sky, timing
from hub.science.ranking.context import Context, Term

STATISTICS: dict[str, Callable[[Context], Term | None]] = {
    "sky": sky.evaluate,
    "timing": timing.evaluate,
    "fading": fading.evaluate,
    "luminosity": luminosity.evaluate,
    "reality": reality.evaluate,
}
"""Name to function; each gives the log of a likelihood ratio, or None where it cannot speak."""

VALUES: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "sky": sky.value_of,
    "timing": timing.value_of,
    "fading": fading.value_of,
    "luminosity": luminosity.value_of,
    "reality": reality.value_of,
    distance.NAME: distance.value_of,
    classification.NAME: classification.value_of,
}
"""Name to the function that computes the value again from what is stored."""

DIGITS = 9
"""Digits after the point to which values are rounded, so that the order of sums never matters."""

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
    terms: dict[str, Term] = {}
    silent: list[Score] = []
    for name, evaluate in STATISTICS.items():
        if (term := evaluate(context)) is None:
            continue
        if (why := _silenced(name, context)) is None:
            terms[name] = term
        else:
            silent.append(Score(statistic=name, version=VERSION, value=None, unit="1", inputs={"reason": why}))
    terms.update(context.extra_terms)
    total = round(sum([term.value for term in terms.values()]), DIGITS)
    scores = [
        Score(statistic=name, version=VERSION, value=round(term.value, DIGITS), unit="1", inputs=term.inputs)
        for name, term in terms.items()
    ]
    ordered = sorted([(-abs(term.value), name) for name, term in terms.items()])
    return total, (*scores, *silent), tuple([f"{name} {terms[name].value:+.2f}: {terms[name].reason}" for _, name in ordered])


def _silenced(name: str, context: Context) -> str | None:
    """Return why a statistic must not be counted, None where it may."""
    if name == "timing" and not context.tells_past:
        return NO_PAST
    aspect = LOOKS_AT.get(name)
    if aspect is None or aspect in context.known_aspects:
        return None
    return f"a filter may have chosen by the {aspect}, so the unrelated objects that pass it are not those of the full stream"
