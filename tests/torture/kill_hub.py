"""A hub that takes in from Kafka and VTP is killed by SIGKILL again and again; in the end everything must be there, once.

Run as a program for the long version: ``python -m tests.torture.kill_hub FOLDER --kills 200 --size large``. It needs Apache Kafka
as the tests do. Before each life of the hub a further portion of the messages is offered; most blows fall at random times, the last
ones of a run in steps that got none so far. The report says what the hub was doing at each blow.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import func, select

from hub.archive.history import ArchiveHistory
from hub.storage.engine import Store, open_store
from hub.storage.envelopes import counts
from hub.storage.tables import JobRow
from tests.support.kafka import Kafka
from tests.support.ports import free_port
from tests.torture import night
from tests.torture.books import Report, examine
from tests.torture.night import LARGE, MEDIUM, SMALL, Size
from tests.torture.victim import PATIENCE_S, Author, Victim

EXTRA_KILLS = 40
"""Further blows, for steps that got none so far."""

AT_START = 1 / 8
"""Share of the random blows that fall while the hub starts."""

START_S = 3.0
"""Such a hub lives at most so long, seconds."""


class Stream:
    """The Kafka topics of a run."""

    def __init__(self, bootstrap: str, mark: str) -> None:
        self._bootstrap = bootstrap
        self.names = {"notices": f"torture-notices-{mark}", "alerts": f"torture-alerts-{mark}"}
        self._kafka = Kafka(bootstrap, "address")
        for topic in self.names.values():
            self._kafka.create_topic(topic)

    def offer(self, notices: Sequence[int], alerts: Sequence[int]) -> None:
        """Write messages, and wait until the broker has them."""
        self._kafka.produce(self.names["notices"], [(None, night.burst(number)) for number in notices])
        self._kafka.produce(self.names["alerts"], [(None, night.alert(number)) for number in alerts])

    def is_read(self) -> bool:
        """Tell whether everything is acknowledged by the hub."""
        return all(self._is_at_end(topic) for topic in self.names.values())

    def _is_at_end(self, topic: str) -> bool:
        reader = Consumer({"bootstrap.servers": self._bootstrap, "group.id": topic, "enable.auto.commit": False})
        try:
            place = TopicPartition(topic, 0)
            (committed,) = reader.committed([place], timeout=60)
            return bool(committed.offset == reader.get_watermark_offsets(place, timeout=60)[1])
        finally:
            reader.close()


def torture(
    folder: Path,
    bootstrap: str,
    *,
    kills: int,
    size: Size,
    seed: int = 1,
    careless: bool = False,
    aims: Sequence[str] = (),
    database: str | None = None,
) -> Report:
    """Run it all and return the report.

    Parameters
    ----------
    folder
        Empty, for the hub's data.
    bootstrap
        Address of a broker.
    kills
        How often it is killed at least; more often, up to `EXTRA_KILLS` times, while there is a step that got no blow.
    size
        How much there is to take in.
    seed
        Of the messages' order and the blows' times.
    careless
        Acknowledge before storing: the report must then tell of losses.
    aims
        Steps to kill it in, in turn, instead of at random times; steps without a blow do not matter then.
    database
        Address of an empty one; SQLite in the folder where not given.
    """
    begin = time.monotonic()
    random = Random(seed)
    url = database or f"sqlite:///{folder / 'data' / 'hub.sqlite'}"
    mark = f"{seed}-{os.getpid()}-{'careless' if careless else 'careful'}-{'sqlite' if database is None else 'other'}"
    port = free_port()
    stream = Stream(bootstrap, mark)
    (folder / "mmhub.toml").write_text(_settings(folder, bootstrap, stream.names, port, url))
    report = Report()
    author = Author(port)
    victim = Victim(folder, careless=careless)
    first_vtp = size.kafka_notices
    n_portions = kills + 1
    shares = zip(
        night.portions(night.with_repeats(range(size.kafka_notices), random), n_portions),
        night.portions(night.with_repeats(range(first_vtp, first_vtp + size.vtp_notices), random), n_portions),
        night.portions(night.with_repeats(range(size.alerts), random), n_portions),
        strict=True,
    )
    author.start()
    try:
        while report.kills < kills or (not aims and report.untouched() and report.kills < kills + EXTRA_KILLS):
            _offer(shares, stream, author)
            victim.start()
            aim = _aim(report, kills, aims, random)
            steps = _blow(victim, random, size, aim, lambda: _offer(iter([_some(size, random)]), stream, author))
            report.add(steps)
            print(
                f"{time.monotonic() - begin:7.1f} s, blow {report.kills}: {', '.join(steps) or 'between two steps'}", flush=True
            )
        _offer(shares, stream, author)
        victim.start()
        victim.await_work()
        with ExitStack() as stack:
            store = stack.enter_context(_opened(url))
            _wait_for_rest(store, victim, author, stream, report)
            report.exit_code = victim.stop()
            examine(store, ArchiveHistory(folder / "data" / "archive"), size, report)
    finally:
        author.stop()
        victim.stop()
    report.looks, report.forbidden = victim.notes.looked()
    report.refused = author.refused
    report.seconds = time.monotonic() - begin
    return report


def _offer(shares: Iterator[tuple[list[int], list[int], list[int]]], stream: Stream, author: Author) -> None:
    notices, events, alerts = next(shares, ([], [], []))
    author.give(events)
    stream.offer(notices, alerts)


def _aim(report: Report, kills: int, aims: Sequence[str], random: Random) -> str | None:
    """Return the step that the next blow must fall in; None for any."""
    if aims:
        return aims[report.kills % len(aims)]
    untouched = report.untouched()
    if untouched and kills - report.kills <= 2 * len(untouched):
        return random.choice(untouched)
    return None


def _some(size: Size, random: Random) -> tuple[list[int], list[int], list[int]]:
    """Return a few messages, of which most were offered before."""
    vtp = size.kafka_notices + random.randrange(size.vtp_notices)
    return [random.randrange(size.kafka_notices)], [vtp], [random.randrange(size.alerts)]


def _blow(victim: Victim, random: Random, size: Size, aim: str | None, nudge: Callable[[], None]) -> list[str]:
    if aim is not None:
        return victim.kill_in(aim, nudge)
    if random.random() < AT_START:
        time.sleep(random.uniform(0.0, START_S))
    else:
        victim.await_work()
        time.sleep(random.uniform(0.0, size.life_s))
    victim.check()
    return victim.kill()


def _settings(folder: Path, bootstrap: str, topics: dict[str, str], port: int, url: str) -> str:
    sources = "".join(
        f"""
