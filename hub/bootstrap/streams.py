"""Alert streams: what reads their packets, and who knows their schemas."""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from adapters.codecs.alerts import Streams, avro_projection
from adapters.codecs.alerts.stream_map import StreamMap
from adapters.codecs.alerts.stream_map import load as load_streams
from adapters.codecs.decoder import WireDecoder
from adapters.http import HttpClient, HttpOptions
from adapters.schema_registry import SchemaRegistry
from hub.bootstrap.parts import enabled_sources
from hub.config import Settings
from hub.errors import ConfigError
from hub.model.coverage import AlertStream
from hub.ports import Clock, Decoder
from hub.science import sky_index
from hub.services import coverage
from hub.storage.engine import Store

FOLDER = "folder"
"""Kind of the source that reads files of the operator's."""

LOOPBACK_HOSTS = ("localhost", "127.0.0.1")
"""Hosts that may be asked without TLS: this machine."""

SCHEMA_TIMEOUT_S = 10.0
"""Longest time for one schema, seconds."""

MAX_SCHEMA_BYTES = 2 << 20
"""Longest answer of a schema registry, bytes."""


def open_decoder(settings: Settings, streams: Iterable[str] = (), schemas: SchemaRegistry | None = None) -> Decoder:
    """Return what reads every wire format; it holds nothing that needs closing.

    Parameters
    ----------
    settings
        All of them.
    streams
        Stream maps that it must have besides those that sources name.
    schemas
        Who knows Avro schemas; one of its own where not given.

    Raises
    ------
    ConfigError
        A stream map is wrong, or a source names one that there is not.
    """
    return WireDecoder(Streams(maps=stream_maps(settings, streams), schemas=(schemas or schemas_of(settings)).schema))


def stream_maps(settings: Settings, also: Iterable[str] = ()) -> dict[str, StreamMap]:
    """Return all stream maps by the names that sources call them; raises `ConfigError` as `open_decoder` does."""
    folder = Path(settings.intake.streams_dir) if settings.intake.streams_dir else None
    return load_streams(folder, [*named_streams(settings), *also])


def alert_streams(settings: Settings) -> list[AlertStream]:
    """Return the alert streams that the sources listen to; raises `ConfigError` as `open_decoder` does."""
    return list(_streams_by_name(settings).values())


def _streams_by_name(settings: Settings) -> dict[str, AlertStream]:
    maps = stream_maps(settings)
    return {
        name: replace(
            maps[name].stream(),
            sources=tuple(
                sorted(source for source, one in enabled_sources(settings).items() if one.options.get("stream") == name)
            ),
        )
        for name in named_streams(settings)
    }


def listening_of(settings: Settings, store: Store, clock: Clock) -> coverage.Listening:
    """Return what knows which alerts the hub hears; what lies in a folder was put there by the operator."""
    unnamed = [name for name, one in enabled_sources(settings).items() if one.kind != FOLDER and not one.options.get("stream")]
    return coverage.Listening(store, _streams_by_name(settings), clock, unnamed=unnamed)


def named_streams(settings: Settings) -> list[str]:
    """Return the names of the stream maps that the sources read alerts by, sorted."""
    named = (one.options.get("stream") for one in enabled_sources(settings).values())
    return sorted({name for name in named if isinstance(name, str) and name})


def schemas_of(settings: Settings) -> SchemaRegistry:
    """Return who knows Avro schemas: the data folder, then the registry that the settings name."""
    url = settings.intake.schema_registry
    folder = settings.hub.data_dir / "schemas"
    if not url:
        return SchemaRegistry(folder=folder, seconds=time.monotonic)
    client = registry_client(url)
    return SchemaRegistry(
        folder=folder, seconds=time.monotonic, url=url, fetch=lambda address: client.get(address).demand_success().body
    )


def registry_client(url: str) -> HttpClient:
    """Return what asks a schema registry; raises `ConfigError` where its address is none, or is without TLS."""
    try:
        host, port = urlsplit(url).hostname or "", urlsplit(url).port
    except ValueError as error:
        raise ConfigError(f"intake.schema_registry: {url} is no address of a server: {error}") from error
    if urlsplit(url).scheme != "https" and host not in LOOPBACK_HOSTS:
        raise ConfigError(f"intake.schema_registry: {url} should begin with https://: schemas are fetched over TLS only")
    return HttpClient(
        HttpOptions(
            hosts=(host,),
            ports=(443, port or 443),
            max_bytes=MAX_SCHEMA_BYTES,
            total_s=SCHEMA_TIMEOUT_S,
            allow_loopback=host in LOOPBACK_HOSTS,
        )
    )


def load_kernels(settings: Settings) -> None:
    """Load what alerts are read and matched with, some seconds once on a machine, for a process that listens to them."""
    if not named_streams(settings):
        return
    avro_projection.warm_up()
    with suppress(ImportError):  # where numba is not to be had, both do without
        sky_index.warm_up()
