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

VERSION = 1
"""Version of the definitions; raised with any change of a formula."""


def rank(context: Context) -> tuple[float, tuple[Score, ...], tuple[str, ...]]:
    """Return the rank score (sum of the logs), the single scores, and the reasons, largest contribution first."""
    terms = {name: term for name, evaluate in STATISTICS.items() if (term := evaluate(context)) is not None}
    total = round(sum(term.value for term in terms.values()), 9)
    scores = tuple(
        Score(statistic=name, version=VERSION, value=round(term.value, 9), unit="1", inputs=term.inputs)
        for name, term in terms.items()
    )
    ordered = sorted(terms.items(), key=lambda item: (-abs(item[1].value), item[0]))
    return total, scores, tuple(f"{name} {term.value:+.2f}: {term.reason}" for name, term in ordered)