[sources.{name}]
kind = "kafka"
bootstrap_servers = "{bootstrap}"
security = "plaintext"
trust = "trusted"
session_timeout_s = 6
topics = ["{topic}"]
group_id = "{topic}"
group_instance_id = "one"
"""
        + ('stream = "lsst"\n' if name == "alerts" else "")
        for name, topic in topics.items()
    )
    return f"""
[hub]
data_dir = "{folder / "data"}"
[storage]
url = "{url}"
[logging]
level = "warning"
[destinations.relayed]
kind = "folder"
path = "relayed"
relay = true
{sources}
[sources.authors]
kind = "vtp-receiver"
host = "127.0.0.1"
port = {port}
allow = ["127.0.0.1/32"]
trust = "trusted"
events_per_minute = 1e6
"""


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


def _wait_for_rest(store: Store, victim: Victim, author: Author, stream: Stream, report: Report) -> None:
    """Wait until the hub has acknowledged everything and does nothing more, or until nothing has happened for a long while."""
    before, since = (-1, -1, -1), time.monotonic()
    while not (author.is_done() and before[1:] == (0, 0) and stream.is_read()):
        victim.check()
        with store.reading() as session:
            books = counts(session)
            jobs = session.scalar(select(func.count()).select_from(JobRow)) or 0
            now = (sum(one.received for one in books), sum(one.in_flight for one in books), jobs)
        if now != before:
            before, since = now, time.monotonic()
        if time.monotonic() - since > PATIENCE_S:
            report.stuck = f"received, in flight and jobs stay at {now}"
            return
        time.sleep(0.2)  # between two looks


def main() -> None:
    """Run the long version and print the report."""
    sizes = {"small": SMALL, "medium": MEDIUM, "large": LARGE}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--size", choices=sizes, default="large")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--careless", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    from tests.support import postgres
    from tests.support.kafka import broker

    chosen.folder.mkdir(parents=True)
    with ExitStack() as stack:
        report = torture(
            chosen.folder,
            stack.enter_context(broker()).bootstrap,
            kills=chosen.kills,
            size=sizes[chosen.size],
            seed=chosen.seed,
            careless=chosen.careless,
            database=stack.enter_context(postgres.server()) if chosen.database == "postgresql" else None,
        )
    print(json.dumps(report.as_json(), indent=1))
    sys.exit(not report.is_clean())


if __name__ == "__main__":
    main()
