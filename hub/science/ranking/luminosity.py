"""Whether the object is as bright as such a counterpart would be then, at the event's distance."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hub.science.families import Family, of_band
from hub.science.ranking.context import Context, Term
from hub.science.ranking_priors import LuminosityPriors

NANOJANSKY_AB_ZEROPOINT = 31.4
"""AB magnitude of 1 nJy."""


def evaluate(context: Context) -> Term | None:
    """Return the log ratio of a normal magnitude to that of unrelated ones; None without a distance or a family of light curves.

    Unrelated transients are the more, the fainter, up to the limit of the visit: their counts rise with a slope in the logarithm
    per magnitude, so a bright one is rarely unrelated. Where no error is stated, and so no limit, they are taken as uniform.

    The magnitude is that of the brightest detection, dereddened, at the mean distance of the localization; expected is that of
    the hypothesis' family in its band, at the time since t0, or at its peak where the onset may lie at other times. The spread
    adds the distance's error, 5/ln(10) sigma_d/d.
    """
    family, priors = context.hypothesis.light_curve, context.hypothesis.priors.luminosity
    distance, spread = context.dist_mean_mpc, context.dist_std_mpc
    if family is None or distance is None or spread is None or distance <= 0 or not len(context.detections):
        return None
    brightest = int(np.argmax(context.detections.flux_njy))
    flux = float(context.detections.flux_njy[brightest])
    if not flux > 0.0:
        return None
    band = context.detections.band[brightest].decode()
    since = (int(context.detections.mid_tai_us[brightest]) - context.t0_us) / 86_400e6
    expected, when = _expected(context, family, since, band)
    modulus = 5.0 * math.log10(distance) + 25.0
    ebv = family.dust.ebv(context.galactic_b_deg) if context.galactic_b_deg is not None else 0.0
    absolute = NANOJANSKY_AB_ZEROPOINT - 2.5 * math.log10(flux) - modulus - family.dust.mag(band, ebv)
    inputs = {
        "absolute_mag": absolute,
        "dist_mean_mpc": distance,
        "dist_std_mpc": spread,
        "expected": [expected, family.spread_mag],
        "band": band,
        "days": since,
        "ebv": ebv,
        "family": family.name,
        "range_mag": priors.range_mag,
        "cap": priors.cap,
        **_counts(context, brightest, priors),
    }
    return Term(
        value=value_of(inputs),
        reason=f"absolute magnitude {absolute:.1f} in {band or '?'} at {distance:.0f} Mpc,"
        f" expected {expected:.1f} +- {family.spread_mag:.1f} ({family.name}, {when})",
        inputs=inputs,
    )


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    mean, spread = inputs["expected"]
    sigma = math.hypot(spread, 5.0 / math.log(10.0) * inputs["dist_std_mpc"] / inputs["dist_mean_mpc"])
    log_signal = -0.5 * ((inputs["absolute_mag"] - mean) / sigma) ** 2 - math.log(sigma * math.sqrt(2.0 * math.pi))
    cap = inputs["cap"]
    if "counts" not in inputs:
        return float(max(-cap, log_signal + math.log(inputs["range_mag"])))
    slope, above_limit = inputs["counts"]
    log_background = math.log(slope * math.log(10.0)) - slope * math.log(10.0) * above_limit
    return float(min(cap, max(-cap, log_signal - log_background)))


def _counts(context: Context, brightest: int, priors: LuminosityPriors) -> dict[str, Any]:
    """Return the slope of the counts, and by how much the object is brighter than the limit of its visit, magnitudes."""
    flux, error = (float(column[brightest]) for column in (context.detections.flux_njy, context.detections.flux_err_njy))
    if not (error > 0.0 and math.isfinite(error)):
        return {}
    return {"counts": [priors.counts_slope, max(0.0, 2.5 * math.log10(flux / (priors.limit_sigma * error)))]}


def _expected(context: Context, family: Family, since_d: float, band: str) -> tuple[float, str]:
    """Return the expected absolute magnitude, and of when it is."""
    if context.hypothesis.fixes_age and since_d > 0:
        return family.abs_mag(since_d, band), f"{since_d:.1f} d after its onset"
    return of_band(family.peak_abs_mag, band), "at its peak"
