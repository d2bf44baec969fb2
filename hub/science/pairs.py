"""Two events as one occurrence: a pure function of both, of the rules, and of their maps."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hub.model.coincidence import PairState, Score
from hub.model.event import Event, EventState, believed
from hub.model.instant import Instant
from hub.model.notice import Notice, Stage
from hub.model.sky import Localization
from hub.science.rules import FarMethod, PairRule, RateOf, Rules
from hub.science.significance import JointFar, random_association, targeted, untargeted, with_sky

_DEPENDENT = "one of the two was observed because of the other, so chance windows do not apply"

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

    def shared(self, first: Event, second: Event) -> float | None:
        """Return the overlap integral of the current maps; None where one side has none."""
        if first.localization_id is None or second.localization_id is None:
            return None
        return self.overlap(self.maps[first.localization_id], self.maps[second.localization_id])


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


def evaluate(a: Event, b: Event, rules: Rules, sky: Sky) -> tuple[PairResult, ...]:
    """Return the pairs that two events make, one of each kind, whichever comes first; none where no versions ever fitted.

    Of a kind's rules, the first in the file's order that the current versions satisfy describes the pair, else the first that any
    versions do. There is more than one kind where an event was first called a burst and then an X-ray transient, say.
    """
    by_kind: dict[str, list[tuple[PairRule, Event, Event]]] = {}
    for rule in rules.pairs:
        for first, second in ((a, b), (b, a)):
            if _ever(rule, first, second, sky):
                by_kind.setdefault(rule.kind, []).append((rule, first, second))
    return tuple(_of_kind(fitting, sky) for fitting in by_kind.values())


def _of_kind(fitting: Sequence[tuple[PairRule, Event, Event]], sky: Sky) -> PairResult:
    for rule, first, second in fitting:
        if _now(rule, first, second, sky):
            return _result(rule, first, second, PairState.OPEN, sky)
    rule, first, second = fitting[0]
    return _result(rule, first, second, PairState.WITHDRAWN, sky)


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


def _ever(rule: PairRule, first: Event, second: Event, sky: Sky) -> bool:
    """Tell whether any version of one fits any version of the other; more versions can only make this true."""
    if first.event_id == second.event_id or not _mission_fits(rule, second):
        return False
    if first.classes.isdisjoint(rule.first) or second.classes.isdisjoint(rule.second):
        return False
    times = itertools.product({central_time(n) for n in first.content}, {central_time(n) for n in second.content})
    if not any(_in_window(rule, t_first, t_second) for t_first, t_second in times):
        return False
    if _without_map(first) or _without_map(second):
        return True
    pairs = itertools.product(first.localization_ids, second.localization_ids)
    return any(sky.overlap(sky.maps[x], sky.maps[y]) >= sky.min_overlap for x, y in pairs)


def _now(rule: PairRule, first: Event, second: Event, sky: Sky) -> bool:
    if EventState.RETRACTED in (first.state, second.state) or first.vetoes or second.vetoes:
        return False
    if first.event_class not in rule.first or second.event_class not in rule.second:
        return False
    if not _in_window(rule, _current_time(first), _current_time(second)):
        return False
    shared = sky.shared(first, second)
    return shared is None or shared >= sky.min_overlap


def _without_map(event: Event) -> bool:
    """Tell whether some notice of the event came without a place: at that time only the other's time could be compared."""
    stored = [v.stored for v in event.versions if v.stored.notice.stage is not Stage.RETRACTION]
    return any(one.localization_id is None or not one.notice.localizes for one in stored)


def central_time(notice: Notice) -> Instant | None:
    """Return the time that windows are about: the middle of a targeted search's interval, else the time of the event."""
    offset = notice.properties.get("central_offset_s")
    if notice.t0 is None or not isinstance(offset, int | float):
        return notice.t0
    return notice.t0.plus_s(offset)


def _current_time(event: Event) -> Instant | None:
    said = (stored.notice for stored in believed([version.stored for version in event.versions]))
    timed = [notice for notice in said if notice.t0 is not None and notice.stage is not Stage.RETRACTION]
    return central_time(timed[-1]) if timed else event.t0


