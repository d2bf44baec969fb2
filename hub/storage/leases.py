"""Who may do what only one process at a time may do: a name, a holder, and until when.

A lease is not a lock: a holder that stands still for longer than its lease finds that another has gone on in its place. Whatever
is done under a lease must therefore do no harm when it is done twice.
"""

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.storage.tables import LeaseRow
from hub.storage.writing import insert, table

LONGEST_S = 600.0
"""A lease that lasts longer than this from now was made by a clock that went wrong, and does not count, seconds."""


def acquire(session: Session, name: str, holder: str, *, now: Instant, until: Instant, instead_of: str | None = None) -> bool:
    """Take a lease, or hold it longer; return whether it is the holder's now.

    Parameters
    ----------
    session
        In a transaction.
    name
        What is held.
    holder
        Who wants it: different for any two that could do it at once.
    now, until
        The present, and the end of the lease.
    instead_of
        A former holder that is known to be gone, whose lease does not count.
    """
    columns = table(LeaseRow).c
    statement = insert(session, LeaseRow).values(name=name, holder=holder, until_tai_us=until.tai_us)
    is_free = or_(
        columns.holder == holder,
        columns.until_tai_us <= now.tai_us,
        columns.until_tai_us > now.plus_s(LONGEST_S).tai_us,
        columns.holder == instead_of,
    )
    taken = statement.on_conflict_do_update(
        index_elements=[columns.name],
        set_={"holder": statement.excluded.holder, "until_tai_us": statement.excluded.until_tai_us},
        where=is_free,
    ).returning(columns.holder)
    return session.execute(taken).first() is not None


def holder_of(session: Session, name: str) -> str | None:
    """Return who took a lease last, whether or not it still lasts; None where nobody did or it was given back."""
    return session.scalar(select(col(LeaseRow.holder)).where(col(LeaseRow.name) == name))


def release(session: Session, name: str, holder: str) -> None:
    """Give a lease back, if it is still the holder's."""
    session.execute(delete(LeaseRow).where(col(LeaseRow.name) == name, col(LeaseRow.holder) == holder))
