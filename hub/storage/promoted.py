"""Events of low significance that a pair lifts: they are searched for counterparts like significant ones.

Who asks for alerts remembers events by the number of their last change, so an event that is lifted, or not any more, is changed.
"""

from collections.abc import Collection

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage import counters
from hub.storage.tables import EventRow, PromotedRow
from hub.storage.writing import among, insert_new


def of_ids(session: Session, event_ids: Collection[str]) -> set[str]:
    """Return which of some events are lifted."""
    if not event_ids:
        return set()
    return set(session.scalars(select(col(PromotedRow.event_id)).where(among(session, col(PromotedRow.event_id), event_ids))))


def lift(session: Session, event_id: str) -> None:
    """Have an event searched like a significant one."""
    insert_new(session, PromotedRow, {"event_id": event_id}, key=["event_id"])
    _change(session, event_id)


def drop(session: Session, event_id: str) -> None:
    """Have an event not searched any more, unless it is significant by itself."""
    session.execute(delete(PromotedRow).where(col(PromotedRow.event_id) == event_id))
    _change(session, event_id)


def _change(session: Session, event_id: str) -> None:
    changed = counters.increment(session, counters.EVENTS)
    statement = update(EventRow).where(col(EventRow.event_id) == event_id).values(changed=changed)
    session.execute(statement.execution_options(synchronize_session=False))
