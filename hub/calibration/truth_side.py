"""Where true places lie in the localizations that the hub draws: their credible levels must be uniform."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.calibration.error_models import MODELS, ErrorModel
from hub.calibration.mergers import merger_levels
from hub.calibration.result import Check, Figure, Floats, Result, Size, Table, Tell
from hub.calibration.shapes import place_of
from hub.calibration.subject import Subject
from hub.calibration.uniformity import THREE_SIGMA, ks_distance, ks_probability, pp_curves
from hub.science.healpix import pixels29
from hub.science.levels import Levels2D

COLUMNS = ("levels", "n", "within 50 %", "within 90 %", "largest deviation", "p (Kolmogorov-Smirnov)")
"""Of both tables."""

_WITHOUT = 4
"""One in so many sources is also looked up without systematic errors: what that does is plain from few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthSide:
    """The part `truth`."""

    subject: Subject
    models: tuple[ErrorModel, ...] = MODELS
    name: str = "truth"
    title: str = "Truth side"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Draw sources from each error model, and mergers from maps, and look up where they lie."""
        stated: dict[str, Floats] = {}
        dropped: dict[str, Floats] = {}
        for model in self.models:
            tell(model.name)
            levels, without = _levels(model, self.subject, rng, size.sources)
            stated[model.name] = levels
            if without is not None:
                dropped[model.name] = without
        tell("mergers")
        flat, deep = merger_levels(rng, size.maps, size.mergers_per_map)
        drawn = {"mergers, 2D": flat, "mergers, 3D": deep}
        checks = [_uniform(name, levels) for name, levels in {**stated, **drawn}.items()]
        checks += [_visible(name, levels) for name, levels in dropped.items()]
        refused = {f"{name}, no systematics": levels for name, levels in dropped.items()}
        return Result(
            checks=tuple(checks),
            notes=(_NOTE,),
            tables=(
                Table(
                    title="Credible levels of true places",
                    columns=COLUMNS,
                    rows=tuple(_row(name, levels) for name, levels in {**stated, **drawn, **refused}.items()),
                ),
            ),
            figures=(
                _figure("truth-notices", "Sources drawn from the stated error models.", stated),
                _figure("truth-no-systematics", "The same with Fermi's systematic errors left out of the maps.", dropped),
                _figure("truth-mergers", "Mergers drawn from their own maps.", drawn),
            ),
        )


def _levels(model: ErrorModel, subject: Subject, rng: Generator, number: int) -> tuple[Floats, Floats | None]:
    """Return the levels of sources, and those without the systematic errors where there are any."""
    levels, without = np.empty(number), np.empty(max(1, number // _WITHOUT))
    for i in range(number):
        position, source = model.draw(rng)
        ra, dec = place_of(source)
        pixel = pixels29(np.array([ra]), np.array([dec]))
        levels[i] = Levels2D.of(subject.map_of(position, model.systematic_model)).lookup(pixel).searched_prob[0]
        if model.systematic_model is not None and i < len(without):
            without[i] = Levels2D.of(subject.map_of(position)).lookup(pixel).searched_prob[0]
    return levels, None if model.systematic_model is None else without


def _uniform(name: str, levels: Floats) -> Check:
    chance = ks_probability(levels)
    return Check(
        name=f"{name}: levels of true places are uniform within three sigma",
        passed=chance > THREE_SIGMA,
        found=f"largest deviation {ks_distance(levels):.4f}, p = {chance:.3g}, n = {len(levels)}",
    )


def _visible(name: str, levels: Floats) -> Check:
    chance = ks_probability(levels)
    return Check(
        name=f"{name}: levels are visibly not uniform when systematic errors are left out",
        passed=chance < THREE_SIGMA / 10,
        found=f"largest deviation {ks_distance(levels):.4f}, p = {chance:.3g}, n = {len(levels)}",
    )


def _row(name: str, levels: Floats) -> tuple[str, ...]:
    n = len(levels)
    inside = [float(np.mean(levels <= level)) for level in (0.5, 0.9)]
    shares = [f"{found:.1%} +- {np.sqrt(level * (1 - level) / n):.1%}" for found, level in zip(inside, (0.5, 0.9), strict=True)]
    return name, str(n), *shares, f"{ks_distance(levels):.4f}", f"{ks_probability(levels):.3g}"


def _figure(name: str, caption: str, samples: dict[str, Floats]) -> Figure:
    return Figure(
        name=name,
        caption=caption + " Share of true places within a credible level, minus that level.",
        x_label="credible level",
        y_label="share within, minus level",
        curves=pp_curves(samples) if samples else (),
    )


_NOTE = """\
A source's offset from the stated position is drawn from what the notice states, by code that shares nothing with the code that
draws maps (`hub/calibration/error_models.py`): Fermi's core and tail of systematic error in quadrature with the statistical
radius, circles, ellipses and errors that differ by direction of 90 %. The level of the true place in the hub's map of that
notice is then uniform between 0 and 1. The null law cannot see an error here: the mean overlap of two maps is 1 under random
rotations however wide they are.

Mergers are drawn from bent multi-order maps whose distance varies over the sky, a place by the probability of its pixel and a
distance by the distribution along that line of sight."""
