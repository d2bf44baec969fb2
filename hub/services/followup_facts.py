"""What the follow-up policy is asked with, read from what is stored, and what it answers. Nothing is written and nothing is sent.

Who looks is a person or a plan, never the path of alerts: all requests that were made before are read, and visibility is computed
for the allocations of the one rule that matches.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from hub import resources
from hub.errors import NotFound
from hub.model.coincidence import Candidate, Member, MemberKind, PairState, coincidence_id
from hub.model.event import Event, EventState
from hub.model.followup import Intent, RequestState
from hub.model.instant import Instant
from hub.model.pointing import OWN, PointingStatus
from hub.model.sky import SkymapSummary
from hub.science.class_rules import ClassRules, load_class_rules
from hub.science.followup_covered import Planned, footprints_of, planned_for
from hub.science.followup_facts import FollowupFacts, Observed, Seen
from hub.science.followup_policy import Allocation, Policy, Rule, Target, Template
from hub.science.followup_reading import check_sites, load_policy
from hub.science.followup_rules import Decision, decide, first_match
from hub.science.followup_templates import choose
from hub.science.footprint import Halves, holding
from hub.science.rules import DAY_S, Rules, load_rules
from hub.science.sites import Site, load_sites
from hub.science.small_cone import separation_arcsec
from hub.services.bodies import Body, jsonable
from hub.services.classified import classes_of
from hub.services.followup_asked import Before, before
from hub.services.followup_expected import expected_mags
from hub.services.followup_sight import needs, seen, visible, window
from hub.services.queries import find_event
from hub.storage import candidates, coincidences, followup, localizations, pointings, registers

YEAR_S = 365.25 * DAY_S
"""Of false-alarm rates a year, as notices state them, seconds."""

BAND = "r"
"""Of the expected magnitude."""

LOOK_AHEAD_H = 240.0
"""Plans of others are looked at so far ahead, hours: the longest window of a template."""

SAME_PLACE_DEG = 0.01
"""Requests that are done so near are observations of the present target, degrees; fields are wider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBook:
    """The policy with the tables that its facts follow from."""

    policy: Policy
    rules: Rules
    classes: ClassRules
    sites: Mapping[str, Site]
    credentials: frozenset[str] = frozenset()
    """Allocations for which there is a credential."""

    inside: frozenset[str] = frozenset()
    """Networks with no telescope behind them."""

    visits: frozenset[str] = frozenset()
    """Registers that tell what is planned, wherever and because of whatever."""

    def sites_of(self, allocation: Allocation) -> tuple[Site, ...]:
        """Return the sites of an allocation, in its order."""
        return tuple(self.sites[name] for name in allocation.sites)


@cache
def shipped() -> PolicyBook:
    """Return the policy and the tables that the hub ships; raises `ConfigError` where one is wrong."""
    return book_of(resources.read_text("conf/policy.toml"))


def book_of(policy_text: str) -> PolicyBook:
    """Return a policy with the tables that the hub ships; raises `ConfigError` where one is wrong."""
    policy = load_policy(policy_text)
    sites = {site.name: site for site in load_sites(resources.read_text("conf/sites.toml"))}
    check_sites(policy, sites)
    return PolicyBook(
        policy=policy,
        rules=load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml")),
        classes=load_class_rules(resources.read_text("conf/classes.toml")),
        sites=sites,
    )


# ---------------------------------------------------------------------------------------------------------------------- answers


def decisions(
    session: Session,
    name: str,
    *,
    now: Instant,
    candidate: str | None = None,
    hypothesis: str | None = None,
    book: PolicyBook | None = None,
) -> list[Body]:
    """Return what the policy would do with an event, or with one of its candidates under each hypothesis, and why.

    Parameters
    ----------
    session
        Only read from.
    name
        Of the event, any.
    now
        The present.
    candidate
        Id of the object, with or without its survey before a colon; the event itself where not given.
    hypothesis
        Only this one.
    book
        The policy and its tables; those that the hub ships where not given.

    Raises
    ------
    NotFound
        There is no such event, or it has no such candidate.
    """
    book = book or shipped()
    event = find_event(session, name)
    found: Sequence[Candidate | None] = [None]
    if candidate is not None:
        found = _candidates(session, event, candidate, hypothesis)
    return [_body(*decide_one(session, event, one, now=now, book=book)) for one in found]


def decide_one(
    session: Session,
    event: Event,
    candidate: Candidate | None,
    *,
    now: Instant,
    book: PolicyBook,
    asked_before: Before | None = None,
) -> tuple[FollowupFacts, Decision]:
    """Return what is known of an event, or of a candidate of it, and what the policy does with that.

    ``asked_before`` is what was asked of telescopes before; it is read where not given. Where it is given, what others plan is
    left out too: a draft does not depend on what else is known, only whether it is sent does.
    """
    facts = facts_of(session, event, candidate, now=now, book=book, asked_before=asked_before)
    if asked_before is not None:
        facts = replace(facts, planned=())
    rule, _ = first_match(facts, book.policy)
    if rule is not None and rule.allocations:
        facts = replace(facts, seen=seen_of(session, event, facts, rule, now, book))
    return facts, decide(facts, book.policy)


