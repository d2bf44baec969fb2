"""Whether an object that was there before became brighter after the event, or was active at its time."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import AlertBatch
from hub.science.hypotheses import Activity
from hub.science.ranking.context import Context, Silence, Term

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


def evaluate(context: Context) -> Term | Silence | None:
    """Return the log ratio of a wide half-normal excess to the object's own variability; None where the hypothesis asks for none.

    The excess is a flux minus the median of the baseline, over the baseline's spread and the error together. Of an object that
    was first detected inside the onset window the baseline is what the template has of it, nothing: it is new, and as often in
    the background as among the counterparts, so the term is 0 where it was detected around t0.
    """
    hypothesis, curve, priors = context.hypothesis, context.curve, context.hypothesis.priors.activity
    if hypothesis.activity is Activity.NEW or curve is None or not len(curve):
        return None
    days = (curve.mid_tai_us - context.t0_us) / 86_400e6
    usable = ~curve.is_solar_system & np.isfinite(curve.flux_njy)
    is_at = hypothesis.activity is Activity.EXCESS_AT
    told = usable & ((np.abs(days) <= hypothesis.near_d) if is_at else (days >= hypothesis.onset_d[0]))
    past = usable & ((np.abs(days) > hypothesis.near_d) if is_at else (days < 0.0))
    when = "around t0" if is_at else "after t0"
    if not told.any():
        return Silence(reason=f"no detection {when} to compare with its past")
    if is_at and context.delay_d >= hypothesis.onset_d[0]:
        inputs = {"excess_sigma": 0.0, "scale": None, "n_past": 0}
        return Term(value=0.0, reason="new within the window and active around t0, as unrelated ones may be", inputs=inputs)
    if np.count_nonzero(past) < priors.least_past:
        return Silence(reason=f"fewer than {priors.least_past} detections of the past: its variability is not known")
    inputs = _excess(curve, told, past, is_at=is_at) | {"scale": priors.scale, "cap": priors.cap}
    reason = f"{inputs['excess_sigma']:+.1f} times its own variability {when}, from {inputs['n_past']} earlier detections"
    return Term(value=value_of(inputs), reason=reason, inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    scale = inputs["scale"]
    if scale is None:
        return 0.0
    width = 1.0 + scale**2
    excess = max(inputs["excess_sigma"], 0.0)
    cap = inputs["cap"]
    return float(min(cap, max(-cap, 0.5 * excess**2 * (1.0 - 1.0 / width) - 0.5 * math.log(width))))


def _excess(curve: AlertBatch, told: NDArray[np.bool_], past: NDArray[np.bool_], *, is_at: bool) -> dict[str, Any]:
    baseline = curve.flux_njy[past]
    middle = float(np.median(baseline))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(baseline - middle)))
    flux = curve.flux_njy[told]
    chosen = int(np.argsort(flux, kind="stable")[len(flux) // 2]) if is_at else int(np.argmax(flux))
    error = curve.flux_err_njy[told][chosen]
    noise = math.hypot(spread, float(error) if np.isfinite(error) else 0.0) or 1.0
    return {
        "excess_sigma": (float(flux[chosen]) - middle) / noise,
        "flux_njy": float(flux[chosen]),
        "baseline_njy": middle,
        "spread_njy": noise,
        "n_past": int(np.count_nonzero(past)),
    }
