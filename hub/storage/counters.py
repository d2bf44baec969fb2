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


def increment(session: Session, name: str) -> int:
    """Raise a counter by one and return its new value; transactions that raise the same one wait for each other until they end.

    So whoever sees a value sees everything that was written with it and with smaller ones.
    """
    counters = table(CounterRow)
    statement = insert(session, CounterRow).values(name=name, value=1)
    changed = statement.on_conflict_do_update(index_elements=[counters.c.name], set_={"value": counters.c.value + 1})
    raised: int = session.execute(changed.returning(counters.c.value)).scalar_one()
    return raised
