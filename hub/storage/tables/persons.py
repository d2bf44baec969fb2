"""Who may do what, and see what."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from hub.storage.tables.base import Base, CanonicalJson


class TokenRow(Base, table=True):
    """What the hub knows of a token of the HTTP API."""

    __tablename__ = "tokens"
    __table_args__ = (UniqueConstraint("name"),)

    token_id: str = Field(primary_key=True)
    """The first digits of the digest."""

    digest: str
    name: str
    scopes: Any = Field(sa_type=CanonicalJson)
    is_trusted: bool
    created_tai_us: int = Field(sa_type=BigInteger)
    expires_tai_us: int = Field(sa_type=BigInteger)
    revoked_tai_us: int | None = Field(sa_type=BigInteger)
    last_used_tai_us: int | None = Field(sa_type=BigInteger)


class PersonRow(Base, table=True):
    """Somebody who may use the hub."""

    __tablename__ = "persons"
    __table_args__ = (UniqueConstraint("subject"),)

    name: str = Field(primary_key=True)
    scopes: Any = Field(sa_type=CanonicalJson)
    password_hash: str | None
    """Argon2id with its parameters and salt."""

    subject: str | None
    created_tai_us: int = Field(sa_type=BigInteger)
    disabled_tai_us: int | None = Field(sa_type=BigInteger)


class PersonGroupRow(Base, table=True):
    """That a person belongs to a group."""

    __tablename__ = "person_groups"
    __table_args__ = (ForeignKeyConstraint(["person"], ["persons.name"]),)

    person: str = Field(primary_key=True)
    group_name: str = Field(primary_key=True)


class SessionRow(Base, table=True):
    """That a person has signed in with a browser."""

    __tablename__ = "sessions"
    __table_args__ = (ForeignKeyConstraint(["person"], ["persons.name"]), Index(None, "person"), Index(None, "expires_tai_us"))

    session_id: str = Field(primary_key=True)
    """The first digits of the digest."""

    digest: str
    person: str
    created_tai_us: int = Field(sa_type=BigInteger)
    expires_tai_us: int = Field(sa_type=BigInteger)
    seen_tai_us: int = Field(sa_type=BigInteger)
    ended_tai_us: int | None = Field(sa_type=BigInteger)


class IdempotentAnswerRow(Base, table=True):
    """What was answered to a request that its caller may repeat."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (Index(None, "at_tai_us"),)

    caller: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    digest: str
    """SHA-256 of what was asked."""

    at_tai_us: int = Field(sa_type=BigInteger)
    document: Any = Field(sa_type=CanonicalJson)


class PrivatePartRow(Base, table=True):
    """That what a source, survey or network brings, or a destination gets, is private to a group."""

    __tablename__ = "private_parts"

    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    group_name: str
