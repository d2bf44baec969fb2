"""Two events as one occurrence: a pure function of both, of the rules, and of their maps."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hub.model.coincidence import PairState, Score
from hub.model.event import Event, EventState
from hub.model.sky import Localization
from hub.science.joint import answers_another, detectors, numbers
from hub.science.published import published
from hub.science.rate_questions import Asked
from hub.science.rules import FarMethod, PairRule, Rules
from hub.science.spatial import SpatialLimits, ever_without_place, no_place
from hub.science.trigger_columns import Triggers
from hub.science.windows import central_time, current_time, ever_inside, window_now

__all__ = ["Overlap", "PairResult", "Sky", "central_time", "evaluate", "partners"]

Overlap = Callable[[Localization, Localization], float]
"""Exact overlap integral of two maps; handed in so that it can be remembered by content."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sky:
    """The maps of both events and how to compare them."""

    maps: Mapping[str, Localization]
    """By id, every version of both events."""

    overlap: Overlap
    min_overlap: float
    """Least overlap integral of a pair."""

    def shared(self, first: Event, second: Event, limits: SpatialLimits) -> tuple[float | None, str]:
        """Return the overlap integral of the current maps; None and the reason where one says nothing about a place."""
        reason = no_place(first, self.maps, limits) or no_place(second, self.maps, limits)
        if reason is not None or first.localization_id is None or second.localization_id is None:
            return None, reason or ""
        return self.overlap(self.maps[first.localization_id], self.maps[second.localization_id]), ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairResult:
    """What two events make of each other."""

    rule: PairRule
    first: Event
    second: Event
    state: PairState
    scores: tuple[Score, ...]
    reasons: tuple[str, ...]
    localization_ids: tuple[str, ...]
    asked: tuple[Asked, ...] = ()
    """What its rates were measured by."""

    bursts: tuple[str, ...] = ()
    """Ids of the sources of both, which its rates do not count."""

    stands_for: tuple[str, ...] = ()
    """Ids of the other coincidences that the same two sources make, where this one counts them all."""


def evaluate(a: Event, b: Event, rules: Rules, sky: Sky, triggers: Triggers | None = None) -> tuple[PairResult, ...]:
    """Return the pairs that two events make, one of each kind, whichever comes first; none where no versions ever fitted.

    Of a kind's rules, the first in the file's order that the current versions satisfy describes the pair, else the first that any
    versions do. There is more than one kind where an event was first called a burst and then an X-ray transient, say.

    Parameters
    ----------
    a, b
        The events.
    rules
        All of them.
    sky
        Their maps.
    triggers
        All events in the interval of ``[rate_policy]`` before them, from which rates are measured; None for the configured ones.
    """
    by_kind: dict[str, list[tuple[PairRule, Event, Event]]] = {}
    for rule in rules.pairs:
        for first, second in _orders(rule, a, b):
            if _ever(rule, first, second, rules, sky):
                by_kind.setdefault(rule.kind, []).append((rule, first, second))
    return tuple(_of_kind(fitting, rules, sky, triggers) for fitting in by_kind.values())


def _orders(rule: PairRule, a: Event, b: Event) -> Sequence[tuple[Event, Event]]:
    """Return who may be first; where a rule does not tell both apart, the one whose id is."""
    both = sorted((a, b), key=lambda event: event.event_id)
    return [(both[0], both[1])] if rule.first == rule.second else [(a, b), (b, a)]


def _of_kind(fitting: Sequence[tuple[PairRule, Event, Event]], rules: Rules, sky: Sky, triggers: Triggers | None) -> PairResult:
    for rule, first, second in fitting:
        if _now(rule, first, second, rules, sky):
            return _result(rule, first, second, PairState.OPEN, rules, sky, triggers)
    rule, first, second = fitting[0]
    return _result(rule, first, second, PairState.WITHDRAWN, rules, sky, triggers)


def partners(rules: Rules, event: Event) -> list[tuple[PairRule, bool]]:
    """Return the rules that any notice of an event can enter, each with whether it enters as the first member."""
    classes = event.classes
    found = []
    for rule in rules.pairs:
        if classes & set(rule.first):
            found.append((rule, True))
        if classes & set(rule.second) and _mission_fits(rule, event):
            found.append((rule, False))
    return found


