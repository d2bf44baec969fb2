"""The two ways a row is written: only where it is not there yet, or over what is there. The same on both engines."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table, bindparam, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert
from sqlmodel import SQLModel

CHUNK = 500
"""Values in one ``IN (...)``: below the limits on bound parameters of every SQLite and PostgreSQL."""


def table(row: type[SQLModel]) -> Table:
    """Return the table of a row class."""
    return row.metadata.tables[str(row.__tablename__)]


def is_postgresql(session: Session) -> bool:
    """Return whether the session speaks to PostgreSQL (else SQLite)."""
    return session.get_bind().dialect.name == "postgresql"


def insert(session: Session, row: type[SQLModel]) -> sqlite.Insert | postgresql.Insert:
    """Return an insert statement of the session's engine, which knows ``ON CONFLICT``."""
    return postgresql.insert(table(row)) if is_postgresql(session) else sqlite.insert(table(row))


def insert_new(session: Session, row: type[SQLModel], values: Mapping[str, Any], *, key: Sequence[str]) -> bool:
    """Insert a row unless one with its key is there; return whether it was inserted."""
    statement = _insert_new(row, tuple(values), tuple(key), is_postgresql(session))
    return session.execute(statement, values).first() is not None


def upsert(
    session: Session, row: type[SQLModel], values: Mapping[str, Any], *, key: Sequence[str], keep: Sequence[str] = ()
) -> None:
    """Insert a row, or overwrite the one with its key except for the columns to keep."""
    session.execute(_upsert(row, tuple(values), tuple(key), tuple(keep), is_postgresql(session)), values)


# To build a statement takes as long as to run it: each is built once, and takes its values as parameters.


@cache
def _insert_new(row: type[SQLModel], names: tuple[str, ...], key: tuple[str, ...], for_postgresql: bool) -> ReturningInsert[Any]:
    columns = [table(row).c[name] for name in key]
    return _insert_of(row, names, for_postgresql).on_conflict_do_nothing(index_elements=columns).returning(*columns)


@cache
def _upsert(
    row: type[SQLModel],
    names: tuple[str, ...],
    key: tuple[str, ...],
    keep: tuple[str, ...],
    for_postgresql: bool,
) -> sqlite.Insert | postgresql.Insert:
    statement = _insert_of(row, names, for_postgresql)
    changed = {name: statement.excluded[name] for name in names if name not in key and name not in keep}
    return statement.on_conflict_do_update(index_elements=[table(row).c[name] for name in key], set_=changed)


def _insert_of(row: type[SQLModel], names: tuple[str, ...], for_postgresql: bool) -> sqlite.Insert | postgresql.Insert:
    statement = postgresql.insert(table(row)) if for_postgresql else sqlite.insert(table(row))
    return statement.values({name: bindparam(name) for name in names})


def hold(session: Session, subject: str) -> None:
    """Let no other transaction that holds the same subject run until this one ends.

    Two workers that read a set, add to it and write what follows from it would otherwise each miss the other's addition. SQLite
    has one writer at a time already (``BEGIN IMMEDIATE``), so this matters on PostgreSQL only: an advisory lock on the
    subject's hash.
    """
    if is_postgresql(session):
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))"), {"subject": subject})


def storable(value: str) -> str:
    """Return a text that both engines can hold: PostgreSQL has no NUL, UTF-8 no lone surrogates (odd file names have)."""
    return value.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
