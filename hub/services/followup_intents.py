"""Intents out of decisions: what is asked of which network, with the window, the exposures and what its sites see."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate
from hub.model.event import Event
from hub.model.followup import Intent, RequestState, Submission, TargetField, intent_id
from hub.model.followup_decision import StoredDecision, decision_id
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.science.followup_policy import Allocation, Rule, Template
from hub.science.followup_templates import choose, deepest
from hub.science.rules import DAY_S
from hub.services.followup_expected import expected_mags
from hub.services.followup_facts import PolicyBook
from hub.services.followup_sight import fields_of, visible, window
from hub.storage import localizations

POSITION = "position"
"""Target of what is asked for the place that a notice states."""

MAP = "map:"
"""Begin of the target of what is asked for a map; the id of the map follows."""


EVENT = "event"
"""Target and purpose of the decision about an event itself, whatever is then asked for."""

LATER = " +"
"""Between the purpose of a first look and the days until a later one."""


def target_of(event: Event, candidate: Candidate | None, *, is_map: bool) -> str:
    """Return what an intent calls its target."""
    if candidate is not None:
        return f"{candidate.survey}:{candidate.object_id}"
    return f"{MAP}{event.localization_id}" if is_map else POSITION


def is_of(decision: StoredDecision, intent: Intent) -> bool:
    """Return whether an intent was made because of a decision."""
    return decision_id_of(intent) == decision.decision_id


def decision_id_of(intent: Intent) -> str:
    """Return the id of the decision that an intent was made because of."""
    is_candidate = intent.coincidence_id is not None
    return decision_id(
        event_id=intent.event_id,
        target=intent.target if is_candidate else EVENT,
        purpose=intent.purpose.partition(LATER)[0] if is_candidate else EVENT,
        policy_version=intent.policy_version,
    )


def make(  # noqa: PLR0917 - because of what, for what, of whom and when
    session: Session,
    decision: StoredDecision,
    event: Event,
    candidate: Candidate | None,
    name: str,
    before: Collection[Submission],
    now: Instant,
    book: PolicyBook,
    *,
    rest: Skymap | None = None,
) -> Iterator[Intent]:
    """Yield the intent of a decision at one allocation, and then its later looks.

    Parameters
    ----------
    session
        Only read from.
    decision
        Asks.
    event, candidate
        For what; no candidate where the event itself is the target.
    name
        Of the allocation.
    before
        Submissions of this decision that there are: what was taken back before it was sent is asked for under a new id.
    now
        The present.
    book
        Policy and sites.
    rest
        What of the event's map fields are planned on; all of it where not given.
    """
    rule = next(rule for rule in book.policy.rules if rule.name == decision.rule)
    allocation = book.policy.allocations[name]
    template = book.policy.templates[decision.templates.get(name) or decision.template or rule.templates[0]]
    start, end = window(template, event.t0, now)
    first = _at(session, decision, event, candidate, allocation, template, start, end, now, book, rest)
    if first is None:
        return
    for days in (0.0, *rule.relook_d):
        one = first
        if days:
            due = now.plus_s(days * DAY_S)
            then = _later_template(session, rule, allocation, event, candidate, due, book)
            one = replace(
                first,
                purpose=f"{first.purpose}{LATER}{days:g} d",
                exposures=_exposures(then),
                max_airmass=then.max_airmass,
                template=then.name,
                window_start=due,
                window_end=due.plus_s(then.window_h * 3600.0),
                due_at=due,
                visibility=(),
                reason=f"{first.reason}, {days:g} d later",
            )
        yield replace(one, intent_id=_id_of(one, before), group=rule.group)


def _later_template(  # noqa: PLR0917 - by which rule, of whom, of what and when
    session: Session,
    rule: Rule,
    allocation: Allocation,
    event: Event,
    candidate: Candidate | None,
    due: Instant,
    book: PolicyBook,
) -> Template:
    """Return the template that reaches what is expected at the date of a later look; the deepest where none does."""
    summary = localizations.summary(session, event.localization_id) if event.localization_id else None
    expected = {} if candidate is None else expected_mags(event, candidate, summary, due, book.rules)
    return choose(rule, allocation, expected, book.policy).template or deepest(rule, allocation, book.policy)


def _exposures(template: Template) -> tuple[dict[str, str | float | int], ...]:
    return tuple({"filter": one.filter, "seconds": one.seconds, "count": one.count} for one in template.exposures)


def _at(  # noqa: PLR0917 - as above
    session: Session,
    decision: StoredDecision,
    event: Event,
    candidate: Candidate | None,
    allocation: Allocation,
    template: Template,
    start: Instant,
    end: Instant,
    now: Instant,
    book: PolicyBook,
    rest: Skymap | None,
) -> Intent | None:
    """Return what is asked of one allocation, still without an id; None for a map of which no field can be observed."""
    sites = book.sites_of(allocation)
    fields: tuple[TargetField, ...] = ()
    if decision.target.startswith(MAP):
        found = localizations.get(session, event.localization_id) if rest is None and event.localization_id else None
        skymap = rest if found is None else found.skymap
        fields = () if skymap is None else fields_of(skymap, allocation, template, sites, start, end)
        if not fields:
            return None
        place = fields[0].ra_deg, fields[0].dec_deg
    elif candidate is not None:
        place = candidate.ra_deg, candidate.dec_deg
    elif event.position is not None:
        place = event.position.ra_deg, event.position.dec_deg
    else:
        return None
    assert decision.urgency is not None, "only a skipped decision has no urgency"
    return Intent(
        intent_id="",
        event_id=event.event_id,
        coincidence_id=decision.coincidence_id,
        target=decision.target,
        ra_deg=place[0],
        dec_deg=place[1],
        network=allocation.network,
        instrument=allocation.instrument,
        purpose=decision.purpose if candidate is not None else decision.rule or EVENT,
        policy_version=decision.policy_version,
        window_start=start,
        window_end=end,
        exposures=_exposures(template),
        max_airmass=template.max_airmass,
        template=template.name,
        reason=decision.reasons[0],
        visibility=() if fields else visible(place, sites, template, start, end),
        urgency=decision.urgency,
        fields=fields,
        created_at=now,
    )


def _id_of(intent: Intent, before: Collection[Submission]) -> str:
    """Return the id of an intent: after those of the same need that were taken back before anything was sent."""
    turn = sum(
        (one.intent.network, one.intent.instrument, one.intent.purpose, one.intent.urgency)
        == (intent.network, intent.instrument, intent.purpose, intent.urgency)
        and was_taken_back(one)
        for one in before
    )
    return intent_id(
        event_id=intent.event_id,
        target=intent.target,
        network=intent.network,
        instrument=intent.instrument,
        purpose=intent.purpose,
        policy_version=intent.policy_version,
        urgency=intent.urgency,
        turn=turn,
    )


def was_taken_back(submission: Submission) -> bool:
    """Return whether the hub cancelled a request by itself before anything was sent."""
    states = {step.state for step in submission.transitions}
    last = submission.transitions[-1]
    return last.state is RequestState.CANCELLED and RequestState.SENDING not in states and last.detail.get("by") == "hub"
