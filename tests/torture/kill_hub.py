"""A hub that takes in from Kafka and VTP is killed by SIGKILL again and again; in the end everything must be there, once.

Run as a program for the long version: ``python -m tests.torture.kill_hub --kills 200 --large``. It needs Apache Kafka as the tests
do. The blows fall at random times; the report says what the hub was doing at each, and a step that got none is a failure.
"""

import argparse
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from confluent_kafka import Producer
from sqlalchemy import func, select
from sqlmodel import col

from hub.storage.engine import Store, open_store
from hub.storage.envelopes import counts, law_holds
from hub.storage.tables import AlertRow, EventRow, JobRow, NoticeRow, OutboxRow
from tests.conftest import REPOSITORY
from tests.torture import night
from tests.torture.night import LARGE, SMALL, Size
from tests.torture.steps import STEPS, Notes

LIFE_S = (0.02, 1.2)
"""A hub that has begun to take in lives so long, seconds, uniformly at random; one in eight dies while it starts."""

PATIENCE_S = 300.0
"""Nothing may take longer without any progress, seconds."""

EXTRA_KILLS = 60
"""Further blows, for steps that got none so far."""


@dataclass
class Report:
    """What a run came to."""

    kills: int = 0
    fell: Counter[str] = field(default_factory=Counter)
    """Blows per step; one may fall on several, as a hub has several threads."""

    lost: list[str] = field(default_factory=list)
    """What was sent, acknowledged or offered again, and is not there."""

    doubled: list[str] = field(default_factory=list)
    """What is there more than once."""

    books: list[str] = field(default_factory=list)
    law_holds: bool = False
    seconds: float = 0.0

    def untouched(self) -> list[str]:
        """Return the steps that no blow fell on."""
        return [step for step in STEPS if not self.fell[step]]


class Victim:
    """The hub, which is started again whenever it was killed."""

    def __init__(self, folder: Path, *, careless: bool) -> None:
        self.folder = folder
        self.notes = Notes(folder / "steps")
        self._careless = careless
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self.notes.clear()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MMHUB_")}
        command = [sys.executable, "-m", "tests.torture.steps", str(self.folder / "steps")]
        command += ["careless" if self._careless else "careful", "--config", str(self.folder / "mmhub.toml"), "run", "ingest"]
        with (self.folder / "said").open("ab") as said:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    def await_work(self) -> None:
        """Return when it has begun to take in."""
        begin = time.monotonic()
        while "starting" in self.notes.read() or not self.notes.read():
            self.check()
            assert time.monotonic() - begin < PATIENCE_S, self.tail()
            time.sleep(0.005)

    def check(self) -> None:
        """Hold it to being alive."""
        assert self._process is not None
        assert self._process.poll() is None, f"the hub ended by itself: {self.tail()}"

    def kill(self) -> list[str]:
        """Kill it and return what it was doing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        return self.notes.read()

    def stop(self) -> None:
        """Ask it to end, if it lives."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def tail(self) -> str:
        """Return the end of what it said."""
        return (self.folder / "said").read_text(errors="replace")[-3000:]


class Author(threading.Thread):
    """Sends VOEvents to the hub's receiver, each until it is acknowledged, as an author who must not lose any."""

    def __init__(self, port: int, numbers: list[int]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._numbers = numbers
        self.n_done = 0
        self.stopped = False

    def run(self) -> None:
        """Send all of them."""
        for number in self._numbers:
            while not self.stopped and not self._answered(night.burst(number)):
                time.sleep(0.02)
            self.n_done += 1

    def _answered(self, payload: bytes) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=30) as line:
                line.sendall(struct.pack(">I", len(payload)) + payload)
                (length,) = struct.unpack(">I", _exactly(line, 4))
                answer = _exactly(line, length)
        except (OSError, EOFError):
            return False
        assert b'role="ack"' in answer or b"Previously" in answer, answer
        return True


