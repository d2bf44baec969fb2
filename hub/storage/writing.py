"""The two ways a row is written, one or many: only where it is not there yet, or over what is there. The same on both engines.

Many rows go to PostgreSQL by binary ``COPY`` into a temporary table and on in one statement, to SQLite by ``executemany``.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    String,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, Session
from sqlalchemy.sql.dml import ReturningInsert
from sqlmodel import SQLModel

from hub.storage.tables import CanonicalJson, JsonText, canonical

CHUNK = 500
"""Values in one ``IN (...)``: below the limits on bound parameters of every SQLite and PostgreSQL."""

COPY_FROM = 20
"""Fewest rows that are copied on PostgreSQL: the two statements around the copy cost as much as so many rows by themselves."""


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


def insert_all_new(session: Session, row: type[SQLModel], rows: Sequence[Mapping[str, Any]], *, key: Sequence[str]) -> None:
    """Insert the rows of which none with their key is there; of several with one key the first. All have the same columns."""
    key_of = itemgetter(*key)
    _write_all(session, row, {key_of(values): values for values in reversed(rows)}, tuple(key), is_update=False)


def upsert_all(session: Session, row: type[SQLModel], rows: Sequence[Mapping[str, Any]], *, key: Sequence[str]) -> None:
    """Insert rows, each over the one with its key; of several with one key the last counts. All have the same columns."""
    key_of = itemgetter(*key)
    _write_all(session, row, {key_of(values): values for values in rows}, tuple(key), is_update=True)


def _write_all(
    session: Session,
    row: type[SQLModel],
    by_key: Mapping[Any, Mapping[str, Any]],
    key: tuple[str, ...],
    *,
    is_update: bool,
) -> None:
    if not by_key:
        return
    rows = [by_key[one] for one in sorted(by_key)]  # in one order everywhere, so that writers do not wait for each other in turn
    names = tuple(rows[0])
    if is_postgresql(session) and len(rows) >= COPY_FROM:
        _copy(session, row, names, rows, key, is_update=is_update)
    elif is_postgresql(session):
        session.execute(_upsert(row, names, key, (), True) if is_update else _insert_all_new(row, names, key, True), rows)
    else:
        _execute_many(session, row, names, rows, key, is_update=is_update)


def _execute_many(
    session: Session,
    row: type[SQLModel],
    names: tuple[str, ...],
    rows: Sequence[Mapping[str, Any]],
    key: tuple[str, ...],
    *,
    is_update: bool,
) -> None:
    """Write rows to SQLite with a statement that is text already: SQLAlchemy takes as long for each row as SQLite itself."""
    connection = session.connection()
    statement, order, json_at = _text_for_sqlite(row, names, key, is_update)
    in_order = itemgetter(*order)
    values = list(map(in_order, rows)) if len(order) > 1 else [(in_order(one),) for one in rows]
    if any(one[at] is not None and not isinstance(one[at], JsonText) for at in json_at for one in values):
        values = [
            tuple(
                canonical(value) if at in json_at and value is not None and not isinstance(value, JsonText) else value
                for at, value in enumerate(one)
            )
            for one in values
        ]
    connection.exec_driver_sql(statement, values)


@cache
def _text_for_sqlite(
    row: type[SQLModel], names: tuple[str, ...], key: tuple[str, ...], is_update: bool
) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    """Return the statement, the columns in the order of its parameters, and which of them hold JSON."""
    statement = _upsert(row, names, key, (), False) if is_update else _insert_all_new(row, names, key, False)
    compiled: Any = statement.compile(dialect=sqlite.dialect())
    order = tuple(compiled.positiontup)
    json_at = tuple(at for at, name in enumerate(order) if isinstance(table(row).c[name].type, CanonicalJson))
    return str(compiled), order, json_at


def _copy(
    session: Session,
    row: type[SQLModel],
    names: tuple[str, ...],
    rows: Sequence[Mapping[str, Any]],
    key: tuple[str, ...],
    *,
    is_update: bool,
) -> None:
    """Write rows through a temporary table, which lives as long as the connection and is empty outside of this call."""
    target = table(row)
    columns = [target.c[name] for name in names]
    connection = session.connection()
    listed, place = ", ".join(f'"{name}"' for name in names), f'"incoming_{target.name}"'
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in key)
    keyed = ", ".join(f'"{name}"' for name in key)
    action = f"DO UPDATE SET {changed}" if is_update and changed else "DO NOTHING"
    made = f'CREATE TEMPORARY TABLE IF NOT EXISTS {place} (LIKE "{target.name}") ON COMMIT DELETE ROWS'
    connection.exec_driver_sql(made)
    connection.exec_driver_sql(f"TRUNCATE {place}")
    with _copying(connection, f"COPY {place} ({listed}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([_postgres_type(column) for column in columns])
        for values in rows:
            copy.write_row([_for_copy(column, values[column.name], connection.dialect) for column in columns])
    chosen = f"SELECT {listed} FROM {place} ORDER BY {keyed} ON CONFLICT ({keyed}) {action}"  # noqa: S608 - names of tables
    moved = f'INSERT INTO "{target.name}" ({listed}) {chosen}'
    connection.exec_driver_sql(moved)


@contextmanager
def _copying(connection: Connection, statement: str) -> Iterator[Any]:
    """Give psycopg's copy, whose faults become those that SQLAlchemy would raise."""
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            yield copy
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(
            statement, None, error, connection.dialect.loaded_dbapi.Error, dialect=connection.dialect
        ) from error


