"""How soon after the event the object was first seen."""

import math

from hub.science.ranking.context import Context, Term


def evaluate(context: Context) -> Term:
    """Return the log ratio of an exponential delay with the hypothesis' scale to a first detection anywhere in the onset window.

    A detection before t0 (a window may reach back) counts with its distance from t0.
    """
    low, high = context.hypothesis.onset_d
    scale = context.hypothesis.typical_delay_d
    delay = abs(context.delay_d)
    norm = scale * (1.0 - math.exp(-max(abs(low), abs(high)) / scale))
    value = max(-10.0, math.log((high - low) / norm) - delay / scale)
    side = "after" if context.delay_d >= 0 else "before"
    return Term(
        value=value,
        reason=f"first detected {delay:.2f} d {side} the event",
        inputs={"delay_d": context.delay_d, "typical_delay_d": scale, "onset_d": [low, high]},
    )
