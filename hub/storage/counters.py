"""Counters that tell whether something changed, raised in the transaction of the change."""

from functools import cache

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from hub.storage.tables import CounterRow
from hub.storage.writing import insert, table

EVENTS = "events"
"""Raised with each change of an event."""


def value(session: Session, name: str) -> int:
    """Return a counter; 0 where nothing ever raised it."""
    return session.execute(_value(), {"of_name": name}).scalar() or 0


@cache
def _value() -> Select[int]:
    row = table(CounterRow).c
    return select(row.value).where(row.name == bindparam("of_name"))


def increment(session: Session, name: str) -> int:
    """Raise a counter by one and return its new value; transactions that raise the same one wait for each other until they end.

    So whoever sees a value sees everything that was written with it and with smaller ones.
    """
    counters = table(CounterRow)
    statement = insert(session, CounterRow).values(name=name, value=1)
    changed = statement.on_conflict_do_update(index_elements=[counters.c.name], set_={"value": counters.c.value + 1})
    raised: int = session.execute(changed.returning(counters.c.value)).scalar_one()
    return raised
