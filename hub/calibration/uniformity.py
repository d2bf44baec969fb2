"""Tests of whether numbers are uniform between 0 and 1, and the transform that makes p-values with atoms so."""

import math

import numpy as np
from numpy.random import Generator

from hub.calibration.result import Curve, Floats

THREE_SIGMA = 0.0027
"""Probability outside three standard deviations of a normal distribution, both sides."""

GRID = np.linspace(0.0, 1.0, 201)
"""Where P-P curves are drawn."""


def ks_probability(values: Floats, *, n_reference: int | None = None) -> float:
    """Return the probability of a Kolmogorov-Smirnov distance from the uniform distribution at least as large as found.

    Asymptotic, with Stephens' correction for small samples (1970, JRSS B 32, 115).

    Parameters
    ----------
    values
        Between 0 and 1.
    n_reference
        Size of the sample that the values were transformed with, where the distribution was not known exactly.
    """
    distance = ks_distance(values)
    n = float(len(values)) if n_reference is None else len(values) * n_reference / (len(values) + n_reference)
    scaled = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance
    if scaled < 0.2:
        return 1.0
    total = 2.0 * math.fsum((-1) ** (k - 1) * math.exp(-2.0 * (k * scaled) ** 2) for k in range(1, 101))
    return min(max(total, 0.0), 1.0)


def ks_distance(values: Floats) -> float:
    """Return the largest distance between the distribution of the values and the uniform one."""
    ordered = np.sort(values)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))


def randomised(below: Floats, atom: Floats, rng: Generator) -> Floats:
    """Return values that are uniform where the probabilities are right, atoms or not: ``P(X < x) + v P(X = x)``, v uniform.

    Parameters
    ----------
    below
        Probability of a smaller value, for each.
    atom
        Probability of exactly this value, 0 where the distribution is continuous.
    rng
        Where v is drawn from.
    """
    return np.asarray(below + rng.random(len(below)) * atom)


def pp_curves(samples: dict[str, Floats]) -> tuple[Curve, ...]:
    """Return, for samples of levels, the share below each level minus that level, and the three-sigma band of the smallest."""
    n = min(len(values) for values in samples.values())
    band = 3.0 * np.sqrt(GRID * (1.0 - GRID) / n)
    lines = tuple(
        Curve(label=label, x=GRID, y=np.searchsorted(np.sort(values), GRID, side="right") / len(values) - GRID)
        for label, values in samples.items()
    )
    return (Curve(label=f"three sigma, n = {n}", x=GRID, y=band, low=-band), *lines)
