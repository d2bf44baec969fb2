"""The loops of sources: stored, then placed, then acknowledged; what a stop leaves undone is not acknowledged."""

import asyncio
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.errors import Transient
from hub.ports import Health, Position
from hub.runtime.board import Board
from hub.runtime.chores import Chore
from hub.runtime.sources import SourceLoop
from hub.runtime.supervisor import Loop, Patience, Supervisor
from hub.runtime.threads import in_thread
from hub.storage import components, envelopes, positions
from hub.storage.engine import open_store, upgrade
from tests.support.small_world import T0
from tests.support.voevents import voevent


@pytest.fixture
def store(tmp_path):
    upgrade(f"sqlite:///{tmp_path}/hub.db")
    opened = open_store(f"sqlite:///{tmp_path}/hub.db")
    yield opened
    opened.close()


def test_what_a_thread_raises_is_raised_to_whoever_waits():
    def fail() -> None:
        raise Transient("the line is down")

    with pytest.raises(Transient, match="the line is down"):
        asyncio.run(in_thread("x", fail))
    assert asyncio.run(in_thread("x", lambda: 7)) == 7


def test_a_chore_works_until_it_is_told_to_stop():
    calls = []

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def work() -> int:
            calls.append(1)
            if len(calls) == 3:
                loop.call_soon_threadsafe(stop.set)
            return len(calls) < 3

        await Chore("x", work, pause_s=3600).body(stop)

    asyncio.run(main())
    assert len(calls) == 3


class Taken:
    """A source of one message over and over, which notes what is done in which order; the flow behind it too."""

    def __init__(self, stop, *, stops_in_take=False):
        self.did = []
        self._stop = stop
        self._stops_in_take = stops_in_take

    def take(self, limit, timeout_s):
        from hub.model.envelope import Envelope

        self.did.append("take")
        if self._stops_in_take:
            self._stop()
        return [Envelope(payload=voevent(), source="s", received_at=T0, position="t/0/0")]

    def positions(self):
        return (Position(topic="t", partition=0, first_offset=0, next_offset=1, n_messages=1),)

    def acknowledge(self):
        self.did.append("acknowledge")
        self._stop()

    def health(self):
        return Health(state="listening", facts={"lag": 0})


def listen(store, **options):
    from hub.bootstrap import open_hub
    from hub.config import HubSection, Settings

    async def main():
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        told = threading.Event()

        def stop_now():
            loop.call_soon_threadsafe(lambda: (stop.set(), told.set()))
            told.wait(60)

        source = Taken(stop_now, **options)

        @contextmanager
        def opened():
            source.did.append("open")
            yield source
            source.did.append("close")

        with open_hub(Settings(hub=HubSection(data_dir=Path())), store, sinks={}) as hub:
            one = SourceLoop("s", opened, hub.flow, store, batch=10)
            await one.body(stop)
        return source.did, one.health()

    return asyncio.run(main())


def test_a_message_is_stored_and_placed_before_it_is_acknowledged(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    did, health = listen(store)
    assert did == ["open", "take", "acknowledge", "close"]
    assert health.facts["taken"] == 1
    with store.reading() as session:
        assert [one.stored for one in envelopes.counts(session)] == [1]
        assert [one.next_offset for one in positions.listing(session, "s")] == [1]


def test_what_a_stop_leaves_undone_is_not_acknowledged(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    did, _ = listen(store, stops_in_take=True)
    assert did == ["open", "take", "close"]
    with store.reading() as session:
        assert envelopes.counts(session) == []
        assert positions.listing(session) == []


def test_the_board_tells_of_each_loop(store):
    async def obedient(stop):
        await stop.wait()

    async def broken(stop):
        raise OSError("no luck")

    def confused() -> Health:
        raise ZeroDivisionError

    def well() -> Health:
        return Health(state="listening")

    board = Board(store, lambda: T0, {"source/a": well, "confused": confused})
    loops = [Loop(name=name, body=obedient) for name in ("source/a", "confused", "plain")]
    supervisor = Supervisor([*loops, Loop(name="broken", body=broken)], Patience(first_pause_s=0.001, max_failures=2))
    board.watch(supervisor.status)

    async def main():
        running = asyncio.ensure_future(supervisor.run())
        async with asyncio.timeout(60):
            while not supervisor.has_failed:  # noqa: ASYNC110 - the status has no event
                await asyncio.sleep(0)
        board.report()
        supervisor.stop()
        await running

    asyncio.run(main())
    with store.reading() as session:
        found = {one.name: (one.state, one.alarms) for one in components.listing(session)}
    assert found == {
        "source/a": ("listening", ()),
        "confused": ("unknown", ("it cannot tell how it is: ZeroDivisionError",)),
        "plain": ("running", ()),
        "broken": ("failed, needs a person", ("it failed and needs a person: no luck",)),
    }
    board.farewell()
    with store.reading() as session:
        assert {one.state for one in components.listing(session)} == {"stopped", "failed, needs a person"}
