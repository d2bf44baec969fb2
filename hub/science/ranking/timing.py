"""Whether the object began when such a counterpart would have."""

import math
from collections.abc import Mapping
from typing import Any

from hub.science.hypotheses import Activity
from hub.science.ranking.context import Context, Silence, Term


def evaluate(context: Context) -> Term | Silence | None:
    """Return the log of the probability that it began in its interval, over that under a constant background.

    It began after the last visit, or the last forced photometry of its place, that would have seen it and until its first
    detection. The constant background begins at the
    same rate at all times; it is normalised to the time in which a counterpart may appear, as the density of unrelated objects
    is. Where nothing is known of the time before, the term is neutral and says so. None where no beginning is asked for.
    """
    if context.hypothesis.activity is not Activity.NEW or context.onset is None:
        return None
    onset = context.onset
    if onset.after_d is None:
        return Silence(reason=onset.why_unknown or "age unknown", inputs={"before_d": onset.before_d})
    inputs: dict[str, Any] = {
        "after_d": onset.after_d,
        "before_d": onset.before_d,
        "appearance_d": list(context.hypothesis.appearance_d),
        "typical_delay_d": context.hypothesis.typical_delay_d,
        "floor": context.hypothesis.priors.timing.floor,
        "shortest_d": context.hypothesis.priors.timing.shortest_d,
    }
    reason = f"began between {onset.after_d:+.2f} d and {onset.before_d:+.2f} d of the event"
    if onset.is_forced:
        inputs["after_told_by"] = "forced photometry"
        reason += ", by forced photometry of its own alerts"
    return Term(value=value_of(inputs), reason=reason, inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    low, high = inputs["appearance_d"]
    before = inputs["before_d"]
    after = min(inputs["after_d"], before - inputs["shortest_d"])
    of_hypothesis = _share(max(after, low), min(before, high), low, high, inputs["typical_delay_d"])
    of_background = (before - after) / (high - low)
    floor = float(inputs["floor"])
    return max(floor, math.log(of_hypothesis / of_background)) if of_hypothesis > 0.0 else floor


def _share(first: float, last: float, low: float, high: float, scale: float | None) -> float:
    """Return the probability between two times inside a window: even, or falling with the distance from t0 on both sides."""
    if last <= first:
        return 0.0
    if scale is None:
        return (last - first) / (high - low)
    return (_grown(last, scale) - _grown(first, scale)) / (_grown(high, scale) - _grown(low, scale))


def _grown(time_d: float, scale: float) -> float:
    """Return the integral of exp(-abs(t) / scale) / scale from 0 to a time."""
    return math.copysign(-math.expm1(-abs(time_d) / scale), time_d)
