"""Packets into a Kafka topic: idempotent, never faster than asked, and never farther ahead of a reader than asked."""

import logging
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from hub.errors import Permanent, Transient

MAX_PACKET_BYTES = 8 << 20
"""Largest message that is sent."""

QUEUE_KIB = 256 << 10
"""Most that waits in the producer, KiB; sending pauses while it is full."""

ANSWER_S = 30.0
"""Longest wait for an answer of the broker."""

STUCK_S = 300.0
"""Longest that nothing may leave the producer, or that a reader may stand still, before the run ends."""

_LOOK_EACH = 64 << 20
_SERVED_EACH = 64  # packets between two calls that let the client report: each costs as much as handing over a packet
_CLIENT_LOG = logging.getLogger("hub.demo.survey.kafka")  # else the library writes to standard error by itself


@dataclass(slots=True)
class Sent:
    """What went out so far."""

    n_packets: int = 0
    n_bytes: int = 0
    n_acknowledged: int = 0
    """What the broker has, once the run is finished: before that only failures are heard of."""

    failed: list[str] = field(default_factory=list)


class TopicWriter:
    """Sends packets to one topic.

    Parameters
    ----------
    bootstrap
        Addresses of brokers.
    topic
        Where packets go.
    settings
        More for the client library, e.g. what a protected broker wants.
    ahead_bytes, group
        How far the topic may be ahead of what a consumer group has committed; no limit where None.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        *,
        settings: dict[str, str] | None = None,
        ahead_bytes: int | None = None,
        group: str | None = None,
    ) -> None:
        self._topic = topic
        self._ahead_bytes = ahead_bytes
        common = {"bootstrap.servers": bootstrap, **(settings or {})}
        self._producer = Producer(
            {
                **common,
                "enable.idempotence": True,
                "message.max.bytes": MAX_PACKET_BYTES,
                "queue.buffering.max.kbytes": QUEUE_KIB,
                "batch.size": 1 << 20,
                "linger.ms": 5,
                "compression.type": "none",
                "delivery.report.only.error": True,
            },
            logger=_CLIENT_LOG,
        )
        self._reader = (
            Consumer({**common, "group.id": group, "enable.auto.commit": False}, logger=_CLIENT_LOG)
            if group and ahead_bytes
            else None
        )
        self._looked_at = 0
        self._marks: list[tuple[int, int]] = [(0, 0)]  # packets and bytes sent at each look
        self.sent = Sent()

    def send(self, packet: bytes) -> None:
        """Hand one packet over; waits while the producer is full or too far ahead.

        Raises
        ------
        Transient
            Nothing leaves any more.
        Permanent
            The broker refused a packet.
        """
        if self._reader is not None and self.sent.n_bytes - self._looked_at >= _LOOK_EACH:
            self._wait_for_reader()
        deadline = time.monotonic() + STUCK_S
        while True:
            try:
                self._producer.produce(self._topic, value=packet, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.2)
                if time.monotonic() > deadline:
                    raise Transient(f"no packet has left for the topic {self._topic} in {STUCK_S:.0f} s") from None
            except KafkaException as error:
                raise Permanent(f"the topic {self._topic} does not take packets: {error.args[0].str()}") from error
        self.sent.n_packets += 1
        self.sent.n_bytes += len(packet)
        if self.sent.n_packets % _SERVED_EACH == 0:
            self._producer.poll(0)
            self._check()

    def finish(self) -> None:
        """Wait until the broker has everything; raises as `send`."""
        deadline = time.monotonic() + STUCK_S
        left = self._producer.flush(0.0)
        self._check()
        while left and time.monotonic() < deadline:
            left = self._producer.flush(1.0)
            self._check()
        if left:
            raise Transient(f"{left} packets were not taken by the topic {self._topic}")
        self.sent.n_acknowledged = self.sent.n_packets

    def close(self) -> None:
        """Let go of the reader's place."""
        if self._reader is not None:
            self._reader.close()

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.sent.failed.append(error.str())

    def _check(self) -> None:
        if self.sent.failed:
            raise Permanent(f"the topic {self._topic} does not take packets: {self.sent.failed[0]}")

    def _wait_for_reader(self) -> None:
        """Wait until the group has committed enough."""
        assert self._reader is not None, "asked for where there is a group"
        assert self._ahead_bytes is not None, "asked for where there is a limit"
        self._looked_at = self.sent.n_bytes
        self._marks.append((self.sent.n_packets, self.sent.n_bytes))
        last, deadline = -1, time.monotonic() + STUCK_S
        while waiting_bytes(lags := self._lags(), self._marks) > self._ahead_bytes:
            if (behind := sum(lags)) != last:
                last, deadline = behind, time.monotonic() + STUCK_S
            if time.monotonic() > deadline:
                raise Transient(f"the reader of {self._topic} has not moved in {STUCK_S:.0f} s and is {behind} packets behind")
            self._producer.poll(0.2)

    def _lags(self) -> list[int]:
        """Return how many packets of each partition are not read, those that have not left yet shared among them."""
        assert self._reader is not None, "asked for where there is a group"
        try:
            known = self._reader.list_topics(self._topic, timeout=ANSWER_S).topics[self._topic].partitions
            places = self._reader.committed([TopicPartition(self._topic, one) for one in known], timeout=ANSWER_S)
            own = -(-len(self._producer) // len(places))
            lags = []
            for place in places:
                low, high = self._reader.get_watermark_offsets(place, timeout=ANSWER_S)
                lags.append(own + high - max(low, place.offset))
        except KafkaException as error:
            raise Transient(f"the place of the reader of {self._topic} is not known: {error.args[0].str()}") from error
        return lags


def waiting_bytes(lags: Sequence[int], marks: Sequence[tuple[int, int]]) -> float:
    """Return how many bytes wait to be read, rather too many.

    Packets of a deep field are twenty times as large as others where they have no cutouts, and come one after the other: the mean
    of all says nothing about those that wait.

    Parameters
    ----------
    lags
        Packets that wait, of each partition: all partitions get about as many.
    marks
        Packets and bytes that were sent by some moments, ascending from (0, 0).
    """
    packets, size = marks[-1]
    begins = (bisect_right(marks, packets - lag * len(lags), key=lambda mark: mark[0]) - 1 for lag in lags)
    return sum(size - marks[max(0, begin)][1] for begin in begins) / len(lags)


class Pace:
    """Waits so that packets leave when they are due.

    Parameters
    ----------
    clock, sleep
        Seconds that only grow, and how to wait; tests hand in their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._begun = clock()

    def wait_until(self, due_s: float) -> None:
        """Return when so many seconds have passed since the begin; at once where they have."""
        left = self._begun + due_s - self._clock()
        if left > 0.001:
            self._sleep(left)


def make_topic(
    bootstrap: str, topic: str, partitions: int, *, settings: dict[str, str] | None = None, config: dict[str, str] | None = None
) -> int:
    """Make a topic where it is not there yet; return how many partitions it has.

    Raises
    ------
    Transient
        The broker does not answer.
    Permanent
        It refuses.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, **(settings or {})}, logger=_CLIENT_LOG)
    try:
        known = admin.list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        raise Transient(f"the broker {bootstrap} does not answer: {error.args[0].str()}") from error
    if topic in known:
        return len(known[topic].partitions)
    wanted = {"max.message.bytes": str(MAX_PACKET_BYTES), **(config or {})}
    made = admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=-1, config=wanted)])
    try:
        made[topic].result(timeout=ANSWER_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise Permanent(f"the topic {topic} cannot be made: {error.args[0].str()}") from error
    return partitions
