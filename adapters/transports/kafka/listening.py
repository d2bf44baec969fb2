"""Look at what is in topics and disturb nobody: no group is joined, no place is kept, nothing is committed."""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from adapters.transports.kafka import faults
from adapters.transports.kafka.topics import TopicNames
from hub.errors import Transient
from hub.model.envelope import Trust

ANSWER_S = 15.0
"""Longest wait for a broker's answer about topics and offsets, seconds."""

LOOK_S = 0.5
"""Longest wait for a message before the caller gets a turn, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One message as it lies in a topic."""

    topic: str
    partition: int
    offset: int
    time_ms: int | None
    """When it was written, milliseconds since 1970 UTC; None where the broker does not say."""

    key: bytes | None
    payload: bytes
    is_tombstone: bool = False
    """Whether it says only that its key is gone: it has no payload at all."""

    alert_stream: str | None = None
    """Stream map by which the source would read it."""

    trust: Trust = Trust.UNTRUSTED
    """How far the source would believe it."""


def listen(
    make: Callable[[dict[str, Any]], Consumer],
    settings: Mapping[str, Any],
    topics: TopicNames,
    *,
    since_s: float | None,
    until_eos: bool,
) -> Iterator[Heard | None]:
    """Yield what is in some topics and what arrives; None now and then, so that the caller may stop.

    Parameters
    ----------
    make, settings
        The client and how it connects.
    topics
        Which; all partitions of each that is there now.
    since_s
        Begin with what was written so many seconds ago; None begins with what comes next, or where ``until_eos`` is set with the
        oldest.
    until_eos
        End where everything that is there now was heard.

    Raises
    ------
    Transient
        The broker does not answer, or a topic is not there.
    """
    options = {
        **settings,
        "group.id": f"mmhub-listen-{secrets.token_hex(8)}",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
    }
    with closing(make(options)) as consumer:
        try:
            places = _places(consumer, topics, since_s, from_oldest=until_eos)
            ends = {one: consumer.get_watermark_offsets(TopicPartition(*one), timeout=ANSWER_S)[1] for one in places}
            unheard = {one for one, offset in places.items() if offset != OFFSET_END and offset < ends[one]}
            consumer.assign([TopicPartition(topic, partition, offset) for (topic, partition), offset in places.items()])
            while not until_eos or unheard:
                message = consumer.poll(LOOK_S)
                if message is None:
                    yield None
                    continue
                place = (message.topic() or "", message.partition() or 0)
                if _is_end(message) or (message.error() is None and (message.offset() or 0) + 1 >= ends[place]):
                    unheard.discard(place)
                heard = _heard(message)
                if heard is None or not until_eos or heard.offset < ends[place]:
                    yield heard
        except KafkaException as error:
            raise Transient(f"the broker cannot be listened to: {faults.sentence(error.args[0])}") from error


def _places(consumer: Consumer, topics: TopicNames, since_s: float | None, *, from_oldest: bool) -> dict[tuple[str, int], int]:
    """Return where to begin in each partition."""
    known = consumer.list_topics(timeout=ANSWER_S).topics
    missing = topics.missing(known)
    if missing:
        raise Transient(f"the broker has no topic {', '.join(missing)}, or does not show it to this user")
    wanted = [
        name for name in known if name in topics.exact or any(re.match(expression, name) for _, expression in topics.patterns)
    ]
    partitions = [TopicPartition(name, partition) for name in sorted(wanted) for partition in sorted(known[name].partitions)]
    if not partitions:
        raise Transient("no topic of these names is there")
    if since_s is not None:
        then_ms = round((time.time() - since_s) * 1000)
        asked = [TopicPartition(one.topic, one.partition, then_ms) for one in partitions]
        found: Sequence[TopicPartition] = consumer.offsets_for_times(asked, timeout=ANSWER_S)
        return {(one.topic, one.partition): one.offset for one in found}  # the end where nothing is that young
    places = {}
    for one in partitions:
        low, high = consumer.get_watermark_offsets(one, timeout=ANSWER_S)
        places[one.topic, one.partition] = low if from_oldest else high
    return places


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and bool(error.code() == KafkaError._PARTITION_EOF)  # noqa: SLF001 - a public constant, named so


def _heard(message: Message) -> Heard | None:
    error = message.error()
    if error is not None:
        if error.code() in faults.REFUSED or error.fatal():
            raise KafkaException(error)
        return None
    kind, time_ms = message.timestamp()
    return Heard(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        time_ms=time_ms if kind else None,
        key=message.key(),
        payload=message.value() or b"",
        is_tombstone=message.value() is None,
    )
