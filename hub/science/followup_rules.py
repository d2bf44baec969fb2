"""What the follow-up policy does with an event or a candidate: ask, ask a person, or nothing, and why. Pure and deterministic.

The first rule in order that matches decides, also where its own skip rules then say that nothing is asked. What is not known
never satisfies a rule, and the reasons say so.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.model.followup import Urgency
from hub.model.followup_decision import Verdict
from hub.model.notice import Role
from hub.science.followup_facts import FLAGS, NUMBERS, WORDS, FollowupFacts
from hub.science.followup_limits import of_event, of_night, over, over_allocation
from hub.science.followup_policy import Action, Allocation, Policy, Rule, SkipRules, Target, Template
from hub.science.followup_templates import Choice, choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the policy does with one target, with every reason."""

    verdict: Verdict
    rule: str | None
    """The rule that decided; None where none matches, or none was asked."""

    reasons: tuple[str, ...]
    """Sentences: why it is so."""

    passed_over: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Rules before that one, by name, and why each does not match."""

    target: Target | None = None
    urgency: Urgency | None = None
    template: str | None = None
    """Of the first allocation that is asked."""

    allocations: tuple[str, ...] = ()
    """Those that are asked, in order of preference."""

    templates: Mapping[str, str] = field(default_factory=dict)
    """By allocation, those that are asked or stand by: what it is asked for."""

    chosen: Mapping[str, str] = field(default_factory=dict)
    """By allocation: why this template, a sentence; one that is not named had no choice."""

    stand_by: tuple[str, ...] = ()
    """Those that could be asked if these refuse, in order of preference."""

    refused: Mapping[str, str] = field(default_factory=dict)
    """Allocations that cannot, and why."""

    can_wait: bool = False
    """Nothing is asked only because of what may change soon: budgets, stops, breakers, what others plan."""

    waits_for_others: bool = False
    """Nothing is asked as long as somebody else means to observe it soon."""

    seconds: float = 0.0
    """Open shutter of one request at most, seconds."""

    dry_run: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Allocations of which a request would stay in the hub, and why; one that is not named may be asked in earnest."""

    remarks: tuple[str, ...] = ()
    """What could not be looked at."""

    policy_version: int


def decide(facts: FollowupFacts, policy: Policy) -> Decision:
    """Return what the policy does with what is known."""
    stop = _never(facts, policy)
    if stop:
        return Decision(verdict=Verdict.SKIP, rule=None, reasons=stop, policy_version=policy.version)
    rule, passed = first_match(facts, policy)
    if rule is not None:
        return _decide_by(rule, facts, policy, passed)
    return Decision(
        verdict=Verdict.SKIP, rule=None, reasons=("no rule matches",), passed_over=passed, policy_version=policy.version
    )


def decide_by(rule: Rule, facts: FollowupFacts, policy: Policy, made: Mapping[str, str] | None = None) -> Decision:
    """Return what the policy does by a rule that has matched before: its conditions are not looked at again, all else is.

    ``made`` are templates of requests that are drafted already, by allocation: another is not chosen for these.
    """
    if stop := _never(facts, policy):
        return Decision(verdict=Verdict.SKIP, rule=rule.name, reasons=stop, policy_version=policy.version)
    return _decide_by(rule, facts, policy, {}, made)


def first_match(facts: FollowupFacts, policy: Policy) -> tuple[Rule | None, dict[str, tuple[str, ...]]]:
    """Return the first rule that matches, None where none does, and of those before it, by name, why each does not."""
    passed: dict[str, tuple[str, ...]] = {}
    for rule in policy.rules:
        misses = why_no_match(rule, facts)
        if not misses:
            return rule, passed
        passed[rule.name] = misses
    return None, passed


