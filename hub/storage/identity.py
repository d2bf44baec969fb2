"""What tells a database from all others: an archive belongs to one."""

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.storage.tables import CounterRow
from hub.storage.writing import insert, table

_NAME = "identity"
"""Among the counters: it is drawn once and never raised."""


def identity(session: Session) -> str:
    """Return the number of this database; it is drawn at the first call, which must be in a transaction that may write."""
    if (known := known_identity(session)) is not None:
        return known
    drawn = insert(session, CounterRow).values(name=_NAME, value=secrets.randbits(62))
    session.execute(drawn.on_conflict_do_nothing(index_elements=[table(CounterRow).c.name]))
    found = known_identity(session)
    assert found is not None
    return found


def known_identity(session: Session) -> str | None:
    """Return the number of this database; None where none was drawn yet."""
    row = table(CounterRow).c
    value = session.execute(select(row.value).where(row.name == _NAME)).scalar()
    return None if value is None else f"{value:016x}"
