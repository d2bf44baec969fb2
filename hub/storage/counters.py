"""Counters that tell whether something changed, raised in the transaction of the change."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.tables import CounterRow
from hub.storage.writing import insert, table

EVENTS = "events"
"""Raised with each change of an event."""


def value(session: Session, name: str) -> int:
    """Return a counter; 0 where nothing ever raised it."""
    return session.scalars(select(col(CounterRow.value)).where(col(CounterRow.name) == name)).first() or 0


def increment(session: Session, name: str) -> None:
    """Raise a counter by one; transactions that raise the same one wait for each other until they end."""
    counters = table(CounterRow)
    statement = insert(session, CounterRow).values(name=name, value=1)
    session.execute(statement.on_conflict_do_update(index_elements=[counters.c.name], set_={"value": counters.c.value + 1}))