def facts_of(
    session: Session,
    event: Event,
    candidate: Candidate | None,
    *,
    now: Instant,
    book: PolicyBook,
    asked_before: Before | None = None,
    own: Collection[str] = (),
) -> FollowupFacts:
    """Return what is known of an event, or of a candidate of it, without what telescopes see.

    ``own`` are ids of intents of this very target, which are no reason to leave it out.
    """
    summary = localizations.summary(session, event.localization_id) if event.localization_id else None
    place = _place(event, candidate)
    earlier = asked_before or before(session, book.policy, now)
    facts = FollowupFacts(
        event_id=event.event_id,
        role=event.role,
        is_trusted=event.is_live,
        is_active=event.state is EventState.ACTIVE and (candidate is None or candidate.state is PairState.OPEN),
        event_class=event.event_class,
        messenger=event.messenger,
        mission=event.mission,
        stage=event.current.notice.stage,
        significance=event.significance,
        class_probability=_probabilities(event),
        far_per_yr=None if event.far_hz is None else event.far_hz * YEAR_S,
        area90_deg2=None if summary is None else summary.area90_deg2,
        error_deg=None if event.position is None else event.position.radius_deg,
        distance_mpc=None if summary is None else summary.dist_mean_mpc,
        p_astro=event.p_astro,
        hours_since_trigger=None if event.t0 is None else now.minus(event.t0) / 3600.0,
        ra_deg=None if place is None else place[0],
        dec_deg=None if place is None else place[1],
        asked=earlier.asked(place, now, own=own),
        observed=None if place is None else _observed(session, event, place, now, own),
        planned=_planned(session, event, place, now, book.visits),
        stopped=earlier.stopped,
        credentials=book.credentials,
        inside=book.inside,
    )
    return facts if candidate is None else _with_candidate(session, facts, event, candidate, summary, now, book)


def _body(facts: FollowupFacts, decision: Decision) -> Body:
    told = asdict(replace(facts, asked=(), observed=None, planned=(), seen={}))
    for left_out in ("event_id", "candidate", "hypothesis", "asked", "observed", "planned", "seen", "credentials", "inside"):
        del told[left_out]
    said: dict[str, Any] = jsonable(asdict(decision))
    return {
        "event_id": jsonable(facts.event_id),
        "candidate": jsonable(facts.candidate),
        "hypothesis": jsonable(facts.hypothesis),
        **said,
        "n_asked": len(facts.asked),
        "facts": jsonable(told),
    }


# ------------------------------------------------------------------------------------------------------------------------ facts


def _candidates(session: Session, event: Event, name: str, hypothesis: str | None) -> list[Candidate]:
    survey, _, object_id = name.rpartition(":")
    found = candidates.search(session, event_id=event.event_id, survey=survey or None, object_id=object_id, hypothesis=hypothesis)
    if not found:
        under = "" if hypothesis is None else f" under the hypothesis {hypothesis}"
        raise NotFound(f"{event.event_id} has no candidate {name}{under}")
    return found


def _place(event: Event, candidate: Candidate | None) -> tuple[float, float] | None:
    if candidate is not None:
        return candidate.ra_deg, candidate.dec_deg
    return None if event.position is None else (event.position.ra_deg, event.position.dec_deg)


def _probabilities(event: Event) -> dict[str, float]:
    stated = {**event.properties, **event.classification}
    return {
        name: float(value)
        for name, value in sorted(stated.items())
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 <= value <= 1.0
    }


def _with_candidate(  # noqa: PLR0917 - what is known already, of what, when and by which tables
    session: Session,
    facts: FollowupFacts,
    event: Event,
    one: Candidate,
    summary: SkymapSummary | None,
    now: Instant,
    book: PolicyBook,
) -> FollowupFacts:
    stated = classes_of(session, one.survey, [one.object_id], np.array([one.ra_deg]), np.array([one.dec_deg]), book.classes).get(
        one.object_id, ()
    )
    expected = expected_mags(event, one, summary, now, book.rules)
    names = {said.name for said in stated if book.classes.group_of(said.source, said.name) is not None}
    return replace(
        facts,
        candidate=f"{one.survey}:{one.object_id}",
        hypothesis=one.hypothesis,
        level=one.level,
        score=one.score,
        expected_mag=expected.get(BAND),
        expected_mags=expected,
        confirmed=one.confirmed,
        announced=_is_announced(session, one, book.rules),
        classified=tuple(sorted(names)),
    )


