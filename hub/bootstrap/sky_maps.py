"""Sky maps: what reads them, and what fetches them."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.http import HttpClient, HttpOptions
from hub.config import Settings
from hub.errors import ConfigError
from hub.ports import Clock, SkymapReader
from hub.science.skymap_fits import SkymapWorker
from hub.services.map_fetch import MapFetching, MapFetchSettings
from hub.storage.engine import Store

NO_HOSTS = "fetch.hosts: maps are to be fetched, but no host is named that may be asked: name some, or set enabled = false"


@contextmanager
def open_skymap_reader(settings: Settings) -> Iterator[SkymapWorker]:
    """Give the reader of sky maps; its child process starts with `warm` or the first map, and ends with the context."""
    with SkymapWorker(maps_per_child=settings.skymap.maps_per_child, map_s=settings.skymap.timeout_s) as worker:
        yield worker


def map_fetching(settings: Settings, store: Store, skymaps: SkymapReader, clock: Clock) -> MapFetching:
    """Return what fetches the maps that notices name; raises `ConfigError` where no host may be asked."""
    section = settings.fetch
    if not section.hosts:
        raise ConfigError(NO_HOSTS)
    return MapFetching(
        store=store,
        fetcher=HttpClient(HttpOptions(hosts=section.hosts, max_bytes=section.max_bytes, total_s=section.timeout_s)),
        skymaps=skymaps,
        clock=clock,
        settings=MapFetchSettings(give_up_s=section.give_up_h * 3600.0),
    )
