"""Two hubs in one consumer group: what one leaves the other takes, and nothing is lost however often the parts are dealt out anew."""

import logging
import os
import threading

import pytest
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from hub.storage.envelopes import law_holds
from tests.support.kafka import Kafka
from tests.support.running_hub import SOURCE, Books, RunningHub, until

pytestmark = [pytest.mark.kafka, pytest.mark.apache_kafka]

PARTITIONS = 4

REBALANCES = int(os.environ.get("MMHUB_TEST_REBALANCES", "5"))
"""How often a stranger joins the group and leaves it."""


def dealt_out(kafka: Kafka, group: str) -> list[int]:
    """Return how many partitions each member has, the fewest first; empty while they are being dealt out."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap}, logger=logging.getLogger("tests.kafka"))
    try:
        found = admin.describe_consumer_groups([group])[group].result(timeout=60)
    except KafkaException:  # no group yet, or its coordinator is just being made
        return []
    if found.state.name != "STABLE":
        return []
    return sorted(len(member.assignment.topic_partitions) for member in found.members)


def is_read_to_the_end(kafka: Kafka, topic: str, per_partition: int) -> bool:
    return set(kafka.committed(topic, topic).values()) == {per_partition}


def spread(kafka: Kafka, topic: str, payloads: list[bytes]) -> None:
    """Write the same number of messages to each partition."""
    for partition in range(PARTITIONS):
        kafka.produce(topic, [(None, payload) for payload in payloads[partition::PARTITIONS]], partition=partition)


def test_what_a_killed_member_had_is_taken_over_and_nothing_is_lost(kafka: Kafka, hub_config, letters, digest, tmp_path):
    topic = kafka.create_topic(kafka.unique_topic("taken.over"), PARTITIONS)
    early, late = letters(0, 80), letters(80, 120)
    books = Books(tmp_path / "data")
    config = hub_config(kafka.bootstrap, topic)
    with RunningHub(config, "one") as one:
        until(lambda: dealt_out(kafka, topic) == [4], "the first hub gets no partitions", [one])
        with RunningHub(config, "two") as two:
            until(lambda: dealt_out(kafka, topic) == [2, 2], "the partitions are not shared", [one, two])
            spread(kafka, topic, early)
            until(lambda: books.stored(SOURCE) > 20, "nothing is taken in", [one, two])
            with one.halted(), two.halted():  # so that the kill falls in the work, of which most is still to be done
                spread(kafka, topic, late)
                two.kill()
        until(lambda: is_read_to_the_end(kafka, topic, 50), lambda: f"only {kafka.committed(topic, topic)} is read", [one])
        until(lambda: dealt_out(kafka, topic) == [4], "the partitions are not taken over", [one])
        assert one.stop() == 0
    assert books.has_all([digest(payload) for payload in early + late])
    assert books.stored(SOURCE) == 200
    assert law_holds(books.counts())


def test_dealing_out_anew_again_and_again_loses_nothing(kafka: Kafka, hub_config, letters, digest, tmp_path):
    topic = kafka.create_topic(kafka.unique_topic("dealt.out"), PARTITIONS)
    books = Books(tmp_path / "data")
    produced: list[bytes] = []
    is_over = threading.Event()

    def write_on() -> None:
        while not is_over.wait(0.2):
            some = letters(len(produced), PARTITIONS)
            spread(kafka, topic, some)
            produced.extend(some)

    writer = threading.Thread(target=write_on)
    with RunningHub(hub_config(kafka.bootstrap, topic), "steady") as hub:
        until(lambda: dealt_out(kafka, topic) == [4], "the hub gets no partitions", [hub])
        writer.start()
        try:
            for _ in range(REBALANCES):
                join_and_leave(kafka, topic, hub)
        finally:
            is_over.set()
            writer.join()
        n = len(produced)
        until(lambda: is_read_to_the_end(kafka, topic, n // PARTITIONS), lambda: f"{n} written, {books.counts()}", [hub])
        assert hub.stop() == 0
    assert books.has_all([digest(payload) for payload in produced])
    assert books.stored(SOURCE) == n
    assert law_holds(books.counts())


def join_and_leave(kafka: Kafka, topic: str, hub: RunningHub) -> None:
    """Take half of the partitions from the hub, keep no place in them, and give them back."""
    config = {
        "bootstrap.servers": kafka.bootstrap,
        "group.id": topic,
        "enable.auto.commit": False,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 600,
    }
    stranger = Consumer(config, logger=logging.getLogger("tests.kafka"))
    try:
        stranger.subscribe([topic])

        def has_some() -> bool:
            stranger.poll(0.1)
            return len(stranger.assignment()) == PARTITIONS // 2

        until(has_some, "the stranger gets no partitions", [hub])
    finally:
        stranger.close()
    until(lambda: dealt_out(kafka, topic) == [PARTITIONS], "the hub does not get its partitions back", [hub])
