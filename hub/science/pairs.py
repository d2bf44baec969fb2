"""Two events as one occurrence: a pure function of both, of the rules, and of their maps."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hub.model.coincidence import PairState, Score
from hub.model.event import Event, EventState
from hub.model.instant import Instant
from hub.model.notice import Notice, Stage
from hub.model.sky import Localization
from hub.science.rules import FarMethod, PairRule, RateOf, Rules
from hub.science.significance import JointFar, targeted, untargeted, with_sky

Overlap = Callable[[Localization, Localization], float]
"""Exact overlap integral of two maps; handed in so that it can be remembered by content."""


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


def evaluate(a: Event, b: Event, rules: Rules, maps: Mapping[str, Localization], overlap: Overlap) -> PairResult | None:
    """Return the pair that two events make, whichever comes first; None where no version of one ever fitted one of the other.

    The first rule in the file's order that the current versions satisfy describes the pair, else the first that any versions do.
    """
    fitting = [
        (rule, first, second)
        for rule in rules.pairs
        for first, second in ((a, b), (b, a))
        if _ever(rule, first, second, rules.min_overlap, maps, overlap)
    ]
    if not fitting:
        return None
    for rule, first, second in fitting:
        if _now(rule, first, second, rules.min_overlap, maps, overlap):
            return _result(rule, first, second, PairState.OPEN, maps, overlap)
    rule, first, second = fitting[0]
    return _result(rule, first, second, PairState.WITHDRAWN, maps, overlap)


def partners(rules: Rules, event: Event) -> list[tuple[PairRule, bool]]:
    """Return the rules that any notice of an event can enter, each with whether it enters as the first member."""
    classes = {notice.event_class for notice in _content(event)}
    found = []
    for rule in rules.pairs:
        if classes & set(rule.first):
            found.append((rule, True))
        if classes & set(rule.second) and _mission_fits(rule, event):
            found.append((rule, False))
    return found


def _content(event: Event) -> list[Notice]:
    return [v.stored.notice for v in event.versions if v.stored.notice.stage is not Stage.RETRACTION]


def _mission_fits(rule: PairRule, second: Event) -> bool:
    return not rule.second_missions or second.mission in rule.second_missions


def _ever(
    rule: PairRule, first: Event, second: Event, min_overlap: float, maps: Mapping[str, Localization], overlap: Overlap
) -> bool:
    """Tell whether any version of one fits any version of the other; more versions can only make this true."""
    if first.event_id == second.event_id or not _mission_fits(rule, second):
        return False
    if not {n.event_class for n in _content(first)} & set(rule.first):
        return False
    if not {n.event_class for n in _content(second)} & set(rule.second):
        return False
    times = itertools.product(_times(_content(first)), _times(_content(second)))
    if not any(_in_window(rule, t_first, t_second) for t_first, t_second in times):
        return False
    if _without_map(first) or _without_map(second):
        return True
    return any(
        overlap(maps[x], maps[y]) >= min_overlap for x, y in itertools.product(first.localization_ids, second.localization_ids)
    )


def _now(
    rule: PairRule, first: Event, second: Event, min_overlap: float, maps: Mapping[str, Localization], overlap: Overlap
) -> bool:
    if EventState.RETRACTED in (first.state, second.state) or first.vetoes or second.vetoes:
        return False
    if first.event_class not in rule.first or second.event_class not in rule.second:
        return False
    if first.t0 is None or second.t0 is None or not _in_window(rule, first.t0, second.t0):
        return False
    shared = _overlap(first, second, maps, overlap)
    return shared is None or shared >= min_overlap


def _times(notices: Sequence[Notice]) -> list[Instant]:
    return sorted({notice.t0 for notice in notices if notice.t0 is not None})


def _without_map(event: Event) -> bool:
    """Tell whether some notice of the event came without a place: at that time only the other's time could be compared."""
    stored = [v.stored for v in event.versions if v.stored.notice.stage is not Stage.RETRACTION]
    return any(one.localization_id is None or not one.notice.localizes for one in stored)