def _for_copy(column: Column[Any], value: Any, dialect: Dialect) -> Any:
    return column.type.process_bind_param(value, dialect) if isinstance(column.type, CanonicalJson) else value


def _postgres_type(column: Column[Any]) -> str:
    match column.type:
        case TypeDecorator() | String():
            return "text"  # as in the tables, whatever is made of it
        case BigInteger():
            return "int8"
        case other:
            return {int: "int4", float: "float8", bool: "bool", bytes: "bytea"}[other.python_type]


# To build a statement takes as long as to run it: each is built once, and takes its values as parameters.


@cache
def _insert_new(row: type[SQLModel], names: tuple[str, ...], key: tuple[str, ...], for_postgresql: bool) -> ReturningInsert[Any]:
    columns = [table(row).c[name] for name in key]
    return _insert_of(row, names, for_postgresql).on_conflict_do_nothing(index_elements=columns).returning(*columns)


@cache
def _insert_all_new(
    row: type[SQLModel], names: tuple[str, ...], key: tuple[str, ...], for_postgresql: bool
) -> sqlite.Insert | postgresql.Insert:
    columns = [table(row).c[name] for name in key]
    return _insert_of(row, names, for_postgresql).on_conflict_do_nothing(index_elements=columns)


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


def among(session: Session, column: ColumnElement[str] | Mapped[str], values: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a column has one of any number of texts, which are one parameter of one statement."""
    wanted = sorted(set(values))
    if is_postgresql(session):
        return column == func.any(cast(wanted, postgresql.ARRAY(Text)))
    listed = func.json_each(json.dumps(wanted)).table_valued("value")
    return column.in_(select(listed.c.value))


def among_those(
    column: ColumnElement[str] | ColumnElement[int] | Mapped[str],
    name: str,
    *,
    for_postgresql: bool,
    kind: type[Text] | type[BigInteger] = Text,
) -> ColumnElement[bool]:
    """Return the same condition for a statement that is built once; its values are a parameter, which `those` makes.

    Parameters
    ----------
    column
        Of texts, or of numbers.
    name
        Of the parameter.
    for_postgresql
        Else for SQLite.
    kind
        Of the values.
    """
    if for_postgresql:
        return column == func.any(cast(bindparam(name), postgresql.ARRAY(kind)))
    return column.in_(select(func.json_each(bindparam(name, type_=Text)).table_valued("value").c.value))


def those(session: Session, values: Iterable[str] | Iterable[int]) -> Any:
    """Return the value of a parameter that stands for any number of texts, or of numbers."""
    wanted = sorted(set[Any](values))
    return wanted if is_postgresql(session) else json.dumps(wanted)


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
