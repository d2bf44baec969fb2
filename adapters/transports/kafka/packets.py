"""Many Kafka messages as one batch of alert packets: payloads as they came, places as columns.

Only the client's own objects are made for each message; a batch is bounded by number and by bytes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Message

from hub.model.alert import Words

GATHER_S = 0.1
"""How long a batch waits for more after its first packet, seconds: fewer and larger files in the archive while little comes."""

AT_ONCE = 64
"""Most messages asked of the client in one call: it holds them twice for a moment, and their answers of the broker with them."""


Arrived = tuple[str, int, int, bytes]
"""Topic, partition, offset and content of a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much a batch may hold."""

    n_packets: int
    n_bytes: int
    """Of payloads; the last packet may go beyond."""


def gathered(
    consumer: Consumer, room: Room, wait_s: float, monotonic: Callable[[], float], early: Sequence[Message] = ()
) -> list[Message]:
    """Return what has arrived, waiting for the first message, and a moment for more.

    Parameters
    ----------
    consumer
        The client.
    room
        Most of it.
    wait_s
        Longest wait for the first, seconds.
    monotonic
        Tells the time.
    early
        Messages that came before.
    """
    found = list(early)
    if not found:
        first = consumer.poll(wait_s)
        if first is None:
            return []
        found.append(first)
    size = sum(map(len, found))
    deadline = monotonic() + GATHER_S
    while len(found) < room.n_packets and size < room.n_bytes:
        fitting = int((room.n_bytes - size) * len(found) / size) if size else AT_ONCE
        wanted = max(1, min(room.n_packets - len(found), fitting, AT_ONCE))
        more = consumer.consume(wanted, max(deadline - monotonic(), 0.0))
        found += more
        size += sum(map(len, more))
        if len(more) < wanted and monotonic() >= deadline:
            break
    return found


def columns(arrived: Iterable[Arrived]) -> dict[str, Any]:
    """Return the payloads and the places as a `PacketBatch` has them."""
    topics: dict[str, int] = {}
    payloads: list[bytes] = []
    codes: list[int] = []
    partitions: list[int] = []
    offsets: list[int] = []
    for topic, partition, offset, payload in arrived:
        codes.append(topics.setdefault(topic, len(topics)))
        partitions.append(partition)
        offsets.append(offset)
        payloads.append(payload)
    return {
        "payloads": payloads,
        "topic": Words(np.array(codes, dtype=np.int32), tuple(topics)),
        "partition": np.array(partitions, dtype=np.int32),
        "offset": np.array(offsets, dtype=np.int64),
    }
