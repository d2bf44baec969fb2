"""Whether the detections are of something real."""

import math

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
    return Term(
        value=0.5 * math.log(best / (1.0 - best)),
        reason=f"reliability {best:.2f} in {len(context.detections)} detection{'s' if len(context.detections) != 1 else ''}",
        inputs={"reliability": best, "n_detections": len(context.detections)},
    )