def _in_window(rule: PairRule, first: Instant, second: Instant) -> bool:
    low, high = rule.window_s
    return low <= second.minus(first) <= high


def _overlap(first: Event, second: Event, maps: Mapping[str, Localization], overlap: Overlap) -> float | None:
    if first.localization_id is None or second.localization_id is None:
        return None
    return overlap(maps[first.localization_id], maps[second.localization_id])


def _result(
    rule: PairRule, first: Event, second: Event, state: PairState, maps: Mapping[str, Localization], overlap: Overlap
) -> PairResult:
    shared = _overlap(first, second, maps, overlap)
    time_only = _time_only(rule, first, second)
    joint = with_sky(time_only, shared)
    delay = second.t0.minus(first.t0) if first.t0 and second.t0 else None
    window = {"window_s": list(rule.window_s), "rule": rule.name}
    rates = {
        "rate_hz": rule.rate_hz,
        "rate_of": rule.rate_of.value,
        "first_far_hz": first.far_hz,
        "second_far_hz": second.far_hz,
        "method": rule.method.value,
    }
    scores = (
        Score(statistic="delay", version=1, value=delay, unit="s", inputs=window),
        Score(statistic="overlap", version=1, value=shared, unit="1", inputs={}),
        _far_score("joint_far_time_only", time_only, {**window, **rates}),
        _far_score("joint_far", joint, {**window, **rates, "overlap": shared}),
    )
    return PairResult(
        rule=rule,
        first=first,
        second=second,
        state=state,
        scores=scores,
        reasons=_reasons(rule, first, second, state, shared, joint, delay),
        localization_ids=tuple(i for i in (first.localization_id, second.localization_id) if i is not None),
    )


def _far_score(name: str, far: JointFar, inputs: Mapping[str, object]) -> Score:
    return Score(statistic=name, version=1, value=far.value_hz, unit="Hz", inputs={**inputs, "reason": far.reason})


def _time_only(rule: PairRule, first: Event, second: Event) -> JointFar:
    if _depends(first, second) or _depends(second, first):
        return JointFar(value_hz=None, reason="one of the two was observed because of the other, so chance windows do not apply")
    if rule.method is FarMethod.TARGETED:
        assert rule.max_first_far_hz is not None
        assert rule.max_second_far_hz is not None
        return targeted(
            window_width_s=rule.width_s,
            first_far_hz=first.far_hz,
            second_far_hz=second.far_hz,
            max_first_far_hz=rule.max_first_far_hz,
            max_second_far_hz=rule.max_second_far_hz,
        )
    assert rule.rate_hz is not None
    with_far = first if rule.rate_of is RateOf.SECOND else second
    return untargeted(window_width_s=rule.width_s, rate_hz=rule.rate_hz, far_hz=with_far.far_hz)


def _depends(one: Event, other: Event) -> bool:
    return bool({other.event_id, *other.aliases} & set(one.depends_on))


def _reasons(
    rule: PairRule,
    first: Event,
    second: Event,
    state: PairState,
    shared: float | None,
    joint: JointFar,
    delay: float | None,
) -> tuple[str, ...]:
    found = []
    if delay is not None:
        found.append(f"{second.event_id} came {delay:+.3f} s after {first.event_id}, window {rule.window_s} s ({rule.name})")
    if shared is None:
        found.append("no localization on one side: a coincidence in time only")
    else:
        found.append(f"overlap integral {shared:.4g}, where 1 means no information")
    found.append(
        f"joint false-alarm rate {joint.value_hz:.3g} Hz ({joint.reason})" if joint.value_hz is not None else joint.reason
    )
    if state is PairState.WITHDRAWN:
        retracted = [e.event_id for e in (first, second) if e.state is EventState.RETRACTED]
        vetoed = [f"{e.event_id}: {veto}" for e in (first, second) for veto in e.vetoes]
        if retracted:
            found.insert(0, f"withdrawn: {', '.join(retracted)} retracted")
        elif vetoed:
            found.insert(0, f"withdrawn: {'; '.join(vetoed)}")
        else:
            found.insert(0, "withdrawn: the current versions no longer fit")
    return tuple(found)
