"""Ask the policy about an event again, because a person wants that."""

from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, Coincidence, MemberKind, PairState
from hub.model.followup_decision import StoredDecision
from hub.ports import Clock
from hub.services.followup import FollowupService
from hub.services.queries import find_event
from hub.storage import candidates, coincidences, followup_decisions, followup_log
from hub.storage.engine import Store
from hub.storage.followup_log import LogEntry
from hub.storage.writing import hold


def plan_again(store: Store, followups: FollowupService, name: str, *, actor: str, clock: Clock) -> list[StoredDecision]:
    """Have the policy decide about an event and its announced candidates, and return what it decided, the newest first.

    Raises
    ------
    NotFound
        There is no such event.
    """
    rules = {one.name: one for one in followups.gates.book.rules.hypotheses}
    with store.transaction() as session:
        event = find_event(session, name)
        hold(session, f"correlation {event.event_id}")  # as the correlation does
        followups.plan_event(session, event)
        for pair, one in _announced(session, event.event_id):
            if one.hypothesis in rules:
                followups.plan(session, pair, event, one, rules[one.hypothesis])
        entry = LogEntry(at=clock(), actor=actor, action="plan", detail={"event_id": event.event_id})
        followup_log.append(session, entry)
        return followup_decisions.search(session, event_id=event.event_id, limit=None)


def _announced(session: Session, event_id: str) -> list[tuple[Coincidence, Candidate]]:
    """Return the open coincidences of an event with candidates, the best first; what is no pair costs nothing."""
    found = []
    for pair in coincidences.search(session, event_id=event_id, state=PairState.OPEN, held_back=False, limit=None):
        for member in pair.members:
            if member.kind is not MemberKind.OBJECT:
                continue
            survey, _, object_id = member.id.partition(":")
            one = candidates.get(session, event_id, survey, object_id, pair.hypothesis)
            if one is not None and one.state is PairState.OPEN:
                found.append((pair, one))
    return sorted(found, key=lambda row: (not row[1].confirmed, -row[1].score, row[1].object_id, row[1].survey))
