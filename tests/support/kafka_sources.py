"""Steps that tests of Kafka sources share: produce, take until enough has come, wait for a state."""

import time
from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from hub.errors import Transient
from hub.model.envelope import Envelope
from hub.model.outgoing import Outgoing
from hub.ports import Health, MessageSource, Sink

TIMEOUT_S = 120.0
"""Longest wait for anything, seconds."""


def produce(bootstrap: str, topic: str, payloads: Iterable[bytes | None], *, partition: int = 0) -> None:
    """Write messages and wait until the broker has them."""
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 8 * 2**20})
    for payload in payloads:
        producer.produce(topic, payload, partition=partition)
    assert producer.flush(TIMEOUT_S) == 0


def take(source: MessageSource, number: int) -> list[Envelope]:
    """Take until so many messages have come."""
    found: list[Envelope] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(found) < number:
        found += source.take(100, 0.2)
        assert time.monotonic() < deadline, f"only {len(found)} of {number} messages came: {source.health()}"
    return found


def take_until(source: MessageSource, is_so: Callable[[Health], bool]) -> list[Envelope]:
    """Take until the health is as wanted; return what came meanwhile."""
    found: list[Envelope] = []
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so(source.health()):
        found += source.take(100, 0.2)
        assert time.monotonic() < deadline, f"it did not come to that: {source.health()}"
    return found


def deliver(sink: Sink, outgoing: Outgoing) -> None:
    """Send as the outbox does: again after each passing fault."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            sink.deliver(outgoing)
        except Transient:
            if time.monotonic() > deadline:
                raise
        else:
            return


def read_back(bootstrap: str, topic: str, number: int) -> list[Message]:
    """Return the first messages of a topic, without a group."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        found: list[Message] = []
        deadline = time.monotonic() + TIMEOUT_S
        while len(found) < number:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found.append(message)
            assert time.monotonic() < deadline, f"only {len(found)} of {number} messages are on {topic}"
        return found
    finally:
        consumer.close()
