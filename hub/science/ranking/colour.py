"""Whether the object has the colour of such a counterpart then."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hub.model.alert import AlertBatch
from hub.science.families import BANDS
from hub.science.ranking.context import Context, Term


def evaluate(context: Context) -> Term | None:
    """Return the log ratio of a colour around that of the hypothesis' family to one of unrelated objects.

    Those have that of unrelated transients, but for a share of any colour: false detections, and what faded between the two.

    The colour is that of two detections in different bands within a time, those with the bands farthest apart, of several such
    the earliest; dereddened, errors included. Expected is the difference of the family's magnitudes in these bands at these times
    after t0. None without two such detections, of a family that states no spread of colours, and where the onset may lie at quite
    other times.
    """
    family, priors = context.hypothesis.light_curve, context.hypothesis.priors.colour
    if family is None or family.spread_colour_mag is None or not context.hypothesis.fixes_age:
        return None
    pair = _pair(context.detections, priors.within_d)
    if pair is None:
        return None
    alerts, rows = context.detections, list(pair)
    since = (alerts.mid_tai_us[rows] - context.t0_us) / 86_400e6
    if not (since > 0.0).all():
        return None
    blue, red = (alerts.band[row].decode() for row in pair)
    ebv = family.dust.ebv(context.galactic_b_deg) if context.galactic_b_deg is not None else 0.0
    flux, error = alerts.flux_njy[rows], alerts.flux_err_njy[rows]
    colour = -2.5 * math.log10(flux[0] / flux[1]) - family.dust.mag(blue, ebv) + family.dust.mag(red, ebv)
    expected = family.abs_mag(float(since[0]), blue) - family.abs_mag(float(since[1]), red)
    inputs = {
        "colour_mag": float(colour),
        "error_mag": float(1.0857 * math.hypot(*(error / flux))),
        "bands": [blue, red],
        "days": since.tolist(),
        "ebv": ebv,
        "expected": [expected, family.spread_colour_mag],
        "family": family.name,
        "background": [priors.background_mag, priors.background_spread_mag],
        "other": [priors.other_share, priors.other_spread_mag],
        "cap": priors.cap,
    }
    reason = f"{blue} - {red} is {colour:.2f} +- {inputs['error_mag']:.2f}, expected {expected:.2f} ({family.name})"
    return Term(value=value_of(inputs), reason=reason, inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    colour, error, cap = inputs["colour_mag"], inputs["error_mag"], inputs["cap"]
    signal, background = (_log_normal(colour, mean, math.hypot(own, error)) for mean, own in (inputs[name] for name in _LAWS))
    if "other" in inputs:
        share, wide = inputs["other"]
        background = _with_others(background, share, colour - inputs["background"][0], math.hypot(wide, error))
    return float(min(cap, max(-cap, signal - background)))


_LAWS = ("expected", "background")


def _log_normal(value: float, mean: float, sigma: float) -> float:
    return -0.5 * ((value - mean) / sigma) ** 2 - math.log(sigma)


def _pair(alerts: AlertBatch, within_d: float) -> tuple[int, int] | None:
    """Return the rows of the bluer and the redder of two detections, None where there are no two."""
    if len(alerts) < 2 or (alerts.band == alerts.band[0]).all():
        return None
    order = np.array([BANDS.find(band.decode()[-1:]) if band else -1 for band in alerts.band.tolist()])
    usable = np.flatnonzero((order >= 0) & (alerts.flux_err_njy > 0) & (alerts.flux_njy > alerts.flux_err_njy))
    days = alerts.mid_tai_us / 86_400e6
    best, found = (0, -math.inf), None
    for place, one in enumerate(usable.tolist()):
        for other in usable[place + 1 :].tolist():
            if days[other] - days[one] > within_d:
                break
            key = abs(int(order[other] - order[one])), -float(days[other])
            if key[0] > 0 and key > best:
                best, found = key, ((one, other) if order[one] < order[other] else (other, one))
    return found


def _with_others(log_density: float, share: float, away: float, spread: float) -> float:
    """Return the log density of a mixture: a share of it is a normal distribution around zero, up to the constant of all.

    Parameters
    ----------
    log_density
        Of the rest.
    share
        Of the others, between 0 and 1.
    away, spread
        Distance from the middle of the others, and their standard deviation.
    """
    others = -0.5 * (away / spread) ** 2 - math.log(spread)
    high = max(log_density, others)
    return high + math.log((1.0 - share) * math.exp(log_density - high) + share * math.exp(others - high))
