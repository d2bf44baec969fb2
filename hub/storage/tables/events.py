"""Events, the sources behind them and where they are."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, LargeBinary
from sqlmodel import Field

from hub.storage.tables.base import Base, CanonicalJson


class EventRow(Base, table=True):
    """One event as its notices describe it now."""

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "order_tai_us", "event_id"),
        Index(None, "first_t0_tai_us", "last_t0_tai_us"),
        Index(None, "changed"),
    )

    event_id: str = Field(primary_key=True)
    messenger: str
    mission: str
    event_class: str
    state: str
    significance: str
    is_live: bool
    t0_tai_us: int | None = Field(sa_type=BigInteger)
    first_t0_tai_us: int | None = Field(sa_type=BigInteger)
    """Earliest time that any of its notices gives the event."""

    last_t0_tai_us: int | None = Field(sa_type=BigInteger)
    """Latest such time."""

    order_tai_us: int = Field(sa_type=BigInteger)
    """Place in listings: t0, else issue time, else reception."""

    far_hz: float | None
    is_vetoed: bool
    """Whether its observatory has a reason for which it is none."""

    is_answer: bool
    """Whether it is a search of something else than light that was made because of another event: no trigger of its own."""

    changed: int = Field(sa_type=BigInteger)
    """Value of the counter ``events`` when it last changed."""

    document: Any = Field(sa_type=CanonicalJson)


class CounterRow(Base, table=True):
    """How often something was changed: who has seen the same number has seen the same content."""

    __tablename__ = "counters"

    name: str = Field(primary_key=True)
    value: int = Field(sa_type=BigInteger)


class EventAliasRow(Base, table=True):
    """Other names of an event."""

    __tablename__ = "event_aliases"
    __table_args__ = (ForeignKeyConstraint(["event_id"], ["events.event_id"], ondelete="CASCADE"), Index(None, "event_id"))

    alias: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)


class EventCitationRow(Base, table=True):
    """What an electromagnetic event cites, or was observed because of: the id or a name of another event, or an ivorn."""

    __tablename__ = "event_citations"
    __table_args__ = (ForeignKeyConstraint(["event_id"], ["events.event_id"], ondelete="CASCADE"), Index(None, "cited"))

    event_id: str = Field(primary_key=True)
    cited: str = Field(primary_key=True)


class SourceMemberRow(Base, table=True):
    """The source that an event shares with others; an event without a row is one by itself."""

    __tablename__ = "source_members"
    __table_args__ = (Index(None, "source_id"),)

    event_id: str = Field(primary_key=True)
    source_id: str


class SourceVersionRow(Base, table=True):
    """What a source of several events was after one change; one that is no more has a latest version with fewer than two."""

    __tablename__ = "source_versions"
    __table_args__ = (Index(None, "is_latest", "order_tai_us", "source_id"),)

    source_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    is_latest: bool
    n_members: int
    order_tai_us: int = Field(sa_type=BigInteger)
    """Place in listings: its time."""

    document: Any = Field(sa_type=CanonicalJson)


class SourceWordRow(Base, table=True):
    """What a person said about two events, taken back or not."""

    __tablename__ = "source_words"
    __table_args__ = (Index(None, "first"), Index(None, "second"))

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    first: str
    second: str
    document: Any = Field(sa_type=CanonicalJson)


class LocalizationRow(Base, table=True):
    """A map by its content."""

    __tablename__ = "localizations"

    localization_id: str = Field(primary_key=True)
    source: str
    summary: Any = Field(sa_type=CanonicalJson)
    remarks: Any = Field(sa_type=CanonicalJson)
    columns: bytes = Field(sa_type=LargeBinary)
    """The map's arrays, compressed ``npz``."""
