"""What came in, and what became of it."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, LargeBinary, Text
from sqlmodel import Field

from hub.storage.tables.base import Base, CanonicalJson


class RawMessageRow(Base, table=True):
    """The bytes of a message, once for each content."""

    __tablename__ = "raw_messages"
    __table_args__ = (Index(None, "state", "digest"),)

    digest: str = Field(primary_key=True)
    payload: bytes = Field(sa_type=LargeBinary)
    media_type: str | None
    source: str
    position: str | None
    topic: str | None
    alert_stream: str | None
    trust: str
    received_tai_us: int = Field(sa_type=BigInteger)
    state: str
    """A `MessageState` value."""


class ReceptionRow(Base, table=True):
    """That a source brought a content, and how many of its deliveries have no outcome yet."""

    __tablename__ = "receptions"
    __table_args__ = (
        ForeignKeyConstraint(["digest"], ["raw_messages.digest"], ondelete="CASCADE"),
        Index(None, "in_flight"),
    )

    digest: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    in_flight: int
    position: str | None
    topic: str | None
    media_type: str | None
    alert_stream: str | None
    trust: str
    received_tai_us: int = Field(sa_type=BigInteger)


class SourceCountRow(Base, table=True):
    """The books of one source."""

    __tablename__ = "source_counts"

    source: str = Field(primary_key=True)
    received: int = Field(sa_type=BigInteger)
    stored: int = Field(sa_type=BigInteger)
    duplicates: int = Field(sa_type=BigInteger)
    dead_letters: int = Field(sa_type=BigInteger)


class DeadLetterRow(Base, table=True):
    """Why a message could not be used."""

    __tablename__ = "dead_letters"
    __table_args__ = (ForeignKeyConstraint(["digest"], ["raw_messages.digest"]), Index(None, "last_tai_us"))

    digest: str = Field(primary_key=True)
    kind: str
    """``refused``, or ``held`` for alerts whose schema nobody knows yet."""

    source: str
    reason: str
    format: str | None
    adapter_version: str
    tries: int
    first_tai_us: int = Field(sa_type=BigInteger)
    last_tai_us: int = Field(sa_type=BigInteger)


class ContextRow(Base, table=True):
    """A message that is kept but is no event: a circular, a transport message, a bare sky map."""

    __tablename__ = "contexts"
    __table_args__ = (Index(None, "kind"),)

    digest: str = Field(primary_key=True)
    kind: str
    format: str
    summary: Any = Field(sa_type=CanonicalJson)
    received_tai_us: int = Field(sa_type=BigInteger)


class NoticeRow(Base, table=True):
    """One notice; a revision of the same identity is a row of its own."""

    __tablename__ = "notices"
    __table_args__ = (Index(None, "event_id"), Index(None, "ivorn"), Index(None, "identity"), Index(None, "digest"))

    notice_id: str = Field(primary_key=True)
    identity: str
    ivorn: str | None
    event_id: str | None
    digest: str
    is_trusted: bool
    received_tai_us: int = Field(sa_type=BigInteger)
    document: Any = Field(sa_type=CanonicalJson)


class MapFetchRow(Base, table=True):
    """A sky map that a notice of an event names by its URL."""

    __tablename__ = "map_fetches"
    __table_args__ = (Index(None, "state", "due_tai_us"),)

    event_id: str = Field(primary_key=True)
    url: str = Field(primary_key=True)
    state: str
    """A `FetchState` value."""

    tries: int
    first_tai_us: int = Field(sa_type=BigInteger)
    due_tai_us: int = Field(sa_type=BigInteger)
    fetched_tai_us: int | None = Field(sa_type=BigInteger)
    sha256: str | None
    localization_id: str | None
    remarks: Any = Field(sa_type=CanonicalJson)
    error: str


class CircularRow(Base, table=True):
    """One version of one circular; the same version with another text is a row of its own."""

    __tablename__ = "circulars"
    __table_args__ = (Index(None, "is_latest", "circular_id"), Index(None, "created_tai_us"), Index(None, "digest"))

    circular_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    content: str = Field(primary_key=True)
    """Digest of subject and body."""

    digest: str
    """SHA-256 of the raw bytes."""

    subject: str
    body: str = Field(sa_type=Text)
    submitter: str | None
    event_name: str | None
    text_format: str
    bibcode: str | None
    edited_by: str | None
    created_tai_us: int | None = Field(sa_type=BigInteger)
    edited_tai_us: int | None = Field(sa_type=BigInteger)
    received_tai_us: int = Field(sa_type=BigInteger)
    is_trusted: bool
    is_latest: bool


class CircularNameRow(Base, table=True):
    """An event that a circular is about, by the key of its name; the event may be known or come later."""

    __tablename__ = "circular_names"

    name_key: str = Field(primary_key=True)
    circular_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    content: str = Field(primary_key=True)
