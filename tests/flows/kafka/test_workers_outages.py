"""Workers that share a topic while the broker, or the archive, is away: they go on by themselves, each alert is there once."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hub.archive import hats, layout
from hub.archive.history import ArchiveHistory
from hub.bootstrap import now
from hub.services.status import health
from hub.storage import components
from hub.storage.engine import open_store
from tests.flows.kafka.test_group import dealt_out
from tests.flows.kafka.test_outages import broker
from tests.flows.kafka.test_workers import PARTITIONS, SMALL_BATCHES, check, database, is_read, workers_of, write
from tests.support.archived import survey_night
from tests.support.kafka import Kafka
from tests.support.packet_world import SOURCE, PacketBooks, write_settings
from tests.support.running_hub import RunningHub, until
from tests.support.tcp_proxy import TcpProxy

__all__ = ["broker", "database"]

pytestmark = [pytest.mark.kafka, pytest.mark.apache_kafka]


class Workers:
    """Two of them on a topic of their own."""

    def __init__(self, folder: Path, kafka: Kafka, bootstrap: str, database: str) -> None:
        self.kafka = kafka
        self.topic = kafka.create_topic(kafka.unique_topic("workers.outage"), PARTITIONS)
        self.config = write_settings(folder, bootstrap, self.topic, database=database, intake=SMALL_BATCHES)
        self.archive = folder / "data" / "archive"
        self.books = PacketBooks(self.config)
        self._url = database

    @contextmanager
    def running(self) -> Iterator[RunningHub]:
        """Start them; in the end they must be those that were started, and end well."""
        with RunningHub(self.config, "workers", "worker", "--source", SOURCE, "-n", "2") as hub:
            until(lambda: dealt_out(self.kafka, self.topic) == [2, 2], "the partitions are not shared", [hub])
            first = workers_of(hub)
            yield hub
            assert workers_of(hub) == first
            assert hub.stop() == 0

    def wait_for(self, total: int, hub: RunningHub) -> None:
        """Wait until so many packets are read."""
        until(
            lambda: is_read(self.kafka, self.topic, total),
            lambda: f"only {self.kafka.committed(self.topic, self.topic)} is read",
            [hub],
        )

    def states(self) -> list[str]:
        """Return what each worker says of the source."""
        with closing(open_store(self._url)) as store, store.reading() as session:
            return [one.state for one in components.listing(session) if one.name == f"source/{SOURCE}"]

    def alarms(self) -> str:
        with closing(open_store(self._url)) as store, store.reading() as session:
            return " ".join(health(session, now())["alarms"])


def test_a_broker_that_is_killed_and_started_again_loses_and_doubles_nothing(
    broker: tuple[Kafka, TcpProxy],
    database: str,
    tmp_path: Path,
) -> None:
    kafka, proxy = broker
    workers = Workers(tmp_path, kafka, f"127.0.0.1:{proxy.port}", database)
    with workers.running() as hub:
        write(kafka, workers.topic, 0, 400)
        until(lambda: workers.books.stored() > 60, "nothing is taken in", [hub])
        kafka.kill()
        kafka.restart()
        write(kafka, workers.topic, 400, 400)
        workers.wait_for(800, hub)
    check(workers.config, 800)


def test_an_archive_that_takes_nothing_stops_all_workers_until_it_does(
    kafka: Kafka,
    database: str,
    tmp_path: Path,
) -> None:
    workers = Workers(tmp_path, kafka, kafka.bootstrap, database)
    fresh, away = workers.archive / layout.FRESH, workers.archive / "away"
    with workers.running() as hub:
        write(kafka, workers.topic, 0, 400)
        workers.wait_for(400, hub)
        fresh.rename(away)
        fresh.touch()  # a file where the folder should be: nothing can be written
        write(kafka, workers.topic, 400, 400)
        until(lambda: workers.states() == ["waiting for the store"] * 2, lambda: f"they are {workers.states()}", [hub])
        assert "nothing is taken in, because it cannot be stored: " in workers.alarms()
        assert is_read(kafka, workers.topic, 400)
        assert workers.books.stored() == 400
        assert dealt_out(kafka, workers.topic) == [2, 2], "they have left the group"
        fresh.unlink()
        away.rename(fresh)
        workers.wait_for(800, hub)
    check(workers.config, 800)


def test_nights_are_compacted_where_only_workers_run(
    kafka: Kafka,
    database: str,
    tmp_path: Path,
) -> None:
    workers = Workers(tmp_path, kafka, kafka.bootstrap, database)
    night = int(now().mjd_tai) - 3
    (alerts,) = survey_night(night, 1000, per_visit=1000)
    assert ArchiveHistory(workers.archive).append(alerts).all()
    (file,) = layout.list_night(workers.archive, night).fresh
    long_ago = now().plus_s(-7200.0).to_datetime().timestamp()
    os.utime(file, (long_ago, long_ago))
    with workers.running() as hub:
        until(lambda: hats.nights(workers.archive) == [night], "the night is not compacted", [hub])
        write(kafka, workers.topic, 0, 40)
        workers.wait_for(40, hub)
    check(workers.config, 40)
    assert ArchiveHistory(workers.archive).count() == 1040
