"""Trying a connection once, for a person who has just written the settings; nobody's place and no group is touched."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from adapters.transports.kafka import faults
from adapters.transports.kafka import options as settings_of
from adapters.transports.kafka.link import Link
from adapters.transports.kafka.topics import TopicNames

TRY_S = 15.0
"""Longest wait for a broker, seconds."""

LOOK_S = 1.0
"""Wait for one answer, after which the background faults are looked at, seconds."""

PAUSE_S = 0.1
"""Pause before the same question is asked again, seconds."""


def complaints(
    make: Callable[[dict[str, Any]], Consumer],
    settings: Mapping[str, Any],
    topics: TopicNames,
    advice: str = "",
    *,
    group: bool = True,
) -> list[str]:
    """Return what is wrong with the connection, the topics and, if asked, the group, in sentences; nothing where all is well."""
    link = Link(
        time.monotonic, lambda text: settings_of.without_secrets(text, dict(settings)), has_token=settings_of.has_token(settings)
    )
    # As a guest without a name of its own: a member of the same name would push a running hub out of the group.
    guest = {key: value for key, value in settings.items() if key != "group.instance.id"}
    consumer = make({**guest, "error_cb": link.on_error, "stats_cb": link.on_stats})
    try:
        there = _topics(consumer, link)
        if there is None:
            asked = settings.get("bootstrap.servers")
            tried = f" Tried: {asked}." if asked else ""
            return [f"{said[0].upper()}{said[1:]}.{tried if said.startswith('no broker') else ''}" for said in link.alarms()] or [
                f"No broker answers.{tried}"
            ]
        because = f": {advice}" if advice else ""
        found = [f"The topic {name} does not exist, or this user may not see it{because}." for name in topics.missing(there)]
        found += [
            f"No topic matches {name} yet; it is heard once there is one."
            for name, number in topics.found(there).items()
            if not number
        ]
        return found + (_group_complaints(consumer, there) if group else [])
    finally:
        consumer.close()


def _topics(consumer: Consumer, link: Link) -> list[str] | None:
    deadline = time.monotonic() + TRY_S
    while time.monotonic() < deadline and link.refusal() is None:
        try:
            return [name for name, topic in consumer.list_topics(timeout=LOOK_S).topics.items() if topic.error is None]
        except KafkaException:
            consumer.poll(0)  # what is wrong is said to the callbacks, and those run here
    return None


def _group_complaints(consumer: Consumer, there: list[str]) -> list[str]:
    if not there:
        return []
    deadline = time.monotonic() + TRY_S
    while True:
        try:
            consumer.committed([TopicPartition(there[0], 0)], timeout=LOOK_S)
        except KafkaException as error:
            # A group that is used for the first time has no coordinator for a moment.
            if error.args[0].code() in faults.REFUSED or time.monotonic() >= deadline:
                return [f"The consumer group cannot be used: {faults.sentence(error.args[0])}."]
            consumer.poll(PAUSE_S)
        else:
            return []
