"""How much a run will make, from a part of it that is made beforehand and thrown away."""

from dataclasses import dataclass

import numpy as np

from hub.demo.survey.night import SurveyNight

LOOKED_AT = 40
"""Visits of each programme and band that are looked at: their bytes differ by a half among each other."""

WHOLE_VISITS = 4.0
"""About as many alerts as so many whole visits have are made for it: a second or two."""

TRUTH_BYTES = 60
"""A row of the truth in its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run makes, within ten per cent."""

    n_visits: int
    n_alerts: int
    n_bytes: int
    """Of the packets, framing included."""


def estimate(night: SurveyNight, visits: range) -> Estimate:
    """Return what the packets of some visits come to.

    Visits of one programme and band are alike; of each kind some are made, with a share of their objects only. A small run is
    made as a whole.
    """
    chosen = np.asarray(visits)
    kinds = np.stack([night.visits.programme[chosen], night.visits.band[chosen]], axis=1)
    _, kind = np.unique(kinds, axis=0, return_inverse=True)
    of_kind = [chosen[kind.reshape(-1) == number] for number in range(int(kind.max()) + 1)]
    is_small = night.fraction * len(chosen) <= WHOLE_VISITS
    samples = [some if is_small else some[_spread(len(some))] for some in of_kind]
    thinned = night.thinned(min(night.fraction, WHOLE_VISITS / sum(map(len, samples))))
    alerts = size = 0.0
    for some, sample in zip(of_kind, samples, strict=True):
        found = [_made(thinned, visit) for visit in sample.tolist()]
        share = len(sample) / len(some) * thinned.fraction / night.fraction
        alerts += sum(n for n, _ in found) / share
        size += sum(n_bytes for _, n_bytes in found) / share
    return Estimate(n_visits=len(chosen), n_alerts=round(alerts), n_bytes=round(size))


def _spread(n: int) -> list[int]:
    """Return which of some visits are looked at: from the first to the last, evenly."""
    return sorted(set(np.linspace(0, n - 1, min(n, LOOKED_AT)).astype(int).tolist()))


def _made(night: SurveyNight, visit: int) -> tuple[int, int]:
    """Return how many packets a visit has and how many bytes."""
    made = night.visit(visit)
    n = size = 0
    for _, ends, tails in made.heads:
        n += len(ends)
        size += int(ends[-1]) if len(ends) else 0
        size += sum(len(made.tails[tail]) for tail in tails.tolist())
    return n, size
