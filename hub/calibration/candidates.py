"""All that is said of candidates, on the same simulated events: chance, posterior, work, and the sky that they lie in."""

from dataclasses import dataclass, field, replace

from numpy.random import Generator

from hub.calibration.chance import Chance
from hub.calibration.chance_cases import Cases
from hub.calibration.chance_planted import PlantedInCandidates
from hub.calibration.densities import Densities
from hub.calibration.posterior import PosteriorPart
from hub.calibration.posterior_trials import Trials
from hub.calibration.result import Part, Result, Size, Tell, joined
from hub.calibration.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatesPart:
    """The part `candidates`: several in one, because the simulated events that they share take most of the time."""

    cases: Cases = field(default_factory=Cases)
    name: str = "candidates"
    title: str = "Candidates: chance expectation, posterior and work"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Run them one after the other."""
        trials = Trials(self.cases)
        parts: tuple[Part, ...] = (
            Chance(cases=self.cases),
            PosteriorPart(trials=trials),
            Work(trials=trials),
            Densities(),
            PlantedInCandidates(cases=self.cases, trials=trials),
        )
        found = []
        for one in parts:
            tell(one.title)
            result = one.run(rng, size, tell)
            found.append(replace(result, notes=tuple(f"*{one.title}.* {note}" for note in result.notes)))
        return joined(found)