def _is_announced(session: Session, one: Candidate, rules: Rules) -> bool | None:
    """Return whether its coincidence is open and not held back; None under a hypothesis that the rules do not have."""
    hypothesis = next((found for found in rules.hypotheses if found.name == one.hypothesis), None)
    if hypothesis is None:
        return None
    members = (
        Member(kind=MemberKind.EVENT, id=one.event_id),
        Member(kind=MemberKind.OBJECT, id=f"{one.survey}:{one.object_id}"),
    )
    pair = coincidences.latest(session, coincidence_id(hypothesis.kind, members))
    if pair is None or pair.hypothesis != one.hypothesis:
        return False
    return pair.state is PairState.OPEN and not pair.held_back


def _observed(
    session: Session, event: Event, place: tuple[float, float], now: Instant, own: Collection[str]
) -> tuple[Observed, ...]:
    """Return what is done of a place: requests of the hub but its own, and what observers report because of the event."""
    found = [
        Observed(by=f"{one.intent.network} {one.intent.instrument}", hours_ago=now.minus(one.transitions[-1].at) / 3600.0)
        for one in followup.in_states(session, [RequestState.COMPLETED])
        if one.intent.intent_id not in own and _is_near(place, one.intent)
    ]
    done = [
        one
        for one in pointings.of_event(session, event.event_id)
        if one.status is PointingStatus.COMPLETED and not (one.reported_by == OWN and one.name.partition("/")[0] in own)
    ]
    if done:
        is_in = holding(Halves.of(footprints_of(done)), *place)
        found += [
            Observed(by=one.instrument, hours_ago=now.minus(one.at) / 3600.0)
            for one, inside in zip(done, is_in.tolist(), strict=True)
            if inside
        ]
    return tuple(sorted(found, key=lambda one: (one.hours_ago, one.by)))


def _planned(
    session: Session, event: Event, place: tuple[float, float] | None, now: Instant, visits: Collection[str]
) -> tuple[Planned, ...] | None:
    """Return the visits of others that are planned for a place; None where a register of visits has not told them yet.

    Of a map there are none: what of its fields others observe is looked at where they are sent (`followup_leftover`).
    """
    told = registers.answers(session, event_ids=[event.event_id]) if visits else {}
    found = [one for one in pointings.of_event(session, event.event_id) if one.reported_by != OWN]
    planned = () if place is None else planned_for(found, place, now, LOOK_AHEAD_H)
    if not planned and any((one := told.get((name, event.event_id))) is None or one.answered_at is None for name in visits):
        return None
    return planned


def _is_near(place: tuple[float, float], intent: Intent) -> bool:
    return separation_arcsec(*place, intent.ra_deg, intent.dec_deg) <= SAME_PLACE_DEG * 3600.0


# ------------------------------------------------------------------------------------------------------------------- visibility


def seen_of(  # noqa: PLR0917 - of what, by which rule, when and by which tables
    session: Session, event: Event, facts: FollowupFacts, rule: Rule, now: Instant, book: PolicyBook
) -> dict[tuple[str, str], Seen]:
    """Return whether each allocation of a rule can observe the target; of what nobody can say there is nothing."""
    found = {}
    for name in rule.allocations:
        allocation = book.policy.allocations[name]
        template = choose(rule, allocation, facts.expected_mags, book.policy).template
        if template is None:
            continue
        start, end = window(template, event.t0, now)
        if end.minus(now) <= 0.0:
            sight: Seen | None = Seen(is_observable=False, reason=f"its window ended {-end.minus(now) / 3600.0:.2g} h ago")
        elif rule.target is Target.MAP:
            sight = _seen_map(session, event, allocation, template, now, end, book)
        elif facts.ra_deg is None or facts.dec_deg is None:
            sight = None
        else:
            sight = seen(visible((facts.ra_deg, facts.dec_deg), book.sites_of(allocation), template, start, end))
        if sight is not None:
            found[name, template.name] = sight
    return found


def _seen_map(  # noqa: PLR0917 - map, telescopes, needs and window
    session: Session,
    event: Event,
    allocation: Allocation,
    template: Template,
    now: Instant,
    end: Instant,
    book: PolicyBook,
) -> Seen | None:
    """Return whether any site can observe a field that holds some of the map."""
    from hub.science.planning.fields import Field  # noqa: PLC0415 - compiled parts, wanted only where a rule is for maps
    from hub.science.planning.planner import NoPlan, Timing, plan  # noqa: PLC0415 - as above

    found = localizations.get(session, event.localization_id) if event.localization_id else None
    if found is None or allocation.fov_deg is None:
        return None
    timing = Timing(start=now, hours=end.minus(now) / 3600.0, exposure_s=template.field_seconds)
    whys = []
    for name in allocation.sites:
        try:
            fields = plan(found.skymap, Field(fov_deg=allocation.fov_deg), 1, timing, book.sites[name], needs(template))
        except NoPlan as error:
            whys.append(f"{name}: {error}")
        else:
            return Seen(is_observable=True, reason=f"{name}: its best field holds {fields[0].prob:.3g} of the map")
    return Seen(is_observable=False, reason="; ".join(whys))