def why_no_match(rule: Rule, facts: FollowupFacts) -> tuple[str, ...]:
    """Return why a rule does not match, a sentence for each condition that does not hold; nothing where it does."""
    misses = [_target_misses(rule, facts)]
    for key, wanted in rule.words.items():
        name, called, _ = WORDS[key]
        value = getattr(facts, name)
        if value is None:
            misses.append(f"{called} is not known")
        elif value not in wanted:
            misses.append(f"{called} is {value}, not {' or '.join(wanted)}")
    for bound in rule.bounds:
        value = known(getattr(facts, bound.number))
        called = NUMBERS[bound.number]
        if value is None:
            misses.append(f"{called} is not known")
        elif value < bound.value if bound.is_least else value > bound.value:
            misses.append(f"{called} is {value:.4g}, {'below' if bound.is_least else 'above'} {bound.value:g}")
    for name, wish in rule.flags.items():
        flag = getattr(facts, name)
        if flag is None:
            misses.append(f"{FLAGS[name]} is not known")
        elif flag is not wish:
            misses.append(f"{FLAGS[name]}: {'yes' if flag else 'no'}, and the rule is for the other")
    misses.append(_class_misses(rule, facts))
    return tuple(filter(None, misses))


def known(value: float | None) -> float | None:
    """Return a number, None for one that is none."""
    return None if value is None or math.isnan(value) else value


def why_dry(policy: Policy, allocation: Allocation, facts: FollowupFacts) -> tuple[str, ...]:
    """Return why a request of an allocation would stay in the hub: live needs all five, and each one that lacks is named.

    A network inside the hub needs the last two only: nothing leaves for it.
    """
    is_inside = allocation.network in facts.inside
    return tuple(
        filter(
            None,
            (
                "" if is_inside or policy.live.enabled else "live requests are switched off",
                "" if is_inside or allocation.name in facts.credentials else f"there is no credential for {allocation.name}",
                "" if is_inside else _host_fault(policy, allocation),
                "" if facts.is_trusted else "a notice is from a source that is not trusted",
                "" if facts.role is Role.OBSERVATION else f"the event is a {facts.role}",
            ),
        )
    )


def summary(rule: Rule, policy: Policy) -> str:
    """Return what a rule does in one line."""
    conditions = [f"{key} {'/'.join(wanted)}" for key, wanted in rule.words.items()]
    conditions += [f"{one.number} {'>=' if one.is_least else '<='} {one.value:g}" for one in rule.bounds]
    conditions += [name if wish else f"not {name}" for name, wish in rule.flags.items()]
    if rule.any_class:
        conditions.append(" or ".join(f"P({name}) >= {least:g}" for name, least in rule.any_class.items()))
    when = ", ".join(conditions) or "always"
    if rule.action is Action.SKIP:
        return f"{rule.name} ({rule.target}; {when}): nothing is asked, {rule.reason}"
    how = "a person is asked" if rule.action is Action.APPROVAL else "asks by itself, within its caps,"
    whom = (" and " if rule.spread else " else ").join(rule.allocations)
    dry = any(not policy.live.enabled or _host_fault(policy, policy.allocations[one]) for one in rule.allocations)
    earnest = "a dry run" if dry else "in earnest"
    what = " or ".join(rule.templates)
    return f"{rule.name} ({rule.target}; {when}): {how} for {what} of {whom}, {rule.urgency}, {earnest}"


# --------------------------------------------------------------------------------------------------------------- before the rules


def _never(facts: FollowupFacts, policy: Policy) -> tuple[str, ...]:
    return tuple(
        filter(
            None,
            (
                "the policy stops all follow-up (stop_all)" if policy.stop_all else "",
                "" if facts.role is Role.OBSERVATION else f"the event is a {facts.role}, no observation",
                "" if facts.is_trusted else "a notice of the event is a test or from a source that is not trusted",
                "" if facts.is_active else "the event is retracted, or the candidate withdrawn",
            ),
        )
    )


def _target_misses(rule: Rule, facts: FollowupFacts) -> str:
    if rule.target is Target.CANDIDATE:
        return "" if facts.candidate is not None else "it is for candidates, and the event itself was asked about"
    if facts.candidate is not None:
        return f"it is for the {rule.target} of the event, and a candidate was asked about"
    if rule.target is Target.POSITION and facts.ra_deg is None:
        return "the event has no stated position"
    return ""


def _class_misses(rule: Rule, facts: FollowupFacts) -> str:
    if not rule.any_class:
        return ""
    stated = {name: value for name in rule.any_class if (value := known(facts.class_probability.get(name))) is not None}
    if not stated:
        return f"the probability of {' or '.join(rule.any_class)} is not known"
    if any(value >= rule.any_class[name] for name, value in stated.items()):
        return ""
    return ", ".join(f"P({name}) is {value:.3g}, below {rule.any_class[name]:g}" for name, value in stated.items())


