"""How the hub itself is: what is to be done and sent, where it stands in its streams."""

from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field

from hub.storage.tables.base import SEQUENCE, Base, CanonicalJson


class OutboxRow(Base, table=True):
    """A message on its way out to one destination."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("ivorn_key", "destination", "content"),
        Index(None, "destination", "state", "due_tai_us"),
    )

    sequence: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    ivorn: str
    ivorn_key: str
    """The same in the spelling that names are compared in."""

    content: str
    """Digest of the payload of another author's message, which others may have named alike; empty for the hub's own."""

    destination: str
    subject: str
    key: str
    media_type: str
    payload: bytes = Field(sa_type=LargeBinary)
    role: str
    cites: Any = Field(sa_type=CanonicalJson)
    created_tai_us: int = Field(sa_type=BigInteger)
    state: str
    tries: int
    due_tai_us: int = Field(sa_type=BigInteger)
    sent_tai_us: int | None = Field(sa_type=BigInteger)
    echoed_tai_us: int | None = Field(sa_type=BigInteger)
    """When it came back from where it was sent to; None where it has not, or nobody listens."""

    error: str


class HeardRow(Base, table=True):
    """Until when a source that does not repeat itself was listened to."""

    __tablename__ = "heard"

    source: str = Field(primary_key=True)
    until_tai_us: int = Field(sa_type=BigInteger)


class JobRow(Base, table=True):
    """Something that must be computed again."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("kind", "key"),)

    sequence: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    kind: str
    key: str
    token: str
    """New with every request, so that a job asked for again while it ran is not taken for done."""


class LeaseRow(Base, table=True):
    """Who may do something that only one process at a time may do."""

    __tablename__ = "leases"

    name: str = Field(primary_key=True)
    holder: str
    until_tai_us: int = Field(sa_type=BigInteger)


class ComponentRow(Base, table=True):
    """What a loop of a running hub last said of itself."""

    __tablename__ = "components"

    name: str = Field(primary_key=True)
    instance: str = Field(primary_key=True)
    """Which process: host and process id."""

    state: str
    alarms: Any = Field(sa_type=CanonicalJson)
    facts: Any = Field(sa_type=CanonicalJson)
    since_tai_us: int = Field(sa_type=BigInteger)
    """When it entered its state."""

    updated_tai_us: int = Field(sa_type=BigInteger)


class IncidentRow(Base, table=True):
    """Something that happened once to a source or destination: a gap, a refused credential."""

    __tablename__ = "incidents"
    __table_args__ = (Index(None, "at_tai_us"),)

    source: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    text: str
    facts: Any = Field(sa_type=CanonicalJson)
    at_tai_us: int = Field(sa_type=BigInteger)


class StreamPositionRow(Base, table=True):
    """How far the hub has stored a partition, whatever the broker believes."""

    __tablename__ = "stream_positions"

    source: str = Field(primary_key=True)
    topic: str = Field(primary_key=True)
    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    first_offset: int = Field(sa_type=BigInteger)
    next_offset: int = Field(sa_type=BigInteger)
    messages: int = Field(sa_type=BigInteger)
    """Messages brought, repeats included."""

    missing: int = Field(sa_type=BigInteger)
    """Offsets that were passed over: control records, compaction, or a gap that an incident tells of."""

    topic_id: str
    """What the broker calls the topic; empty where it does not say."""


class AlertStreamRow(Base, table=True):
    """An alert stream that the hub has heard, and what it selects."""

    __tablename__ = "alert_streams"

    name: str = Field(primary_key=True)
    survey: str
    is_full: bool
    selection: Any = Field(sa_type=CanonicalJson)
    since_tai_us: int = Field(sa_type=BigInteger)
    """When the hub first listened to it."""
