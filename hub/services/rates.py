"""How often triggers come: counted from the rows of events, for pairs and for people."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.notice import EventClass
from hub.science.rules import DAY_S, FarMethod, PairRule, RateOf, Rules
from hub.science.searches import YEAR_S
from hub.science.trigger_columns import Triggers
from hub.science.trigger_rates import TriggerRate, at_least_as_significant, of_triggers
from hub.science.windows import current_time
from hub.storage import jobs, pair_questions, triggers
from hub.storage.writing import hold

PAIRS_JOB = "pairs"
"""Kind of the job that is left for an event whose pairs have other rates by now: they are evaluated again, nothing else."""

_SUBJECT = "pair rates"


def hold_rates(session: Session) -> None:
    """Let nobody else evaluate pairs of events until the transaction ends; held after the locks of events.

    Otherwise a pair that was evaluated before a trigger came could be written after those were looked for whom it came late.
    """
    hold(session, _SUBJECT)


def before(session: Session, rules: Rules, events: Iterable[Event]) -> Triggers | None:
    """Return what the rates of pairs of some events are counted from, by one query; None where no event has a time."""
    times = [time for event in events if (time := current_time(event)) is not None]
    if not times:
        return None
    return triggers.in_span(session, min(times).plus_s(-rules.rate_policy.span_d * DAY_S), max(times))


def leave_jobs(session: Session, rules: Rules, event: Event) -> int:
    """Ask for the pairs behind an event to be evaluated again to whose rates it makes a difference; return for how many events.

    What a pair asked of the triggers is asked again (`hub.science.rate_questions`): where it is told the same, nothing of it can
    change.
    """
    if not event.t0s:
        return 0
    policy = rules.rate_policy
    start, end = min(event.t0s), max(event.t0s).plus_s(policy.span_d * DAY_S)
    hold_rates(session)
    name = event.event_id
    due = set(pair_questions.unknown_between(session, {rule.kind for rule in rules.pairs}, start, end, without=name))
    asked = [
        pair
        for pair in pair_questions.between(session, start, end, without=name)
        if any(one.question.may_count(event) for one in pair.asked)
    ]
    if asked:
        times = [one.question.at for pair in asked for one in pair.asked]
        counted = triggers.in_span(session, min(times).plus_s(-policy.span_d * DAY_S), max(times))
        for pair in asked:
            others = counted.without(pair.without)
            if not all(one.holds(others, policy) for one in pair.asked):
                due.add(pair.event_ids[0])
    for one in sorted(due):
        jobs.put(session, PAIRS_JOB, one)
    return len(due)


def table(session: Session, rules: Rules, at: Instant) -> list[dict[str, Any]]:
    """Return the rates that a pair at a time is computed with: of triggers for each rule, of alerts for each class."""
    counted = triggers.in_span(session, at.plus_s(-rules.rate_policy.span_d * DAY_S), at)
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for rule in rules.pairs:
        if rule.method is not FarMethod.UNTARGETED or rule.rate_hz is None:
            continue
        classes, missions = _triggers_of(rule)
        found = of_triggers(counted, classes, missions, at, configured_hz=rule.rate_hz, policy=rules.rate_policy)
        key = ("triggers", *classes, *missions, f"{rule.rate_hz:.12g}")
        row = rows.setdefault(key, _row("triggers", classes, missions, found, rules))
        row["rules"].append(rule.name)
    for event_class, configured in sorted(rules.class_rates_hz.items()):
        if any(event_class in _other_classes(rule) for rule in rules.pairs):
            found = at_least_as_significant(
                counted, [event_class.value], None, at, configured_hz=configured, policy=rules.rate_policy
            )
            rows[("alerts", event_class.value)] = _row("alerts", (event_class.value,), (), found, rules)
    return list(rows.values())


def _triggers_of(rule: PairRule) -> tuple[tuple[str, ...], tuple[str, ...]]:
    of_second = rule.rate_of is RateOf.SECOND
    return tuple(one.value for one in (rule.second if of_second else rule.first)), rule.second_missions if of_second else ()


def _other_classes(rule: PairRule) -> tuple[EventClass, ...]:
    return rule.second if rule.rate_of is RateOf.FIRST else rule.first


def _row(what: str, classes: tuple[str, ...], missions: tuple[str, ...], rate: TriggerRate, rules: Rules) -> dict[str, Any]:
    return {
        "what": what,
        "classes": list(classes),
        "missions": list(missions),
        "configured_per_yr": rate.configured_hz * YEAR_S,
        "measured_per_yr": rate.measured_hz * YEAR_S,
        "error_per_yr": rate.error_hz * YEAR_S,
        "used_per_yr": rate.rounded(rules.rate_policy).hz * YEAR_S,
        "basis": rate.basis.value,
        "n": rate.n,
        "span_d": rate.span_s / DAY_S,
        "n_last_day": rate.n_last_day,
        "is_storm": rate.is_storm,
        "storm_missions": list(rate.streams),
        "reason": rate.reason,
        "rules": [],
    }
