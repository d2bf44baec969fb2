"""What a candidate is worth, as scores: unrelated objects as good as it, maps that it was tried against, its probability.

The numbers follow from what was measured beside the stream (`hub.science.chance`) and from all candidates of an event together
(`hub.science.posterior`). Each is a `Score` with what it follows from, so that it can be computed again: `again`.

What decides whether a candidate is announced is `EXPECTED`, the number of unrelated objects an event that are expected to do as
well. `MU` counts those whose level *and* score are as good. A threshold on that would let more than its value through, for an
object may be better in one and worse in the other; so what decides counts by the score alone, at any level. Terms from outside
of the alerts (catalogues, classes, the ledger) are unknown for the objects in the off maps. They are ratios of likelihoods: no
more than ``exp(-t)`` of the unrelated objects reach their sum ``t`` (Markov's inequality). Where none of the off maps has an
object as good, the count says no more than that it is rarer than about one in so many maps, and the bound that follows from the
whole score is used where it is lower.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.model.coincidence import Candidate, Score
from hub.model.worth import BY_SCORE, CHANCE, EXPECTED, LIVE_MAPS, MEASURED, MU, PROBABILITY, RARER
from hub.science.chance import Background, expected
from hub.science.posterior import Posterior, Share
from hub.science.ranking import Ranking

NOT_MEASURED = "the background of this event has not been measured yet"
"""Why there is no expectation before the first job."""

OTHER_RANKING = "the background was measured with another ranking, and is measured again"
"""Why there is none after the settings changed."""

OTHER_MAP = "the background was measured with another map or time of the event, and is measured again"
"""Why there is none after an update."""

NOT_COVERED = "the current map does not cover its place"

NAMED_MAPS = 20
"""So many of the live maps are named in the inputs; all count."""

MOST_LOG = 700.0
"""Larger exponents than a float can hold are kept at this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorthPolicy:
    """Table ``[worth]`` of conf/counterparts.toml."""

    every_min: float
    """Events whose candidates or background changed are looked at after so many minutes, and not sooner."""

    max_candidates: int
    """Of an event's candidates so many of the best have stored numbers; all count in them."""

    probability_step: float
    """A stored probability that moved by less is not written again."""

    background_step: float
    """A background whose exposure and expectation changed by a smaller share is no new version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The background under which a candidate is looked at."""

    background: Background
    version: int | None
    """Of what is stored; None where nothing is."""

    n_surveys: int = 1
    """Surveys with a background of the same event and hypothesis: each is a trial."""


UNMEASURED = Measured(background=Background(reason=NOT_MEASURED), version=None)
"""Before the first measurement."""


def outside_of(candidate: Candidate, ranking: Ranking) -> float:
    """Return what terms from outside of its alerts count in a candidate's rank: those of off objects are not looked up.

    The term of the onset is among them, for no ledger tells of the visits to an off map as they would have been.
    """
    return math.fsum(value for name, value in ranking.shares(candidate.scores).items() if ranking.is_outside(name))


def chance_scores(candidate: Candidate, measured: Measured, ranking: Ranking) -> tuple[Score, Score, Score]:
    """Return mu, the chance of at least one such object, and the number that decides whether it is announced."""
    outside = outside_of(candidate, ranking)
    own = candidate.score - outside
    found = measured.background
    told = None
    if candidate.level is not None:
        told = expected(found, level=candidate.level, score=own, confirmed=candidate.confirmed)
    if told is None:
        reason = found.reason or NOT_COVERED
        mu = Score(statistic=MU, version=1, value=None, unit="1", inputs={"reason": reason})
        chance = Score(statistic=CHANCE, version=1, value=None, unit="1", inputs={"reason": reason})
        return mu, chance, _expected(candidate.score, reason=reason)
    inputs = {
        "background": [candidate.event_id, candidate.hypothesis, candidate.survey, measured.version],
        "level": candidate.level,
        "score": own,
        "confirmed": candidate.confirmed,
        "n_off": told.n_off,
        "n_off_maps": found.n_off_maps,
        "low": told.low,
        "high": told.high,
        "chance_dispersed": told.chance_dispersed,
    }
    any_level = expected(found, level=1.0, score=own, confirmed=candidate.confirmed)
    assert any_level is not None
    return (
        Score(statistic=MU, version=1, value=told.mu, unit="1", inputs=inputs),
        Score(statistic=CHANCE, version=1, value=told.chance, unit="1", inputs={"mu": told.mu}),
        _expected(
            candidate.score,
            mu=any_level.mu,
            n_off=any_level.n_off,
            n_off_maps=found.n_off_maps,
            outside=outside,
            trials=measured.n_surveys,
        ),
    )