def _in_window(rule: PairRule, first: Instant | None, second: Instant | None) -> bool:
    if first is None or second is None:
        return False
    low, high = rule.window_s
    return low <= second.minus(first) <= high


def _result(rule: PairRule, first: Event, second: Event, state: PairState, sky: Sky) -> PairResult:
    shared = sky.shared(first, second)
    time_only = _time_only(rule, first, second)
    joint = with_sky(time_only, shared)
    chance = _random(rule, first, second, shared)
    times = (_current_time(first), _current_time(second))
    delay = times[1].minus(times[0]) if times[0] and times[1] else None
    window = {"window_s": list(rule.window_s), "rule": rule.name}
    rates = {
        "rate_hz": rule.rate_hz,
        "rate_of": rule.rate_of.value,
        "first_far_hz": first.far_hz,
        "second_far_hz": second.far_hz,
        "method": rule.method.value,
        **(
            {"max_first_far_hz": rule.max_first_far_hz, "max_second_far_hz": rule.max_second_far_hz}
            if rule.method is FarMethod.TARGETED
            else {}
        ),
    }
    scores = (
        Score(statistic="delay", version=1, value=delay, unit="s", inputs=window),
        Score(statistic="overlap", version=1, value=shared, unit="1", inputs={}),
        _far_score("joint_far_time_only", time_only, {**window, **rates}),
        _far_score("joint_far", joint, {**window, **rates, "overlap": shared}),
        _far_score("random_association", chance, {**window, **rates, "other_rate_hz": rule.other_rate_hz, "overlap": shared}),
    )
    fit = (
        f"{second.event_id} came {delay:+.3f} s after {first.event_id}, window {rule.window_s} s ({rule.name})"
        if delay is not None
        else "",
        "no localization on one side: a coincidence in time only"
        if shared is None
        else f"overlap integral {shared:.4g}, where 1 means no information",
        f"noise alone: joint false-alarm rate {joint.value_hz:.3g} Hz ({joint.reason})"
        if joint.value_hz is not None
        else joint.reason,
        f"unrelated real events: {chance.value_hz:.3g} Hz ({chance.reason})" if chance.value_hz is not None else chance.reason,
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
    )


def _far_score(name: str, far: JointFar, inputs: Mapping[str, object]) -> Score:
    return Score(statistic=name, version=1, value=far.value_hz, unit="Hz", inputs={**inputs, "reason": far.reason})


def _time_only(rule: PairRule, first: Event, second: Event) -> JointFar:
    if _depends(first, second) or _depends(second, first):
        return JointFar(value_hz=None, reason=_DEPENDENT)
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


def _random(rule: PairRule, first: Event, second: Event, overlap: float | None) -> JointFar:
    """Return how often unrelated real events would agree as well; of a targeted search the finds are as frequent as they say."""
    if _depends(first, second) or _depends(second, first):
        return JointFar(value_hz=None, reason=_DEPENDENT)
    rate_hz = second.far_hz if rule.method is FarMethod.TARGETED else rule.rate_hz
    if rule.other_rate_hz is None or rate_hz is None:
        return JointFar(value_hz=None, reason="no rate of unrelated real events is known")
    return random_association(window_width_s=rule.width_s, rate_hz=rate_hz, gw_rate_hz=rule.other_rate_hz, overlap=overlap)


def _depends(one: Event, other: Event) -> bool:
    return bool({other.event_id, *other.aliases} & set(one.depends_on))


def _why_withdrawn(first: Event, second: Event) -> str:
    retracted = [event.event_id for event in (first, second) if event.state is EventState.RETRACTED]
    if retracted:
        return f"withdrawn: {', '.join(retracted)} retracted"
    vetoed = [f"{event.event_id}: {veto}" for event in (first, second) for veto in event.vetoes]
    return f"withdrawn: {'; '.join(vetoed)}" if vetoed else "withdrawn: the current versions no longer fit"
