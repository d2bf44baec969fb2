"""Open the state database: SQLite for one machine, PostgreSQL for many, the same code on both.

SQLite runs in WAL mode (readers never wait for the writer) with ``synchronous=FULL``: after a commit the data survives a loss
of power, which WAL with ``NORMAL`` does not promise. Writing transactions start with ``BEGIN IMMEDIATE``: a transaction that
begins as a reader and writes later fails at once with "database is locked" if another wrote in between, and no busy time-out
helps; one that asks for the write lock first simply waits for its turn.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from hub.errors import ConfigError, StorageError
from hub.model.alert import AlertBatch
from hub.storage import old_alerts, privacy, schema

BUSY_TIMEOUT_S = 60
"""How long a SQLite connection waits for the write lock, seconds."""

PAGE_BYTES = 16 << 10
"""Page of a SQLite file that is made: packets of matches are written twice, page by page, and with SQLite's own 4 kB that costs
twice the processor time. Files that were made before keep theirs."""

MAKING_S = 3.0
"""How long a database without tables is waited for, which a hub that starts may be about to make, seconds."""


class Store:
    """An open state database; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(
            mmhub_reads=True,
            **({"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if engine.name == "postgresql" else {}),
        )

    @property
    def has_one_writer(self) -> bool:
        """Whether transactions that write run one after the other: each sees all that the ones before it did."""
        return self.engine.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session that writes; all of it is committed at the end, none of it after an exception.

        Raises
        ------
        StorageError
            The database cannot be reached or written (disk full, lock not had in time).
        """
        with _session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one state of the database throughout and writes nothing.

        Raises
        ------
        StorageError
            The database cannot be reached.
        """
        with _session(self._reader) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_store(url: str) -> Store:
    """Open the database of an URL, ``sqlite:///path`` or ``postgresql://...``.

    One without tables is looked at again for a while: between its file and its tables lies a moment of the start of a hub.

    Raises
    ------
    ConfigError
        The URL is no such thing.
    StorageError
        The database cannot be reached, or its schema is not the one this version of the hub needs.
    """
    with _schema_engine(url) as engine:
        found = _known_revision(engine)
        deadline = time.monotonic() + MAKING_S
        while found is None and time.monotonic() < deadline:
            time.sleep(0.05)
            found = _known_revision(engine)
    if found is None:
        raise StorageError(
            "the state database has no tables yet: a hub that has just been started makes them;"
            " if there is none, run `mmhub db upgrade`"
        )
    if found != schema.head():
        raise StorageError("the state database is not at this version's schema: run `mmhub db upgrade`")
    return Store(make_engine(url))


def upgrade(url: str, *, take_alerts: Callable[[AlertBatch], object] | None = None) -> None:
    """Bring the schema of a database up to date, creating it where there is none; several processes may do so at once.

    Parameters
    ----------
    url
        As `open_store`.
    take_alerts
        Stores the alerts that a version before the archive kept in the database; they are dropped after that.

    Raises
    ------
    ConfigError
        The URL is of no database that is supported.
    StorageError
        The database cannot be reached, was made by a later version of the hub, or has alerts that nobody takes.
    """
    with _schema_engine(url) as engine:
        _known_revision(engine)
        are_moved = take_alerts is not None and old_alerts.are_there(engine)
        if take_alerts is not None and are_moved:
            old_alerts.move(engine, take_alerts)
        schema.upgrade(engine, alerts_are_moved=are_moved)


def is_current(url: str) -> bool:
    """Return whether the database has the schema that this version of the hub needs; errors as `upgrade`."""
    with _schema_engine(url) as engine:
        return schema.current(engine) == schema.head()


def _known_revision(engine: Engine) -> str | None:
    """Return the revision of a database; refuse one that only a later version of the hub can have made."""
    found = schema.current(engine)
    if not schema.is_known(found):
        raise StorageError(
            f"the state database is at schema revision {found}, which this version of the hub does not know:"
            " a later version made it, and only that one or a later one can use it"
        )
    return found


@contextmanager
def _schema_engine(url: str) -> Iterator[Engine]:
    # A batch migration drops and copies a table: with foreign keys enforced, SQLite would delete the rows that point to it.
    engine = make_engine(url, enforce_foreign_keys=False)
    try:
        with _translated():
            yield engine
    finally:
        engine.dispose()


def make_engine(url: str, *, enforce_foreign_keys: bool = True) -> Engine:
    """Return an engine with this module's transaction rules, without looking at the schema.

    Raises
    ------
    ConfigError
        The URL is neither of a SQLite file nor of PostgreSQL.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed, pool_pre_ping=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", partial(_prepare_sqlite, "ON" if enforce_foreign_keys else "OFF"))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("the database URL cannot be read: it must be sqlite:///PATH or postgresql://...") from error
    match parsed.get_backend_name():
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return parsed
        case "sqlite":
            raise ConfigError("the database URL names no file: a database in memory keeps nothing")
        case other:
            raise ConfigError(f"the database URL speaks of {other}: only sqlite and postgresql are supported")


@contextmanager
def _session(engine: Engine) -> Iterator[Session]:
    with _translated(), Session(engine, expire_on_commit=False) as session:
        yield session


class SeenStore(Store):
    """The same database as somebody may see it: what reads finds only that. What writes sees everything, as the hub does."""

    def __init__(self, whole: Store, groups: Callable[[], Collection[str]]) -> None:
        super().__init__(whole.engine)
        self._groups = groups

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session as of `Store.reading`, without what is private to others (`hub.storage.privacy`)."""
        with _translated():
            viewer = privacy.viewer_of(self._reader, self._groups())
        engine = self._reader if viewer is None else privacy.seen_by(self._reader, viewer)
        with _session(engine) as session, session.begin():
            yield session


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's "it does not work now" into ours; errors that a value causes go through as they are."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise StorageError(f"the state database does not answer: {cause}") from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:
            raise
        # SQLite's own words for a file that is none of its, or a damaged one, which no subclass stands for.
        raise StorageError(f"the state database cannot be used: {error.orig}") from error


def _prepare_sqlite(foreign_keys: str, connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: _begin_sqlite does
    # The size of a page can be said before the first table is made, and before WAL, and changes nothing later.
    for pragma in (f"page_size={PAGE_BYTES}", "journal_mode=WAL", "synchronous=FULL", f"foreign_keys={foreign_keys}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("mmhub_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
