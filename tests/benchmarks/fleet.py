"""Workers as real processes on one topic: how far their group is, and what they, the database and the broker use of the processors."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from numpy.typing import NDArray

from tests.benchmarks.figures import load_average
from tests.benchmarks.stages import of_tree, used_by_servers
from tests.support import kafka as brokers
from tests.support.packet_world import SOURCE

ANSWER_S = 60.0
STOP_S = 90.0
"""How long workers may take to end."""

QUIET_S = 180.0
"""So long without progress ends the run as failed; the first progress waits for the start of all workers."""

LOOK_S = 0.2
"""Between two looks at the group and the processors."""

TELL_S = 15.0
"""Between two lines about how far it is."""


@contextmanager
def workers(config: Path, n: int) -> Iterator[psutil.Process]:
    """Give the process that runs so many workers of the source, or the worker itself where it is one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMHUB_")}
    command = [sys.executable, "-P", "-m", "hub", "--config", str(config), "run", "worker", "--source", SOURCE, "-n", str(n)]
    with (
        log_of(config).open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as it,
    ):
        try:
            yield psutil.Process(it.pid)
        finally:
            it.terminate()
            try:
                it.wait(STOP_S)
            except subprocess.TimeoutExpired:
                it.kill()


def log_of(config: Path) -> Path:
    """Return where workers with these settings write their log."""
    return config.parent / "workers.log"


@dataclass(frozen=True, kw_only=True)
class Used:
    """Processor time, seconds, user and system."""

    workers: float
    database: float
    """Of the server; SQLite's is that of the worker."""

    broker: float
    benchmark: float
    """Of this process: making packets, and looking on."""

    def __sub__(self, other: "Used") -> "Used":
        return Used(
            workers=self.workers - other.workers,
            database=self.database - other.database,
            broker=self.broker - other.broker,
            benchmark=self.benchmark - other.benchmark,
        )


def used(parent: psutil.Process) -> Used:
    """Return what was used until now by the workers of a process and by the servers that this one started."""
    servers, own = used_by_servers(but_for=parent.pid), time.process_time()
    return Used(workers=of_tree(parent), database=servers.get("postgres", 0.0), broker=servers.get("java", 0.0), benchmark=own)


