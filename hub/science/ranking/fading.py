"""How fast the object fades or rises in one band."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hub.science.ranking.context import Context, Term


def evaluate(context: Context) -> Term | None:
    """Return the log ratio of a rate around that of the hypothesis' family to one around zero, errors included.

    The rate is the slope between the first and the last detection in the band with the longest baseline; None without two whose
    flux exceeds its error. Expected is the family's mean slope in that band between those times after t0; where the onset may lie
    at quite other times nothing can be said.
    """
    family = context.hypothesis.light_curve
    rate = _rate(context) if family is not None and len(context.detections) >= 2 else None
    if family is None or rate is None:
        return None
    slope, error, band, baseline, first_us = rate
    since = (first_us - context.t0_us) / 86_400e6
    expected = family.rate_mag_per_d(since, since + baseline, band) if context.hypothesis.fixes_age else None
    if expected is None:
        return None
    inputs = {
        "rate_mag_per_d": slope,
        "error_mag_per_d": error,
        "band": band,
        "baseline_d": baseline,
        "expected": [expected, family.spread_rate_mag_per_d],
        "family": family.name,
        "background_mag_per_d": context.hypothesis.priors.fading.background_mag_per_d,
        "cap": context.hypothesis.priors.fading.cap,
    }
    verb = "fades" if slope > 0 else "rises"
    change = f"{verb} by {abs(slope):.2f} +- {error:.2f} mag/d in {band} over {baseline:.1f} d"
    reason = f"{change}, expected {expected:.2f} ({family.name})"
    return Term(value=value_of(inputs), reason=reason, inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    mean, own = inputs["expected"]
    slope, error = inputs["rate_mag_per_d"], inputs["error_mag_per_d"]
    width = math.hypot(own, error)
    signal = -0.5 * ((slope - mean) / width) ** 2 - math.log(width)
    spread = math.hypot(inputs["background_mag_per_d"], error)
    background = -0.5 * (slope / spread) ** 2 - math.log(spread)
    cap = inputs["cap"]
    return float(min(cap, max(-cap, signal - background)))


def _rate(context: Context) -> tuple[float, float, str, float, int] | None:
    """Return (mag/d, its error, band, baseline in days, time of the first) of the band with the longest baseline."""
    alerts = context.detections
    best: tuple[float, float, str, float, int] | None = None
    for band in np.unique(alerts.band):
        rows = np.flatnonzero((alerts.band == band) & (alerts.flux_err_njy > 0) & (alerts.flux_njy > alerts.flux_err_njy))
        if len(rows) < 2:
            continue
        first, last = rows[0], rows[-1]
        baseline = float(alerts.mid_tai_us[last] - alerts.mid_tai_us[first]) / 86_400e6
        if baseline < context.hypothesis.priors.fading.min_baseline_d or (best is not None and baseline <= best[3]):
            continue
        flux, flux_error = alerts.flux_njy[[first, last]], alerts.flux_err_njy[[first, last]]
        slope = -2.5 * math.log10(flux[1] / flux[0]) / baseline
        error = 1.0857 * math.hypot(*(flux_error / flux)) / baseline
        best = (float(slope), float(max(error, 1e-3)), band.decode(), baseline, int(alerts.mid_tai_us[first]))
    return best
