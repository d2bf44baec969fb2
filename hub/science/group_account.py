"""One account of all members of a group at once: the product of their places on one grid, times the terms of their times.

``I_sky = (4 pi)^(k-1) Int prod p_i dOmega`` over the k parts that have a place, exact on the common refinement of their maps. It
is not the product of the overlaps of pairs: three maps can overlap two by two and exclude each other together. ``I_time = prod
T / W`` over the pairs by which the parts belong together, one for each part but the centre. Their product is the Bayes factor of
one source against none in common (Ashton et al. 2018, ApJ 860, 6, for several messengers). It is no false-alarm rate, and the
rates of the pairs are never multiplied: they share members, so they are not independent. A group has a rate of its own where its
law is known, which is so for several detectors of one burst of neutrinos only.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.model.coincidence import Coincidence, Score
from hub.model.group import UNCALIBRATED, Group
from hub.model.sky import Skymap
from hub.science.arithmetic import Explained
from hub.science.healpix import pixels29
from hub.science.joint import rates_again
from hub.science.overlap import overlap_of_all, overlap_with_point
from hub.science.pair_tables import Feeds
from hub.science.searches import FarMethod
from hub.science.spatial import NO_INFORMATION

OVERLAP = "group_overlap"
"""Statistic: I_sky of all parts, dimensionless."""

TIME = "group_time"
"""Statistic: I_time of all parts, dimensionless."""

BAYES = "group_bayes_factor"
"""Statistic: their product."""

FAR = "group_far"
"""Statistic: how often noise alone would make such a group, Hz."""

CHANCE = "group_random_association"
"""Statistic: how often unrelated real events would, Hz."""

WITH_OBJECT = "overlap_with_object"
"""Statistic of each candidate: I_sky of all parts and of its place."""

ONE_PAIR = "the group is one pair of events, whose rates are its own"
"""Why a group of two parts has no rate besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a part of a group lies, as far as it is known."""

    localization_id: str | None
    reason: str = ""
    """Why it says nothing; empty where it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Detectors of one burst of MeV neutrinos, from which its rate follows."""

    feeds_hz: Mapping[str, float]
    """False alarms of every detector that is counted."""

    n_seen: int
    """How many saw it."""

    window_s: tuple[float, float]
    """In which the times of any two lie, widened by clock errors."""

    real_hz: float
    """Rate of real bursts."""


def account(
    places: Mapping[str, Place],
    links: Mapping[str, Coincidence],
    overlap: Callable[[tuple[str, ...]], float],
    several: Several | None,
) -> tuple[Score, ...]:
    """Return the numbers of a group.

    Parameters
    ----------
    places
        Of each part by name, the centre included.
    links
        For each part but the centre the pair by which it belongs there. A part that was observed because of another one, so that
        time and place are no evidence, is left out.
    overlap
        Overlap integral of some localizations by their ids, at least two; ids may repeat.
    several
        The detectors, where the group is one burst of MeV neutrinos and nothing else.
    """
    dependent = {name: "observed because of another member" for name, pair in links.items() if _time_inputs(pair) is None}
    left_out = dependent | {name: one.reason for name, one in places.items() if one.reason and name not in dependent}
    used = {name: one.localization_id for name, one in sorted(places.items()) if name not in left_out and one.localization_id}
    inputs: dict[str, Any] = {"maps": used, "left_out": left_out}
    if len(used) < 2:
        sky, inputs["reason"] = 1.0, f"{NO_INFORMATION} of two members"
    else:
        sky = overlap(tuple(sorted(used.values())))
    timed = {name: found for name, pair in sorted(links.items()) if (found := _time_inputs(pair)) is not None}
    terms = [{"part": name, "coincidence_id": links[name].coincidence_id, **found} for name, found in timed.items()]
    time = _time(terms)
    return (
        Score(statistic=OVERLAP, version=1, value=sky, unit="1", inputs=inputs),
        Score(statistic=TIME, version=1, value=time, unit="1", inputs={"terms": terms}),
        Score(statistic=BAYES, version=1, value=sky * time, unit="1", inputs={"overlap": sky, "time": time}),
        *_rates(several, len(links) + 1),
    )


def several_of(
    names: Mapping[str, frozenset[str]], fars_hz: Mapping[str, float | None], window_s: tuple[float, float], feeds: Feeds
) -> Several:
    """Return the detectors that saw one burst among all that are counted.

    Parameters
    ----------
    names
        For each event the detectors that it is of.
    fars_hz
        For each event the rate of false alarms that it states.
    window_s
        The widest of their pairs'.
    feeds
        Detectors that are counted, and their rates.
    """
    rates = dict.fromkeys(feeds.names, feeds.false_alarms_hz)
    for event_id, detectors in names.items():
        stated = fars_hz[event_id]
        for name in detectors:
            rates[name] = feeds.false_alarms_hz if stated is None else stated
    return Several(feeds_hz=dict(sorted(rates.items())), n_seen=len(names), window_s=window_s, real_hz=feeds.real_hz)


def rate_inputs(several: Several) -> dict[str, Any]:
    """Return what the rates of several detectors are computed from, as pairs store it."""
    return {
        "method": FarMethod.FEEDS.value,
        "window_s": list(several.window_s),
        "feeds_hz": dict(several.feeds_hz),
        "at_least": several.n_seen,
        "real_hz": several.real_hz,
    }


def with_object(pair: Coincidence, name: str, maps: Mapping[str, Skymap]) -> Score | None:
    """Return the overlap of all maps of a group with the place of a candidate, 0 where one of them excludes it.

    None where its coincidence does not say where it lies.
    """
    level = next((score for score in pair.scores if score.statistic == "level_2d"), None)
    if level is None or not {"ra_deg", "dec_deg"} <= set(level.inputs) or not maps:
        return None
    inputs = {
        "object": name,
        "coincidence_id": pair.coincidence_id,
        "ra_deg": level.inputs["ra_deg"],
        "dec_deg": level.inputs["dec_deg"],
        "maps": sorted(maps),
    }
    return Score(statistic=WITH_OBJECT, version=1, value=_at_point(inputs, maps), unit="1", inputs=inputs)


def explained(group: Group, maps: Mapping[str, Skymap]) -> list[Explained]:
    """Return each number of a group computed again from its stored inputs, with the arithmetic in words.

    Parameters
    ----------
    group
        One version.
    maps
        Those of `Group.localization_ids` that are still stored, by id.
    """
    return [_explained(score, maps) for score in group.scores]


def _explained(score: Score, maps: Mapping[str, Skymap]) -> Explained:
    inputs = score.inputs
    if score.value is None:
        return Explained(score=score, arithmetic=str(inputs.get("reason", "no value")), again=None)
    match score.statistic:
        case "group_overlap" if "reason" in inputs:
            return Explained(score=score, arithmetic=f"1, for there is {inputs['reason']}", again=1.0)
        case "group_overlap" if set(inputs["maps"].values()) <= set(maps):
            words = f"(4 pi)^{len(inputs['maps']) - 1} x integral of the product of the maps of {', '.join(inputs['maps'])}"
            return Explained(score=score, arithmetic=words, again=overlap_of_all([maps[one] for one in inputs["maps"].values()]))
        case "group_time":
            words = " x ".join(f"{one['co_observing_s']:g} s / {_width(one):g} s ({one['part']})" for one in inputs["terms"])
            return Explained(score=score, arithmetic=words or "the product of nothing", again=_time(inputs["terms"]))
        case "group_bayes_factor":
            words = f"overlap {inputs['overlap']:.6g} x time {inputs['time']:.6g}"
            return Explained(score=score, arithmetic=words, again=inputs["overlap"] * inputs["time"])
        case "group_far" | "group_random_association":
            rates = rates_again(inputs)
            again = rates.time_only if score.statistic == FAR else rates.random_association_time_only
            r, n = inputs["at_least"], len(inputs["feeds_hz"])
            real = "" if score.statistic == FAR else f", each with {inputs['real_hz']:.4g} Hz of real events"
            words = (
                f"{r} x ({0.5 * _width(inputs):g} s)^{r - 1} x sum over {r} of {n} detectors of the product of their rates{real}"
            )
            return Explained(score=score, arithmetic=words, again=again.value_hz)
        case "overlap_with_object" if set(inputs["maps"]) <= set(maps):
            words = f"product of 4 pi x density of {len(inputs['maps'])} maps at {inputs['object']}"
            return Explained(score=score, arithmetic=words, again=_at_point(inputs, maps))
        case _:
            return Explained(score=score, arithmetic="a map that it was computed with is not stored any more", again=None)


def _rates(several: Several | None, n_parts: int) -> tuple[Score, Score]:
    if several is None:
        reason = {"reason": ONE_PAIR if n_parts == 2 else UNCALIBRATED}
        return (
            Score(statistic=FAR, version=1, value=None, unit="Hz", inputs=reason),
            Score(statistic=CHANCE, version=1, value=None, unit="Hz", inputs=reason),
        )
    inputs = rate_inputs(several)
    rates = rates_again(inputs)
    noise, chance = rates.time_only, rates.random_association_time_only
    return (
        Score(statistic=FAR, version=1, value=noise.value_hz, unit="Hz", inputs={**inputs, "reason": noise.reason}),
        Score(statistic=CHANCE, version=1, value=chance.value_hz, unit="Hz", inputs={**inputs, "reason": chance.reason}),
    )


def _time_inputs(pair: Coincidence) -> dict[str, Any] | None:
    """Return the window and the time of co-observation of a pair; None where its time is no evidence."""
    odds = next((score for score in pair.scores if score.statistic == "bayes_factor"), None)
    if odds is None or odds.value is None:
        return None
    return {"window_s": list(odds.inputs["window_s"]), "co_observing_s": odds.inputs["co_observing_s"]}


def _time(terms: Sequence[Mapping[str, Any]]) -> float:
    return float(math.prod(one["co_observing_s"] / _width(one) for one in terms))


def _width(inputs: Mapping[str, Any]) -> float:
    low, high = inputs["window_s"]
    return float(high - low)


def _at_point(inputs: Mapping[str, Any], maps: Mapping[str, Skymap]) -> float:
    (pixel,) = pixels29([inputs["ra_deg"]], [inputs["dec_deg"]]).tolist()
    return math.prod(overlap_with_point(maps[name], pixel) for name in inputs["maps"])
