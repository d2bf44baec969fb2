"""Notices: the natural key is identity and content, so the order of arrival leaves no trace."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.event import StoredNotice
from hub.model.ivorn import ivorn_key
from hub.storage import map_fetches
from hub.storage.jsonable import dump, load
from hub.storage.tables import NoticeRow
from hub.storage.writing import hold, insert_new


class Addition(StrEnum):
    """What a notice was to the store."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """The same identity with the same bytes is there."""

    REVISION = "revision"
    """The same identity is there with other bytes; both are kept."""


def notice_id(identity: str, digest: str) -> str:
    """Return the id of a notice: 32 hex digits of SHA-256 over identity and digest of the bytes, the same on every hub."""
    return hashlib.sha256(f"{identity}\n{digest}".encode()).hexdigest()[:32]


def add(session: Session, stored: StoredNotice, event_id: str | None) -> Addition:
    """Store a notice and its place in an event; a loaded one has no ``skymap``, its raw message does.

    Until the transaction ends no other one can add to the same event (see `hub.storage.writing.hold`), so that the event can be
    assembled from all its notices.
    """
    if event_id is not None:
        hold(session, f"event {event_id}")
    notice = stored.notice
    identity = notice.identity if notice.ivorn is None else ivorn_key(notice.identity)
    known = select(col(NoticeRow.notice_id)).where(col(NoticeRow.identity) == identity).limit(1)
    is_known = session.execute(known).first() is not None
    values = {
        "notice_id": stored.notice_id,
        "identity": identity,
        "ivorn": notice.ivorn,
        "event_id": event_id,
        "digest": stored.digest,
        "is_trusted": stored.is_trusted,
        "received_tai_us": stored.received_at.tai_us,
        "document": dump(stored),
    }
    if not insert_new(session, NoticeRow, values, key=["notice_id"]):
        return Addition.DUPLICATE
    return Addition.REVISION if is_known else Addition.NEW


def trust(session: Session, digest: str) -> list[str]:
    """Believe the notices with these bytes, as a trusted source brought them too; return the ids of the events that changes."""
    rows = session.scalars(select(NoticeRow).where(col(NoticeRow.digest) == digest, col(NoticeRow.is_trusted).is_(False))).all()
    for row in rows:
        hold(session, f"event {row.event_id}")
        document = {**row.document, "is_trusted": True}
        place = col(NoticeRow.notice_id) == row.notice_id
        session.execute(update(NoticeRow).where(place).values(is_trusted=True, document=document))
    return sorted({row.event_id for row in rows if row.event_id is not None})


def untrusted(session: Session, digest: str) -> list[StoredNotice]:
    """Return the notices with these bytes that no trusted source has brought yet."""
    place = (col(NoticeRow.digest) == digest, col(NoticeRow.is_trusted).is_(False))
    return [load(StoredNotice, document) for document in session.scalars(select(col(NoticeRow.document)).where(*place))]


def is_any_trusted(session: Session, digests: Collection[str]) -> bool:
    """Return whether a trusted source brought one of some bytes."""
    place = (col(NoticeRow.digest).in_(digests), col(NoticeRow.is_trusted).is_(True))
    return session.execute(select(col(NoticeRow.notice_id)).where(*place).limit(1)).first() is not None


def get(session: Session, notice_id: str) -> StoredNotice | None:
    """Return one notice, with the map that was fetched for it."""
    row = session.scalars(select(NoticeRow).where(col(NoticeRow.notice_id) == notice_id)).first()
    if row is None:
        return None
    (stored,) = _with_maps(session, row.event_id, [load(StoredNotice, row.document)])
    return stored


def of_event(session: Session, event_id: str) -> list[StoredNotice]:
    """Return all notices of an event in order of issue, with the maps that were fetched for them."""
    documents = session.scalars(select(col(NoticeRow.document)).where(col(NoticeRow.event_id) == event_id))
    found = _with_maps(session, event_id, [load(StoredNotice, document) for document in documents])
    return sorted(found, key=lambda stored: stored.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeKey:
    """Which notice, of which event."""

    notice_id: str
    event_id: str | None


def of_digest(session: Session, digest: str) -> list[NoticeKey]:
    """Return which notices have these bytes, by id."""
    statement = select(col(NoticeRow.notice_id), col(NoticeRow.event_id)).where(col(NoticeRow.digest) == digest)
    rows = session.execute(statement.order_by(col(NoticeRow.notice_id)))
    return [NoticeKey(notice_id=name, event_id=event_id) for name, event_id in rows]


def by_ivorn(session: Session, ivorn: str) -> list[StoredNotice]:
    """Return all notices with this ivorn (more than one where it was revised) in order of issue."""
    documents = session.scalars(select(col(NoticeRow.document)).where(col(NoticeRow.ivorn) == ivorn))
    return sorted((load(StoredNotice, document) for document in documents), key=lambda stored: stored.order)


def _with_maps(session: Session, event_id: str | None, found: Sequence[StoredNotice]) -> list[StoredNotice]:
    """Return notices of an event with the maps that were fetched for them."""
    if event_id is None or all(stored.notice.skymap_url is None for stored in found):
        return list(found)
    fetched = map_fetches.fetched(session, event_id)
    return [replace(stored, fetched_map=fetched.get(stored.notice.skymap_url or "")) for stored in found]
