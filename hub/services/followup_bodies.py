"""What the follow-up API and its verbs tell: skipped targets, the log, networks, and what waits for a person."""

from sqlalchemy.orm import Session

from hub.model.followup import RequestState, Submission, payload_hash
from hub.model.followup_decision import StoredDecision, Verdict
from hub.model.instant import Instant
from hub.services.bodies import Body, followup_with_history_body, jsonable, text, utc
from hub.services.followup_asked import ALL_NETWORKS, left_alone
from hub.services.followup_desk import submission_of, until_of
from hub.services.followup_gates import Gates, approval_of
from hub.services.queries import Page
from hub.services.submission import WAITING_STATES
from hub.storage import followup, followup_decisions, followup_log
from hub.storage.followup_log import LogEntry, NetworkStop

FOR_A_PERSON = (RequestState.AWAITING_APPROVAL, RequestState.UNKNOWN, RequestState.CANCEL_REFUSED, RequestState.CANCEL_REQUESTED)
"""States in which a request needs somebody, or may."""


def request(session: Session, intent_id: str, gates: Gates, now: Instant) -> Body:
    """Return a request with its history, the hash of what it asks for, its approval, and what keeps it in the hub now.

    Raises
    ------
    NotFound
        There is none.
    """
    found = submission_of(session, intent_id)
    approval = approval_of(found)
    until = None if approval is None else until_of(approval.detail)
    return {
        **followup_with_history_body(found),
        "payload_hash": payload_hash(found.intent),
        "template": text(found.intent.template),
        "urgency": found.intent.urgency.value,
        "due_at": utc(found.intent.due_at),
        "fields": [{"ra_deg": one.ra_deg, "dec_deg": one.dec_deg, "prob": one.prob} for one in found.intent.fields],
        "approved_until": utc(until),
        "barred": _barred(session, found, gates, now),
    }


def _barred(session: Session, found: Submission, gates: Gates, now: Instant) -> str:
    """Return what would keep a request that was not sent from being sent now; the empty text where nothing would."""
    if found.state not in WAITING_STATES:
        return ""
    network = gates.networks.get(found.intent.network)
    if network is None:
        return f"the network {found.intent.network} is not configured"
    barred = gates.check(session, found, network, now)
    return "" if barred is None else text(barred.reason)


def decision_page(
    session: Session,
    *,
    event_id: str | None = None,
    verdict: Verdict | None = None,
    limit: int,
    before: tuple[int, str] | None = None,
) -> Page:
    """Return decisions of the policy, the newest first."""
    found = followup_decisions.search(session, event_id=event_id, verdict=verdict, limit=limit + 1, before=before)
    last = followup_decisions.key(found[limit - 1]) if len(found) > limit else None
    return Page(bodies=[decision_body(one) for one in found[:limit]], last=last)


def decision_body(decision: StoredDecision) -> Body:
    """Return what the policy made of a target."""
    return {
        "decision_id": decision.decision_id,
        "event_id": text(decision.event_id),
        "coincidence_id": decision.coincidence_id,
        "target": text(decision.target),
        "purpose": text(decision.purpose),
        "policy_version": decision.policy_version,
        "rule": None if decision.rule is None else text(decision.rule),
        "verdict": decision.verdict.value,
        "reasons": [text(one) for one in decision.reasons],
        "allocations": list(decision.allocations),
        "urgency": None if decision.urgency is None else decision.urgency.value,
        "score": jsonable(decision.score),
        "decided_at": utc(decision.decided_at),
    }


def log_page(session: Session, *, intent_id: str | None = None, limit: int, before: int | None = None) -> Page:
    """Return the log of who did what and why, the newest first."""
    found = followup_log.search(session, intent_id=intent_id, limit=limit + 1, before=before)
    last = (found[limit - 1].sequence,) if len(found) > limit else None
    return Page(bodies=[log_body(one) for one in found[:limit]], last=last)


def log_body(entry: LogEntry) -> Body:
    """Return one entry of the log."""
    return {
        "number": entry.sequence,
        "at": utc(entry.at),
        "actor": text(entry.actor),
        "action": text(entry.action),
        "intent_id": entry.intent_id,
        "network": None if entry.network is None else text(entry.network),
        "reason": text(str(entry.detail.get("reason", ""))),
        "detail": jsonable({key: value for key, value in entry.detail.items() if key != "reason"}),
    }


def stop_body(said: NetworkStop) -> Body:
    """Return what a person said about a network."""
    return {
        "network": text(said.network),
        "is_stopped": said.is_stopped,
        "at": utc(said.at),
        "actor": text(said.actor),
        "reason": text(said.reason),
    }


def networks(session: Session, gates: Gates, now: Instant) -> list[Body]:
    """Return each network of the policy or the settings: whether it is left alone and why, and what waits there."""
    stopped = left_alone(session, gates.book.policy, now, gates.networks)
    names = {one.network for one in gates.book.policy.allocations.values()} | set(gates.networks)
    counts: dict[str, dict[str, int]] = {name: {} for name in names}
    for one in followup.in_states(session, list(RequestState)):
        of_one = counts.setdefault(one.intent.network, {})
        of_one[one.state.value] = of_one.get(one.state.value, 0) + 1
    return [
        {
            "network": text(name),
            "is_left_alone": name in stopped,
            "reason": text(stopped.get(name, "")),
            "requests": dict(sorted(counts[name].items())),
        }
        for name in sorted(counts)
        if name != ALL_NETWORKS
    ]


def for_a_person(session: Session) -> list[Submission]:
    """Return the requests that need somebody: to approve, to look, or to cancel by another way."""
    return followup.in_states(session, FOR_A_PERSON)
