"""The composition root: settings to opened parts. Only this module knows who plugs into what."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.codecs.decoder import WireDecoder
from hub.config import Settings
from hub.ports import Decoder, SkymapReader
from hub.science.skymap_fits import SkymapWorker


def open_decoder(settings: Settings) -> Decoder:
    """Return what reads every wire format; it holds nothing that needs closing."""
    return WireDecoder()


@contextmanager
def open_skymap_reader(settings: Settings) -> Iterator[SkymapReader]:
    """Give the reader of sky maps; its child process starts with the first map and ends with the context."""
    with SkymapWorker(maps_per_child=settings.skymap.maps_per_child, map_s=settings.skymap.timeout_s) as worker:
        yield worker
