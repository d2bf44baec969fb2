"""Work: how many candidates a person must look at to see nine of ten counterparts that could be detected."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from hub.calibration.chance_cases import Cases
from hub.calibration.posterior_trials import Trial, Trials
from hub.calibration.result import Check, Curve, Figure, Floats, Result, Size, Table, Tell
from hub.model.coincidence import Candidate

SHARE = 0.9
"""Of the detectable counterparts that are to be seen."""

LESS = 0.5
"""So many candidates are to be looked at, of those by 2D density: our own aim; the published figures of searches state none."""

FEW_TRIALS = 100
"""Of fewer counterparts, as a quick run has, it only need be fewer: what nine of ten need is then what the worst few need."""

LEAST = 20
"""Counterparts in a row of the table, at least."""

Order = Callable[[Candidate], float]
"""Larger for what is looked at first."""


def by_rank(one: Candidate) -> float:
    """Return the hub's score."""
    return one.score


def by_density(one: Candidate) -> float:
    """Return the density of the map."""
    return _value(one, "sky")


def by_time(one: Candidate) -> float:
    """Return what the onset says alone."""
    return _value(one, "timing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The part `work`."""

    trials: Trials = field(default_factory=lambda: Trials(Cases()))
    order: Order = by_rank
    """The hub's, or a mistaken one."""

    name: str = "work"
    title: str = "Candidates to look at"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Count the candidates that stand before counterparts."""
        trials = tuple(
            one for one in self.trials.of(rng, size, tell) if one.counterpart is not None and one.counterpart.confirmed
        )
        orders = {"the hub's rank": self.order, "2D density": by_density, "time alone": by_time}
        places = {name: np.array([place_of(one, order) for one in trials]) for name, order in orders.items()}
        area = np.array([one.case.asked.levels.area_of_level(0.9) for one in trials])
        needed = {name: per_100_deg2(place, area) for name, place in places.items()}
        own, density = needed["the hub's rank"], needed["2D density"]
        return Result(
            checks=(
                Check(
                    name="enough counterparts could be detected",
                    passed=len(trials) >= LEAST,
                    found=f"{len(trials)}, at least {LEAST} are needed",
                ),
                better(own, density, len(trials)),
            ),
            notes=(_NOTE,),
            tables=(_table(places, area, needed),),
            figures=(
                Figure(
                    name="work",
                    caption="Share of the detectable counterparts that is seen, by how many candidates are looked at.",
                    x_label="candidates per 100 deg2 of the 90 % area",
                    y_label="share seen",
                    curves=tuple(_curve(name, place, area) for name, place in places.items()),
                    log_x=True,
                ),
            ),
        )


def better(own: float, density: float, n: int) -> Check:
    """Return whether the hub's order spares enough of the looking.

    Parameters
    ----------
    own, density
        Candidates to look at per 100 square degrees in the hub's order, and by 2D density.
    n
        Counterparts that this was counted of.
    """
    is_few = n < FEW_TRIALS
    words = f"at most {LESS:.0%} of the candidates that 2D density asks for" + (", of so few fewer" if is_few else "")
    return Check(
        name=f"for {SHARE:.0%} of the detectable counterparts {words}",
        passed=own < density if is_few else own <= LESS * density,
        found=f"{own:.1f} per 100 deg2, by 2D density {density:.1f}; {n} counterparts",
    )


def place_of(trial: Trial, order: Order) -> int:
    """Return how many candidates are looked at until the counterpart is: confirmed ones first, of equal ones half before it."""
    own = trial.counterpart
    assert own is not None
    others = [one for one in trial.case.inside if one.confirmed or not own.confirmed]
    before = sum(order(one) > order(own) for one in others)
    return 1 + before + sum(order(one) == order(own) for one in others) // 2


def per_100_deg2(place: Floats, area_deg2: Floats) -> float:
    """Return how many candidates of each 100 square degrees must be looked at so that `SHARE` of the counterparts is seen."""
    if not len(place):
        return math.inf
    ratio = np.sort(place / area_deg2 * 100.0)
    return float(ratio[math.ceil(SHARE * len(ratio)) - 1])


def _table(places: dict[str, Floats], area: Floats, needed: dict[str, float]) -> Table:
    rows = [
        (
            name,
            f"{needed[name]:.1f}",
            f"{np.median(place):.0f}" if len(place) else "-",
            *(f"{np.mean(place <= most):.0%}" if len(place) else "-" for most in (1, 3, 10)),
        )
        for name, place in places.items()
    ]
    return Table(
        title=f"Candidates to look at, {len(area)} detectable counterparts",
        columns=("looked at by", f"per 100 deg2 for {SHARE:.0%}", "median place", "first", "first three", "first ten"),
        rows=tuple(rows),
    )


def _curve(label: str, place: Floats, area: Floats) -> Curve:
    ratio = np.sort(place / area * 100.0)
    return Curve(label=label, x=ratio, y=np.arange(1, len(ratio) + 1) / max(1, len(ratio)))


def _value(one: Candidate, statistic: str) -> float:
    return next((score.value for score in one.scores if score.statistic == statistic and score.value is not None), 0.0)


_NOTE = """\
Of the trials above those in which the hub has the counterpart as a confirmed candidate. The candidates of each map are looked at
in an order, confirmed ones first; the number that must be looked at goes with the area, so it is stated for 100 square degrees of
the 90 % area, for nine of ten counterparts."""
