"""Workers that share a topic of alert packets: whichever of them dies, each alert is archived and booked once."""

import os
import signal
from pathlib import Path

import pytest

from hub.storage.envelopes import law_holds
from tests.flows.kafka.test_group import dealt_out
from tests.support.kafka import Kafka
from tests.support.packet_world import SOURCE, PacketBooks, packet, write_settings
from tests.support.postgres import new_database
from tests.support.running_hub import RunningHub, until

pytestmark = [pytest.mark.kafka, pytest.mark.apache_kafka]

PARTITIONS = 4

SMALL_BATCHES = "alert_batch = 20"


@pytest.fixture
def database(postgres: str) -> str:
    """The URL of an empty database of the server."""
    return new_database(postgres)


def write(kafka: Kafka, topic: str, first: int, number: int) -> None:
    """Write packets, as many to each partition."""
    for partition in range(PARTITIONS):
        numbers = range(first + partition, first + number, PARTITIONS)
        kafka.produce(topic, [(None, packet(one)) for one in numbers], partition=partition)


def check(config: Path, total: int) -> None:
    """Hold the archive and the books to having each packet once."""
    books = PacketBooks(config)
    counts = books.counts()
    assert counts is not None
    assert law_holds([counts])
    assert (counts.stored, counts.dead_letters, counts.in_flight) == (total, 0, 0)
    assert counts.received >= total
    assert books.archived(range(total)) == ([], [])


def workers_of(hub: RunningHub) -> list[int]:
    """Return the ids of the workers that a hub started, without the process that looks after the archive."""
    return [pid for pid in hub.children() if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def is_read(kafka: Kafka, topic: str, total: int) -> bool:
    return sum(offset for offset in kafka.committed(topic, topic).values() if offset > 0) == total


def test_a_worker_that_is_killed_comes_back_and_nothing_is_lost_or_doubled(kafka: Kafka, database: str, tmp_path: Path) -> None:
    topic = kafka.create_topic(kafka.unique_topic("workers"), PARTITIONS)
    config = write_settings(tmp_path, kafka.bootstrap, topic, database=database, intake=SMALL_BATCHES)
    books = PacketBooks(config)
    with RunningHub(config, "workers", "worker", "--source", SOURCE, "-n", "2") as hub:
        until(lambda: dealt_out(kafka, topic) == [2, 2], "the partitions are not shared", [hub])
        first = workers_of(hub)
        assert len(first) == 2
        write(kafka, topic, 0, 400)
        until(lambda: books.stored() > 60, "nothing is taken in", [hub])
        with hub.halted():  # so that the kill falls in the work, of which most is still to be done
            write(kafka, topic, 400, 800)
            os.kill(first[0], signal.SIGKILL)
        until(lambda: is_read(kafka, topic, 1200), lambda: f"only {kafka.committed(topic, topic)} is read", [hub])
        until(lambda: dealt_out(kafka, topic) == [2, 2], "the worker does not come back", [hub])
        assert len(set(workers_of(hub)) - set(first)) == 1
        assert hub.stop() == 0
    check(config, 1200)


def test_one_worker_on_sqlite_that_is_killed_and_started_again_loses_and_doubles_nothing(kafka: Kafka, tmp_path: Path) -> None:
    topic = kafka.create_topic(kafka.unique_topic("worker"), PARTITIONS)
    config = write_settings(tmp_path, kafka.bootstrap, topic, intake=SMALL_BATCHES)
    books = PacketBooks(config)
    write(kafka, topic, 0, 400)
    with RunningHub(config, "one", "worker", "--source", SOURCE) as hub:
        until(lambda: books.stored() > 60, "nothing is taken in", [hub])
        with hub.halted():  # so that the kill falls in the work, of which half is still to be done
            write(kafka, topic, 400, 400)
            hub.kill()
    with RunningHub(config, "two", "worker", "--source", SOURCE) as hub:
        until(lambda: is_read(kafka, topic, 800), lambda: f"only {kafka.committed(topic, topic)} is read", [hub])
        assert hub.stop() == 0
    check(config, 800)
