"""Messages on their way out: written with their cause, sent from here until they are sent or given up.

The hub's own messages go once to each destination by their ivorn, compared without case. Those of others go once by ivorn and
content: who else may use the name of another's message is not ours to say, and `hub.services.relay` decides what goes.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from sqlalchemy import Select, case, func, select, update
from sqlalchemy.orm import Session, defer
from sqlmodel import col

from hub.model.instant import Instant
from hub.model.ivorn import ivorn_key
from hub.model.notice import Citation, Role
from hub.model.outgoing import Outgoing, Subject
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, ordering
from hub.storage.tables import OutboxRow
from hub.storage.writing import CHUNK, insert_new


class OutboxState(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    """Given up; a person should look."""

    DROPPED = "dropped"
    """Taken out by a person."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How a destination stands."""

    destination: str
    waiting: int
    sent: int
    failed: int
    oldest_waiting: Instant | None
    """When the message that has waited longest was written."""

    last_sent: Instant | None
    error: str
    """Why the first of the waiting ones was not sent; empty where nothing hinders it."""


_ORDER: Order = ((col(OutboxRow.sequence), True),)


def put(session: Session, outgoing: Outgoing) -> bool:
    """Write a message unless it is there for the same destination; return whether it was new."""
    values = {
        "ivorn": outgoing.ivorn,
        "ivorn_key": ivorn_key(outgoing.ivorn),
        "content": _content(outgoing),
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
    return insert_new(session, OutboxRow, values, key=["ivorn_key", "destination", "content"])


def due(session: Session, destination: str, now: Instant, limit: int) -> list[OutboxEntry]:
    """Return what is to be sent now to a destination, in the order of writing.

    That order is kept: nothing behind a message that has to wait is due.
    """
    statement = (
        select(OutboxRow)
        .where(col(OutboxRow.destination) == destination, col(OutboxRow.state) == OutboxState.WAITING.value)
        .order_by(col(OutboxRow.sequence))
        .limit(limit)
    )
    waiting = (_entry(row) for row in session.scalars(statement.execution_options(populate_existing=True)))
    return list(takewhile(lambda entry: entry.due_at <= now, waiting))


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


def mark_echoed(session: Session, entries: Sequence[OutboxEntry], at: Instant) -> None:
    """Record that messages came back; the first time counts."""
    place = (col(OutboxRow.sequence).in_([entry.sequence for entry in entries]), col(OutboxRow.echoed_tai_us).is_(None))
    session.execute(update(OutboxRow).where(*place).values(echoed_tai_us=at.tai_us).execution_options(synchronize_session=False))


def unechoed(session: Session, destination: str, start: Instant, end: Instant) -> list[OutboxEntry]:
    """Return what was sent in ``[start, end)`` and has not come back, in the order of writing, without payloads."""
    statement = _without_payload(select(OutboxRow)).where(
        col(OutboxRow.destination) == destination,
        col(OutboxRow.state) == OutboxState.SENT.value,
        col(OutboxRow.echoed_tai_us).is_(None),
        col(OutboxRow.sent_tai_us) >= start.tai_us,
        col(OutboxRow.sent_tai_us) < end.tai_us,
    )
    rows = session.scalars(statement.order_by(col(OutboxRow.sequence)).execution_options(populate_existing=True))
    return [_entry(row, with_payload=False) for row in rows]


def backlog(session: Session) -> list[Backlog]:
    """Return how each destination stands that ever got a message, by name."""
    is_waiting = col(OutboxRow.state) == OutboxState.WAITING.value
    counts = [
        func.sum(case((col(OutboxRow.state) == state.value, 1), else_=0))
        for state in (OutboxState.WAITING, OutboxState.SENT, OutboxState.FAILED)
    ]
    oldest = func.min(case((is_waiting, col(OutboxRow.created_tai_us))))
    head = func.min(case((is_waiting, col(OutboxRow.sequence))))
    name = col(OutboxRow.destination)
    rows = session.execute(
        select(name, *counts, oldest, func.max(col(OutboxRow.sent_tai_us)), head).group_by(name).order_by(name)
    ).all()
    heads = [row[6] for row in rows if row[6] is not None]
    found = session.execute(select(col(OutboxRow.sequence), col(OutboxRow.error)).where(col(OutboxRow.sequence).in_(heads)))
    errors = {sequence: error for sequence, error in found}  # noqa: C416 - dict() of rows does not satisfy the type checker
    return [
        Backlog(
            destination=row[0],
            waiting=int(row[1]),
            sent=int(row[2]),
            failed=int(row[3]),
            oldest_waiting=None if row[4] is None else Instant(row[4]),
            last_sent=None if row[5] is None else Instant(row[5]),
            error=errors.get(row[6], ""),
        )
        for row in rows
    ]


def retry(session: Session, sequences: Sequence[int], at: Instant) -> int:
    """Make waiting, failed and dropped messages due again, as if never tried; return how many there were."""
    again = (OutboxState.WAITING.value, OutboxState.FAILED.value, OutboxState.DROPPED.value)
    return _change_each(session, sequences, again, state=OutboxState.WAITING.value, due_tai_us=at.tai_us, tries=0, error="")


def drop(session: Session, sequences: Sequence[int]) -> int:
    """Take messages out that were not sent; return how many. They are kept, so that their names stay known as our own."""
    unsent = (OutboxState.WAITING.value, OutboxState.FAILED.value)
    return _change_each(session, sequences, unsent, state=OutboxState.DROPPED.value)


def destinations_of(session: Session, ivorn: str, destinations: Collection[str] | None = None) -> list[OutboxEntry]:
    """Return a message as it went to each destination, or to some, payloads included."""
    statement = select(OutboxRow).where(col(OutboxRow.ivorn_key) == ivorn_key(ivorn)).order_by(col(OutboxRow.sequence))
    if destinations is not None:
        statement = statement.where(col(OutboxRow.destination).in_(destinations))
    return [_entry(row) for row in session.scalars(statement.execution_options(populate_existing=True))]


def contents(session: Session, ivorn: str, destination: str) -> list[str]:
    """Return the digests of what was ever written for a destination under an ivorn; empty text stands for the hub's own."""
    place = (col(OutboxRow.ivorn_key) == ivorn_key(ivorn), col(OutboxRow.destination) == destination)
    return list(session.scalars(select(col(OutboxRow.content)).where(*place).order_by(col(OutboxRow.sequence))))


def destinations_told(session: Session, ivorns: Sequence[str]) -> frozenset[str]:
    """Return the destinations for which one of these messages was ever written."""
    found: set[str] = set()
    keys = [ivorn_key(ivorn) for ivorn in ivorns]
    for start in range(0, len(keys), CHUNK):
        statement = select(col(OutboxRow.destination)).where(col(OutboxRow.ivorn_key).in_(keys[start : start + CHUNK]))
        found |= set(session.scalars(statement.distinct()))
    return frozenset(found)


def get(session: Session, ivorn: str, destination: str | None = None) -> OutboxEntry | None:
    """Return a message by its ivorn in whatever case; of several destinations the one written first."""
    statement = select(OutboxRow).where(col(OutboxRow.ivorn_key) == ivorn_key(ivorn)).order_by(col(OutboxRow.sequence)).limit(1)
    if destination is not None:
        statement = statement.where(col(OutboxRow.destination) == destination)
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    return None if row is None else _entry(row)


def search(
    session: Session,
    *,
    state: OutboxState | None = None,
    destination: str | None = None,
    subject: str | None = None,
    media_type: str | None = None,
    limit: int | None = 100,
    before: int | None = None,
    with_payload: bool = False,
) -> list[OutboxEntry]:
    """Return messages, the newest first; ``before`` is the `OutboxEntry.sequence` of the last one of the page before."""
    statement = select(OutboxRow)
    if not with_payload:
        statement = _without_payload(statement)
    if state is not None:
        statement = statement.where(col(OutboxRow.state) == state.value)
    if destination is not None:
        statement = statement.where(col(OutboxRow.destination) == destination)
    if subject is not None:
        statement = statement.where(col(OutboxRow.subject) == subject)
    if media_type is not None:
        statement = statement.where(col(OutboxRow.media_type) == media_type)
    if before is not None:
        statement = statement.where(after(_ORDER, (before,)))
    rows = session.scalars(statement.order_by(*ordering(_ORDER)).limit(limit).execution_options(populate_existing=True))
    return [_entry(row, with_payload=with_payload) for row in rows]


def _change(session: Session, outgoing: Outgoing, **changes: object) -> None:
    place = (
        col(OutboxRow.ivorn_key) == ivorn_key(outgoing.ivorn),
        col(OutboxRow.destination) == outgoing.destination,
        col(OutboxRow.content) == _content(outgoing),
    )
    session.execute(update(OutboxRow).where(*place).values(**changes).execution_options(synchronize_session=False))


def _content(outgoing: Outgoing) -> str:
    return hashlib.sha256(outgoing.payload).hexdigest() if outgoing.subject == Subject.NOTICE else ""


def _change_each(session: Session, sequences: Sequence[int], states: Sequence[str], **changes: object) -> int:
    changed = 0
    for start in range(0, len(sequences), CHUNK):
        place = (col(OutboxRow.sequence).in_(sequences[start : start + CHUNK]), col(OutboxRow.state).in_(states))
        statement = update(OutboxRow).where(*place).values(**changes).returning(col(OutboxRow.sequence))
        changed += len(session.execute(statement.execution_options(synchronize_session=False)).all())
    return changed


def _without_payload(statement: Select[OutboxRow]) -> Select[OutboxRow]:
    return statement.options(defer(OutboxRow.payload, raiseload=True))  # type: ignore[arg-type]  # a mapped attribute


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
