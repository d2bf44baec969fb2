"""With which catalogues candidates were scored, as a number: among the counters, though it is not raised but replaced."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.storage.tables import CounterRow
from hub.storage.writing import hold, insert, table

_NAME = "catalogs"


def note(session: Session, content: int) -> bool:
    """Write down which catalogues are used from now on; return whether they are others than those before.

    Where nothing was written down, they count as others.
    """
    hold(session, _NAME)
    columns = table(CounterRow).c
    former = session.execute(select(columns.value).where(columns.name == _NAME)).scalar()
    if former == content:
        return False
    statement = insert(session, CounterRow).values(name=_NAME, value=content)
    session.execute(statement.on_conflict_do_update(index_elements=[columns.name], set_={"value": statement.excluded.value}))
    return True
