"""Coincidences and groups, and what of them was announced."""

from typing import Any

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from hub.storage.tables.base import Base, CanonicalJson


class CoincidenceRow(Base, table=True):
    """One version of one pair."""

    __tablename__ = "coincidences"
    __table_args__ = (Index(None, "is_latest", "first_created_tai_us", "coincidence_id"), Index(None, "kind", "t0_tai_us"))

    coincidence_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    is_latest: bool
    kind: str
    state: str
    is_live: bool
    t0_tai_us: int | None = Field(sa_type=BigInteger)
    level: float | None
    score: float | None
    joint_far_hz: float | None
    """The larger of joint false-alarm rate and rate of unrelated real events: what listings are limited by."""

    held_back: bool
    """Whether it is open, and stays in the hub."""

    created_tai_us: int = Field(sa_type=BigInteger)
    first_created_tai_us: int = Field(sa_type=BigInteger)
    """When its first version was written: its place in listings."""

    let_out: str
    """How much has left because of it, a `hub.model.outgoing.Leaves`."""

    document: Any = Field(sa_type=CanonicalJson)


class CoincidenceMemberRow(Base, table=True):
    """Who belongs to a pair; the same in all its versions."""

    __tablename__ = "coincidence_members"
    __table_args__ = (Index(None, "member_id"),)

    coincidence_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    member_id: str = Field(primary_key=True)


class PairQuestionsRow(Base, table=True):
    """What a pair of events asked of the triggers before it, and what it was told, when it was last evaluated."""

    __tablename__ = "pair_questions"

    coincidence_id: str = Field(primary_key=True)
    first_id: str
    """Id of one event, the first by id."""

    second_id: str
    at_tai_us: int | None = Field(sa_type=BigInteger, index=True)
    """Before which triggers count; null where it asked nothing."""

    document: Any = Field(sa_type=CanonicalJson)


class AnnouncedRow(Base, table=True):
    """What was spent of the budget of false announcements: a coincidence of which a message left, once."""

    __tablename__ = "announced"
    __table_args__ = (Index(None, "first_tai_us"),)

    coincidence_id: str = Field(primary_key=True)
    rule: str
    kind: str
    version: int
    """The first version that left."""

    spends_per_month: float | None
    first_tai_us: int = Field(sa_type=BigInteger)
    withdrawn_tai_us: int | None = Field(sa_type=BigInteger)
    """When it was taken back; NULL while it stands."""

    superseded_by: str | None = None
    """The coincidence whose message took the place of its own; NULL where it was not, or stands again."""


class PromotedRow(Base, table=True):
    """An event of low significance that an announced pair lifts: it is searched for counterparts like a significant one."""

    __tablename__ = "promoted"

    event_id: str = Field(primary_key=True)


class GroupRow(Base, table=True):
    """One version of a group of events that hang together."""

    __tablename__ = "event_groups"
    __table_args__ = (Index(None, "is_latest", "first_created_tai_us", "group_id"),)

    group_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    is_latest: bool
    state: str
    is_live: bool
    t0_tai_us: int | None = Field(sa_type=BigInteger)
    created_tai_us: int = Field(sa_type=BigInteger)
    first_created_tai_us: int = Field(sa_type=BigInteger)
    document: Any = Field(sa_type=CanonicalJson)


class GroupMemberRow(Base, table=True):
    """The group that a member belongs to now: nothing is in two."""

    __tablename__ = "group_members"
    __table_args__ = (Index(None, "group_id"),)

    kind: str = Field(primary_key=True)
    member_id: str = Field(primary_key=True)
    group_id: str
