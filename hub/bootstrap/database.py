"""The state database and the archive beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from hub.archive.history import ArchiveHistory, ArchiveSettings
from hub.archive.space import MB
from hub.config import Settings
from hub.errors import ConfigError, StorageError
from hub.services.cache_limits import CACHES
from hub.storage.engine import Store, open_store, upgrade
from hub.storage.identity import identity

DEMO_MARK = "demo-database"
"""File that marks a data folder as a demo's; taken away once anything else writes into the database."""


def make_data_dir(settings: Settings) -> Path:
    """Return the folder that the hub keeps everything in, made where it was missing.

    Raises
    ------
    ConfigError
        It cannot be made.
    """
    folder = settings.hub.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"hub.data_dir: the hub cannot make the folder {folder}: {error.strerror}") from error
    return folder


@contextmanager
def open_database(settings: Settings) -> Iterator[Store]:
    """Give the state database, which must be there.

    Raises
    ------
    StorageError
        There is none yet, it cannot be reached, or its schema is not the one of this version.
    """
    file = make_url(settings.storage_url).database if settings.storage_url.startswith("sqlite") else None
    if file and not Path(file).exists():
        raise StorageError(f"there is no database {file} yet: `mmhub ingest`, `mmhub demo` or `mmhub db upgrade` makes one")
    try:
        store = open_store(settings.storage_url)
    except DatabaseError as error:  # a file of another kind under the database's name
        raise StorageError(f"the state database cannot be read: {error.orig}") from error
    try:
        yield store
    finally:
        store.close()


@contextmanager
def create_database(settings: Settings) -> Iterator[Store]:
    """Give the state database, made or brought up to date where needed.

    Raises
    ------
    ConfigError, StorageError
        It cannot be made or reached.
    """
    make_data_dir(settings)
    try:
        upgrade_database(settings)
    except DatabaseError as error:
        raise StorageError(f"the state database cannot be used: {error.orig}") from error
    with open_database(settings) as store:
        yield store


def upgrade_database(settings: Settings) -> None:
    """Make the state database or bring it up to date; alerts that a version before the archive kept there move into it.

    Raises
    ------
    ConfigError, StorageError
        It cannot be made or reached.
    """
    upgrade(settings.storage_url, take_alerts=open_history(settings).append)


def open_history(settings: Settings, store: Store | None = None) -> ArchiveHistory:
    """Return the memory of past alerts; it holds nothing that needs closing, and its folder is made with the first alert.

    With the state database it refuses alerts where it belongs to another one.
    """
    section = settings.archive
    return ArchiveHistory(
        settings.archive_folder,
        ArchiveSettings(
            keep_days=section.keep_days,
            max_bytes=int(section.max_gb * 1e9),
            min_free_bytes=int(section.min_free_mb * MB),
            known_bytes=CACHES.source_ids,
            recent_bytes=CACHES.recent_rows,
        ),
        database=None if store is None else partial(_identity, store),
    )


def _identity(store: Store) -> str:
    with store.transaction() as session:
        return identity(session)
