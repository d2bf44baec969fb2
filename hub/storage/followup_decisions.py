"""Decisions of the follow-up policy: the newest about each target and purpose."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.followup_decision import StoredDecision, Verdict
from hub.storage import privacy
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, ordering
from hub.storage.privacy import Thing
from hub.storage.tables import FollowupDecisionRow
from hub.storage.writing import CHUNK, upsert

Key = tuple[int, str]
"""Place of a decision in listings: when it was taken (`Instant.tai_us`), and its id."""

_ORDER: Order = ((col(FollowupDecisionRow.decided_tai_us), True), (col(FollowupDecisionRow.decision_id), False))


def key(decision: StoredDecision) -> Key:
    """Return the place of a decision in listings."""
    return decision.decided_at.tai_us, decision.decision_id


def save(session: Session, decision: StoredDecision) -> None:
    """Store a decision over the one of the same target and purpose."""
    values = {
        "decision_id": decision.decision_id,
        "event_id": decision.event_id,
        "coincidence_id": decision.coincidence_id,
        "verdict": decision.verdict.value,
        "decided_tai_us": decision.decided_at.tai_us,
        "document": dump(decision),
    }
    upsert(session, FollowupDecisionRow, values, key=["decision_id"])
    privacy.keep_within(session, Thing.DECISION, decision.decision_id, decision.group)


def get(session: Session, decision_id: str) -> StoredDecision | None:
    """Return a decision."""
    return next(iter(of_ids(session, [decision_id])), None)


def of_ids(session: Session, decision_ids: Collection[str]) -> list[StoredDecision]:
    """Return the decisions of some ids, by id."""
    found, wanted = [], sorted(decision_ids)
    for start in range(0, len(wanted), CHUNK):
        statement = (
            select(col(FollowupDecisionRow.document))
            .where(col(FollowupDecisionRow.decision_id).in_(wanted[start : start + CHUNK]))
            .order_by(col(FollowupDecisionRow.decision_id))
        )
        found += [load(StoredDecision, document) for document in session.scalars(statement)]
    return found


def search(
    session: Session,
    *,
    event_id: str | None = None,
    verdict: Verdict | None = None,
    limit: int | None = 100,
    before: Key | None = None,
) -> list[StoredDecision]:
    """Return decisions, the newest first; ``before`` is the `key` of the last one of the page before."""
    statement = select(col(FollowupDecisionRow.document))
    if event_id is not None:
        statement = statement.where(col(FollowupDecisionRow.event_id) == event_id)
    if verdict is not None:
        statement = statement.where(col(FollowupDecisionRow.verdict) == verdict.value)
    if before is not None:
        statement = statement.where(after(_ORDER, before))
    found = session.scalars(statement.order_by(*ordering(_ORDER)).limit(limit))
    return [load(StoredDecision, document) for document in found]