def _host_fault(policy: Policy, allocation: Allocation) -> str:
    if allocation.host is None or allocation.host in policy.live.hosts:
        return ""
    return f"the host {allocation.host} of {allocation.name} is not on the list of allowed hosts"


# --------------------------------------------------------------------------------------------------------------- by a rule


def _decide_by(
    rule: Rule,
    facts: FollowupFacts,
    policy: Policy,
    passed: Mapping[str, tuple[str, ...]],
    made: Mapping[str, str] | None = None,
) -> Decision:
    because = f"{rule.name}: {rule.reason}"
    if rule.action is Action.SKIP:
        return _skipped(rule, (because,), policy, passed)
    if reasons := _skip_reasons(rule, facts):
        return _skipped(rule, (because, *reasons), policy, passed, remarks=_remarks(rule, facts))
    if others := _others_plan(rule.skip, facts):
        said = (because, *others)
        return _skipped(rule, said, policy, passed, remarks=_remarks(rule, facts), can_wait=True, waits_for_others=True)
    choices = {name: _choice(rule, name, facts, policy, made or {}) for name in rule.allocations}
    can, refused = _those_that_can(rule, facts, policy, choices)
    if not can:
        return _skipped(
            rule,
            (because, "no telescope can be asked", *refused.values()),
            policy,
            passed,
            refused=refused,
            remarks=_remarks(rule, facts),
            can_wait=not all(one.template is None or _unseen(rule, name, facts, one.template) for name, one in choices.items()),
        )
    chosen = can if rule.spread else can[:1]
    templates = {name: one.template for name in can if (one := choices[name]).template is not None}
    seconds = {name: one.seconds(rule.target) for name, one in templates.items()}
    caps = "" if rule.action is Action.APPROVAL else _over_caps(rule, facts, [seconds[name] for name in chosen])
    if rule.action is Action.APPROVAL:
        verdict, how = Verdict.ASK_PERSON, "the rule asks a person always"
    elif caps:
        verdict, how = Verdict.ASK_PERSON, f"a person is asked: {caps}"
    else:
        verdict, how = Verdict.ASK, "within the caps of the rule"
    return Decision(
        verdict=verdict,
        rule=rule.name,
        reasons=(because, how),
        passed_over=passed,
        target=rule.target,
        urgency=rule.urgency,
        template=templates[chosen[0]].name,
        templates={name: one.name for name, one in templates.items()},
        chosen={name: choices[name].why for name in can if choices[name].why},
        allocations=chosen,
        stand_by=() if rule.spread else can[1:],
        refused=refused,
        seconds=max(seconds[name] for name in chosen),
        dry_run={name: dry for name in can if (dry := why_dry(policy, policy.allocations[name], facts))},
        remarks=_remarks(rule, facts),
        policy_version=policy.version,
    )


def _skipped(
    rule: Rule,
    reasons: tuple[str, ...],
    policy: Policy,
    passed: Mapping[str, tuple[str, ...]],
    *,
    refused: Mapping[str, str] | None = None,
    remarks: tuple[str, ...] = (),
    can_wait: bool = False,
    waits_for_others: bool = False,
) -> Decision:
    return Decision(
        verdict=Verdict.SKIP,
        rule=rule.name,
        reasons=reasons,
        passed_over=passed,
        target=rule.target,
        refused=refused or {},
        remarks=remarks,
        can_wait=can_wait,
        waits_for_others=waits_for_others,
        policy_version=policy.version,
    )


def _skip_reasons(rule: Rule, facts: FollowupFacts) -> list[str]:
    skip, reasons = rule.skip, []
    if skip.requested_within_deg is not None:
        for one in sorted(facts.asked, key=lambda one: (one.hours_ago, one.target)):
            is_recent = skip.requested_within_h is None or one.hours_ago < skip.requested_within_h
            if one.separation_deg is not None and one.separation_deg <= skip.requested_within_deg and is_recent:
                reasons.append(
                    f"already requested: {one.target} at {one.network}, {one.separation_deg:.2g} deg away, "
                    f"{one.hours_ago:.2g} h ago"
                )
                break
    if skip.observed_within_h is not None:
        recent = sorted((one.hours_ago, one.by) for one in facts.observed or () if one.hours_ago < skip.observed_within_h)
        reasons += [f"recently observed: by {by}, {hours:.2g} h ago" for hours, by in recent[:1]]
    if skip.classified and facts.classified:
        reasons.append(f"already classified: {', '.join(sorted(facts.classified))}")
    return reasons


