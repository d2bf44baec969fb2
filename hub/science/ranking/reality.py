"""Whether the detections are of something real."""

import math
from collections.abc import Mapping
from typing import Any

from hub.science.ranking.context import Context, Term


def evaluate(context: Context) -> Term | None:
    """Return a share of the log odds of the best real-bogus score; None where the survey gives none.

    A share, because the scores of one object share their causes and are not calibrated as probabilities.
    """
    stated = context.detections.reliability.tolist()  # of a few numbers an array is the slower form
    scores = [one for one in stated if math.isfinite(one)]
    if not scores:
        return None
    priors = context.hypothesis.priors.reality
    best, n = min(priors.most, max(priors.least, *scores)), len(stated)
    inputs = {"reliability": best, "n_detections": n, "weight": priors.weight}
    return Term(value=value_of(inputs), reason=f"reliability {best:.2f} in {n} detection{'s' if n != 1 else ''}", inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    return float(inputs["weight"] * math.log(inputs["reliability"] / (1.0 - inputs["reliability"])))
