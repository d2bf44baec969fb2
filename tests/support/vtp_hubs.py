"""Whole hubs in this process whose sources and destinations are real: the loops of ``mmhub run`` in a thread."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hub.bootstrap import Hub, create_database, open_hub, open_sink, open_source
from hub.config import DestinationSection, FollowupSection, HubSection, Settings, SourceSection
from hub.ports import Sink
from hub.runtime.dispatch import DispatchLoop
from hub.runtime.sources import SourceLoop
from hub.storage import envelopes, incidents, outbox
from hub.storage.outbox import OutboxEntry

Parts = Mapping[str, Mapping[str, Any]]


class RunningHub:
    """A hub whose loops run."""

    def __init__(self, hub: Hub, sources: dict[str, SourceLoop], destinations: dict[str, DispatchLoop]) -> None:
        self._hub = hub
        self.sources = sources
        self.destinations = destinations

    def port(self, destination: str) -> int | None:
        """Return the port that a destination listens on, None while it does not."""
        return self.destinations[destination].health().facts.get("port")

    def n_peers(self, destination: str) -> int:
        """Return how many subscribers a destination has."""
        return self.destinations[destination].health().facts.get("connections", 0)

    def outbox(self) -> list[OutboxEntry]:
        """Return all that was ever sent or is to be sent."""
        with self._hub.store.reading() as session:
            return outbox.search(session, limit=None, with_payload=True)[::-1]

    def counts(self) -> dict[str, envelopes.SourceCounts]:
        """Return the books, by source."""
        with self._hub.store.reading() as session:
            return {one.source: one for one in envelopes.counts(session)}

    def incidents(self) -> list[incidents.RecordedIncident]:
        """Return what happened once, the newest first."""
        with self._hub.store.reading() as session:
            return incidents.listing(session)

    def law_holds(self) -> bool:
        """Return whether every message is accounted for."""
        with self._hub.store.reading() as session:
            return envelopes.law_holds(envelopes.counts(session))


@contextmanager
def running_hub(folder: Path, *, authority: str, sources: Parts, destinations: Parts) -> Iterator[RunningHub]:
    """Give a hub of its own in a folder, stopped like ``mmhub run`` at the end."""
    settings = Settings(
        hub=HubSection(data_dir=folder, authority=authority),
        followup=FollowupSection(enabled=False),
        sources={name: SourceSection.model_validate(one) for name, one in sources.items()},
        destinations={name: DestinationSection.model_validate(one) for name, one in destinations.items()},
    )
    sinks: dict[str, Sink] = {}
    with create_database(settings) as store, open_hub(settings, store, sinks=sinks) as hub:
        hub.flow.resume()
        incoming = {
            name: SourceLoop(name, partial(open_source, settings, store, name), hub.flow, store, batch=100) for name in sources
        }
        leaving = {
            name: DispatchLoop(name, partial(open_sink, settings, store, name), sinks, hub.flow.send) for name in destinations
        }
        for loop in leaving.values():
            hub.flow.wakes(loop.wake.call)
        with _running([*incoming.values(), *leaving.values()]):
            yield RunningHub(hub, incoming, leaving)


@contextmanager
def _running(loops: "list[SourceLoop | DispatchLoop]") -> Iterator[None]:
    stops = []
    started = threading.Event()
    failures: list[BaseException] = []

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        started.set()
        await asyncio.gather(*(one.body(stop) for one in loops))

    def body() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            failures.append(error)

    thread = threading.Thread(target=body, name="hub")
    thread.start()
    started.wait(60)
    try:
        yield
    finally:
        if thread.is_alive():
            stops[0]()
        thread.join(60)
        assert not thread.is_alive(), "the hub does not stop"
        if failures:
            raise failures[0]
