"""Messages on their way out: written with their cause, sent from here until they are sent or given up."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session, defer
from sqlmodel import col

from hub.model.instant import Instant
from hub.model.notice import Citation, Role
from hub.model.outgoing import Outgoing
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, ordering
from hub.storage.tables import OutboxRow
from hub.storage.writing import insert_new


class OutboxState(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    """Given up; a person should look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """A message and what became of it."""

    outgoing: Outgoing
    """Its payload is empty in a listing without payloads."""

    state: OutboxState
    tries: int
    due_at: Instant
    """Not to be sent before."""

    sent_at: Instant | None
    echoed_at: Instant | None
    """When it came back to a source that listens to its destination."""

    error: str
    """Why the last try failed, one sentence."""

    sequence: int
    """Order of writing; place in listings."""


_ORDER: Order = ((col(OutboxRow.sequence), True),)


def put(session: Session, outgoing: Outgoing) -> bool:
    """Write a message unless the same ivorn to the same destination is there; return whether it was new."""
    values = {
        "ivorn": outgoing.ivorn,
        "destination": outgoing.destination,
        "subject": outgoing.subject,
        "key": outgoing.key,
        "media_type": outgoing.media_type,
        "payload": outgoing.payload,
        "role": outgoing.role.value,
        "cites": dump(outgoing.cites),
        "created_tai_us": outgoing.created_at.tai_us,
        "state": OutboxState.WAITING.value,
        "tries": 0,
        "due_tai_us": outgoing.created_at.tai_us,
        "sent_tai_us": None,
        "echoed_tai_us": None,
        "error": "",
    }
    return insert_new(session, OutboxRow, values, key=["ivorn", "destination"])


def due(session: Session, now: Instant, limit: int, destinations: Collection[str]) -> list[OutboxEntry]:
    """Return what is to be sent now to some destinations, in the order of writing."""
    statement = (
        select(OutboxRow)
        .where(
            col(OutboxRow.destination).in_(destinations),
            col(OutboxRow.state) == OutboxState.WAITING.value,
            col(OutboxRow.due_tai_us) <= now.tai_us,
        )
        .order_by(col(OutboxRow.sequence))
        .limit(limit)
    )
    return [_entry(row) for row in session.scalars(statement.execution_options(populate_existing=True))]


def mark_sent(session: Session, outgoing: Outgoing, at: Instant) -> None:
    """Record that a message was delivered."""
    _change(session, outgoing, state=OutboxState.SENT.value, sent_tai_us=at.tai_us, error="", tries=col(OutboxRow.tries) + 1)


def mark_failed(session: Session, outgoing: Outgoing, error: str, *, retry_at: Instant | None) -> None:
    """Record that a message was not delivered; without a time to try again it is given up."""
    changes: dict[str, object] = {"error": error, "tries": col(OutboxRow.tries) + 1}
    if retry_at is None:
        changes["state"] = OutboxState.FAILED.value
    else:
        changes["due_tai_us"] = retry_at.tai_us
    _change(session, outgoing, **changes)


def get(session: Session, ivorn: str, destination: str | None = None) -> OutboxEntry | None:
    """Return a message by its ivorn; of several destinations the one written first."""
    statement = select(OutboxRow).where(col(OutboxRow.ivorn) == ivorn).order_by(col(OutboxRow.sequence)).limit(1)
    if destination is not None:
        statement = statement.where(col(OutboxRow.destination) == destination)
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    return None if row is None else _entry(row)


def search(
    session: Session,
    *,
    state: OutboxState | None = None,
    destination: str | None = None,
    limit: int | None = 100,
    before: int | None = None,
    with_payload: bool = False,
) -> list[OutboxEntry]:
    """Return messages, the newest first; ``before`` is the `OutboxEntry.sequence` of the last one of the page before."""
    statement = select(OutboxRow)
    if not with_payload:
        statement = statement.options(defer(OutboxRow.payload, raiseload=True))  # type: ignore[arg-type]  # a mapped attribute
    if state is not None:
        statement = statement.where(col(OutboxRow.state) == state.value)
    if destination is not None:
        statement = statement.where(col(OutboxRow.destination) == destination)
    if before is not None:
        statement = statement.where(after(_ORDER, (before,)))
    rows = session.scalars(statement.order_by(*ordering(_ORDER)).limit(limit).execution_options(populate_existing=True))
    return [_entry(row, with_payload=with_payload) for row in rows]


def _change(session: Session, outgoing: Outgoing, **changes: object) -> None:
    place = (col(OutboxRow.ivorn) == outgoing.ivorn, col(OutboxRow.destination) == outgoing.destination)
    session.execute(update(OutboxRow).where(*place).values(**changes).execution_options(synchronize_session=False))


def _entry(row: OutboxRow, *, with_payload: bool = True) -> OutboxEntry:
    assert row.sequence is not None
    return OutboxEntry(
        outgoing=Outgoing(
            ivorn=row.ivorn,
            media_type=row.media_type,
            payload=row.payload if with_payload else b"",
            destination=row.destination,
            subject=row.subject,
            key=row.key,
            role=Role(row.role),
            cites=tuple(load(Citation, cited) for cited in row.cites),
            created_at=Instant(row.created_tai_us),
        ),
        state=OutboxState(row.state),
        tries=row.tries,
        due_at=Instant(row.due_tai_us),
        sent_at=None if row.sent_tai_us is None else Instant(row.sent_tai_us),
        echoed_at=None if row.echoed_tai_us is None else Instant(row.echoed_tai_us),
        error=row.error,
        sequence=row.sequence,
    )