def _mission_fits(rule: PairRule, second: Event) -> bool:
    return not rule.second_missions or second.mission in rule.second_missions


def _ever(rule: PairRule, first: Event, second: Event, rules: Rules, sky: Sky) -> bool:
    """Tell whether any version of one fits any version of the other; more versions can only make this true."""
    if first.event_id == second.event_id or not _mission_fits(rule, second):
        return False
    if first.classes.isdisjoint(rule.first) or second.classes.isdisjoint(rule.second):
        return False
    if rule.method is FarMethod.FEEDS and detectors(first) & detectors(second):
        return False  # one detector twice is one detector
    if answers_another(first, second, rules) or answers_another(second, first, rules):
        return False
    if not ever_inside(rule, first, second, rules.clocks):
        return False
    if any(ever_without_place(event, sky.maps, rules.spatial) for event in (first, second)):
        return True
    pairs = itertools.product(first.localization_ids, second.localization_ids)
    return any(sky.overlap(sky.maps[x], sky.maps[y]) >= sky.min_overlap for x, y in pairs)


def _now(rule: PairRule, first: Event, second: Event, rules: Rules, sky: Sky) -> bool:
    if EventState.RETRACTED in (first.state, second.state) or first.vetoes or second.vetoes:
        return False
    if first.event_class not in rule.first or second.event_class not in rule.second:
        return False
    if not window_now(rule, first, second, rules.clocks).is_inside:
        return False
    shared, _ = sky.shared(first, second, rules.spatial)
    return shared is None or shared >= sky.min_overlap


def _result(  # noqa: PLR0917 - what a pair follows from
    rule: PairRule, first: Event, second: Event, state: PairState, rules: Rules, sky: Sky, triggers: Triggers | None
) -> PairResult:
    shared, no_information = sky.shared(first, second, rules.spatial)
    window = window_now(rule, first, second, rules.clocks)
    found = numbers(rule, first, second, shared, window, rules, triggers)
    joint, chance = found.rates.spacetime, found.rates.random_association
    told = published(first, second, found.rates)
    times = (current_time(first), current_time(second))
    delay = times[1].minus(times[0]) if times[0] and times[1] else None
    scores = (
        Score(
            statistic="delay",
            version=1,
            value=delay,
            unit="s",
            inputs={"window_s": list(window.interval_s), "rule": rule.name},
        ),
        Score(statistic="overlap", version=1, value=shared, unit="1", inputs={})
        if shared is not None
        else Score(statistic="overlap", version=1, value=1.0, unit="1", inputs={"reason": no_information}),
        *found.scores,
        *told.scores,
    )
    fit = (
        f"{second.event_id} came {delay:+.3f} s after {first.event_id}, window {window.interval_s} s ({rule.name})"
        if delay is not None
        else "",
        f"{no_information}: a coincidence in time only"
        if shared is None
        else f"overlap integral {shared:.4g}, where 1 means no information",
        f"noise alone: joint false-alarm rate {joint.value_hz:.3g} Hz ({joint.reason})"
        if joint.value_hz is not None
        else joint.reason,
        f"unrelated real events: {chance.value_hz:.3g} Hz ({chance.reason})" if chance.value_hz is not None else chance.reason,
        *found.words,
        *told.words,
    )
    withdrawn = (_why_withdrawn(first, second),) if state is PairState.WITHDRAWN else ()
    return PairResult(
        rule=rule,
        first=first,
        second=second,
        state=state,
        scores=scores,
        reasons=(*withdrawn, *dict.fromkeys(filter(None, fit))),
        localization_ids=tuple(i for i in (first.localization_id, second.localization_id) if i is not None),
        asked=found.asked,
    )


def _why_withdrawn(first: Event, second: Event) -> str:
    retracted = [event.event_id for event in (first, second) if event.state is EventState.RETRACTED]
    if retracted:
        return f"withdrawn: {', '.join(retracted)} retracted"
    vetoed = [f"{event.event_id}: {veto}" for event in (first, second) for veto in event.vetoes]
    return f"withdrawn: {'; '.join(vetoed)}" if vetoed else "withdrawn: the current versions no longer fit"
