"""Defects planted into chance expectation, posterior and order of candidates, one at a time: each must make some check fail."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from hub.calibration import caught
from hub.calibration.chance import Chance
from hub.calibration.chance_cases import Case, Cases
from hub.calibration.densities import Densities as Transients
from hub.calibration.posterior import PosteriorPart
from hub.calibration.posterior_trials import Trials
from hub.calibration.result import Check, Part, Result, Size, Tell
from hub.calibration.work import Work, by_density
from hub.demo.survey.settings import shipped
from hub.model.contender import Contender
from hub.science import posterior
from hub.science.chance import Background
from hub.science.posterior import Densities, Posterior, PosteriorPolicy, PriorOf, Searched

SHOWN = 2
"""Checks that are named for each defect."""

_T = TypeVar("_T")


def _as_it_is(one: _T) -> _T:
    return one


def _no_dispersion(one: Background) -> Background:
    """Forget that rates differ from map to map."""
    return replace(one, dispersion=0.0)


def _doubled(one: Background) -> Background:
    """Count every off object twice."""
    return replace(one, weights=tuple(2.0 * weight for weight in one.weights))


def _by_number_of_maps(one: Background) -> Background:
    """Divide by the number of off maps, whatever was searched of each."""
    mean = one.n_off_maps * one.on_exposure / one.off_exposure
    return replace(one, weights=tuple(weight / mean for weight in one.weights))


BACKGROUNDS: Mapping[str, Callable[[Background], Background]] = {
    "over-dispersion left out": _no_dispersion,
    "every off object counted twice": _doubled,
    "divided by the number of off maps, not by what was searched": _by_number_of_maps,
}
"""Mistakes in the expectation."""


class _Changed(Cases):
    """The cases of another, with their backgrounds changed."""

    def __init__(self, sound: Cases, change: Callable[[Background], Background]) -> None:
        super().__init__()
        self._sound = sound
        self._change = change

    def of(self, rng: Generator, size: Size, tell: Tell) -> tuple[Case, ...]:
        """Return them."""
        return tuple(replace(one, background=self._change(one.background)) for one in self._sound.of(rng, size, tell))


def _prior_doubled(one: PriorOf) -> PriorOf:
    return replace(one, value=min(1.0, 2.0 * one.value))


def _all_was_searched(one: Searched) -> Searched:
    """Leave out what was not searched or is too faint."""
    return replace(one, share=1.0, bright_enough=1.0)


def _density_quartered(one: Densities) -> Densities:
    """Take a quarter of the unrelated objects."""
    return replace(
        one,
        confirmed=None if one.confirmed is None else one.confirmed / 4.0,
        single=None if one.single is None else one.single / 4.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistaken:
    """The posterior of the hub, which is told something else than what is so."""

    prior: Callable[[PriorOf], PriorOf] = _as_it_is
    searched: Callable[[Searched], Searched] = _as_it_is
    densities: Callable[[Densities], Densities] = _as_it_is

    def __call__(  # noqa: PLR0917 - as the posterior is called
        self,
        hypothesis: str,
        candidates: Sequence[Contender],
        prior: PriorOf,
        searched: Searched,
        densities: Mapping[str, Densities],
        policy: PosteriorPolicy,
        remarks: Sequence[str] = (),
    ) -> Posterior:
        """Return the probabilities of all explanations."""
        told = {name: self.densities(one) for name, one in densities.items()}
        return posterior.posterior(hypothesis, candidates, self.prior(prior), self.searched(searched), told, policy, remarks)


POSTERIORS: Mapping[str, Mistaken] = {
    "prior doubled": Mistaken(prior=_prior_doubled),
    "all taken as searched and bright enough": Mistaken(searched=_all_was_searched),
    "a quarter of the density of unrelated objects": Mistaken(densities=_density_quartered),
}
"""Mistakes in the probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedInCandidates:
    """The part `planted-candidates`."""

    cases: Cases = field(default_factory=Cases)
    trials: Trials | None = None
    """Of these cases; made anew where None."""

    name: str = "planted-candidates"
    title: str = "Planted defects: candidates"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Run the checks on sound functions, then with each defect, on the same cases."""
        found: list[tuple[str, list[Check]]] = []
        for sound, defects in self._defects(self.trials or Trials(self.cases)):
            known = {check.name for check in _failing(sound, rng, size)}
            for name, part in defects.items():
                tell(name)
                found.append((name, caught.new_failures(_failing(part, rng, size), known)))
        return Result(
            checks=tuple(caught.is_caught(*one) for one in found),
            notes=(_NOTE,),
            tables=(caught.table(found, shown=SHOWN),),
        )

    def _defects(self, trials: Trials) -> Iterator[tuple[Part, Mapping[str, Part]]]:
        """Yield each sound part, and those with a mistake in by what was planted."""
        yield (
            Chance(cases=self.cases),
            {f"mu: {name}": Chance(cases=_Changed(self.cases, change)) for name, change in BACKGROUNDS.items()},
        )
        yield (
            PosteriorPart(trials=trials),
            {f"posterior: {name}": PosteriorPart(trials=trials, posterior=one) for name, one in POSTERIORS.items()},
        )
        yield (
            Work(trials=trials),
            {"work: candidates in the order of the map alone": Work(trials=trials, order=by_density)},
        )
        people = shipped().population
        crowded = people.model_copy(update={"supernovae_per_deg2_day": 5.0 * people.supernovae_per_deg2_day})
        too_many = shipped().model_copy(update={"population": crowded})
        yield (
            Transients(repeats=2),
            {"densities: five times the supernovae": Transients(repeats=2, simulation=too_many)},
        )


def _failing(part: Part, rng: Generator, size: Size) -> tuple[Check, ...]:
    """Return the checks of a part that fail with the same random numbers each time."""
    entropy = rng.bit_generator.seed_seq.entropy  # type: ignore[attr-defined]  # as `hub.calibration.running` makes them
    return part.run(np.random.default_rng(entropy), size, caught.silent).failed


_NOTE = """\
Each defect is put into what is said of the cases above, and the checks are run again on the same random numbers. Checks that fail
without it do not count. A defect that no check catches fails the command."""