def _expected(score: float, **facts: Any) -> Score:
    inputs = {"score": score, **facts}
    inputs["basis"] = _basis(inputs)
    return Score(statistic=EXPECTED, version=1, value=_expected_value(inputs), unit="1", inputs=inputs)


def _basis(inputs: Mapping[str, Any]) -> str:
    if "mu" not in inputs:
        return BY_SCORE
    return MEASURED if inputs["n_off"] or _counted(inputs) <= _by_score(inputs) else RARER


def _by_score(inputs: Mapping[str, Any]) -> float:
    return math.exp(-max(-MOST_LOG, min(inputs["score"], MOST_LOG)))


def _counted(inputs: Mapping[str, Any]) -> float:
    return float(inputs["mu"] * math.exp(-max(0.0, inputs["outside"])))


def _expected_value(inputs: Mapping[str, Any]) -> float:
    if "mu" not in inputs:
        return _by_score(inputs)
    one = _counted(inputs)
    return float(inputs["trials"] * (one if inputs["n_off"] else min(one, _by_score(inputs))))


def live_maps_score(event_ids: Sequence[str], n_inside: int) -> Score:
    """Return against how many live maps an object was tried, of which it lies inside so many."""
    names = sorted(event_ids)
    inputs = {"events": names[:NAMED_MAPS], "others": max(0, len(names) - NAMED_MAPS), "inside": n_inside}
    return Score(statistic=LIVE_MAPS, version=1, value=float(len(names)), unit="1", inputs=inputs)


def probability_scores(
    answer: Posterior, veto_loss: float, *, asked: Collection[tuple[str, str]] | None = None
) -> dict[tuple[str, str], Score]:
    """Return the probability of each candidate under a hypothesis, or of those that are asked for, by survey and object id."""
    logs = {(one.survey, one.object_id): one.log_weight + _log(one.bright) for one in answer.shares}
    top = max(logs.values(), default=0.0)
    weights = {name: math.exp(log - top) for name, log in logs.items()}
    total = math.fsum(weights.values())
    return {
        (one.survey, one.object_id): _probability(one, answer, veto_loss, total - weights[one.survey, one.object_id], top)
        for one in answer.shares
        if asked is None or (one.survey, one.object_id) in asked
    }


def _probability(one: Share, answer: Posterior, veto_loss: float, others: float, top: float) -> Score:
    own = {
        "log_weight": one.log_weight,
        "left_out": dict(one.left_out),
        "density": [answer.densities[one.survey].basis],
        "n_candidates": len(answer.shares),
    }
    if answer.reason is not None:
        inputs = {"reason": answer.reason, "among_candidates": one.among_candidates, **own}
        return Score(statistic=PROBABILITY, version=1, value=None, unit="1", inputs=inputs)
    inputs = {
        **own,
        "bright": one.bright,
        "log_others": math.log(others) + top if others > 0.0 else None,
        "prior": answer.prior.value,
        "searched": answer.searched.share,
        "bright_enough": answer.searched.bright_enough,
        "veto_loss": veto_loss,
    }
    return Score(statistic=PROBABILITY, version=1, value=_shares_of(inputs)[0], unit="1", inputs=inputs)


