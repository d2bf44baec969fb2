"""How much denser the localization is at the object than unrelated objects are on the sky."""

import math
from collections.abc import Mapping
from typing import Any

from hub.science.ranking.context import Context, Term

DEG2_PER_SR = (180.0 / math.pi) ** 2
"""Square degrees in a steradian."""


def evaluate(context: Context) -> Term:
    """Return ln(p(n) / b): p the map's probability density, b the surface density of unrelated objects passing the same cuts.

    For a single counterpart among Poisson background objects this is the log of the ratio of the two hypotheses for this object
    (Sutherland & Saunders 1992, MNRAS 259, 413). Of a survey that is heard through filters the density of those that
    pass is unknown and at most b. It is the same for all objects: their order stands, but the value is no longer one of odds.
    """
    background_per_sr = context.hypothesis.background_per_deg2 * DEG2_PER_SR
    density = context.probdensity_per_sr or 0.0
    unrelated = f"{context.hypothesis.background_per_deg2:g} unrelated" + (" in the full stream" if context.is_filtered else "")
    where = "outside the current map" if context.level is None else f"at the {100 * context.level:.1f} % level of the map"
    inputs = {
        "probdensity_per_sr": density,
        "background_per_sr": background_per_sr,
        "level_2d": context.level,
        "floor": context.hypothesis.priors.sky.floor,
        **({"background_of": "the full stream, of which only a part is heard"} if context.is_filtered else {}),
    }
    reason = f"{where}, {density / DEG2_PER_SR:.3g} per deg2 against {unrelated}"
    return Term(value=value_of(inputs), reason=reason, inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    density, floor = inputs["probdensity_per_sr"], float(inputs["floor"])
    return max(floor, math.log(density / inputs["background_per_sr"])) if density > 0.0 else floor
