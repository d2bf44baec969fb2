"""The composition root: settings to opened parts. Only this module knows who plugs into what."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from adapters.codecs.decoder import WireDecoder
from hub.config import Settings
from hub.errors import ConfigError, StorageError
from hub.model.instant import Instant
from hub.ports import AlertHistory, Decoder, SkymapReader
from hub.science.skymap_fits import SkymapWorker
from hub.services.intake import Intake, IntakeSettings
from hub.storage.alert_history import SqlAlertHistory
from hub.storage.engine import Store, open_store


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


def open_decoder(settings: Settings) -> Decoder:
    """Return what reads every wire format; it holds nothing that needs closing."""
    return WireDecoder()


@contextmanager
def open_skymap_reader(settings: Settings) -> Iterator[SkymapReader]:
    """Give the reader of sky maps; its child process starts with the first map and ends with the context."""
    with SkymapWorker(maps_per_child=settings.skymap.maps_per_child, map_s=settings.skymap.timeout_s) as worker:
        yield worker


def open_history(store: Store) -> AlertHistory:
    """Return the memory of past alerts on an open database."""
    return SqlAlertHistory(store)


@contextmanager
def open_intake(settings: Settings, store: Store) -> Iterator[Intake]:
    """Give what takes messages into an open database, with the child process that reads their maps."""
    with open_skymap_reader(settings) as skymaps:
        yield Intake(
            store=store,
            decoder=open_decoder(settings),
            skymaps=skymaps,
            history=open_history(store),
            clock=now,
            settings=IntakeSettings(authority=settings.hub.authority),
        )


def now() -> Instant:
    """Return the present moment by this machine's clock."""
    return Instant.from_datetime(datetime.now(UTC))
