"""The composition root: settings to opened parts. Only this module knows who plugs into what."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from adapters.codecs.decoder import WireDecoder
from hub.config import Settings
from hub.errors import StorageError
from hub.ports import Decoder, SkymapReader
from hub.science.skymap_fits import SkymapWorker
from hub.storage.engine import Store, open_store


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
    store = open_store(settings.storage_url)
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
