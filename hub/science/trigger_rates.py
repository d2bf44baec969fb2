"""How often unrelated triggers of one kind come, measured from those that came, and when they come in storms.

Triggers are no Poisson process: magnetars and the Sun send tens in a day. A mean rate makes every coincidence during a storm look
better than it is, so the rate of the day takes its place there.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.instant import Instant

_DAY_S = 86_400.0
_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePolicy:
    """How rates are measured; data of the rules."""

    span_d: float
    """Length of the trailing interval that is counted, days."""

    sigmas: float
    """A measured rate is used where it exceeds the configured one by more than so many of its standard errors."""

    storm_chance: float
    """A day is a storm where so many triggers would come by chance with at most this probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRate:
    """A rate with where it comes from; all in Hz."""

    used_hz: float
    """The rate to compute with, never below the configured one."""

    configured_hz: float
    measured_hz: float
    error_hz: float
    """Standard error of the measured one, of a Poisson count: ``sqrt(max(n, 1)) / span``."""

    n: int
    """Triggers in the interval."""

    span_s: float
    n_last_day: int
    is_storm: bool
    reason: str
    """One sentence: which rate is used and why."""


def estimate(times_us: NDArray[np.int64], at: Instant, *, configured_hz: float, policy: RatePolicy) -> TriggerRate:
    """Return the rate of triggers for a coincidence at a time: of those before it, so that a pair does not count itself.

    A pure function of the triggers in the interval, whatever came after.

    Parameters
    ----------
    times_us
        Times of triggers, TAI in microseconds, each burst once, in any order.
    at
        Time of the coincidence; triggers from then on do not count.
    configured_hz
        Rate that the rules state.
    policy
        Interval and thresholds.
    """
    span_s = policy.span_d * _DAY_S
    age_s = (at.tai_us - np.asarray(times_us, dtype=np.int64)) / _US
    n = int(np.count_nonzero((age_s > 0.0) & (age_s <= span_s)))
    n_last_day = int(np.count_nonzero((age_s > 0.0) & (age_s <= _DAY_S)))
    measured, error = n / span_s, math.sqrt(max(n, 1)) / span_s
    exceeds = measured - configured_hz > policy.sigmas * error
    usual = max(configured_hz, measured) if exceeds else configured_hz
    # A quiet rate for the storm to be told against: the storm itself must not hide in the mean of its interval.
    quiet = max(configured_hz, (n - n_last_day) / max(span_s - _DAY_S, _DAY_S))
    is_storm = n_last_day > 0 and poisson_tail(n_last_day, quiet * _DAY_S) <= policy.storm_chance
    used = max(usual, n_last_day / _DAY_S) if is_storm else usual
    return TriggerRate(
        used_hz=used,
        configured_hz=configured_hz,
        measured_hz=measured,
        error_hz=error,
        n=n,
        span_s=span_s,
        n_last_day=n_last_day,
        is_storm=is_storm,
        reason=_reason(policy, n, n_last_day, exceeds=exceeds, is_storm=is_storm),
    )


def _reason(policy: RatePolicy, n: int, n_last_day: int, *, exceeds: bool, is_storm: bool) -> str:
    counted = f"{n} triggers in the {policy.span_d:g} days before"
    if is_storm:
        return f"a storm: {n_last_day} triggers in the day before, so the rate of that day is used ({counted})"
    if exceeds:
        return f"measured: {counted}, more than the configured rate by over {policy.sigmas:g} standard errors"
    return f"configured: {counted} do not exceed it by {policy.sigmas:g} standard errors"


def poisson_tail(n: int, mean: float) -> float:
    """Return the probability of at least n events where some mean number is expected."""
    if n <= 0:
        return 1.0
    if mean <= 0.0:
        return 0.0
    # The sum from n on, from its first term: exact however small it is.
    term = math.exp(-mean + n * math.log(mean) - math.lgamma(n + 1.0))
    if n <= mean:
        below, part = 0.0, math.exp(-mean)
        for k in range(n):
            below += part
            part *= mean / (k + 1)
        return max(0.0, 1.0 - below)
    total, k = 0.0, n
    while term > total * 1e-17:
        total += term
        k += 1
        term *= mean / k
    return min(1.0, total)
