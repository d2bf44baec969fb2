"""Chance: the expected number of unrelated objects against their number, in maps of events that never happened."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from hub.calibration.chance_cases import Case, Cases
from hub.calibration.result import Check, Curve, Figure, Floats, Result, Size, Table, Tell
from hub.calibration.uniformity import THREE_SIGMA, ks_distance, ks_probability, pp_curves
from hub.model.coincidence import Candidate
from hub.science.chance import Expectation, expected
from hub.services.off_counts import comparable_score

MEAN_Z, RMS_Z = 0.2, (0.8, 1.3)
"""Largest mean of the z-scores either way, and their root mean square."""

FEW_MAPS, FEW = 200, 2.5
"""In a run of fewer maps than this, which is a quick one, the mean may be so many of
its own errors from 0 where that is more than `MEAN_Z`."""

LEAST_MU = 3.0
"""z-scores are of maps of which at least so many objects are expected: a Poisson number with a smaller mean is no normal one."""

LEAST_SUFFICIENT = 0.8
"""Share of the maps of which the hub must be able to say something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is counted."""

    name: str
    level: float
    score: float
    """Least score, as far as off objects have it."""

    confirmed: bool

    def of(self, found: Sequence[Candidate]) -> int:
        """Return how many of some candidates are so good."""
        return sum(
            (one.level or 0.0) <= self.level and comparable_score(one) >= self.score and (one.confirmed or not self.confirmed)
            for one in found
        )


CUTS = (
    Cut(name="all", level=1.0, score=-math.inf, confirmed=False),
    Cut(name="confirmed", level=1.0, score=-math.inf, confirmed=True),
    Cut(name="confirmed, within the 90 % level", level=0.9, score=-math.inf, confirmed=True),
    Cut(name="confirmed, a score of at least 0", level=1.0, score=0.0, confirmed=True),
)
"""All that are counted; chosen before any count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One map."""

    expectations: tuple[Expectation | None, ...]
    """Of each cut; None where the background is insufficient."""

    numbers: tuple[int, ...]
    dispersion: float
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """The part `chance`."""

    cases: Cases = field(default_factory=Cases)
    cuts: tuple[Cut, ...] = CUTS
    name: str = "chance"
    title: str = "Chance expectation of unrelated objects"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Count in maps of several seasons and compare."""
        found = [self._counted(one) for one in self.cases.of(rng, size, tell)]
        checks, rows, curves = [], [], {}
        said = [one for one in found if one.reason is None]
        checks.append(_sufficient(found, said))
        for number, cut in enumerate(self.cuts):
            pairs = [(expectation, one.numbers[number]) for one in said if (expectation := one.expectations[number]) is not None]
            z = z_scores(pairs)
            pit = transformed(pairs, rng)
            if len(z) < len(found) // 2:
                checks.append(Check(name=f"{cut.name}: enough is expected", passed=False, found=f"in {len(z)} maps"))
                continue
            checks += _checks(cut.name, z, pit, is_quick=size.off_maps < FEW_MAPS)
            total, mu = sum(n for _, n in pairs), math.fsum(one.mu for one, _ in pairs)
            rows.append(
                (
                    cut.name,
                    str(len(pairs)),
                    str(total),
                    f"{mu:.0f}",
                    str(len(z)),
                    f"{z.mean():+.2f} +- {z.std() / np.sqrt(len(z)):.2f}",
                    f"{_rms(z):.2f}",
                )
            )
            curves[cut.name] = pit
        shown = [(one.expectations[1], one.numbers[1]) for one in said if len(self.cuts) > 1]
        return Result(
            checks=tuple(checks),
            notes=(_NOTE,),
            tables=(
                Table(
                    title="Unrelated objects in maps of events that never happened",
                    columns=("counted", "maps", "found", "expected", "maps with a z-score", "mean of z", "rms of z"),
                    rows=tuple(rows),
                ),
            ),
            figures=(
                Figure(
                    name="chance-pit",
                    caption="Probability of fewer unrelated objects than were found. Share of the maps below it, minus it.",
                    x_label="probability of fewer",
                    y_label="share of maps, minus it",
                    curves=pp_curves(curves) if curves else (),
                ),
                Figure(
                    name="chance-counts",
                    caption="Confirmed unrelated objects in each map, and how many were expected.",
                    x_label="expected",
                    y_label="found",
                    curves=(
                        Curve(
                            label="maps",
                            x=np.array([one.mu for one, _ in shown if one is not None]),
                            y=np.array([float(n) for one, n in shown if one is not None]),
                            error=np.array([_sigma(one) for one, _ in shown if one is not None]),
                        ),
                    ),
                ),
            ),
        )

    def _counted(self, case: Case) -> Counted:
        return Counted(
            expectations=tuple(
                expected(case.background, level=cut.level, score=cut.score, confirmed=cut.confirmed) for cut in self.cuts
            ),
            numbers=tuple(cut.of(case.inside) for cut in self.cuts),
            dispersion=case.background.dispersion,
            reason=case.background.reason,
        )


