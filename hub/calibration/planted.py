"""Defects that are planted into the functions under test, one at a time: each must make some check of the calibration fail."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from hub.calibration import caught
from hub.calibration.error_models import MODELS
from hub.calibration.null_law import PAIRINGS, NullLaw
from hub.calibration.result import Check, Part, Result, Size, Tell
from hub.calibration.subject import Subject
from hub.calibration.truth_side import TruthSide
from hub.model.joint_rates import JointRates
from hub.model.sky import Circle, Localization, Skymap, StatedPosition
from hub.science.healpix import area_sr, centres, find, pixels29
from hub.science.rules import PairRule, Rules
from hub.science.searches import YEAR_S, FarMethod, Search

SHOWN = 3
"""Checks that are named for each defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A mistake that codes of the field have made."""

    name: str
    plant: Callable[[Subject], Subject]
    """Takes sound functions and gives them back with the mistake in."""


def _window_doubled(subject: Subject) -> Subject:
    """Double all windows of the rules, in what is paired and in what is computed."""

    def doubled(window_s: tuple[float, float]) -> tuple[float, float]:
        return 2.0 * window_s[0], 2.0 * window_s[1]

    def pair(rule: PairRule) -> PairRule:
        return replace(rule, windows_s=tuple(doubled(window_s) for window_s in rule.windows_s))

    rules = subject.rules
    searches = tuple(replace(search, window_s=doubled(search.window_s)) for search in rules.searches)
    return replace(subject, rules=replace(rules, searches=searches, pairs=tuple(pair(rule) for rule in rules.pairs)))


def _width_doubled(subject: Subject) -> Subject:
    """Double the window where rates are computed, and nowhere else."""
    sound = subject.joint_rates

    def joint_rates(search: Search, **given: float | str | None) -> JointRates:
        low, high = search.window_s
        return sound(replace(search, window_s=(2.0 * low, 2.0 * high)), **given)  # type: ignore[arg-type]  # as they came

    return replace(subject, joint_rates=joint_rates)


def _year_twice(subject: Subject) -> Subject:
    """Divide rates by the seconds of a year once more."""
    sound = subject.joint_rates

    def joint_rates(search: Search, **given: float | str | None) -> JointRates:
        if search.method is FarMethod.UNTARGETED:
            search = replace(search, rate_hz={name: hz / YEAR_S for name, hz in search.rate_hz.items()})
        return sound(search, **given)  # type: ignore[arg-type]  # as they came

    return replace(subject, joint_rates=joint_rates)


def _r90_as_sigma(subject: Subject) -> Subject:
    """Take the radius of 90 % of a circle for its standard deviation."""
    sound = subject.localize

    def localize(position: StatedPosition, systematic_model: str | None) -> Localization | None:
        if isinstance(position.region, Circle) and position.containment == 0.9:
            position = replace(position, containment=1.0 - float(np.exp(-0.5)))
        return sound(position, systematic_model)

    return replace(subject, localize=localize)


def _no_systematics(subject: Subject) -> Subject:
    """Forget the systematic errors."""
    sound = subject.localize

    def localize(position: StatedPosition, systematic_model: str | None) -> Localization | None:
        return sound(position, None)

    return replace(subject, localize=localize)


def _centre_sampled(subject: Subject) -> Subject:
    """Read the second map at the centres of the first one's pixels only."""

    def overlap(a: Skymap, b: Skymap) -> float:
        row = find(b.lo, b.hi, pixels29(*centres(a.lo, a.hi)))
        there = np.where(row >= 0, b.probdensity[row], 0.0)
        return float(4.0 * np.pi * (a.probdensity * there * area_sr(a.lo, a.hi)).sum())

    return replace(subject, overlap=overlap)


def _far_not_shared(subject: Subject) -> Subject:
    """Multiply by the overlap where one divides by it."""
    sound = subject.joint_rates

    def joint_rates(search: Search, **given: float | str | None) -> JointRates:
        overlap = given.get("overlap")
        if isinstance(overlap, float) and overlap > 0.0:
            given = {**given, "overlap": 1.0 / overlap}
        return sound(search, **given)  # type: ignore[arg-type]  # as they came

    return replace(subject, joint_rates=joint_rates)


DEFECTS = (
    Defect(name="window doubled", plant=_window_doubled),
    Defect(name="window doubled in the formula only", plant=_width_doubled),
    Defect(name="year taken twice", plant=_year_twice),
    Defect(name="r90 used as sigma", plant=_r90_as_sigma),
    Defect(name="systematics dropped", plant=_no_systematics),
    Defect(name="coarse map sampled at the centres of its pixels", plant=_centre_sampled),
    Defect(name="multiplied by the overlap", plant=_far_not_shared),
)
"""All that are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """The part `planted`."""

    subject: Subject
    nature: Rules
    defects: tuple[Defect, ...] = DEFECTS
    subjects: tuple[str, ...] = ("null", "truth")
    """Names of the parts whose checks may catch them."""

    name: str = "planted"
    title: str = "Planted defects"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Run the checks on sound functions, then with each defect, from the same random numbers."""
        small = _smaller(size)
        seed = int(rng.integers(2**62))
        tell("nothing planted")
        by_nothing = self._failing(self.subject, seed, small)
        checks = [
            Check(
                name="nothing planted: no check fails",
                passed=not by_nothing,
                found="; ".join(check.name for check in by_nothing) or "none fails",
            )
        ]
        known = {check.name for check in by_nothing}
        rows: list[tuple[str, list[Check]]] = []
        for defect in self.defects:
            tell(defect.name)
            found = self._failing(defect.plant(self.subject), seed, small)
            new = caught.new_failures(found, known)
            checks.append(caught.is_caught(defect.name, new))
            rows.append((defect.name, new))
        return Result(checks=tuple(checks), notes=(_NOTE,), tables=(caught.table(rows, shown=SHOWN),))

    def _failing(self, subject: Subject, seed: int, size: Size) -> tuple[Check, ...]:
        parts: tuple[Part, ...] = (
            NullLaw(
                subject=subject, nature=self.nature, pairings=tuple(one for one in PAIRINGS if one.name in ("wide", "small"))
            ),
            TruthSide(subject=subject, models=tuple(one for one in MODELS if one.name in _MODELS)),
        )
        results = [
            part.run(np.random.default_rng([seed, i]), size, caught.silent)
            for i, part in enumerate(parts)
            if part.name in self.subjects
        ]
        return tuple(check for result in results for check in result.failed)


_MODELS = ("fermi-gbm-ground", "IceCube, circle of 90 %")
"""One with systematic errors, one without."""


def _smaller(size: Size) -> Size:
    def share(number: int, least: int) -> int:
        return max(least, int(number * size.defects))

    return replace(
        size,
        pairs=share(size.pairs, 10_000),
        exact=share(size.exact, 10),
        sources=share(size.sources, 60),
        maps=share(size.maps, 3),
    )


_NOTE = """\
Each defect is put into the functions under test, and the null law, the truth side and years of unrelated notices are run on
them, smaller than above and from the same random numbers as once with nothing planted. A defect that no check catches fails the
command."""
