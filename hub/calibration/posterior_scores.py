"""How good stated probabilities are: reliability in merged bins with exact bands, the Brier and the logarithmic score."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.calibration.result import Floats

BAND = 0.95
"""Probability that the number of those that come true lies within the band of a bin."""

LEAST = 5.0
"""A bin is merged with the next until so many of its statements are expected to be true, and so many to be false."""

FLOOR = 1e-12
"""Least probability in the logarithmic score: a certainty that was wrong is punished, and not without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Statements of about the same probability."""

    low: float
    """Least and largest of the probabilities that were stated."""

    high: float
    n: int
    stated: float
    """Sum of the probabilities: how many should come true."""

    found: int
    """How many did."""

    at_least: int
    """Band in which that number lies with the probability `BAND`."""

    at_most: int
    joint_at_least: int
    """Band in which the numbers of all bins together lie with that probability."""

    joint_at_most: int

    @property
    def is_within(self) -> bool:
        """Whether the number lies in the band of this bin alone."""
        return self.at_least <= self.found <= self.at_most

    @property
    def is_jointly_within(self) -> bool:
        """Whether it lies in the band that holds for all bins together."""
        return self.joint_at_least <= self.found <= self.joint_at_most


def reliability(stated: Floats, is_true: NDArray[np.bool_], *, least: float = LEAST) -> tuple[Bin, ...]:
    """Return merged bins of statements, the least probable first, each with the number that came true and its exact band.

    Bins are filled in the order of the probabilities alone, so what came true has no part in where their edges lie. The number
    of those that come true is a sum of Bernoulli numbers with the stated probabilities (Poisson binomial).

    Parameters
    ----------
    stated, is_true
        Probabilities and what came true, shape ``(n,)``.
    least
        See `LEAST`.
    """
    order = np.argsort(stated, kind="stable")
    edges = _edges(stated[order], least)
    wide = 1.0 - (1.0 - BAND) / max(1, len(edges) - 1)
    found = []
    for begin, end in itertools.pairwise(edges):
        own = order[begin:end]
        cumulative = np.cumsum(poisson_binomial(stated[own]))
        low, high = _band(cumulative, BAND)
        joint_low, joint_high = _band(cumulative, wide)
        found.append(
            Bin(
                low=float(stated[own[0]]),
                high=float(stated[own[-1]]),
                n=len(own),
                stated=float(stated[own].sum()),
                found=int(is_true[own].sum()),
                at_least=low,
                at_most=high,
                joint_at_least=joint_low,
                joint_at_most=joint_high,
            )
        )
    return tuple(found)


def poisson_binomial(probabilities: Floats) -> Floats:
    """Return the probabilities of how many of some independent events happen; those beyond what can be are cut off.

    Events of less than 1e-4 are taken together as a Poisson number: the error is below the sum of their squares (Le Cam 1960,
    Pacific Journal of Mathematics 10, 1181).
    """
    rare = probabilities < 1e-4
    parts = [np.array([1.0 - one, one]) for one in probabilities[~rare].tolist()]
    mean = float(probabilities[rare].sum())
    if mean > 0.0:
        parts.append(_poisson(mean))
    while len(parts) > 1:
        parts = [np.convolve(parts[i], parts[i + 1]) if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return np.asarray(parts[0] if parts else np.ones(1))


def brier(stated: Sequence[Floats], truths: Sequence[int]) -> Floats:
    """Return the Brier score of each forecast over outcomes of which one comes true (Brier 1950, MWR 78, 1), 0 is perfect.

    Parameters
    ----------
    stated
        Probabilities of the outcomes of each forecast.
    truths
        Which outcome came true.
    """
    scores = np.empty(len(truths))
    for i, (own, truth) in enumerate(zip(stated, truths, strict=True)):
        scores[i] = float(np.square(own).sum()) - 2.0 * float(own[truth]) + 1.0
    return scores


def log_score(stated: Sequence[Floats], truths: Sequence[int]) -> Floats:
    """Return minus the natural logarithm of the probability of what came true (Good 1952, JRSS B 14, 107), 0 is perfect."""
    return np.array([-np.log(max(FLOOR, float(own[truth]))) for own, truth in zip(stated, truths, strict=True)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """How much better one forecast scores than another, over the same cases."""

    mean: float
    error: float
    """Standard error of the mean, from case to case."""

    @property
    def sigma(self) -> float:
        """The mean over its error."""
        return self.mean / self.error if self.error > 0.0 else 0.0


def gain(ours: Floats, theirs: Floats) -> Gain:
    """Return by how much scores are smaller than others."""
    difference = theirs - ours
    return Gain(mean=float(difference.mean()), error=float(difference.std(ddof=1) / np.sqrt(len(difference))))


def _edges(ascending: Floats, least: float) -> list[int]:
    """Return where bins begin and end: each has enough of both kinds, what is left over goes to the last one."""
    edges, true, false = [0], 0.0, 0.0
    for place, one in enumerate(ascending.tolist(), start=1):
        true, false = true + one, false + 1.0 - one
        if true >= least and false >= least:
            edges.append(place)
            true = false = 0.0
    if edges[-1] != len(ascending):
        if len(edges) > 1:
            edges.pop()
        edges.append(len(ascending))
    return edges if len(ascending) else [0]


def _band(cumulative: Floats, share: float) -> tuple[int, int]:
    """Return the shortest central band that holds at least a share of a distribution."""
    tail = 0.5 * (1.0 - share)
    return int(np.searchsorted(cumulative, tail, side="right")), int(np.searchsorted(cumulative, 1.0 - tail, side="left"))


def _poisson(mean: float) -> Floats:
    most = int(mean + 12.0 * np.sqrt(mean) + 20.0)
    logs = np.cumsum(np.concatenate(([0.0], np.log(mean) - np.log(np.arange(1, most + 1)))))
    return np.asarray(np.exp(logs - mean))
