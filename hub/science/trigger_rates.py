"""How often unrelated triggers of one kind come, measured from those that came, and when they come in storms.

Triggers are no Poisson process: magnetars and the Sun send tens in a day. A mean rate makes every coincidence during a storm look
better than it is, so the rate of the day takes its place there.

A pair is computed with a rate that moves in steps (`RatePolicy.step`), rounded up. So a trigger that arrives late changes the
pairs behind it only where it matters, and what they are in the end follows from the triggers alone, not from the order of their
arrival.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.model.instant import Instant
from hub.science.trigger_columns import Triggers

_DAY_S = 86_400.0
_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePolicy:
    """How rates are measured: table ``[rate_policy]`` of conf/coincidence.toml."""

    span_d: float
    """Length of the trailing interval that is counted, days."""

    sigmas: float
    """A measured rate is used where it exceeds the configured one by more than so many of its standard errors."""

    storm_chance: float
    """A day is a storm where so many triggers would come by chance with at most this probability."""

    few: int
    """Of alerts that are counted to take the place of a configured rate: below so many the upper end of the interval is used."""

    confidence: float
    """Probability of that one-sided interval."""

    min_heard_d: float
    """Without alerts of that messenger, tests included, for so long a time before, nothing is measured, days."""

    step: float
    """Rates that take the place of a configured one are rounded up to it times a power of this."""


class RateBasis(StrEnum):
    """Where a rate comes from."""

    CONFIGURED = "configured"
    MEASURED = "measured"
    STORM = "storm"
    OWN_FAR = "own FAR"
    """Alerts at least as significant as one come at least as often as its own false-alarm rate says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedRate:
    """A rate as a pair is computed with; nothing in it changes unless the number does."""

    hz: float
    basis: RateBasis
    configured_hz: float
    reason: str
    """One sentence, for a person."""

    def at_least(self, far_hz: float | None) -> "UsedRate":
        """Return a rate of alerts at least as significant as one: not below its own false-alarm rate, for noise is among them."""
        if far_hz is None or self.hz >= far_hz:
            return self
        reason = "its own false-alarm rate, which is more than were counted"
        return UsedRate(hz=far_hz, basis=RateBasis.OWN_FAR, configured_hz=self.configured_hz, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRate:
    """A rate with where it comes from; all in Hz."""

    used_hz: float
    """The rate to compute with before it is rounded; of triggers never below the configured one."""

    configured_hz: float
    measured_hz: float
    error_hz: float
    """Standard error of the measured one, of a Poisson count: ``sqrt(max(n, 1)) / span``."""

    n: int
    """Triggers in the interval."""

    span_s: float
    n_last_day: int
    is_storm: bool
    basis: RateBasis
    reason: str
    """One sentence: which rate is used and why."""

    streams: tuple[str, ...] = ()
    """Missions whose triggers are a storm."""

    def rounded(self, policy: RatePolicy) -> UsedRate:
        """Return the rate that pairs are computed with."""
        hz = rounded_up(self.used_hz, self.configured_hz, policy.step)
        reason = {
            RateBasis.CONFIGURED: "configured",
            RateBasis.MEASURED: f"measured in the {policy.span_d:g} days before",
            RateBasis.STORM: "that of the day before, in a storm of triggers",
            RateBasis.OWN_FAR: "its own false-alarm rate",
        }[self.basis]
        return UsedRate(hz=hz, basis=self.basis, configured_hz=self.configured_hz, reason=reason)


def parse_policy(row: Mapping[str, Any]) -> RatePolicy:
    """Return the policy that the table ``[rate_policy]`` describes.

    Raises
    ------
    KeyError, TypeError, ValueError
        A key is missing, unknown or out of range; the sentence names it.
    """
    known = {field.name for field in fields(RatePolicy)}
    if unknown := set(row) - known:
        raise ValueError(f"unknown key {min(unknown)!r} in rate_policy")
    limits = {"span_d": 1e-3, "sigmas": 0.0, "storm_chance": 0.0, "few": 0.0, "confidence": 0.5, "min_heard_d": 0.0}
    for name, low in limits.items():
        if not float(row[name]) >= low:
            raise ValueError(f"{name} of rate_policy must be at least {low:g}")
    if not 0.5 <= float(row["confidence"]) < 1.0:
        raise ValueError("confidence of rate_policy must lie between 0.5 and 1")
    if not float(row["step"]) > 1.0:
        raise ValueError("step of rate_policy must be above 1")
    numbers = {name: float(row[name]) for name in known - {"few"}}
    return RatePolicy(few=int(row["few"]), **numbers)


def estimate(
    times_us: NDArray[np.int64],
    at: Instant,
    *,
    configured_hz: float,
    policy: RatePolicy,
    storm_times_us: Mapping[str, NDArray[np.int64]] | None = None,
) -> TriggerRate:
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
    storm_times_us
        By stream, the triggers among which storms are looked for; all of the others together where not given.
    """
    span_s = policy.span_d * _DAY_S
    n, _ = _counted(times_us, at, span_s)
    by_stream = {"": times_us} if storm_times_us is None else storm_times_us
    storms, n_last_day = [], 0
    for stream, times in sorted(by_stream.items()):
        n_stream, n_day = _counted(times, at, span_s)
        # A quiet rate for the storm to be told against: the storm itself must not hide in the mean of its interval.
        quiet = max(configured_hz, (n_stream - n_day) / max(span_s - _DAY_S, _DAY_S))
        n_last_day += n_day
        if n_day > 0 and poisson_tail(n_day, quiet * _DAY_S) <= policy.storm_chance:
            storms.append(stream)
    measured, error = n / span_s, math.sqrt(max(n, 1)) / span_s
    exceeds = measured - configured_hz > policy.sigmas * error
    usual = max(configured_hz, measured) if exceeds else configured_hz
    day = n_last_day / _DAY_S
    if storms and day > usual:
        used, basis = day, RateBasis.STORM
    else:
        used, basis = usual, RateBasis.MEASURED if exceeds else RateBasis.CONFIGURED
    return TriggerRate(
        used_hz=used,
        configured_hz=configured_hz,
        measured_hz=measured,
        error_hz=error,
        n=n,
        span_s=span_s,
        n_last_day=n_last_day,
        is_storm=bool(storms),
        basis=basis,
        reason=_reason(policy, n, n_last_day, exceeds=exceeds, is_storm=basis is RateBasis.STORM),
        streams=tuple(filter(None, storms)),
    )


def of_triggers(
    triggers: Triggers,
    classes: Collection[str],
    missions: Collection[str],
    at: Instant,
    *,
    configured_hz: float,
    policy: RatePolicy,
) -> TriggerRate:
    """Return the rate of unrelated triggers of some classes, and missions where any are named, before a time.

    What its observatory took back or called something else is no trigger of that class. But it came: among all that came, of one
    mission, storms are looked for.
    """
    of_kind = triggers.of(classes, missions)
    known = of_kind.standing()
    return estimate(
        known.burst_times_us(),
        at,
        configured_hz=configured_hz,
        policy=policy,
        storm_times_us={name: of_kind.of_mission(name).burst_times_us() for name in of_kind.mission_names()},
    )


def at_least_as_significant(
    triggers: Triggers, classes: Collection[str], far_hz: float | None, at: Instant, *, configured_hz: float, policy: RatePolicy
) -> TriggerRate:
    """Return the rate of alerts of some classes whose false-alarm rate is that of a given one or less, real ones included.

    Unlike a rate of triggers it may be below the configured one, which is of all alerts. So it is the upper end of its interval
    where it rests on few, and where the messenger was not heard for long enough it is the configured one.

    Parameters
    ----------
    triggers
        All that came in the interval.
    classes
        Of the alert.
    far_hz
        Of the alert; None where it states none, so that all of its classes count.
    at
        Time of the coincidence; alerts from then on do not count.
    configured_hz
        Rate that the rules state.
    policy
        Interval and thresholds.
    """
    of_class = triggers.of(classes, ()).standing()
    alike = of_class if far_hz is None else of_class.with_far_up_to(far_hz)
    span_s = policy.span_d * _DAY_S
    n, n_last_day = _counted(alike.burst_times_us(), at, span_s)
    heard_s = min(span_s, triggers.heard_since_s(classes, at, span_s))
    if heard_s < policy.min_heard_d * _DAY_S:
        used, basis, measured, error = configured_hz, RateBasis.CONFIGURED, 0.0, 0.0
        reason = f"configured: heard for {heard_s / _DAY_S:.1f} of the {policy.min_heard_d:g} days that a count needs"
    else:
        measured, error = n / heard_s, math.sqrt(max(n, 1)) / heard_s
        basis = RateBasis.MEASURED
        counted = f"{n} alerts at least as significant in the {heard_s / _DAY_S:.1f} days before"
        if n < policy.few:
            used = upper_count(n, policy.confidence) / heard_s
            reason = f"measured: the upper end of the {100 * policy.confidence:g} % interval of {counted}"
        else:
            used, reason = measured, f"measured: {counted}"
    return TriggerRate(
        used_hz=used,
        configured_hz=configured_hz,
        measured_hz=measured,
        error_hz=error,
        n=n,
        span_s=heard_s,
        n_last_day=n_last_day,
        is_storm=False,
        basis=basis,
        reason=reason,
    )


def rounded_up(hz: float, configured_hz: float, step: float) -> float:
    """Return the least of the configured rate times a power of a step that is not below a rate."""
    if hz <= 0.0 or configured_hz <= 0.0 or hz == configured_hz:
        return hz
    steps = math.ceil(math.log(hz / configured_hz) / math.log(step) - 1e-9)
    return configured_hz * float(step**steps)


def upper_count(n: int, confidence: float) -> float:
    """Return the mean of a Poisson count that exceeds n with a probability: the upper end of the one-sided interval."""
    low, high = 0.0, 10.0 + 10.0 * n
    while poisson_tail(n + 1, high) < confidence:
        high *= 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if poisson_tail(n + 1, middle) < confidence else (low, middle)
    return 0.5 * (low + high)


def _counted(times_us: NDArray[np.int64], at: Instant, span_s: float) -> tuple[int, int]:
    """Return how many triggers came in the interval before a time, and how many in its last day."""
    age_s = (at.tai_us - np.asarray(times_us, dtype=np.int64)) / _US
    return int(np.count_nonzero((age_s > 0.0) & (age_s <= span_s))), int(np.count_nonzero((age_s > 0.0) & (age_s <= _DAY_S)))


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
