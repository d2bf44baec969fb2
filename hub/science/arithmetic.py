"""The numbers of a coincidence computed again from their stored inputs, with the arithmetic in words."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hub.model.coincidence import Coincidence, Score
from hub.model.joint_rates import CHANCE, CHANCE_BY_TIME, NOISE, NOISE_BY_TIME
from hub.model.sky import Skymap
from hub.model.worth import WORTHS
from hub.science import worth
from hub.science.chance import Background
from hub.science.healpix import pixels29
from hub.science.joint import rates_again, searched_hz
from hub.science.levels import Levels2D, Levels3D
from hub.science.odds import bayes_factor, prior_odds
from hub.science.overlap import overlap_integral
from hub.science.ranking import DIGITS, FORMER, PLUGIN, STORED_WITHOUT, VALUES
from hub.science.searches import FarMethod

NO_PLUGINS: Mapping[str, Callable[[Mapping[str, Any]], float]] = {}
NO_BACKGROUNDS: Mapping[tuple[str, str, str, int], Background] = {}

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


def explained(
    coincidence: Coincidence,
    maps: Mapping[str, Skymap],
    *,
    plugins: Mapping[str, Callable[[Mapping[str, Any]], float]] = NO_PLUGINS,
    backgrounds: Mapping[tuple[str, str, str, int], Background] = NO_BACKGROUNDS,
) -> list[Explained]:
    """Return each number of a version with its arithmetic, in the order in which they are stored.

    Parameters
    ----------
    coincidence
        One version.
    maps
        Those of `Coincidence.localization_ids` that are still stored, by id.
    plugins
        By name, the functions of the plug-ins that computed some of its terms.
    backgrounds
        Those of `hub.science.worth.backgrounds_of` that are still stored.
    """
    sky = [maps[name] for name in coincidence.localization_ids if name in maps]
    return [_or_not(score, coincidence, sky, plugins, backgrounds) for score in coincidence.shown_scores]


def _or_not(
    score: Score,
    coincidence: Coincidence,
    sky: Sequence[Skymap],
    plugins: Mapping[str, Any] = NO_PLUGINS,
    backgrounds: Mapping[tuple[str, str, str, int], Background] = NO_BACKGROUNDS,
) -> Explained:
    try:
        if PLUGIN in score.inputs:
            return _by_plugin(score, plugins)
        if score.statistic in WORTHS and score.value is not None:
            again, words = worth.again(score, backgrounds)
            return Explained(score=score, arithmetic=words, again=again)
        return _members(score) if score.statistic == "source_members" else _explained(score, coincidence, sky)
    except (KeyError, TypeError):  # written by a version of the hub that stored fewer of them
        return Explained(score=score, arithmetic="its inputs are not stored with it", again=None)


def _by_plugin(score: Score, plugins: Mapping[str, Any]) -> Explained:
    """Return a term of the rank that another package computed."""
    inputs = dict(score.inputs)
    name = inputs.pop(PLUGIN)
    if name not in plugins:
        return Explained(score=score, arithmetic=f"by the plug-in {name!r}, which is not installed here", again=None)
    try:
        again = round(float(plugins[name](inputs)), DIGITS)
    except Exception as error:  # noqa: BLE001 - foreign code: the other numbers are explained all the same
        words = f"by the plug-in {name!r}, which broke: {type(error).__name__}"
        return Explained(score=score, arithmetic=words, again=math.nan)
    return Explained(score=score, arithmetic=f"by the plug-in {name!r}, from {_listed(inputs)}", again=again)


def _explained(score: Score, coincidence: Coincidence, sky: Sequence[Skymap]) -> Explained:
    if score.value is None:
        return Explained(score=score, arithmetic=str(score.inputs.get("reason", "no value")), again=None)
    if score.statistic in (NOISE, NOISE_BY_TIME, CHANCE, CHANCE_BY_TIME):
        again, words = _joint(score.statistic, score.inputs, score.version)
        return Explained(score=score, arithmetic=words, again=again)
    if score.statistic == "bayes_factor":
        again, words = _odds(score.inputs)
        return Explained(score=score, arithmetic=words, again=again)
    if score.statistic.startswith("published_"):
        return _published(score)
    if score.statistic in VALUES:
        value_of = FORMER.get((score.statistic, score.version), VALUES[score.statistic])
        inputs = {**STORED_WITHOUT.get(score.statistic, {}), **score.inputs}
        again = round(value_of(inputs), DIGITS)
        return Explained(score=score, arithmetic=f"log of a likelihood ratio, from {_listed(score.inputs)}", again=again)
    match score.statistic:
        case "overlap" if "reason" in score.inputs or len(sky) == 2:
            return _overlap(score, sky)
        case "rank":
            return _sum(score, coincidence)
        case "level_2d" if sky:
            pixel = pixels29([score.inputs["ra_deg"]], [score.inputs["dec_deg"]])
            level = float(Levels2D.of(sky[0]).lookup(pixel).searched_prob[0])
            return Explained(score=score, arithmetic=f"probability searched before {_listed(score.inputs)}", again=level)
        case "level_3d" if sky and sky[0].has_distance:
            place = np.array([score.inputs["hpx29"]], dtype=np.int64)
            volume = Levels3D.of(sky[0]).lookup(place, [score.inputs["distance_mpc"]])
            words = f"probability of the voxels searched before {score.inputs['distance_mpc']:.6g} Mpc there"
            return Explained(score=score, arithmetic=words, again=float(volume.searched_prob_vol[0]))
        case _:
            return Explained(score=score, arithmetic=_listed(score.inputs), again=None)


def _overlap(score: Score, sky: Sequence[Skymap]) -> Explained:
    if "reason" in score.inputs:
        return Explained(score=score, arithmetic=f"1, for there is {score.inputs['reason']}", again=1.0)
    return Explained(score=score, arithmetic="4 pi x integral of the product of both maps", again=overlap_integral(*sky))


def _members(score: Score) -> Explained:
    members = score.inputs["members"]
    return Explained(score=score, arithmetic=f"one burst: {', '.join(members)}", again=float(len(members)))


def _published(score: Score) -> Explained:
    """Return a number that somebody else published, or what ours is divided by it."""
    if "ours_hz" not in score.inputs:
        return Explained(score=score, arithmetic=f"as {score.inputs['source']} published it", again=None)
    ours, theirs = score.inputs["ours_hz"], score.inputs["published_hz"]
    words = f"ours {ours:.6g} Hz / {theirs:.6g} Hz of {score.inputs['source']}"
    return Explained(score=score, arithmetic=words, again=ours / theirs)


def _sum(score: Score, coincidence: Coincidence) -> Explained:
    weights = score.inputs.get("weights", {})
    of_plugins = {one.statistic for one in coincidence.scores if PLUGIN in one.inputs}
    parts = [
        (f"{weights[name]:g} x {name}" if name in weights else name, weights.get(name, 1.0) * value)
        for name in score.inputs.get("sum_of", ())
        if (name in VALUES or name in of_plugins) and (value := coincidence.score(name)) is not None
    ]
    words = " ".join(f"{value:+.4f} ({name})" for name, value in parts)
    return Explained(score=score, arithmetic=words or "the sum of nothing", again=math.fsum(value for _, value in parts))


def _joint(name: str, inputs: Mapping[str, Any], version: int) -> tuple[float | None, str]:
    """Return one of the rates of a pair of events from its inputs, with the arithmetic in words."""
    rates = rates_again(inputs, version)
    far = {
        NOISE: rates.spacetime,
        NOISE_BY_TIME: rates.time_only,
        CHANCE: rates.random_association,
        CHANCE_BY_TIME: rates.random_association_time_only,
    }[name]
    words = _by_time(inputs, is_noise=name in (NOISE, NOISE_BY_TIME))
    overlap = inputs.get("overlap") if name in (NOISE, CHANCE) else None
    if overlap is None or inputs["method"] == FarMethod.ANSWERING.value:
        return far.value_hz, words
    return far.value_hz, f"({words}) / overlap {overlap:.6g}"


def _by_time(inputs: Mapping[str, Any], *, is_noise: bool) -> str:
    low, high = inputs["window_s"]
    width = f"{high - low:g} s"
    first, second = inputs["first_far_hz"], inputs["second_far_hz"]
    match FarMethod(inputs["method"]):
        case FarMethod.ANSWERING:
            searched = f"{searched_hz(inputs) or 0.0:.4g} Hz{_basis(inputs, 'searched')}"
            return f"{inputs['p_property']} {inputs['p_value']:g} x {searched} of searched events"
        case FarMethod.FEEDS:
            real = "" if is_noise else f", each with {inputs['real_hz']:.4g} Hz of real events"
            r, n = inputs["at_least"], len(inputs["feeds_hz"])
            return f"{r} x ({0.5 * (high - low):g} s)^{r - 1} x sum over {r} of {n} detectors of the product of their rates{real}"
        case FarMethod.TARGETED if is_noise:
            limits = inputs["max_first_far_hz"], inputs["max_second_far_hz"]
            z = f"z = {width} x {first:.4g} Hz x {second:.4g} Hz"
            return f"z (1 - ln(z / z_max)), {z}, z_max = {width} x {limits[0]:.4g} Hz x {limits[1]:.4g} Hz"
        case FarMethod.TARGETED if inputs.get("max_other_rate_hz") is not None:
            other, most, limit = inputs["other_rate_hz"], inputs["max_other_rate_hz"], inputs["max_second_far_hz"]
            z = f"z = {width} x {other:.4g} Hz{_basis(inputs, 'other_rate')} x {second:.4g} Hz"
            return f"z (1 - ln(z / z_max)), {z}, z_max = {width} x {most:.4g} Hz x {limit:.4g} Hz, at least that of noise"
        case FarMethod.TARGETED:
            return f"{width} x {second:.4g} Hz x {inputs['other_rate_hz']:.4g} Hz"
        case FarMethod.UNTARGETED if is_noise:
            own = first if inputs["rate_of"] == "second" else second
            return f"{width} x {inputs['rate_hz']:.4g} Hz{_basis(inputs, 'rate')} x FAR {own:.4g} Hz"
        case FarMethod.UNTARGETED:
            return (
                f"{width} x {inputs['rate_hz']:.4g} Hz{_basis(inputs, 'rate')} x "
                f"{inputs['other_rate_hz']:.4g} Hz{_basis(inputs, 'other_rate')}"
            )


def _basis(inputs: Mapping[str, Any], name: str) -> str:
    basis = inputs.get(f"{name}_basis")
    return "" if basis is None else f" ({basis}; configured {inputs[f'configured_{name}_hz']:.4g} Hz)"


def _odds(inputs: Mapping[str, Any]) -> tuple[float | None, str]:
    low, high = inputs["window_s"]
    value = bayes_factor(
        window_width_s=high - low,
        co_observing_s=inputs["co_observing_s"],
        overlap=inputs["overlap"],
        in_window=inputs["in_window"],
    )
    place = 1.0 if inputs["overlap"] is None else inputs["overlap"]
    words = f"overlap {place:.6g} x {inputs['co_observing_s']:g} s / {high - low:g} s"
    prior = (
        prior_odds(
            joint_hz=inputs["joint_rate_hz"],
            first_hz=inputs["first_hz"],
            second_hz=inputs["second_hz"],
            co_observing_s=inputs["co_observing_s"],
        )
        if "joint_rate_hz" in inputs
        else None
    )
    beside = (
        ""
        if prior is None
        else (
            f"; prior odds {prior:.4g} = {inputs['joint_rate_hz']:.4g} Hz / "
            f"({inputs['first_hz']:.4g} Hz x {inputs['second_hz']:.4g} Hz"
            f" x {inputs['co_observing_s']:g} s)"
        )
    )
    return value, (words if inputs["in_window"] else "0: the times do not agree") + beside


def _listed(inputs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in inputs.items()) or "no inputs"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"[{', '.join(_short(one) for one in value)}]" if isinstance(value, list | tuple) else str(value)
