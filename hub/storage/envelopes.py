"""Raw messages as they came, and the books of each source.

A *delivery* is one arrival of an envelope. `receive` counts it and keeps its bytes, `finish` counts what became of it; between
the two it is in flight, also across a crash. The bytes of a message are kept once, whoever brings them and however often.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.storage.tables import RawMessageRow, ReceptionRow, SourceCountRow
from hub.storage.writing import insert, insert_new, is_postgresql, storable, table


class MessageState(StrEnum):
    """What became of a message's bytes; also the outcome of a delivery."""

    RECEIVED = "received"
    """Kept, not understood yet."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    """Known already, or an echo of the hub's own message."""

    DEAD = "dead"
    """Refused, with a reason among the dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What the hub knew about some bytes when they arrived."""

    digest: str
    """SHA-256 of the bytes; their key."""

    is_new: bool
    """No source had brought these bytes before."""

    state: MessageState
    """`RECEIVED` where they still have to be understood (also if an earlier delivery of them is in flight)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """Bytes that are kept, with their first arrival."""

    digest: str
    payload: bytes
    media_type: str | None
    source: str
    position: str | None
    topic: str | None
    alert_stream: str | None
    trust: Trust
    received_at: Instant
    state: MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCounts:
    """The books of one source, in messages."""

    source: str
    received: int
    stored: int
    duplicates: int
    dead_letters: int
    """Refused ones, those included that were dropped from the dead letters since."""

    in_flight: int
    """Received and without an outcome yet."""


def law_holds(counts: Iterable[SourceCounts]) -> bool:
    """Return whether each source has received = stored + duplicates + dead letters + in flight: nothing is unaccounted for."""
    return all(one.received == one.stored + one.duplicates + one.dead_letters + one.in_flight for one in counts)


def receive(session: Session, envelope: Envelope) -> Reception:
    """Keep the bytes of a delivery and count it as received."""
    digest = envelope.digest
    is_new = keep(session, envelope, MessageState.RECEIVED)
    state: str = MessageState.RECEIVED
    if not is_new:
        state = session.scalars(select(col(RawMessageRow.state)).where(col(RawMessageRow.digest) == digest)).one()
    statement = insert(session, ReceptionRow).values(
        digest=digest,
        source=storable(envelope.source),
        in_flight=1,
        position=_storable(envelope.position),
        topic=_storable(envelope.topic),
        media_type=_storable(envelope.media_type),
        alert_stream=envelope.alert_stream,
        trust=envelope.trust.value,
        received_tai_us=envelope.received_at.tai_us,
    )
    columns = table(ReceptionRow).c
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[columns.digest, columns.source], set_={"in_flight": columns.in_flight + 1}
        )
    )
    count_alerts(session, envelope.source, received=1, stored=0, duplicates=0, dead_letters=0)
    return Reception(digest=digest, is_new=is_new, state=MessageState(state))


def keep(session: Session, envelope: Envelope, state: MessageState) -> bool:
    """Keep the bytes without counting anything; return whether they were new."""
    values = {
        "digest": envelope.digest,
        "payload": envelope.payload,
        "media_type": _storable(envelope.media_type),
        "source": storable(envelope.source),
        "position": _storable(envelope.position),
        "topic": _storable(envelope.topic),
        "alert_stream": envelope.alert_stream,
        "trust": envelope.trust.value,
        "received_tai_us": envelope.received_at.tai_us,
        "state": state.value,
    }
    return insert_new(session, RawMessageRow, values, key=["digest"])


def finish(session: Session, digest: str, source: str, outcome: MessageState) -> None:
    """Count what became of all deliveries of these bytes by this source that are in flight; none in flight counts nothing.

    The first delivery gets the outcome, every further one is a duplicate. Bytes that are settled already keep their state, and
    what comes after is a duplicate; only bytes that were refused can still become stored.
    """
    deliveries = _take_in_flight(session, digest, source)
    if deliveries == 0:
        return
    unsettled = [MessageState.RECEIVED.value] + [MessageState.DEAD.value] * (outcome is MessageState.STORED)
    settled = (
        update(RawMessageRow)
        .where(col(RawMessageRow.digest) == digest, col(RawMessageRow.state).in_(unsettled))
        .values(state=outcome.value)
        .returning(col(RawMessageRow.digest))
    )
    if session.execute(settled, execution_options={"synchronize_session": False}).first() is None:
        outcome = MessageState.DUPLICATE
    repeats = deliveries - 1
    count_alerts(
        session,
        source,
        received=0,
        stored=int(outcome is MessageState.STORED),
        duplicates=int(outcome is MessageState.DUPLICATE) + repeats,
        dead_letters=int(outcome is MessageState.DEAD),
    )


def release(session: Session, digest: str, source: str) -> int:
    """Forget the bytes of an opened container of alerts; return how many deliveries of it by this source were in flight.

    Those deliveries are counted as received; their outcome is for the caller to count. Deliveries of the same bytes by other
    sources stay in flight, and so do the bytes until the last of them is released.
    """
    deliveries = _take_in_flight(session, digest, source)
    others = select(col(ReceptionRow.source)).where(col(ReceptionRow.digest) == digest, col(ReceptionRow.in_flight) > 0)
    if session.execute(others.limit(1)).first() is None:
        session.execute(delete(ReceptionRow).where(col(ReceptionRow.digest) == digest))
        session.execute(delete(RawMessageRow).where(col(RawMessageRow.digest) == digest))
    return deliveries


def reopen(session: Session, digest: str) -> Envelope | None:
    """Take a refused message back into flight, off the books of the dead; return it, None where these bytes are not refused ones.

    It is booked for the source that its bytes came from first.
    """
    statement = (
        update(RawMessageRow)
        .where(col(RawMessageRow.digest) == digest, col(RawMessageRow.state) == MessageState.DEAD.value)
        .values(state=MessageState.RECEIVED.value)
        .returning(col(RawMessageRow.digest))
    )
    if session.execute(statement).first() is None:
        return None
    message = raw(session, digest)
    assert message is not None
    values = {
        "digest": digest,
        "source": message.source,
        "in_flight": 1,
        "position": message.position,
        "topic": message.topic,
        "media_type": message.media_type,
        "alert_stream": message.alert_stream,
        "trust": message.trust.value,
        "received_tai_us": message.received_at.tai_us,
    }
    columns = table(ReceptionRow).c
    session.execute(
        insert(session, ReceptionRow)
        .values(values)
        .on_conflict_do_update(index_elements=[columns.digest, columns.source], set_={"in_flight": columns.in_flight + 1})
    )
    count_alerts(session, message.source, received=0, stored=0, duplicates=0, dead_letters=-1)
    return Envelope(
        payload=message.payload,
        source=message.source,
        received_at=message.received_at,
        position=message.position,
        media_type=message.media_type,
        topic=message.topic,
        alert_stream=message.alert_stream,
        trust=message.trust,
    )


def pending(session: Session) -> list[Envelope]:
    """Return what is in flight, oldest first: after a start, everything that a crash interrupted."""
    statement = (
        select(ReceptionRow, col(RawMessageRow.payload))
        .join(RawMessageRow, col(RawMessageRow.digest) == col(ReceptionRow.digest))
        .where(col(ReceptionRow.in_flight) > 0)
        .order_by(col(ReceptionRow.received_tai_us), col(ReceptionRow.digest), col(ReceptionRow.source))
        .execution_options(populate_existing=True)
    )
    return [
        Envelope(
            payload=payload,
            source=row.source,
            received_at=Instant(row.received_tai_us),
            position=row.position,
            media_type=row.media_type,
            topic=row.topic,
            alert_stream=row.alert_stream,
            trust=Trust(row.trust),
        )
        for row, payload in session.execute(statement)
    ]


def raw(session: Session, digest: str) -> RawMessage | None:
    """Return the bytes with this SHA-256, None where the hub does not have them."""
    row = session.get(RawMessageRow, digest, populate_existing=True)
    if row is None:
        return None
    return RawMessage(
        digest=row.digest,
        payload=row.payload,
        media_type=row.media_type,
        source=row.source,
        position=row.position,
        topic=row.topic,
        alert_stream=row.alert_stream,
        trust=Trust(row.trust),
        received_at=Instant(row.received_tai_us),
        state=MessageState(row.state),
    )


def counts(session: Session) -> list[SourceCounts]:
    """Return the books of all sources, by name."""
    flying = select(col(ReceptionRow.source), func.sum(col(ReceptionRow.in_flight))).group_by(col(ReceptionRow.source))
    in_flight = {source: int(number) for source, number in session.execute(flying)}
    rows = session.scalars(select(SourceCountRow).order_by(col(SourceCountRow.source)).execution_options(populate_existing=True))
    return [
        SourceCounts(
            source=row.source,
            received=row.received,
            stored=row.stored,
            duplicates=row.duplicates,
            dead_letters=row.dead_letters,
            in_flight=in_flight.get(row.source, 0),
        )
        for row in rows
    ]


def count_alerts(session: Session, source: str, *, received: int, stored: int, duplicates: int, dead_letters: int) -> None:
    """Add to the books of a source, for messages whose bytes are not kept one by one."""
    added = {"received": received, "stored": stored, "duplicates": duplicates, "dead_letters": dead_letters}
    if any(added.values()):
        session.connection().execute(_count(is_postgresql(session)), {"source": storable(source), **added})


@cache
def _count(for_postgresql: bool) -> sqlite.Insert | postgresql.Insert:
    """Return what adds to the books; to build it takes longer than to run it."""
    rows = table(SourceCountRow)
    names = ("received", "stored", "duplicates", "dead_letters")
    statement = (postgresql.insert(rows) if for_postgresql else sqlite.insert(rows)).values(
        {name: bindparam(name) for name in ("source", *names)}
    )
    changed = {name: rows.c[name] + statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=[rows.c.source], set_=changed)


def _take_in_flight(session: Session, digest: str, source: str) -> int:
    """Set the deliveries in flight to none and return how many there were."""
    place = (col(ReceptionRow.digest) == digest, col(ReceptionRow.source) == storable(source))
    number = session.scalars(select(col(ReceptionRow.in_flight)).where(*place).with_for_update()).first()
    if number:
        session.execute(update(ReceptionRow).where(*place).values(in_flight=0))
    return number or 0


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)
