"""The joint numbers of two events: false-alarm rate and random association, by whichever method the pair asks for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.model.coincidence import Score
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.joint_rates import CHANCE, CHANCE_BY_TIME, NOISE, NOISE_BY_TIME, JointFar, JointRates
from hub.model.notice import EventClass
from hub.science.odds import bayes_factor, prior_odds
from hub.science.pair_tables import p_value
from hub.science.rate_questions import Asked, Counted, RateQuestion
from hub.science.rules import FarMethod, PairRule, RateOf, Rules
from hub.science.significance import (
    answering,
    not_rarer,
    of_feeds,
    random_association,
    random_targeted,
    targeted,
    untargeted,
    with_sky,
)
from hub.science.trigger_columns import Triggers
from hub.science.trigger_rates import RateBasis, UsedRate
from hub.science.windows import Window, current_time

DEPENDENT = "no independent significance: one of the two was observed because of the other, so chance windows do not apply"
"""Why a pair has no rate."""

VERSION = 3
"""Of the scores of rates."""

_Told = Mapping[RateQuestion, UsedRate]

_SOURCES = {
    RateBasis.CONFIGURED: "configured",
    RateBasis.MEASURED: "measured",
    RateBasis.STORM: "in a storm of them",
    RateBasis.OWN_FAR: "its own false-alarm rate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairNumbers:
    """What two events make of each other, in numbers."""

    rates: JointRates
    scores: tuple[Score, ...]
    words: tuple[str, ...]
    """Sentences for a person about rates that were measured, odds and published numbers."""

    asked: tuple[Asked, ...] = ()
    """What was asked of the triggers: all that follows from other events."""


def numbers(  # noqa: PLR0917 - what the numbers follow from
    rule: PairRule, first: Event, second: Event, shared: float | None, window: Window, rules: Rules, triggers: Triggers | None
) -> PairNumbers:
    """Return the numbers of a pair, each with all that it was computed from.

    Parameters
    ----------
    rule
        Of the pair.
    first, second
        Its members.
    shared
        Overlap integral of their maps; None where one has none.
    window
        In which they lie.
    rules
        Tables of rates, clocks, odds.
    triggers
        All events of the time before, from which rates are measured; None for the configured ones.
    """
    inputs: dict[str, Any] = {
        "window_s": list(window.interval_s),
        "rule": rule.name,
        **({"widened_s": list(window.widened_s)} if any(window.widened_s) else {}),
        "first_far_hz": first.far_hz,
        "second_far_hz": second.far_hz,
    }
    method, p = _method(rule, first, second, rules)
    at = _earlier(first, second)
    told = _told(method, rule, first, second, rules, triggers, at)
    if method is None:
        inputs["method"] = "dependent"
        refused = JointFar(value_hz=None, reason=DEPENDENT)
        rates = JointRates(time_only=refused, spacetime=refused, random_association=refused, random_association_time_only=refused)
    else:
        inputs |= {"method": method.value} | _inputs_of(method, rule, first, second, rules, told, at, p)
        rates = rates_again({**inputs, "overlap": shared})
    scores = [
        _score(NOISE_BY_TIME, rates.time_only, inputs),
        _score(NOISE, rates.spacetime, {**inputs, "overlap": shared}),
        _score(CHANCE_BY_TIME, rates.random_association_time_only, inputs),
        _score(CHANCE, rates.random_association, {**inputs, "overlap": shared}),
        _odds_score(rule, shared, window, inputs, rules),
    ]
    asked = tuple(Asked.of(question, answer) for question, answer in told.items())
    return PairNumbers(rates=rates, scores=tuple(scores), words=_words(inputs, scores[-1]), asked=asked)


def rates_again(inputs: Mapping[str, Any], version: int = VERSION) -> JointRates:
    """Return the rates of a pair from what is stored with them: the arithmetic and nothing else.

    Parameters
    ----------
    inputs
        Of any of the scores.
    version
        Of the score: up to 2, the rate of unrelated real events could be below that of noise.

    Raises
    ------
    KeyError
        An input of the method is missing.
    """
    method, overlap = FarMethod(inputs["method"]), inputs.get("overlap")
    low, high = inputs["window_s"]
    width = high - low
    if method is FarMethod.ANSWERING:
        rate_hz = searched_hz(inputs)
        found = (
            JointFar(value_hz=None, reason="no rate of the events that are searched is known")
            if rate_hz is None
            else answering(p_value=inputs["p_value"], searched_hz=rate_hz)
        )
        by_time = JointFar(value_hz=None, reason="the probability that the search states has place and time in it")
        return JointRates(time_only=by_time, spacetime=found, random_association=found, random_association_time_only=by_time)
    if method is FarMethod.FEEDS:
        feeds = inputs["feeds_hz"]
        noise = of_feeds(list(feeds.values()), at_least=inputs["at_least"], window_width_s=width)
        real = [rate + inputs["real_hz"] for rate in feeds.values()]
        chance = of_feeds(real, at_least=inputs["at_least"], window_width_s=width)
    elif method is FarMethod.TARGETED:
        noise = targeted(
            window_width_s=width,
            first_far_hz=inputs["first_far_hz"],
            second_far_hz=inputs["second_far_hz"],
            max_first_far_hz=inputs["max_first_far_hz"],
            max_second_far_hz=inputs["max_second_far_hz"],
        )
        chance = _chance_of_targeted(width, inputs)
    else:
        own = inputs["first_far_hz"] if inputs["rate_of"] == RateOf.SECOND.value else inputs["second_far_hz"]
        noise = untargeted(window_width_s=width, rate_hz=inputs["rate_hz"], far_hz=own)
        chance = _chance(width, inputs["rate_hz"], inputs.get("other_rate_hz"))
    chance = not_rarer(chance, noise) if version > 2 else chance
    return JointRates.together(
        time_only=noise,
        spacetime=with_sky(noise, overlap),
        random_association=chance if overlap is None else with_sky(chance, overlap),
        random_association_time_only=chance,
        rate_hz=inputs.get("rate_hz"),
    )


def searched_hz(inputs: Mapping[str, Any]) -> float | None:
    """Return the rate of the events that an answering search looks around; before version 3 of the scores it had another name."""
    found = inputs["searched_hz"] if "searched_hz" in inputs else inputs["other_rate_hz"]
    return None if found is None else float(found)


def depends(first: Event, second: Event) -> bool:
    """Tell whether one of two events was observed because of the other."""
    return _cites(first, second) or _cites(second, first) or _commanded_after(first, second) or _commanded_after(second, first)


def answers_another(event: Event, other: Event, rules: Rules) -> bool:
    """Tell whether an event is a search that answers an event, and not this one: it has no time of its own to be compared."""
    if p_value(event, rules.answering) is None or not event.depends_on or _cites(event, other):
        return False
    return all(notice.depends_on for notice in event.content)


def detectors(event: Event) -> frozenset[str]:
    """Return the detectors that saw an event."""
    named = (name.strip() for notice in event.content for name in (notice.instrument or notice.mission).split(","))
    return frozenset(filter(None, named))


def _cites(one: Event, other: Event) -> bool:
    return bool({other.event_id, *other.aliases} & set(one.depends_on))


def _commanded_after(one: Event, other: Event) -> bool:
    """Tell whether an observation was commanded, nobody says because of what, and the other came first."""
    if one.properties.get("tense") != "commanded" or one.depends_on:
        return False
    times = current_time(one), current_time(other)
    return times[0] is None or times[1] is None or times[1] <= times[0]


def _method(rule: PairRule, first: Event, second: Event, rules: Rules) -> tuple[FarMethod | None, tuple[str, float] | None]:
    """Return how a pair is computed; None where one depends on the other and nothing independent is known."""
    if not depends(first, second):
        return rule.method, None
    if rule.method is FarMethod.TARGETED:
        return rule.method, None  # the search looked around the other, at the rate that it states
    stated = [p for event in (first, second) if (p := p_value(event, rules.answering)) is not None]
    return (FarMethod.ANSWERING, stated[0]) if len(stated) == 1 else (None, None)


def _inputs_of(  # noqa: PLR0917 - what the methods ask for
    method: FarMethod,
    rule: PairRule,
    first: Event,
    second: Event,
    rules: Rules,
    told: _Told,
    at: Instant | None,
    p: tuple[str, float] | None,
) -> dict[str, Any]:
    if method is FarMethod.FEEDS:
        assert rules.feeds is not None
        feeds = dict.fromkeys(rules.feeds.names, rules.feeds.false_alarms_hz)
        for event in (first, second):
            for name in detectors(event):
                feeds[name] = rules.feeds.false_alarms_hz if event.far_hz is None else event.far_hz
        return {"feeds_hz": dict(sorted(feeds.items())), "at_least": rules.feeds.at_least, "real_hz": rules.feeds.real_hz}
    if method is FarMethod.ANSWERING:
        assert p is not None
        searched = _searched(first, second, rules)
        used = _rate_of_alerts(searched, rule, first, rules, told, at, far_hz=None)
        rate_of_searched = {"searched_hz": None} if used is None else _stored("searched", used.at_least(searched.far_hz))
        return {"p_value": p[1], "p_property": p[0]} | rate_of_searched
    found: dict[str, Any] = {"rate_of": rule.rate_of.value}
    if method is FarMethod.TARGETED:
        found |= {"max_first_far_hz": rule.max_first_far_hz, "max_second_far_hz": rule.max_second_far_hz}
    else:
        alarms = _alarms(second if rule.rate_of is RateOf.SECOND else first, rules)
        found |= alarms | _stored("rate", _rate_of_triggers(rule, first, second, rules, told, at))
    other = _other(method, rule, first, second)
    used = _rate_of_alerts(other, rule, first, rules, told, at, far_hz=other.far_hz)
    if used is None:
        return found | {"other_rate_hz": None}
    used = used.at_least(other.far_hz)
    if method is FarMethod.TARGETED:
        most = _rate_of_alerts(other, rule, first, rules, told, at, far_hz=rule.max_first_far_hz)
        found["max_other_rate_hz"] = used.hz if most is None else max(most.hz, used.hz)
    return found | _stored("other_rate", used)


def _alarms(event: Event, rules: Rules) -> dict[str, Any]:
    """Return how often detectors that are counted together give alarms, each by itself; nothing of other events.

    A detector whose notice states a false-alarm rate has that one, the others have that of the table.
    """
    feeds = rules.feeds
    if feeds is None or event.event_class is not feeds.event_class:
        return {}
    by_name = dict.fromkeys(feeds.names, feeds.false_alarms_hz)
    for name in detectors(event):
        by_name[name] = feeds.false_alarms_hz if event.far_hz is None else event.far_hz
    return {
        "alarms_hz": dict(sorted(by_name.items())),
        "alarms_real_hz": feeds.real_hz,
        "alarms_sum_hz": math.fsum([*by_name.values(), feeds.real_hz]),
    }


def _told(  # noqa: PLR0917 - what a rate is measured from
    method: FarMethod | None,
    rule: PairRule,
    first: Event,
    second: Event,
    rules: Rules,
    triggers: Triggers | None,
    at: Instant | None,
) -> _Told:
    """Return what a pair asks of the triggers, with the answers; nothing where rates are the configured ones."""
    if triggers is None or at is None:
        return {}
    match method:
        case None | FarMethod.FEEDS:
            asked: list[RateQuestion | None] = []
        case FarMethod.ANSWERING:
            asked = [_alerts(_searched(first, second, rules), rule, first, rules, at, far_hz=None)]
        case FarMethod.TARGETED:
            other = _other(method, rule, first, second)
            asked = [_alerts(other, rule, first, rules, at, far_hz=far) for far in (other.far_hz, rule.max_first_far_hz)]
        case _:
            other = _other(method, rule, first, second)
            triggered = _triggers(rule, first, second, rules, at)
            asked = [triggered, _alerts(other, rule, first, rules, at, far_hz=other.far_hz)]
    return {one: one.answer(triggers, rules.rate_policy) for one in asked if one is not None}


def _searched(first: Event, second: Event, rules: Rules) -> Event:
    """Return the event that a search was made because of."""
    return second if p_value(first, rules.answering) is not None else first


def _other(method: FarMethod, rule: PairRule, first: Event, second: Event) -> Event:
    """Return the member of which alerts at least as significant are counted."""
    return first if method is FarMethod.TARGETED or rule.rate_of is RateOf.SECOND else second


def _triggers(rule: PairRule, first: Event, second: Event, rules: Rules, at: Instant) -> RateQuestion:
    """Return the question how often unrelated triggers of the other kind come."""
    of_second = rule.rate_of is RateOf.SECOND
    return RateQuestion(
        counted=Counted.TRIGGERS,
        classes=rule.second if of_second else rule.first,
        missions=rule.second_missions if of_second else (),
        at=at,
        configured_hz=_configured_hz(rule, first, second, rules),
    )


def _rate_of_triggers(  # noqa: PLR0917 - the same
    rule: PairRule, first: Event, second: Event, rules: Rules, told: _Told, at: Instant | None
) -> UsedRate:
    """Return that rate."""
    known = None if at is None else told.get(_triggers(rule, first, second, rules, at))
    return known or _configured(_configured_hz(rule, first, second, rules))


def _configured_hz(rule: PairRule, first: Event, second: Event, rules: Rules) -> float:
    assert rule.rate_hz is not None
    alarms = _alarms(second if rule.rate_of is RateOf.SECOND else first, rules)
    return float(alarms.get("alarms_sum_hz", rule.rate_hz))


def _alerts(
    event: Event, rule: PairRule, first: Event, rules: Rules, at: Instant, *, far_hz: float | None
) -> RateQuestion | None:
    """Return the question how often alerts of the class of one come, up to a false-alarm rate, real ones included.

    For a search that answers an event it is about all alerts of the class, however significant this one is. None where nothing is
    configured of them.
    """
    event_class, configured_hz = _class_rate(event, rule, first, rules)
    if configured_hz is None:
        return None
    return RateQuestion(counted=Counted.ALERTS, classes=(event_class,), far_hz=far_hz, at=at, configured_hz=configured_hz)


def _rate_of_alerts(  # noqa: PLR0917 - the same
    event: Event, rule: PairRule, first: Event, rules: Rules, told: _Told, at: Instant | None, *, far_hz: float | None
) -> UsedRate | None:
    """Return that rate; None where none is known."""
    question = None if at is None else _alerts(event, rule, first, rules, at, far_hz=far_hz)
    known = None if question is None else told.get(question)
    _, configured_hz = _class_rate(event, rule, first, rules)
    return known or (None if configured_hz is None else _configured(configured_hz))


def _class_rate(event: Event, rule: PairRule, first: Event, rules: Rules) -> tuple[EventClass, float | None]:
    """Return of which class an event counts in a pair, and how often its alerts come as the rules state it."""
    allowed = rule.first if event is first else rule.second
    event_class = event.event_class if event.event_class in allowed else allowed[0]
    return event_class, rules.class_rates_hz.get(event_class, rule.other_rate_hz)


def _earlier(first: Event, second: Event) -> Instant | None:
    times = [time for time in (current_time(first), current_time(second)) if time is not None]
    return min(times, default=None)


def _configured(hz: float) -> UsedRate:
    return UsedRate(hz=hz, basis=RateBasis.CONFIGURED, configured_hz=hz, reason="configured")


def _stored(name: str, used: UsedRate) -> dict[str, Any]:
    found: dict[str, Any] = {f"{name}_hz": used.hz}
    if used.basis is not RateBasis.CONFIGURED:
        found |= {f"{name}_basis": used.basis.value, f"configured_{name}_hz": used.configured_hz}
    return found


def _chance(width_s: float, rate_hz: float | None, other_hz: float | None) -> JointFar:
    if rate_hz is None or other_hz is None:
        return JointFar(value_hz=None, reason="no rate of unrelated real events is known")
    return random_association(window_width_s=width_s, rate_hz=rate_hz, gw_rate_hz=other_hz, overlap=None)


def _chance_of_targeted(width_s: float, inputs: Mapping[str, Any]) -> JointFar:
    most = inputs.get("max_other_rate_hz")
    if most is None:  # no rate is known, or stored by version 2 of the scores, which had none
        return _chance(width_s, inputs["second_far_hz"], inputs.get("other_rate_hz"))
    return random_targeted(
        window_width_s=width_s,
        gw_rate_hz=inputs["other_rate_hz"],
        max_gw_rate_hz=most,
        far_hz=inputs["second_far_hz"],
        max_far_hz=inputs["max_second_far_hz"],
    )


def _score(name: str, far: JointFar, inputs: Mapping[str, object]) -> Score:
    return Score(statistic=name, version=VERSION, value=far.value_hz, unit="Hz", inputs={**inputs, "reason": far.reason})


def _odds_score(rule: PairRule, shared: float | None, window: Window, inputs: Mapping[str, Any], rules: Rules) -> Score:
    """Return the Bayes factor of a common source with the prior odds beside it, never merged with a rate."""
    if inputs["method"] in ("dependent", FarMethod.ANSWERING.value):
        reason = "one of the two was observed because of the other: time and place are no evidence"
        return Score(statistic="bayes_factor", version=1, value=None, unit="1", inputs={"reason": reason})
    stored: dict[str, Any] = {
        "window_s": list(window.interval_s),
        "in_window": window.is_inside,
        "co_observing_s": rules.odds.co_observing_s,
        "overlap": shared,
    }
    joint, rates = rules.odds.joint_hz.get(rule.kind), _both_rates(inputs)
    if joint is not None and rates is not None:
        stored |= {"joint_rate_hz": joint, "first_hz": rates[0], "second_hz": rates[1]}
        stored["prior_odds"] = prior_odds(
            joint_hz=joint, first_hz=rates[0], second_hz=rates[1], co_observing_s=rules.odds.co_observing_s
        )
    value = bayes_factor(
        window_width_s=window.width_s,
        co_observing_s=rules.odds.co_observing_s,
        overlap=shared,
        in_window=window.is_inside,
    )
    return Score(statistic="bayes_factor", version=1, value=value, unit="1", inputs=stored)


def _both_rates(inputs: Mapping[str, Any]) -> tuple[float, float] | None:
    if "feeds_hz" in inputs:
        return None
    one = inputs["second_far_hz"] if inputs["method"] == FarMethod.TARGETED.value else inputs["rate_hz"]
    other = inputs["other_rate_hz"]
    return None if one is None or other is None else (one, other)


def _words(inputs: Mapping[str, Any], odds: Score) -> tuple[str, ...]:
    said = []
    if "alarms_hz" in inputs:
        n, together = len(inputs["alarms_hz"]), inputs["alarms_sum_hz"]
        said.append(f"alarms of each of {n} detectors, false ones included, come at {together:.3g} Hz")
    for name, what in (
        ("rate", "unrelated triggers"),
        ("other_rate", "alerts at least as significant"),
        ("searched", "events that are searched"),
    ):
        basis = inputs.get(f"{name}_basis")
        if basis is not None:
            source = _SOURCES[RateBasis(basis)]
            said.append(
                f"rate of {what} {inputs[f'{name}_hz']:.3g} Hz, {source} (configured {inputs[f'configured_{name}_hz']:.3g} Hz)"
            )
    if odds.value is not None:
        prior = odds.inputs.get("prior_odds")
        beside = f", prior odds {prior:.3g}" if prior is not None else ""
        said.append(f"Bayes factor of a common source {odds.value:.3g}{beside}")
    return tuple(said)