def _others_plan(skip: SkipRules, facts: FollowupFacts) -> tuple[str, ...]:
    """Return who will observe the target soon anyway, a sentence for the first; nothing where that is no reason to wait."""
    if skip.planned_within_h is None:
        return ()
    within_h, whose = skip.planned_within_h, skip.planned_by
    soon = [one for one in facts.planned or () if 0.0 <= one.hours < within_h and (not whose or one.by in whose)]
    return tuple(
        f"{one.by} will observe it anyway{f' in {one.band}' if one.band else ''}, at {one.at.to_utc_iso()[:19]}Z"
        for one in soon[:1]
    )


def _remarks(rule: Rule, facts: FollowupFacts) -> tuple[str, ...]:
    remarks = []
    if rule.skip.observed_within_h is not None and facts.observed is None:
        remarks.append("it is not known whether it was observed")
    if rule.skip.planned_within_h and facts.planned is None:
        remarks.append("it is not known whether somebody plans to observe it anyway")
    if rule.skip.classified and facts.classified is None:
        remarks.append("it is not known whether it is classified")
    if rule.skip.requested_within_deg is not None and facts.ra_deg is None:
        remarks.append("it has no place: what was requested nearby is not known")
    return tuple(remarks)


def _those_that_can(
    rule: Rule, facts: FollowupFacts, policy: Policy, choices: Mapping[str, Choice]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the allocations that can be asked, in order, and of the others why not; spread ones share the common budgets."""
    can: list[str] = []
    taken_s = 0.0
    refused: dict[str, str] = {}
    for name, choice in choices.items():
        allocation, template = policy.allocations[name], choice.template
        if template is None:
            refused[name] = f"{name}: no template: {choice.why}"
            continue
        seconds = template.seconds(rule.target)
        n, together_s = 1 + (len(can) if rule.spread else 0), seconds + (taken_s if rule.spread else 0.0)
        fault = (
            _stopped(allocation, facts, policy)
            or _unseen(rule, name, facts, template)
            or over(
                policy.per_event,
                of_event(facts.asked, facts.event_id),
                requests=n,
                seconds=together_s,
                what=f"the event {facts.event_id}",
            )
            or over(policy.per_night, of_night(facts.asked), requests=n, seconds=together_s, what="the hub, in 24 h,")
            or over_allocation(allocation, facts.asked, requests=1, seconds=seconds)
        )
        if fault:
            refused[name] = f"{name}: {fault}"
        else:
            can.append(name)
            taken_s += seconds
    return tuple(can), refused


def _choice(rule: Rule, name: str, facts: FollowupFacts, policy: Policy, made: Mapping[str, str]) -> Choice:
    if (drafted := policy.templates.get(made.get(name, ""))) is not None:
        return Choice(template=drafted, why="")
    return choose(rule, policy.allocations[name], facts.expected_mags, policy)


def _stopped(allocation: Allocation, facts: FollowupFacts, policy: Policy) -> str:
    if allocation.network in policy.stopped:
        return f"the policy stops the network {allocation.network}"
    return facts.stopped.get(allocation.network, "")


def _unseen(rule: Rule, allocation: str, facts: FollowupFacts, template: Template) -> str:
    if not rule.skip.not_observable:
        return ""
    seen = facts.seen.get((allocation, template.name))
    if seen is None:
        return "it is not known whether it can be observed there"
    return "" if seen.is_observable else f"not observable: {seen.reason}"


def _over_caps(rule: Rule, facts: FollowupFacts, wanted_s: Sequence[float]) -> str:
    of_this, n, seconds = of_event(facts.asked, facts.event_id), len(wanted_s), sum(wanted_s)
    return over(rule.per_event, of_this, requests=n, seconds=seconds, what=f"the cap of {rule.name} for the event") or over(
        rule.per_night, of_night(facts.asked), requests=n, seconds=seconds, what=f"the cap of {rule.name} in 24 h"
    )
