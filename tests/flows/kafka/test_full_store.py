"""A disk that fills while alerts come: nothing is acknowledged, everybody is told, and it goes on by itself."""

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from hub.bootstrap import create_database, now, open_hub, open_source
from hub.config import load
from hub.errors import StorageError
from hub.ports import Health
from hub.runtime.board import Board
from hub.runtime.sources import SourceLoop
from hub.runtime.supervisor import Loop, Supervisor
from hub.services.alert_meter import AlertMeter
from hub.services.status import health
from tests.flows.kafka.test_group import dealt_out
from tests.support.kafka import Kafka
from tests.support.packet_world import SOURCE, PacketBooks, packet, write_settings
from tests.support.running_hub import until

pytestmark = [pytest.mark.kafka, pytest.mark.apache_kafka]


class FullDisk:
    """A history in whose place the disk is full until somebody makes room."""

    def __init__(self, history) -> None:
        self._history = history
        self._append = history.append
        self.is_full = threading.Event()
        history.append = self.append

    def append(self, batch):
        if self.is_full.is_set():
            raise StorageError("there is no room for alerts: 0 MB are free")
        return self._append(batch)


def test_a_full_disk_stops_everything_and_room_on_it_lets_it_go_on(kafka: Kafka, tmp_path: Path) -> None:
    topic = kafka.create_topic(kafka.unique_topic("full"), 2)
    # Long enough for a busy machine: what must not happen here is that it leaves the group.
    config = write_settings(tmp_path, kafka.bootstrap, topic, intake="alert_batch = 10", session_timeout_s=60)
    settings = load([config], {}).settings
    books = PacketBooks(config)
    kafka.produce(topic, [(None, packet(number)) for number in range(30)], partition=0)
    with create_database(settings) as store, open_hub(settings, store, sinks={}) as hub:
        disk = FullDisk(hub.history)
        healths: dict[str, Health] = {}
        board = Board(store, now, healths)
        opened = partial(open_source, settings, store, SOURCE)
        loop = SourceLoop(
            SOURCE, opened, hub.flow, store, batch=10, meter=AlertMeter(now, hub.history.count), on_change=board.changed
        )
        healths[f"source/{SOURCE}"] = loop.health
        loops = [Loop(name=f"source/{SOURCE}", body=loop.body), Loop(name="board", body=board.body, is_background=True)]
        supervisor = Supervisor(loops, on_change=board.changed)
        board.watch(supervisor.status)
        ending: list[asyncio.AbstractEventLoop] = []

        async def main() -> None:
            ending.append(asyncio.get_running_loop())
            await supervisor.run()

        running = threading.Thread(target=lambda: asyncio.run(main()))
        running.start()
        try:
            until(lambda: dealt_out(kafka, topic) == [2], "it gets no partitions")
            until(lambda: sum(kafka.committed(topic, topic).values()) == 30, "the first alerts are not taken")
            disk.is_full.set()
            kafka.produce(topic, [(None, packet(30 + number)) for number in range(30)], partition=1)
            until(lambda: _is_told(store), "nobody is told that the disk is full")
            assert dealt_out(kafka, topic) == [2], "it has left the group"
            assert sum(kafka.committed(topic, topic).values()) == 30
            assert books.stored() == 30
            disk.is_full.clear()
            until(lambda: sum(kafka.committed(topic, topic).values()) == 60, "it does not go on")
            until(lambda: not _is_told(store), "the alarm stays")
            assert loop.health().facts["rebalances"] == 0
        finally:
            ending[0].call_soon_threadsafe(supervisor.stop)
            running.join(60)
        assert not supervisor.has_failed
    assert books.stored() == 60
    assert books.archived(range(60)) == ([], [])


def _is_told(store) -> bool:
    with store.reading() as session:
        body = health(session, now())
    (source,) = body["sources"] or [{"component": None}]
    said = "nothing is taken in, because it cannot be stored: there is no room for alerts: 0 MB are free"
    return bool(
        source["component"]
        and source["component"]["state"] == "waiting for the store"
        and f"source {SOURCE}: {said}" in body["alarms"]
    )
