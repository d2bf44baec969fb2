"""How soon after the event the object was first seen."""

import math
from collections.abc import Mapping
from typing import Any

from hub.science.ranking.context import Context, Term


def evaluate(context: Context) -> Term:
    """Return the log ratio of an exponential delay with the hypothesis' scale to a first detection anywhere in the onset window.

    A detection before t0 (a window may reach back) counts with its distance from t0.
    """
    inputs = {
        "delay_d": context.delay_d,
        "typical_delay_d": context.hypothesis.typical_delay_d,
        "onset_d": list(context.hypothesis.onset_d),
    }
    side = "after" if context.delay_d >= 0 else "before"
    return Term(value=value_of(inputs), reason=f"first detected {abs(context.delay_d):.2f} d {side} the event", inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    low, high = inputs["onset_d"]
    scale = inputs["typical_delay_d"]
    norm = scale * (1.0 - math.exp(-max(abs(low), abs(high)) / scale))
    return float(max(-10.0, math.log((high - low) / norm) - abs(inputs["delay_d"]) / scale))