def _exactly(line: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = line.recv(size - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def torture(
    folder: Path, bootstrap: str, *, kills: int, size: Size, seed: int = 1, careless: bool = False, every_step: bool = True
) -> Report:
    """Run it all and return the report.

    Parameters
    ----------
    folder
        Empty, for the hub's data.
    bootstrap
        Address of a broker that has no topics ``torture-*`` of this seed.
    kills
        How often it is killed at least.
    size
        How much there is to take in.
    seed
        Of the messages' order and the blows' times.
    careless
        Acknowledge before storing: the report must then tell of losses.
    every_step
        Kill further, up to `EXTRA_KILLS` times, until each step got a blow.
    """
    begin = time.monotonic()
    random = Random(seed)
    mark = f"{seed}-{os.getpid()}-{'careless' if careless else 'careful'}"
    port = _free_port()
    (folder / "mmhub.toml").write_text(_settings(folder, bootstrap, mark, port))
    _fill(bootstrap, mark, size, random)
    first_vtp = size.kafka_notices
    numbers = list(night.with_repeats(range(first_vtp, first_vtp + size.vtp_notices), random))
    report = Report()
    author = Author(port, numbers)
    author.start()
    victim = Victim(folder, careless=careless)
    try:
        while report.kills < kills or (every_step and report.untouched() and report.kills < kills + EXTRA_KILLS):
            victim.start()
            if random.random() < 1 / 8:
                time.sleep(random.uniform(0.0, 1.0))
            else:
                victim.await_work()
                time.sleep(random.uniform(*LIFE_S))
            victim.check()
            report.fell.update(victim.kill() or ["starting"])
            report.kills += 1
        victim.start()
        victim.await_work()
        with _opened(folder) as store:
            _wait_for_rest(store, victim, author, size)
            _examine(store, size, report)
    finally:
        author.stopped = True
        victim.stop()
    report.seconds = time.monotonic() - begin
    return report


def _settings(folder: Path, bootstrap: str, mark: str, port: int) -> str:
    kafka = f"""kind = "kafka"
bootstrap_servers = "{bootstrap}"
security = "plaintext"
trust = "trusted"
session_timeout_s = 6
"""
    return f"""
[hub]
data_dir = "{folder / "data"}"
[logging]
level = "warning"
[sources.notices]
{kafka}topics = ["torture-notices-{mark}"]
group_id = "torture-notices-{mark}"
group_instance_id = "one"
[sources.alerts]
{kafka}topics = ["torture-alerts-{mark}"]
group_id = "torture-alerts-{mark}"
group_instance_id = "one"
stream = "lsst"
[sources.authors]
kind = "vtp-receiver"
host = "127.0.0.1"
port = {port}
allow = ["127.0.0.1/32"]
trust = "trusted"
"""


def _fill(bootstrap: str, mark: str, size: Size, random: Random) -> None:
    """Put everything that comes over Kafka into its topics."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    for topic, numbers, payload in (
        ("notices", range(size.kafka_notices), night.burst),
        ("alerts", range(size.alerts), night.alert),
    ):
        for number in night.with_repeats(numbers, random):
            producer.produce(f"torture-{topic}-{mark}", payload(number), key=str(number))
            producer.poll(0)
    assert producer.flush(120) == 0, "the broker did not take the messages"


@contextmanager
def _opened(folder: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{folder / 'data' / 'hub.sqlite'}")
    try:
        yield store
    finally:
        store.close()


def _tallied(store: Store) -> tuple[int, int, int, int]:
    """Return how many notices and alerts there are, how many jobs wait, and how many messages were received."""
    with store.reading() as session:
        rows = [session.scalar(select(func.count()).select_from(row)) or 0 for row in (NoticeRow, AlertRow, JobRow)]
        return rows[0], rows[1], rows[2], sum(one.received for one in counts(session))


def _wait_for_rest(store: Store, victim: Victim, author: Author, size: Size) -> None:
    """Wait until everything is there, or until nothing has happened for a while: then something is lost."""
    wanted = (size.kafka_notices + size.vtp_notices, size.alerts, 0)
    before, since = (-1, -1, -1, -1), time.monotonic()
    quiet_s = 20.0
    while True:
        victim.check()
        now = _tallied(store)
        if now != before:
            before, since = now, time.monotonic()
        if now[:3] == wanted and not author.is_alive():
            return
        if time.monotonic() - since > quiet_s:
            return
        time.sleep(0.1)


def _examine(store: Store, size: Size, report: Report) -> None:
    """Compare what is there with what was sent."""
    total = size.kafka_notices + size.vtp_notices
    with store.reading() as session:
        notices = Counter(session.scalars(select(col(NoticeRow.ivorn))))
        events = Counter(session.scalars(select(col(EventRow.event_id))))
        alerts = Counter(session.scalars(select(col(AlertRow.source_id))))
        sent = Counter(session.execute(select(col(OutboxRow.ivorn), col(OutboxRow.destination))).tuples())
        books = counts(session)
    wanted = {night.ivorn(number) for number in range(total)}
    report.lost = sorted(wanted - set(notices)) + [
        f"alert {number}" for number in range(1, size.alerts + 1) if number not in alerts
    ]
    report.doubled = [str(name) for found in (notices, events, alerts, sent) for name, number in found.items() if number > 1]
    report.doubled += sorted(set(notices) - wanted)  # type: ignore[type-var]
    report.books = [f"{one.source}: {one.received} = {one.stored} + {one.duplicates} + {one.dead_letters}" for one in books]
    stored = {one.source: one.stored for one in books}
    report.law_holds = law_holds(books) and not any(one.in_flight for one in books)
    if not report.lost and sum(stored.values()) != total + size.alerts:
        report.doubled.append(f"booked as stored: {stored}, not {total} notices and {size.alerts} alerts")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
    return port


def main() -> None:
    """Run the long version and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--careless", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    from tests.support.kafka import broker

    chosen.folder.mkdir(parents=True)
    with broker() as kafka:
        report = torture(
            chosen.folder,
            kafka.bootstrap,
            kills=chosen.kills,
            size=LARGE if chosen.large else SMALL,
            seed=chosen.seed,
            careless=chosen.careless,
        )
    print(json.dumps({**report.__dict__, "untouched": report.untouched()}, indent=1))
    sys.exit(bool(report.lost or report.doubled or report.untouched() or not report.law_holds))


if __name__ == "__main__":
    main()
