"""Whether what the books count is there: rows that are missing, whoever took them away.

The books of the sources are numbers; these are the rows behind them, counted by index.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.envelopes import MessageState
from hub.storage.tables import ContextRow, DeadLetterRow, NoticeRow, RawMessageRow, SourceCountRow


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRows:
    """How many rows are missing of what was counted; a table that was emptied by hand shows here."""

    contents: int
    """Messages marked as stored of which neither a notice nor a context is there."""

    stored: int
    """Messages and alerts that the books count as stored and that are not there."""

    refused: int
    """Dead letters and refused messages that the books do not count."""


def missing(session: Session, count_alerts: Callable[[], int]) -> MissingRows:
    """Return what is missing.

    Rows may exceed the books: alerts are stored before they are counted, and a crash may lie between. That is why the alerts are
    counted after the books were read.

    Parameters
    ----------
    session
        Read only.
    count_alerts
        Tells how many alerts were ever stored as new, deleted ones included.
    """
    state, digest = col(RawMessageRow.state), col(RawMessageRow.digest)
    contents = select(func.count()).where(
        state == MessageState.STORED.value,
        ~exists().where(col(NoticeRow.digest) == digest),
        ~exists().where(col(ContextRow.digest) == digest),
    )
    # What a registry says is kept as a context, without its bytes.
    bare = select(func.count()).select_from(ContextRow).where(~exists().where(digest == col(ContextRow.digest)))
    asked = (
        contents.select_from(RawMessageRow),
        bare,
        *(select(func.count()).select_from(RawMessageRow).where(state == one.value) for one in _STATES),
        select(func.count()).select_from(DeadLetterRow),
        select(func.coalesce(func.sum(col(SourceCountRow.stored)), 0)),
        select(func.coalesce(func.sum(col(SourceCountRow.dead_letters)), 0)),
    )
    # One statement sees one moment on both engines.
    row = session.execute(select(*(one.scalar_subquery() for one in asked))).one()
    gone, n_bare, n_stored, n_dead, n_flying, n_letters, stored, refused = (int(number) for number in row)
    n_alerts = count_alerts()
    return MissingRows(
        contents=gone,
        stored=max(0, stored - n_stored - n_alerts - n_bare),
        refused=max(0, n_dead - refused, n_letters - refused - n_flying),  # a letter that is replayed is in flight
    )


_STATES = (MessageState.STORED, MessageState.DEAD, MessageState.RECEIVED)
