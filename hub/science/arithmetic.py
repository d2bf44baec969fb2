"""The numbers of a coincidence computed again from their stored inputs, with the arithmetic in words."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.model.coincidence import Coincidence, Score
from hub.model.sky import Skymap
from hub.science.healpix import pixels29
from hub.science.levels import Levels2D
from hub.science.overlap import overlap_integral
from hub.science.ranking import DIGITS, VALUES
from hub.science.searches import FarMethod
from hub.science.significance import JointFar, random_association, targeted, untargeted, with_sky

TOLERANCE = 1e-9
"""Largest relative difference, or absolute one of logarithms, between a stored value and the same computed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One number of a coincidence."""

    score: Score
    arithmetic: str
    """How the value follows from its inputs, in one line."""

    again: float | None
    """Computed from the stored inputs; None where there is nothing to compute: an observation, or no value for a reason."""

    @property
    def agrees(self) -> bool | None:
        """Whether the stored value is what its inputs give; None where nothing was computed."""
        if self.again is None:
            return None
        value = self.score.value
        return value is not None and math.isclose(
            value, self.again, rel_tol=TOLERANCE, abs_tol=TOLERANCE * (self.score.unit == "1")
        )


def explained(coincidence: Coincidence, maps: Mapping[str, Skymap]) -> list[Explained]:
    """Return each number of a version with its arithmetic, in the order in which they are stored.

    Parameters
    ----------
    coincidence
        One version.
    maps
        Those of `Coincidence.localization_ids` that are still stored, by id.
    """
    sky = [maps[name] for name in coincidence.localization_ids if name in maps]
    return [_or_not(score, coincidence, sky) for score in coincidence.scores]


def _or_not(score: Score, coincidence: Coincidence, sky: Sequence[Skymap]) -> Explained:
    try:
        return _explained(score, coincidence, sky)
    except (KeyError, TypeError):  # written by a version of the hub that stored fewer of them
        return Explained(score=score, arithmetic="its inputs are not stored with it", again=None)


def _explained(score: Score, coincidence: Coincidence, sky: Sequence[Skymap]) -> Explained:
    if score.value is None:
        return Explained(score=score, arithmetic=str(score.inputs.get("reason", "no value")), again=None)
    how = _HOW.get(score.statistic)
    if how is not None:
        far, words = how(score.inputs)
        return Explained(score=score, arithmetic=words, again=far.value_hz)
    if score.statistic in VALUES:
        again = round(VALUES[score.statistic](score.inputs), DIGITS)
        return Explained(score=score, arithmetic=f"log of a likelihood ratio, from {_listed(score.inputs)}", again=again)
    match score.statistic:
        case "overlap" if len(sky) == 2:
            return Explained(score=score, arithmetic="4 pi x integral of the product of both maps", again=overlap_integral(*sky))
        case "rank":
            return _sum(score, coincidence)
        case "level_2d" if sky:
            pixel = pixels29([score.inputs["ra_deg"]], [score.inputs["dec_deg"]])
            level = float(Levels2D.of(sky[0]).lookup(pixel).searched_prob[0])
            return Explained(score=score, arithmetic=f"probability searched before {_listed(score.inputs)}", again=level)
        case _:
            return Explained(score=score, arithmetic=_listed(score.inputs), again=None)


def _sum(score: Score, coincidence: Coincidence) -> Explained:
    parts = [
        (name, value)
        for name in score.inputs.get("sum_of", ())
        if name in VALUES and (value := coincidence.score(name)) is not None
    ]
    words = " ".join(f"{value:+.4f} ({name})" for name, value in parts)
    return Explained(score=score, arithmetic=words or "the sum of nothing", again=math.fsum(value for _, value in parts))


def _time_only(inputs: Mapping[str, Any]) -> tuple[JointFar, str]:
    low, high = inputs["window_s"]
    first, second = inputs["first_far_hz"], inputs["second_far_hz"]
    if inputs["method"] == FarMethod.TARGETED.value:
        limits = inputs["max_first_far_hz"], inputs["max_second_far_hz"]
        far = targeted(
            window_width_s=high - low,
            first_far_hz=first,
            second_far_hz=second,
            max_first_far_hz=limits[0],
            max_second_far_hz=limits[1],
        )
        z = f"z = {high - low:g} s x {first:.4g} Hz x {second:.4g} Hz"
        return far, f"z (1 - ln(z / z_max)), {z}, z_max = {high - low:g} s x {limits[0]:.4g} Hz x {limits[1]:.4g} Hz"
    own = first if inputs["rate_of"] == "second" else second
    far = untargeted(window_width_s=high - low, rate_hz=inputs["rate_hz"], far_hz=own)
    return far, f"{high - low:g} s x {inputs['rate_hz']:.4g} Hz x FAR {own:.4g} Hz"


def _joint(inputs: Mapping[str, Any]) -> tuple[JointFar, str]:
    far, words = _time_only(inputs)
    return with_sky(far, inputs["overlap"]), f"({words}) / overlap {inputs['overlap']:.6g}"


def _random(inputs: Mapping[str, Any]) -> tuple[JointFar, str]:
    low, high = inputs["window_s"]
    is_targeted = inputs["method"] == FarMethod.TARGETED.value
    rate = inputs["second_far_hz"] if is_targeted else inputs["rate_hz"]
    far = random_association(
        window_width_s=high - low, rate_hz=rate, gw_rate_hz=inputs["other_rate_hz"], overlap=inputs["overlap"]
    )
    words = f"{high - low:g} s x {rate:.4g} Hz x {inputs['other_rate_hz']:.4g} Hz"
    return far, words if inputs["overlap"] is None else f"({words}) / overlap {inputs['overlap']:.6g}"


_HOW: Mapping[str, Callable[[Mapping[str, Any]], tuple[JointFar, str]]] = {
    "joint_far_time_only": _time_only,
    "joint_far": _joint,
    "random_association": _random,
}


def _listed(inputs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in inputs.items()) or "no inputs"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"[{', '.join(_short(one) for one in value)}]" if isinstance(value, list | tuple) else str(value)