class Group:
    """A consumer group and its topic, from outside.

    Parameters
    ----------
    kafka
        The broker.
    topic
        Its name is that of the group too.
    n_partitions
        Of the topic.
    """

    def __init__(self, kafka: brokers.Kafka, topic: str, n_partitions: int) -> None:
        self._consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": topic, "enable.auto.commit": False})
        self._admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        self._topic = topic
        self._places = [TopicPartition(topic, number) for number in range(n_partitions)]

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def committed(self) -> NDArray[np.int64]:
        """Return how many messages of each partition are acknowledged."""
        return np.array([max(0, one.offset) for one in self._consumer.committed(self._places, timeout=ANSWER_S)])

    def ends(self) -> NDArray[np.int64]:
        """Return how many messages each partition ever had."""
        return np.array([self._consumer.get_watermark_offsets(one, timeout=ANSWER_S)[1] for one in self._places])

    def n_at_work(self) -> int:
        """Return how many members have partitions; of a broker that cannot tell, none."""
        try:
            found = self._admin.describe_consumer_groups([self._topic], request_timeout=ANSWER_S)[self._topic].result(ANSWER_S)
        except KafkaException:
            return 0
        return sum(bool(member.assignment and member.assignment.topic_partitions) for member in found.members)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen at one moment."""

    at_s: float
    committed: NDArray[np.int64]
    ends: NDArray[np.int64]
    all_at_work: bool
    """Whether each worker has a partition and something of each partition is done."""

    all_sent: bool
    used: Used
    load: float = 0.0
    """Processes that wanted a processor, of the whole machine, in the minute before."""

    @property
    def n_done(self) -> int:
        """Messages that are acknowledged."""
        return int(self.committed.sum())


def watch(
    group: Group,
    parent: psutil.Process,
    config: Path,
    *,
    n_workers: int,
    n_packets: Callable[[], int],
    filler: threading.Thread,
    n_sent: Callable[[], int],
) -> list[Look]:
    """Look on until all packets are acknowledged, and tell now and then how far it is.

    Raises
    ------
    SystemExit
        Nothing moves any more.
    """
    looks: list[Look] = []
    at_work, moved, latest, told = False, time.monotonic(), 0, time.monotonic()
    while latest < n_packets():
        time.sleep(LOOK_S)
        if time.monotonic() - told > TELL_S:
            told = time.monotonic()
            print(_progress(looks, n_packets(), n_sent()), file=sys.stderr, flush=True)
        all_sent = not filler.is_alive()  # before the ends are read: they are final then
        committed = group.committed()
        at_work = at_work or (bool(committed.all()) and (n_workers == 1 or group.n_at_work() >= n_workers))
        looks.append(
            Look(
                at_s=time.monotonic(),
                committed=committed,
                ends=group.ends(),
                all_at_work=at_work,
                all_sent=all_sent,
                used=used(parent),
                load=load_average(),
            )
        )
        if looks[-1].n_done != latest:
            latest, moved = looks[-1].n_done, time.monotonic()
        if time.monotonic() - moved > QUIET_S or not parent.is_running() or parent.status() == psutil.STATUS_ZOMBIE:
            raise SystemExit(f"the workers stand still at {latest} of {n_packets()}: {log_of(config).read_text()[-2000:]}")
    return looks


def _progress(looks: Sequence[Look], n_packets: int, n_sent: int) -> str:
    """Return how far it is, and how long the rest takes at the rate of what is done."""
    at_work = [one for one in looks if one.n_done]
    done = looks[-1].n_done if looks else 0
    line = f"  {n_sent:,} of {n_packets:,} sent, {done:,} acknowledged"
    if len(at_work) < 2 or done == at_work[0].n_done:
        return line
    rate = (done - at_work[0].n_done) / (at_work[-1].at_s - at_work[0].at_s)
    return f"{line}, {rate:,.0f} alerts/s, {(n_packets - done) / rate / 60:.1f} min left"


def busy_part(looks: Sequence[Look]) -> tuple[Look, Look, bool]:
    """Return the first and the last look at which all workers had something to do, and True; else those around all that was done."""
    inside = [one for one in looks if one.all_at_work and not (one.all_sent and (one.committed == one.ends).any())]
    if len(inside) > 1 and inside[-1].n_done > inside[0].n_done:
        return inside[0], inside[-1], True
    done = [one for one in looks if one.n_done]
    before = looks[looks.index(done[0]) - 1] if looks.index(done[0]) else done[0]
    return before, done[-1], False


def latencies(kafka: brokers.Kafka, topic: str, group: Group, packets: Sequence[bytes], per_s: float) -> NDArray[np.float64]:
    """Send packets at a steady rate; return for each the seconds from produced to acknowledged, which is after archived and matched.

    The time of production is the message's own. The group is asked as often as it answers, about fifty times a second.
    """
    produced: dict[int, list[tuple[int, float]]] = {}

    def delivered(error: object, message: Message) -> None:
        if error is not None:
            raise SystemExit(f"a packet was not taken: {error}")
        produced.setdefault(message.partition(), []).append((message.offset(), message.timestamp()[1] / 1e3))

    seen: list[tuple[float, NDArray[np.int64]]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            seen.append((time.time(), group.committed()))

    wanted = group.committed().sum() + len(packets)
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        _send(Producer(_settings(kafka)), topic, packets, per_s, delivered)
        deadline = time.monotonic() + QUIET_S
        while not seen or seen[-1][1].sum() < wanted:
            time.sleep(0.05)
            if time.monotonic() > deadline:
                raise SystemExit(f"the workers did not take all of {len(packets)} packets that were sent at a steady rate")
    finally:
        stop.set()
        watcher.join()
    return np.concatenate([_waits(found, partition, seen) for partition, found in produced.items()])


def _settings(kafka: brokers.Kafka) -> Mapping[str, str | int | bool]:
    return {
        "bootstrap.servers": kafka.bootstrap,
        "enable.idempotence": True,
        "linger.ms": 2,
        "message.max.bytes": 8 << 20,
        "sticky.partitioning.linger.ms": 0,  # packets of one moment go to all partitions
    }


def _send(producer: Producer, topic: str, packets: Sequence[bytes], per_s: float, delivered: object) -> None:
    begun = time.perf_counter()
    for number, packet in enumerate(packets):
        producer.poll(max(0.0, begun + number / per_s - time.perf_counter()))
        while begun + number / per_s > time.perf_counter():
            producer.poll(max(0.0, begun + number / per_s - time.perf_counter()))
        producer.produce(topic, value=packet, on_delivery=delivered)
    if producer.flush(ANSWER_S):
        raise SystemExit("the broker does not take packets")


def _waits(
    found: Sequence[tuple[int, float]], partition: int, seen: Sequence[tuple[float, NDArray[np.int64]]]
) -> NDArray[np.float64]:
    moments, places = np.array([moment for moment, _ in seen]), np.array([one[partition] for _, one in seen])
    offsets, stamps = np.array([offset for offset, _ in found]), np.array([stamp for _, stamp in found])
    return moments[np.searchsorted(places, offsets, side="right")] - stamps


@contextmanager
def group_of(kafka: brokers.Kafka, topic: str, n_partitions: int) -> Iterator[Group]:
    """Give the group of a topic."""
    with closing(Group(kafka, topic, n_partitions)) as found:
        yield found
