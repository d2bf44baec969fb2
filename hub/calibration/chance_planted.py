"""Defects planted into chance expectation, posterior and order of candidates, one at a time: each must make some check fail."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator

from hub.calibration.chance import Chance
from hub.calibration.chance_cases import Case, Cases
from hub.calibration.densities import Densities as Transients
from hub.calibration.posterior import PosteriorPart
from hub.calibration.posterior_trials import Trials
from hub.calibration.result import Check, Part, Result, Size, Table, Tell
from hub.calibration.work import Work, by_density
from hub.demo.survey.settings import shipped
from hub.model.coincidence import Candidate
from hub.science import posterior
from hub.science.chance import Background
from hub.science.posterior import Densities, Posterior, PosteriorPolicy, PriorOf, Searched

SHOWN = 2
"""Checks that are named for each defect."""

Change = Callable[[Background], Background]


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


class _Changed(Cases):
    """The cases of another, with their backgrounds changed."""

    def __init__(self, sound: Cases, change: Change) -> None:
        super().__init__()
        self._sound = sound
        self._change = change

    def of(self, rng: Generator, size: Size, tell: Tell) -> tuple[Case, ...]:
        """Return them."""
        return tuple(replace(one, background=self._change(one.background)) for one in self._sound.of(rng, size, tell))


def _prior_doubled(  # noqa: PLR0917 - as the posterior is called
    hypothesis: str,
    candidates: Sequence[Candidate],
    prior: PriorOf,
    searched: Searched,
    densities: Mapping[str, Densities],
    policy: PosteriorPolicy,
    remarks: Sequence[str] = (),
) -> Posterior:
    """Take twice the prior."""
    doubled = replace(prior, value=min(1.0, 2.0 * prior.value))
    return posterior.posterior(hypothesis, candidates, doubled, searched, densities, policy, remarks)


def _all_was_searched(  # noqa: PLR0917 - as the posterior is called
    hypothesis: str,
    candidates: Sequence[Candidate],
    prior: PriorOf,
    searched: Searched,
    densities: Mapping[str, Densities],
    policy: PosteriorPolicy,
    remarks: Sequence[str] = (),
) -> Posterior:
    """Leave out what was not searched or is too faint."""
    everything = replace(searched, share=1.0, bright_enough=1.0)
    return posterior.posterior(hypothesis, candidates, prior, everything, densities, policy, remarks)


def _density_quartered(  # noqa: PLR0917 - as the posterior is called
    hypothesis: str,
    candidates: Sequence[Candidate],
    prior: PriorOf,
    searched: Searched,
    densities: Mapping[str, Densities],
    policy: PosteriorPolicy,
    remarks: Sequence[str] = (),
) -> Posterior:
    """Take a quarter of the density of unrelated objects."""
    fewer = {
        name: replace(
            one,
            confirmed=None if one.confirmed is None else one.confirmed / 4.0,
            single=None if one.single is None else one.single / 4.0,
        )
        for name, one in densities.items()
    }
    return posterior.posterior(hypothesis, candidates, prior, searched, fewer, policy, remarks)


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
        trials = self.trials or Trials(self.cases)
        checks, rows = [], []
        for name, (sound, defective) in self._defects(trials).items():
            tell(name)
            known = {check.name for check in _run(sound, rng, size).failed}
            caught = [check for check in _run(defective, rng, size).failed if check.name not in known]
            checks.append(
                Check(
                    name=f"{name}: caught",
                    passed=bool(caught),
                    found=f"{len(caught)} checks fail" if caught else "no check fails: the calibration is blind to it",
                )
            )
            shown = "; ".join(f"{check.name} ({check.found})" for check in caught[:SHOWN])
            rows.append((name, str(len(caught)), shown or "none"))
        return Result(
            checks=tuple(checks),
            notes=(_NOTE,),
            tables=(
                Table(
                    title="What catches which defect",
                    columns=("defect", "checks that fail", "the first of them"),
                    rows=tuple(rows),
                ),
            ),
        )

    def _defects(self, trials: Trials) -> dict[str, tuple[Part, Part]]:
        """Return the sound part and the one with the mistake in, by what was planted."""
        sound, said = Chance(cases=self.cases), PosteriorPart(trials=trials)
        crowded = shipped().population.model_copy(
            update={"supernovae_per_deg2_day": 5.0 * shipped().population.supernovae_per_deg2_day}
        )
        found: dict[str, tuple[Part, Part]] = {
            f"mu: {name}": (sound, Chance(cases=_Changed(self.cases, change)))
            for name, change in {
                "over-dispersion left out": _no_dispersion,
                "every off object counted twice": _doubled,
                "divided by the number of off maps, not by what was searched": _by_number_of_maps,
            }.items()
        }
        found |= {
            f"posterior: {name}": (said, PosteriorPart(trials=trials, posterior=mistaken))
            for name, mistaken in {
                "prior doubled": _prior_doubled,
                "all taken as searched and bright enough": _all_was_searched,
                "a quarter of the density of unrelated objects": _density_quartered,
            }.items()
        }
        found["work: candidates in the order of the map alone"] = Work(trials=trials), Work(trials=trials, order=by_density)
        found["densities: five times the supernovae"] = (
            Transients(repeats=2),
            Transients(repeats=2, simulation=shipped().model_copy(update={"population": crowded})),
        )
        return found


def _run(part: Part, rng: Generator, size: Size) -> Result:
    """Return what a part finds with the same random numbers each time."""
    return part.run(np.random.default_rng(rng.bit_generator.seed_seq.entropy), size, _silent)  # type: ignore[attr-defined]


def _silent(words: str) -> None:
    """Say nothing."""


_NOTE = """\
Each defect is put into what is said of the cases above, and the checks are run again on the same random numbers. Checks that fail
without it do not count. A defect that no check catches fails the command."""
