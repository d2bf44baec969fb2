"""Ask the policy about an event again, because a person wants that."""

from hub.model.coincidence import Member, MemberKind, PairState, coincidence_id
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
        for one in candidates.of_event(session, event.event_id, state=PairState.OPEN):
            hypothesis = rules.get(one.hypothesis)
            if hypothesis is None:
                continue
            members = (
                Member(kind=MemberKind.EVENT, id=one.event_id),
                Member(kind=MemberKind.OBJECT, id=f"{one.survey}:{one.object_id}"),
            )
            pair = coincidences.latest(session, coincidence_id(hypothesis.kind, members))
            if pair is not None and pair.hypothesis == one.hypothesis and pair.state is PairState.OPEN and not pair.held_back:
                followups.plan(session, pair, event, one, hypothesis)
        entry = LogEntry(at=clock(), actor=actor, action="plan", detail={"event_id": event.event_id})
        followup_log.append(session, entry)
        return followup_decisions.search(session, event_id=event.event_id, limit=None)