def _shares_of(inputs: Mapping[str, Any]) -> tuple[float, dict[str, float]]:
    """Return the probability of a candidate and of the ways in which it is none of them, from the inputs of the first."""
    q, c, d, v = inputs["prior"], inputs["searched"], inputs["bright_enough"], inputs["veto_loss"]
    logs = {
        "own": _log(q * (1.0 - v)) + _log(inputs["bright"]) + inputs["log_weight"],
        "others": _log(q * (1.0 - v)) + (inputs["log_others"] if inputs["log_others"] is not None else -math.inf),
        "not_searched": _log(q * (1.0 - c)),
        "too_faint": _log(q * c * (1.0 - d)),
        "hidden_by_veto": _log(q * c * d * v),
        "does_not_exist": _log(1.0 - q),
    }
    top = max(logs.values())
    weights = {name: math.exp(log - top) for name, log in logs.items()} if top > -math.inf else {**dict.fromkeys(logs, 0.0)}
    total = math.fsum(weights.values())
    if not total > 0.0:
        return 0.0, {"does_not_exist": 1.0}
    return weights["own"] / total, {name: weights[name] / total for name in logs if name not in {"own", "others"}}


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else -math.inf


# ----------------------------------------------------------------------------------------------------------- computed again


def backgrounds_of(scores: Iterable[Score]) -> list[tuple[str, str, str, int]]:
    """Return event, hypothesis, survey and version of the backgrounds that some scores follow from."""
    found = [one.inputs["background"] for one in scores if one.statistic == MU and "background" in one.inputs]
    return [(event_id, hypothesis, survey, version) for event_id, hypothesis, survey, version in found]


def again(score: Score, backgrounds: Mapping[tuple[str, str, str, int], Background]) -> tuple[float | None, str]:
    """Return a number computed again from its inputs, and the arithmetic in words.

    Parameters
    ----------
    score
        One of `hub.model.worth.WORTHS` with a value.
    backgrounds
        Those of `backgrounds_of` that are still stored.
    """
    inputs = score.inputs
    match score.statistic:
        case "mu":
            return _mu_again(inputs, backgrounds)
        case "chance":
            return -math.expm1(-inputs["mu"]), f"1 - exp(-{inputs['mu']:.6g})"
        case "live_maps":
            n = len(inputs["events"]) + inputs["others"]
            return float(n), f"live events whose windows it lies in; it is inside {inputs['inside']} of their maps"
        case "probability":
            value, none = _shares_of(inputs)
            said = ", ".join(f"{name.replace('_', ' ')} {part:.3g}" for name, part in none.items())
            prior, loss = inputs["prior"], inputs["veto_loss"]
            own = f"{prior:.4g} x (1 - {loss:g}) x {inputs['bright']:.4g} x exp({inputs['log_weight']:.4f})"
            return value, f"{own} over the sum of all {inputs['n_candidates']} candidates and of none of them ({said})"
        case _:
            return _expected_value(inputs), _expected_words(inputs)


def _mu_again(inputs: Mapping[str, Any], backgrounds: Mapping[tuple[str, str, str, int], Background]) -> tuple[float | None, str]:
    event_id, hypothesis, survey, version = inputs["background"]
    words = (
        f"{inputs['n_off']} unrelated objects in {inputs['n_off_maps']} off maps of {survey} have a level of at most "
        f"{inputs['level']:.4g} and a score of at least {inputs['score']:.4f} (background version {version})"
    )
    found = backgrounds.get((event_id, hypothesis, survey, version))
    if found is None:
        return None, f"{words}, which is not stored any more"
    told = expected(found, level=inputs["level"], score=inputs["score"], confirmed=inputs["confirmed"])
    return (None if told is None else told.mu), f"{words}, each counted by the exposure inside the map over theirs"


def _expected_words(inputs: Mapping[str, Any]) -> str:
    if "mu" not in inputs:
        return f"exp(-{inputs['score']:.4f}), by {BY_SCORE}: {inputs['reason']}"
    words = f"{inputs['trials']} surveys x {inputs['mu']:.6g} with such a score at any level"
    if inputs["outside"] > 0.0:
        words += f" x exp(-{inputs['outside']:.4f}) for the terms that are unknown of them"
    if inputs["basis"] == RARER:
        words += f", at most exp(-{inputs['score']:.4f}) by its score, for none of {inputs['n_off_maps']} off maps has one"
    return words