def z_scores(pairs: Sequence[tuple[Expectation, int]]) -> Floats:
    """Return how far numbers are from their expectations in units of the stated spread, where enough is expected."""
    return np.array([(n - one.mu) / _sigma(one) for one, n in pairs if one.mu >= LEAST_MU])


def transformed(pairs: Sequence[tuple[Expectation, int]], rng: Generator) -> Floats:
    """Return the probabilities of smaller numbers than found, uniform where the stated distribution is right.

    A Poisson number whose mean is gamma-distributed is a negative binomial one; that it is whole is smoothed by a random share
    of the probability of the number itself.
    """
    from scipy.stats import nbinom  # noqa: PLC0415 - most of a second

    values = []
    for one, n in pairs:
        size = 1.0 / one.relative_variance
        law = nbinom(size, size / (size + one.mu))
        values.append(float(law.cdf(n - 1) + rng.random() * law.pmf(n)))
    return np.array(values)


def _sigma(one: Expectation) -> float:
    return math.sqrt(one.mu + one.relative_variance * one.mu**2)


def _rms(z: Floats) -> float:
    return float(np.sqrt(np.mean(z**2)))


def _sufficient(found: Sequence[Counted], said: Sequence[Counted]) -> Check:
    return Check(
        name=f"of at least {LEAST_SUFFICIENT:.0%} of the maps something can be said",
        passed=len(said) >= LEAST_SUFFICIENT * len(found),
        found=f"{len(said)} of {len(found)}"
        + "".join(f"; {reason}" for reason in sorted({one.reason for one in found if one.reason is not None})[:2]),
    )


def _checks(name: str, z: Floats, pit: Floats, *, is_quick: bool) -> list[Check]:
    mean, rms, error = float(z.mean()), _rms(z), float(z.std() / np.sqrt(len(z)))
    low, high = RMS_Z
    allowed = max(MEAN_Z, FEW / math.sqrt(len(z))) if is_quick else MEAN_Z
    return [
        Check(
            name=f"{name}: z-scores have a mean of 0 within {MEAN_Z}",
            passed=abs(mean) <= allowed,
            found=f"{mean:+.3f} +- {error:.3f} of {len(z)} maps" + (f", {allowed:.2f} for so few" if allowed > MEAN_Z else ""),
        ),
        Check(
            name=f"{name}: the root mean square of the z-scores lies between {low} and {high}",
            passed=low <= rms <= high,
            found=f"{rms:.3f} of {len(z)} maps",
        ),
        Check(
            name=f"{name}: probabilities of fewer objects are uniform within three sigma",
            passed=ks_probability(pit) > THREE_SIGMA,
            found=f"largest deviation {ks_distance(pit):.3f}, p = {ks_probability(pit):.3g}, n = {len(pit)}",
        ),
    ]


_NOTE = """\
Seasons of the simulated survey, with maps of mergers that never happened laid where the telescope looks. The hub's own counts
(`hub.services.off_counts`: the same fields before, the map turned elsewhere) give the expected number of unrelated objects; found
are the candidates that the hub makes of the alerts inside, six days after. What was detected in the sixty nights before a season
is nothing new in it. Without them the first third of a season (tuning seed 77) had 0.20 confirmed new variable stars and 0.37
nuclei a visit, the last 0.08 and 0.21, so off windows before an event held more than the days after it; with them it is 0.07
against 0.07 and 0.15 against 0.17. Supernovae are clustered over the sky, so that maps
differ by more than Poisson says. z is the difference over the stated spread, of Poisson number and over-dispersion together."""
