"""How fast the object fades or rises in one band."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hub.science.ranking.context import Context, Term

BACKGROUND_RATE_MAG_PER_D = 0.08
"""Spread of the rates of unrelated transients (supernovae change by less than 0.1 mag/d, apart from their first days)."""

MIN_BASELINE_D = 0.3
"""Two detections closer than this say nothing about a rate."""

CAP = 4.0
"""Largest contribution either way: one light curve of a few points is no proof."""


def evaluate(context: Context) -> Term | None:
    """Return the log ratio of a uniform fade rate inside the hypothesis' range to a rate around zero, errors included.

    The rate is the slope between the first and the last detection in the band with the longest baseline; None without two whose
    flux exceeds its error.
    """
    interval = context.hypothesis.fade_rate_mag_per_d
    rate = _rate(context) if interval is not None and len(context.detections) >= 2 else None
    if interval is None or rate is None:
        return None
    slope, error, band, baseline = rate
    inputs = {
        "rate_mag_per_d": slope,
        "error_mag_per_d": error,
        "band": band,
        "baseline_d": baseline,
        "range": list(interval),
    }
    verb = "fades" if slope > 0 else "rises"
    reason = f"{verb} by {abs(slope):.2f} +- {error:.2f} mag/d in {band} over {baseline:.1f} d"
    return Term(value=value_of(inputs), reason=reason, inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    low, high = inputs["range"]
    slope, error = inputs["rate_mag_per_d"], inputs["error_mag_per_d"]
    inside = (_normal_cdf((high - slope) / error) - _normal_cdf((low - slope) / error)) / (high - low)
    spread = math.hypot(BACKGROUND_RATE_MAG_PER_D, error)
    background = math.exp(-0.5 * (slope / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
    return min(CAP, max(-CAP, math.log(max(inside, 1e-12) / max(background, 1e-12))))


def _rate(context: Context) -> tuple[float, float, str, float] | None:
    """Return (mag/d, its error, band, baseline in days) of the band with the longest baseline."""
    alerts = context.detections
    best: tuple[float, float, str, float] | None = None
    for band in np.unique(alerts.band):
        rows = np.flatnonzero((alerts.band == band) & (alerts.flux_err_njy > 0) & (alerts.flux_njy > alerts.flux_err_njy))
        if len(rows) < 2:
            continue
        first, last = rows[0], rows[-1]
        baseline = float(alerts.mid_tai_us[last] - alerts.mid_tai_us[first]) / 86_400e6
        if baseline < MIN_BASELINE_D or (best is not None and baseline <= best[3]):
            continue
        flux, flux_error = alerts.flux_njy[[first, last]], alerts.flux_err_njy[[first, last]]
        slope = -2.5 * math.log10(flux[1] / flux[0]) / baseline
        error = 1.0857 * math.hypot(*(flux_error / flux)) / baseline
        best = (float(slope), float(max(error, 1e-3)), band.decode(), baseline)
    return best


def _normal_cdf(x: float) -> float:
    return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))
