"""Posterior: whether what is said to be the counterpart with a probability of 0.7 is it in 7 of 10 cases."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.random import Generator

from hub.calibration.chance_cases import Cases
from hub.calibration.chance_events import shipped_book
from hub.calibration.posterior_scores import BAND, Bin, brier, gain, log_score, reliability
from hub.calibration.posterior_trials import Trial, Trials
from hub.calibration.result import Check, Curve, Figure, Floats, Result, Size, Table, Tell
from hub.model.coincidence import Candidate
from hub.model.contender import Contender
from hub.science import posterior
from hub.science.posterior import PARTS, Densities, PosteriorPolicy, PriorOf, Searched

TWO_SIGMA = 1.96
"""Half the width of the band that holds 95 % of a normal distribution."""


class PosteriorOf(Protocol):
    """`hub.science.posterior.posterior`."""

    def __call__(  # noqa: PLR0917 - as it is
        self,
        hypothesis: str,
        candidates: Sequence[Contender],
        prior: PriorOf,
        searched: Searched,
        densities: Mapping[str, Densities],
        policy: PosteriorPolicy,
        remarks: Sequence[str] = (),
    ) -> posterior.Posterior:
        """Return the probabilities of all explanations."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """What was said in one trial."""

    stated: Floats
    """Probability of each candidate, and the last one that it is none of them."""

    parts: Mapping[str, float]
    """Why it may be none."""

    truth: int
    """Index into `stated`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorPart:
    """The part `posterior`."""

    trials: Trials = field(default_factory=lambda: Trials(Cases()))
    posterior: PosteriorOf = posterior.posterior
    name: str = "posterior"
    title: str = "Posterior probabilities of candidates"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Compare what is said of trials with what is so."""
        trials = self.trials.of(rng, size, tell)
        ours = [self._forecast(one, one.candidates) for one in trials]
        density = [self._forecast(one, [_by_density(candidate) for candidate in one.candidates]) for one in trials]
        truths = [one.truth for one in ours]
        of_candidates = reliability(
            np.concatenate([one.stated[:-1] for one in ours]),
            np.concatenate([np.arange(len(one.stated) - 1) == one.truth for one in ours]),
        )
        of_none = reliability(
            np.array([one.stated[-1] for one in ours]), np.array([one.truth == len(one.stated) - 1 for one in ours])
        )
        stated, by_density = [one.stated for one in ours], [one.stated for one in density]
        scores = {
            "Brier score": (brier(stated, truths), brier(by_density, truths)),
            "logarithmic score": (log_score(stated, truths), log_score(by_density, truths)),
        }
        parts = _parts(ours, trials)
        return Result(
            checks=(
                _within("probabilities of candidates", of_candidates),
                _within("probability that it is none of them", of_none),
                _misplaced(ours),
                *_of_parts(parts),
                *(_better(name, own, others) for name, (own, others) in scores.items()),
            ),
            notes=(_NOTE,),
            tables=(
                _bins("Probabilities of candidates, in merged bins", of_candidates),
                _bins("Probability that it is none of the candidates", of_none),
                _parts_table(parts),
                _scores_table(scores),
            ),
            figures=(
                _figure("posterior-candidates", "Candidates that were the counterpart", of_candidates),
                _figure("posterior-none", "Events without the counterpart among the candidates", of_none),
            ),
        )

    def _forecast(self, trial: Trial, candidates: Sequence[Candidate]) -> Forecast:
        answer = self.posterior(
            trial.case.asked.target.hypothesis.name,
            [Contender.of(one) for one in candidates],
            trial.given.prior,
            trial.given.searched,
            {trial.case.asked.survey: trial.given.densities},
            shipped_book().policy.posterior,
        )
        assert answer.none is not None, answer.reason
        found = {one.object_id: one.probability or 0.0 for one in answer.shares}
        return Forecast(
            stated=np.array([*(found[one.object_id] for one in candidates), answer.p_none]),
            parts=answer.none,
            truth=len(candidates) - (trial.counterpart is not None),
        )


def _by_density(one: Candidate) -> Candidate:
    """Return a candidate of which nothing is known but where it lies in the map."""
    sky = [score for score in one.scores if score.statistic == "sky"]
    return replace(one, scores=tuple(sky), score=math.fsum(score.value or 0.0 for score in sky))


def _within(name: str, bins: Sequence[Bin]) -> Check:
    outside = [one for one in bins if not one.is_jointly_within]
    alone = sum(not one.is_within for one in bins)
    words = "; ".join(f"{one.low:.3g} to {one.high:.3g}: {one.found} of {one.n}, stated {one.stated:.1f}" for one in outside[:3])
    return Check(
        name=f"{name}: reliable within the {BAND:.0%} band in merged bins",
        passed=len(bins) > 1 and not outside,
        found=f"{len(bins)} bins, {len(outside)} outside the band of all together"
        + (f" ({words})" if words else "")
        + f", {alone} outside their own",
    )


def _misplaced(ours: Sequence[Forecast]) -> Check:
    """Check what unrelated objects are given where the counterpart is not among the candidates.

    Of all forecasts with the probability p of none, the share p has none, and gives ``1 - p`` to others.
    """
    none = np.array([one.stated[-1] for one in ours])
    is_none = np.array([one.truth == len(one.stated) - 1 for one in ours])
    promised = none * (1.0 - none)
    found = float(((1.0 - none) * is_none).sum())
    error = float(np.sqrt((promised * (1.0 - none) ** 2).sum()))
    return _band("what candidates are given where none is the counterpart", found, float(promised.sum()), error)


def _band(name: str, found: float, promised: float, error: float) -> Check:
    return Check(
        name=f"{name}: as much as is stated, within the {BAND:.0%} band",
        passed=abs(found - promised) <= TWO_SIGMA * max(error, 1e-9),
        found=f"{found:.1f}, stated {promised:.1f} +- {error:.1f}",
    )


_Parts = Mapping[str, tuple[int, float, float]]
"""Part of P_none to how often it was so, how often it should have been, and the error of that."""


def _parts(ours: Sequence[Forecast], trials: Sequence[Trial]) -> _Parts:
    found = {}
    for part in PARTS:
        stated = np.array([one.parts[part] for one in ours])
        is_so = sum(one.why_none == part for one in trials)
        found[part] = (is_so, float(stated.sum()), float(np.sqrt((stated * (1.0 - stated)).sum())))
    return found


def _of_parts(parts: _Parts) -> list[Check]:
    """Check the one part that is about the event, and the others, which are about the search, together."""
    is_so, stated, error = parts["does_not_exist"]
    own = _band("nights without an injection: the probability that there is no counterpart", is_so, stated, error)
    others = [parts[name] for name in PARTS if name != "does_not_exist"]
    missed = sum(one[0] for one in others), math.fsum(one[1] for one in others), math.hypot(*(one[2] for one in others))
    return [own, _band("counterparts that were not found: not searched, too faint or hidden", *missed)]


def _better(name: str, ours: Floats, others: Floats) -> Check:
    by = gain(ours, others)
    return Check(
        name=f"{name}: better than that of the 2D density, by more than two standard errors",
        passed=by.sigma > 2.0,
        found=f"{ours.mean():.4f} against {others.mean():.4f}, better by {by.mean:.4f} +- {by.error:.4f}",
    )


def _bins(title: str, bins: Sequence[Bin]) -> Table:
    return Table(
        title=title,
        columns=("probability", "statements", "should be true", "are true", f"{BAND:.0%} band", "of all bins together"),
        rows=tuple(
            (
                f"{one.low:.3g} to {one.high:.3g}",
                str(one.n),
                f"{one.stated:.1f}",
                str(one.found),
                f"{one.at_least} to {one.at_most}",
                f"{one.joint_at_least} to {one.joint_at_most}",
            )
            for one in bins
        ),
    )


def _parts_table(parts: _Parts) -> Table:
    return Table(
        title="Why the counterpart is not among the candidates",
        columns=("part of P of none", "so often", "stated"),
        rows=tuple((name, str(so), f"{stated:.1f} +- {error:.1f}") for name, (so, stated, error) in parts.items()),
    )


def _scores_table(scores: Mapping[str, tuple[Floats, Floats]]) -> Table:
    rows = []
    for name, (own, others) in scores.items():
        by = gain(own, others)
        rows.append((name, f"{own.mean():.4f}", f"{others.mean():.4f}", f"{by.mean:.4f} +- {by.error:.4f}"))
    return Table(title="Scores, smaller is better", columns=("score", "the hub", "2D density", "better by"), rows=tuple(rows))


def _figure(name: str, caption: str, bins: Sequence[Bin]) -> Figure:
    x = np.array([one.stated / one.n for one in bins])
    n = np.array([float(one.n) for one in bins])
    low, high = (np.array([float(value) for value in values]) for values in _edges(bins))
    return Figure(
        name=name,
        caption=f"{caption}, by the probability that was stated of it; and the {BAND:.0%} band of each bin.",
        x_label="stated",
        y_label="found",
        curves=(
            Curve(label=f"{BAND:.0%} band", x=x, y=high / n, low=low / n),
            Curve(label="found", x=x, y=np.array([float(one.found) for one in bins]) / n, error=np.zeros(len(bins))),
        ),
    )


def _edges(bins: Sequence[Bin]) -> tuple[list[int], list[int]]:
    return [one.at_least for one in bins], [one.at_most for one in bins]


_NOTE = """\
Each map of the part before gets mergers: as many leave a kilonova as the prior says, at a place and a distance drawn from the
map, with light of another family than the hub expects. The hub's candidates, among them the counterpart where the survey detected
it, go through its posterior with the background that it measured. The 2D density is the same posterior with nothing but the place
in the map. Bands are exact (sums of Bernoulli numbers with the stated probabilities); bins are merged until five statements
should be true and five false."""
