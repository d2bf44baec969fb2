"""Whether the detections are of something real."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hub.science.ranking.context import Context, Term


def evaluate(context: Context) -> Term | None:
    """Return half the log odds of the best real-bogus score; None where the survey gives none.

    Halved, because the scores of one object share their causes and are not calibrated as probabilities.
    """
    scores = context.detections.reliability
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return None
    best = min(0.99, max(0.01, float(scores.max())))
    inputs = {"reliability": best, "n_detections": len(context.detections)}
    return Term(
        value=value_of(inputs),
        reason=f"reliability {best:.2f} in {len(context.detections)} detection{'s' if len(context.detections) != 1 else ''}",
        inputs=inputs,
    )


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    return 0.5 * math.log(inputs["reliability"] / (1.0 - inputs["reliability"]))
