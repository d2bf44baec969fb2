"""Whether the object is as bright as such a counterpart would be at the event's distance."""

import math
from collections.abc import Mapping
from typing import Any

from hub.science.ranking.context import Context, Term

NANOJANSKY_AB_ZEROPOINT = 31.4
"""AB magnitude of 1 nJy."""

MAGNITUDE_RANGE = 8.0
"""Unrelated transients are taken as uniform over this many magnitudes (about 16 to 24)."""

CAP = 4.0
"""Largest penalty."""


def evaluate(context: Context) -> Term | None:
    """Return the log ratio of a normal absolute magnitude to a uniform one; None without a distance or an expectation.

    The absolute magnitude is that of the brightest detection at the mean distance of the localization; the spread adds the
    distance's error, 5/ln(10) sigma_d/d. Extinction and K corrections are left out.
    """
    expected = context.hypothesis.abs_mag
    distance, spread = context.dist_mean_mpc, context.dist_std_mpc
    if expected is None or distance is None or spread is None or distance <= 0:
        return None
    flux = float(max(context.detections.flux_njy.max(initial=0.0), 0.0))
    if flux <= 0.0:
        return None
    modulus = 5.0 * math.log10(distance) + 25.0
    absolute = NANOJANSKY_AB_ZEROPOINT - 2.5 * math.log10(flux) - modulus
    inputs = {"absolute_mag": absolute, "dist_mean_mpc": distance, "dist_std_mpc": spread, "expected": list(expected)}
    return Term(
        value=value_of(inputs),
        reason=f"absolute magnitude {absolute:.1f} at {distance:.0f} Mpc, expected {expected[0]:.1f} +- {expected[1]:.1f}",
        inputs=inputs,
    )


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    mean, spread = inputs["expected"]
    sigma = math.hypot(spread, 5.0 / math.log(10.0) * inputs["dist_std_mpc"] / inputs["dist_mean_mpc"])
    log_signal = -0.5 * ((inputs["absolute_mag"] - mean) / sigma) ** 2 - math.log(sigma * math.sqrt(2.0 * math.pi))
    return float(max(-CAP, log_signal + math.log(MAGNITUDE_RANGE)))
