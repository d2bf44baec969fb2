"""Messages that could not be used, with the reason, until a person replays or drops them."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.storage import envelopes
from hub.storage.envelopes import MessageState
from hub.storage.tables import DeadLetterRow, RawMessageRow
from hub.storage.writing import insert, storable, table

PREFIX_LENGTH = 8
"""Fewest digits of a digest that name a dead letter."""


_OF_SCHEMA = "schema-"


def of_schema(schema_id: int) -> str:
    """Return the format of a held letter: the number of the schema that it waits for."""
    return f"{_OF_SCHEMA}{schema_id}"


class LetterKind(StrEnum):
    """Why a message is among the dead letters."""

    REFUSED = "refused"
    """It cannot be used as it is."""

    HELD = "held"
    """Nobody knows its schema yet: to be replayed once the schema is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Why some bytes were refused; the bytes are the raw message of the same digest."""

    digest: str
    kind: LetterKind
    source: str
    reason: str
    """One sentence."""

    format: str | None
    """What the bytes seemed to be, where that is known."""

    adapter_version: str
    """Version of the hub that refused them last."""

    tries: int
    first_at: Instant
    last_at: Instant


def add(
    session: Session,
    envelope: Envelope,
    *,
    reason: str,
    format: str | None,  # noqa: A002 - the field's word
    adapter_version: str,
    at: Instant,
    kind: LetterKind = LetterKind.REFUSED,
) -> bool:
    """Record that a message was refused, bytes included; return whether these bytes were not kept before.

    A second refusal of the same bytes counts the tries and keeps the newer reason.
    """
    is_new = envelopes.keep(session, envelope, MessageState.DEAD)
    columns = table(DeadLetterRow).c
    again = {
        "kind": kind.value,
        "reason": storable(reason),
        "format": format,
        "adapter_version": adapter_version,
        "last_tai_us": at.tai_us,
    }
    statement = insert(session, DeadLetterRow).values(
        digest=envelope.digest, source=storable(envelope.source), tries=1, first_tai_us=at.tai_us, **again
    )
    session.execute(statement.on_conflict_do_update(index_elements=[columns.digest], set_={**again, "tries": columns.tries + 1}))
    return is_new


def listing(
    session: Session, *, source: str | None = None, kind: LetterKind | None = None, limit: int | None = None
) -> list[DeadLetter]:
    """Return the dead letters, the newest first."""
    statement = select(DeadLetterRow).order_by(col(DeadLetterRow.last_tai_us).desc(), col(DeadLetterRow.digest)).limit(limit)
    if source is not None:
        statement = statement.where(col(DeadLetterRow.source) == source)
    if kind is not None:
        statement = statement.where(col(DeadLetterRow.kind) == kind.value)
    return [_letter(row) for row in session.scalars(statement.execution_options(populate_existing=True))]


def get(session: Session, digest: str) -> DeadLetter | None:
    """Return the dead letter of a digest or of the first digits of it (at least 8, and no other begins so); else None."""
    if len(digest) < PREFIX_LENGTH:
        return None
    statement = select(DeadLetterRow).where(col(DeadLetterRow.digest).startswith(digest, autoescape=True)).limit(2)
    rows = session.scalars(statement.execution_options(populate_existing=True)).all()
    return _letter(rows[0]) if len(rows) == 1 else None


def held_schemas(session: Session, limit: int = 1000) -> list[int]:
    """Return the numbers of the schemas that held letters wait for, that of the most letters first."""
    is_held = (col(DeadLetterRow.kind) == LetterKind.HELD.value, col(DeadLetterRow.format).startswith(_OF_SCHEMA))
    statement = select(col(DeadLetterRow.format)).where(*is_held).group_by(col(DeadLetterRow.format))
    formats = session.scalars(statement.order_by(func.count().desc(), col(DeadLetterRow.format)).limit(limit))
    return [int(str(one).removeprefix(_OF_SCHEMA)) for one in formats]


def held_of(session: Session, schema_id: int, *, after: str = "", limit: int) -> list[str]:
    """Return the digests of held letters that wait for a schema, ascending, from the first behind ``after`` on."""
    digest = col(DeadLetterRow.digest)
    is_held = (col(DeadLetterRow.kind) == LetterKind.HELD.value, col(DeadLetterRow.format) == of_schema(schema_id))
    return list(session.scalars(select(digest).where(*is_held, digest > after).order_by(digest).limit(limit)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A message that was not understood."""

    topic: str
    position: str | None
    """Where it stood, as `Envelope.position`; of bytes that came several times the first place."""

    first_at: Instant
    last_at: Instant
    """Later than the first where the same bytes came, or were tried, again."""


def unread(session: Session, topics: Collection[str], limit: int) -> list[Unread]:
    """Return the messages of some topics that are not understood, those that a person took off the list included."""
    row, letter = RawMessageRow, DeadLetterRow
    statement = (
        select(
            col(row.topic),
            col(row.position),
            col(row.received_tai_us),
            func.coalesce(col(letter.tries), 0),
            func.coalesce(col(letter.last_tai_us), 0),
        )
        .outerjoin(letter, col(letter.digest) == col(row.digest))
        .where(_is_unread(topics))
        .limit(limit)
    )
    return [
        Unread(
            topic=str(topic),
            position=position,
            first_at=Instant(at),
            last_at=Instant(max(at, last) if tries > 1 else at),
        )
        for topic, position, at, tries, last in session.execute(statement)
    ]


def unread_mark(session: Session, topics: Collection[str]) -> tuple[int, int, int]:
    """Return numbers that change whenever `unread` of these topics may: how many there are, how often tried, and when last."""
    row, letter = RawMessageRow, DeadLetterRow
    statement = (
        select(func.count(), func.coalesce(func.sum(col(letter.tries)), 0), func.coalesce(func.max(col(letter.last_tai_us)), 0))
        .select_from(row)
        .outerjoin(letter, col(letter.digest) == col(row.digest))
        .where(_is_unread(topics))
    )
    n, tries, last = session.execute(statement).one()
    return int(n), int(tries), int(last)


def _is_unread(topics: Collection[str]) -> ColumnElement[bool]:
    row = RawMessageRow
    states = (MessageState.DEAD.value, MessageState.RECEIVED.value)
    return and_(col(row.state).in_(states), col(row.topic).in_([storable(topic) for topic in topics]))


def remove(session: Session, digest: str) -> bool:
    """Take a letter (whole digest) off the list, leaving its bytes; return whether there was one."""
    statement = delete(DeadLetterRow).where(col(DeadLetterRow.digest) == digest).returning(col(DeadLetterRow.digest))
    return session.execute(statement).first() is not None


def _letter(row: DeadLetterRow) -> DeadLetter:
    return DeadLetter(
        digest=row.digest,
        kind=LetterKind(row.kind),
        source=row.source,
        reason=row.reason,
        format=row.format,
        adapter_version=row.adapter_version,
        tries=row.tries,
        first_at=Instant(row.first_tai_us),
        last_at=Instant(row.last_tai_us),
    )
