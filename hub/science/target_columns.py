"""What targets ask of alerts, as numbers: so that pairs of a target and an object are judged in columns, all at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import AlertBatch
from hub.model.event import EventState
from hub.model.instant import Instant
from hub.science.crossmatch import Target, probable
from hub.science.hypotheses import FLAGS, Activity, PriorActivity
from hub.science.rules import DAY_S

_EARLIEST, _LATEST = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)
_NEVER = (_LATEST, _EARLIEST)
"""An interval that nothing lies in."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetNumbers:
    """One target. Times are `Instant.tai_us`, intervals inclusive."""

    times: tuple[int, ...]
    """End of the window (exclusive); last time of the event; t0 that delays and flags count from; before which a detection is
    prior activity; before which an object is old; first and last first detection that fit the event now; when it must have begun
    at the latest."""

    windows: tuple[tuple[int, int, int, int], ...]
    """For each time of the event: window of exposures, and of first detections."""

    now: tuple[int, int, int, int]
    """The same for its current time; nothing fits where the event does not stand."""

    levels: tuple[float, float, float, float]
    """Largest level, least reliability, least flux (nJy), detections of a known variable."""

    asks: tuple[bool, ...]
    """Whether solar-system objects are excluded; negative detections; whether a detection before the event is required; then for
    each of `FLAGS` whether it excludes."""

    @classmethod
    def of(cls, target: Target) -> Self:
        """Return the numbers of a target."""
        event, hypothesis = target.event, target.hypothesis
        t0 = event.t0 or max(target.t0s)
        onset = t0.plus_s(hypothesis.onset_d[0] * DAY_S)
        now, first_now = (*_NEVER, *_NEVER), _NEVER
        stands = event.state is EventState.ACTIVE and not event.vetoes and event.event_class in hypothesis.classes
        if event.t0 is not None and stands and probable(hypothesis, {**event.properties, **event.classification}):
            now = _window(event.t0, target)
            first_now = now[2:]
            if hypothesis.prior_activity is PriorActivity.REQUIRE:
                first_now = (first_now[0], min(first_now[1], event.t0.tai_us - 1))
        return cls(
            times=(
                target.window[1].tai_us,
                max(target.t0s).tai_us,
                t0.tai_us,
                max(onset, t0).tai_us,
                t0.plus_s(-hypothesis.priors.objects.variable_age_d * DAY_S).tai_us,
                *first_now,
                t0.plus_s(hypothesis.appearance_d[1] * DAY_S).tai_us if hypothesis.activity is Activity.NEW else _LATEST,
            ),
            windows=tuple(_window(one, target) for one in target.t0s),
            now=now,
            levels=(
                hypothesis.max_level,
                hypothesis.min_reliability,
                -math.inf if hypothesis.min_flux_njy is None else hypothesis.min_flux_njy,
                float(hypothesis.priors.objects.variable_detections),
            ),
            asks=(
                hypothesis.exclude_solar_system,
                hypothesis.exclude_negative,
                hypothesis.prior_activity is PriorActivity.REQUIRE,
                *(flag in hypothesis.exclude_flags for flag in FLAGS),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetColumns:
    """Many targets, shape ``(n, ...)`` each; meanings as in `TargetNumbers`."""

    times: NDArray[np.int64]
    windows: NDArray[np.int64]
    """Shape ``(n, k, 4)``: to targets of fewer times such are added that nothing fits."""

    now: NDArray[np.int64]
    levels: NDArray[np.float64]
    asks: NDArray[np.bool_]

    @classmethod
    def of(cls, targets: Sequence[TargetNumbers]) -> Self:
        """Return the columns of some targets, at least one."""
        n_times = max(len(one.windows) for one in targets)
        never = (*_NEVER, *_NEVER)
        return cls(
            times=np.array([one.times for one in targets], dtype=np.int64),
            windows=np.array([one.windows + (never,) * (n_times - len(one.windows)) for one in targets], dtype=np.int64),
            now=np.array([one.now for one in targets], dtype=np.int64),
            levels=np.array([one.levels for one in targets], dtype=np.float64),
            asks=np.array([one.asks for one in targets], dtype=bool),
        )

    def accepts(self, target: NDArray[np.int64], alerts: AlertBatch, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which rows the targets accept, time and position aside; as `crossmatch.usable` does for one."""
        asks = self.asks[target]
        fits = ~(alerts.reliability[rows] < self.levels[target, 1])
        fits &= ~(alerts.flux_njy[rows] < self.levels[target, 2])
        fits &= ~(asks[:, 0] & alerts.is_solar_system[rows])
        fits &= ~(asks[:, 1] & alerts.is_negative[rows])
        fits &= alerts.object_id[rows] != b""
        return np.asarray(fits, dtype=np.bool_)

    def timely(self, target: NDArray[np.int64], mid_us: NDArray[np.int64], onset_us: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which exposures, with their first detections, fit any time of the events."""
        windows = self.windows[target]
        mid, onset = mid_us[:, np.newaxis], onset_us[:, np.newaxis]
        fits = (mid >= windows[:, :, 0]) & (mid <= windows[:, :, 1]) & (onset >= windows[:, :, 2]) & (onset <= windows[:, :, 3])
        return np.asarray(fits.any(axis=1), dtype=np.bool_)

    def timely_now(self, target: NDArray[np.int64], mid_us: NDArray[np.int64], onset_us: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which exposures, with their first detections, fit the current times of the events."""
        now = self.now[target]
        return np.asarray(
            (mid_us >= now[:, 0]) & (mid_us <= now[:, 1]) & (onset_us >= now[:, 2]) & (onset_us <= now[:, 3]), dtype=np.bool_
        )


def _window(t0: Instant, target: Target) -> tuple[int, int, int, int]:
    hypothesis = target.hypothesis
    low, high = (t0.plus_s(days * DAY_S).tai_us for days in hypothesis.window_d)
    first, last = (t0.plus_s(days * DAY_S).tai_us for days in hypothesis.first_d)
    return low, high, (first if hypothesis.prior_activity is PriorActivity.EXCLUDE else _EARLIEST), last
