"""How much a run will make, from a few of its visits looked at beforehand."""

from dataclasses import dataclass

import numpy as np

from hub.demo.survey.night import SurveyNight

SAMPLED = 6
"""Visits of each programme that are looked at."""

TRUTH_BYTES = 60
"""A row of the truth in its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run makes, within a few per cent."""

    n_visits: int
    n_alerts: int
    n_bytes: int
    """Of the packets, framing included."""


def estimate(night: SurveyNight, visits: range) -> Estimate:
    """Return what the packets of some visits come to."""
    alerts, size = 0.0, 0.0
    programme = night.visits.programme[visits.start : visits.stop]
    for which in np.unique(programme).tolist():
        of_it = np.flatnonzero(programme == which) + visits.start
        sample = of_it[np.linspace(0, len(of_it) - 1, min(SAMPLED, len(of_it))).astype(int)].tolist()
        n = total = 0
        for visit in sample:
            made = night.visit(visit)
            for data, ends, tails in made.heads:
                del data
                n += len(ends)
                total += int(ends[-1]) if len(ends) else 0
                total += sum(len(made.tails[tail]) for tail in tails.tolist())
        alerts += n / len(sample) * len(of_it)
        size += total / len(sample) * len(of_it)
    return Estimate(n_visits=len(visits), n_alerts=round(alerts), n_bytes=round(size))
