"""Alerts against localizations: one pure function for both directions of time.

A new batch against all live localizations, and a new localization against past alerts, are the same call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import NO_TIME, AlertBatch
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.notice import Notice
from hub.science.healpix import area_sr, find
from hub.science.levels import Levels2D
from hub.science.rules import DAY_S, Hypothesis, PriorActivity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """One hypothesis about one event, with every version's time and map."""

    event: Event
    hypothesis: Hypothesis
    t0s: tuple[Instant, ...]
    """Times of the event in all its versions."""

    maps: Mapping[str, Levels2D]
    """Localization id to levels, all versions."""

    @property
    def window(self) -> tuple[Instant, Instant]:
        """Alerts outside this half-open interval cannot matter."""
        low, high = self.hypothesis.window_d
        return min(self.t0s).plus_s(low * DAY_S), max(self.t0s).plus_s(high * DAY_S + 1e-6)


def targets_of(event: Event, hypotheses: Sequence[Hypothesis], maps: Mapping[str, Levels2D]) -> list[Target]:
    """Return the targets that an event gives: one per hypothesis that any of its notices admits; none without time or map."""
    if not event.t0s or not maps:
        return []
    return [
        Target(event=event, hypothesis=hypothesis, t0s=event.t0s, maps=maps)
        for hypothesis in hypotheses
        if any(admits(hypothesis, notice) for notice in event.content)
    ]


def admits(hypothesis: Hypothesis, notice: Notice) -> bool:
    """Tell whether one notice admits a hypothesis: its class, and one of the required probabilities where any is stated."""
    if notice.event_class not in hypothesis.classes:
        return False
    return probable(hypothesis, {**notice.properties, **notice.classification})


def probable(hypothesis: Hypothesis, numbers: Mapping[str, object]) -> bool:
    """Tell whether one of the required probabilities is reached, or none of them is stated."""
    stated = {
        name: float(value)
        for name in hypothesis.require_any_class
        if isinstance(value := numbers.get(name), int | float) and not isinstance(value, bool)
    }
    return not stated or any(value >= hypothesis.require_any_class[name] for name, value in stated.items())


def match(batch: AlertBatch, target: Target) -> NDArray[np.bool_]:
    """Return the rows that fit a target: usable, timely, and inside at least one of its maps.

    Each row is judged by itself, so the answer for a set of rows is the union of the answers for its parts, whatever their order.
    """
    rows = np.zeros(len(batch), dtype=bool)
    fitting = np.flatnonzero(usable(batch, target.hypothesis, target.t0s))
    if not len(fitting):
        return rows
    pixels = batch.hpx29[fitting]
    inside = np.zeros(len(fitting), dtype=bool)
    for levels in target.maps.values():
        inside |= contains(levels, pixels, target.hypothesis.max_level)
    rows[fitting[inside]] = True
    return rows


def contains(levels: Levels2D, pixels: NDArray[np.int64], level: float) -> NDArray[np.bool_]:
    """Tell which order-29 pixels lie in the smallest greedy region that reaches a level, the tile that crosses it included.

    So a map whose first tile holds more than the level still contains that tile.
    """
    index = find(levels.lo, levels.hi, pixels)
    before = levels.searched_prob[index] - levels.probdensity[index] * area_sr(levels.lo[index], levels.hi[index])
    return (index >= 0) & (before < level)


def usable(batch: AlertBatch, hypothesis: Hypothesis, t0s: Sequence[Instant]) -> NDArray[np.bool_]:
    """Return the rows that a hypothesis accepts at any of these event times, position aside. A missing value never excludes."""
    fits = ~(batch.reliability < hypothesis.min_reliability)
    if hypothesis.exclude_solar_system:
        fits &= ~batch.is_solar_system
    if hypothesis.exclude_negative:
        fits &= ~batch.is_negative
    fits &= batch.object_id != b""
    timely = np.zeros(len(batch), dtype=bool)
    onset = first_detection_us(batch)
    for t0 in t0s:
        in_window = _between(batch.mid_tai_us, t0, hypothesis.window_d)
        low, high = (t0.plus_s(days * DAY_S).tai_us for days in hypothesis.onset_d)
        begins = onset <= high
        if hypothesis.prior_activity is PriorActivity.EXCLUDE:
            begins &= onset >= low
        timely |= in_window & begins
    return fits & timely


def first_detection_us(batch: AlertBatch) -> NDArray[np.int64]:
    """Return for each row the first detection that its packet knows, itself where it says nothing."""
    return np.where(batch.first_tai_us == NO_TIME, batch.mid_tai_us, np.minimum(batch.first_tai_us, batch.mid_tai_us))


def _between(times_us: NDArray[np.int64], t0: Instant, interval_d: tuple[float, float]) -> NDArray[np.bool_]:
    low, high = (t0.plus_s(days * DAY_S).tai_us for days in interval_d)
    return (times_us >= low) & (times_us <= high)
