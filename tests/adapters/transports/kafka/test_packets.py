"""Alert packets from a real broker, many at once: bounded, placed, and kept a place for while they are stored."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from adapters.transports.kafka import consumer
from adapters.transports.kafka.consumer import KafkaPacketSource, Options, open_source
from adapters.transports.kafka.options import PACKET_FETCH_BYTES
from hub.model.instant import Instant
from hub.model.packets import PacketBatch
from hub.ports import PacketSource, StayingSource
from tests.support.kafka_sources import TIMEOUT_S, produce
from tests.support.parts import part_context

Opened = Callable[..., AbstractContextManager[KafkaPacketSource]]


@pytest.fixture
def opened(bootstrap: str, unique: str) -> Opened:
    """Opens a source of packets of a topic."""

    def make(topic: str, packet_bytes: int = 2**25, **options: object) -> AbstractContextManager[KafkaPacketSource]:
        values = {"bootstrap_servers": bootstrap, "security": "plaintext", "topics": (topic,), "group_id": f"group-{unique}"}
        context = replace(part_context(Path(), "rubin", clock=_now), packet_bytes=packet_bytes)
        return open_source(Options(**values, stream="lsst", session_timeout_s=6, **options), context)

    return make


def _now() -> Instant:
    return Instant.from_unix_s(time.time())


def take(source: KafkaPacketSource, number: int, limit: int = 1000) -> list[PacketBatch]:
    """Take until so many packets have come."""
    found: list[PacketBatch] = []
    deadline = time.monotonic() + TIMEOUT_S
    while sum(map(len, found)) < number:
        batch = source.take_packets(limit, 0.2)
        found += [batch] if batch is not None else []
        assert time.monotonic() < deadline, f"only {sum(map(len, found))} of {number} came: {source.health()}"
    return found


def test_a_packet_larger_than_an_answer_of_the_broker_comes_among_small_ones(bootstrap, make_topic, opened: Opened) -> None:
    sent = [b"small", bytes(PACKET_FETCH_BYTES + 2**20), b"small again"]
    topic = make_topic("large-packets")
    produce(bootstrap, topic, sent)
    with opened(topic) as source:
        assert [one for batch in take(source, 3) for one in batch.payloads] == sent


def test_packets_come_by_the_batch_with_their_places(bootstrap, make_topic, opened: Opened) -> None:
    topic = make_topic("packets", 2)
    produce(bootstrap, topic, [b"a0", None, b"a2"], partition=0)
    produce(bootstrap, topic, [b"b0"], partition=1)
    with opened(topic) as source:
        assert isinstance(source, PacketSource)
        assert isinstance(source, StayingSource)
        positions = {}
        packets = {}
        while len(packets) < 3:
            for batch in take(source, 1):
                assert batch.topic.texts() == [topic] * len(batch)
                places = zip(batch.partition.tolist(), batch.offset.tolist(), strict=True)
                packets |= dict(zip(places, batch.payloads, strict=True))
                assert (batch.source, batch.alert_stream) == ("rubin", "lsst")
                assert batch.envelope(0).position == f"{topic}/{batch.partition[0]}/{batch.offset[0]}"
            positions |= {(one.partition, one.next_offset): one.n_messages for one in source.positions()}
        assert packets == {(0, 0): b"a0", (0, 2): b"a2", (1, 0): b"b0"}
        assert positions.keys() >= {(0, 3), (1, 1)}
        source.acknowledge()
        assert source.health().facts["tombstones"] == 1
    with opened(topic) as source:  # nothing comes twice
        produce(bootstrap, topic, [b"b1"], partition=1)
        (batch,) = take(source, 1)
        assert batch.payloads == [b"b1"]


def test_a_batch_is_bounded_by_number_and_by_bytes(bootstrap, make_topic, opened: Opened) -> None:
    topic = make_topic("bounded")
    produce(bootstrap, topic, [bytes(10_000)] * 100)
    with opened(topic, packet_bytes=100_000) as source:
        batches = take(source, 100)
        sizes = [sum(map(len, batch.payloads)) for batch in batches]
        assert max(sizes) <= 110_000
        assert sum(sizes) == 1_000_000
    with opened(topic, packet_bytes=2**25) as source:
        assert max(map(len, take(source, 100, limit=7))) <= 7


def test_what_was_not_acknowledged_comes_again(bootstrap, make_topic, opened: Opened) -> None:
    topic = make_topic("again")
    produce(bootstrap, topic, [b"1", b"2"])
    for _ in range(2):
        with opened(topic) as source:
            assert [one for batch in take(source, 2) for one in batch.payloads] == [b"1", b"2"]


def test_what_was_acknowledged_is_committed_while_the_source_goes_on(
    bootstrap, kafka, make_topic, unique, opened: Opened
) -> None:
    topic = make_topic("committed")
    produce(bootstrap, topic, [b"1", b"2", b"3"])
    with opened(topic) as source:
        for number in range(1, 4):
            take(source, 1, limit=1)
            source.acknowledge()
            deadline = time.monotonic() + TIMEOUT_S
            while kafka.committed(f"group-{unique}", topic).get(0) != number:
                assert time.monotonic() < deadline
        assert source.health().facts["commits_refused"] == 0
        assert source.health().facts["unacknowledged_partitions"] == 0


def test_the_last_acknowledgement_is_committed_when_the_source_closes(
    bootstrap, kafka, make_topic, unique, opened: Opened
) -> None:
    topic = make_topic("last")
    produce(bootstrap, topic, [b"%d" % n for n in range(20)])
    with opened(topic) as source:
        for _ in range(20):
            take(source, 1, limit=1)
            source.acknowledge()
    assert kafka.committed(f"group-{unique}", topic) == {0: 20}


def test_the_lag_is_told_in_packets_and_in_seconds(bootstrap, make_topic, opened: Opened) -> None:
    topic = make_topic("lag")
    produce(bootstrap, topic, [b"x"] * 50)
    with opened(topic) as source:
        take(source, 10, limit=10)
        facts = source.health().facts
        assert facts["lag"] == 40
        assert 0 <= facts["lag_s"] < TIMEOUT_S
        assert facts["lag_s_of"] == {f"{topic}/0": facts["lag_s"]}
        take(source, 40)
        facts = source.health().facts
        assert (facts["lag"], facts["lag_s"], facts["lag_s_of"]) == (0, 0.0, {})


def test_what_waits_in_a_partition_that_was_never_read_ages(bootstrap, make_topic, opened: Opened) -> None:
    topic = make_topic("unread", 2)
    for partition in (0, 1):
        produce(bootstrap, topic, [b"x"] * 5, partition=partition)
    with opened(topic) as source:
        (batch,) = take(source, 1, limit=1)
        unread = f"{topic}/{1 - batch.partition[0]}"
        first = source.health().facts["lag_s_of"][unread]
        deadline = time.monotonic() + TIMEOUT_S
        while not (later := source.health().facts["lag_s_of"][unread]) or later == first:
            assert time.monotonic() < deadline
        assert source.health().facts["lag_s"] >= later > (first or 0.0)
        take(source, 9)
        facts = source.health().facts
        assert (facts["lag"], facts["lag_s"], facts["lag_s_of"]) == (0, 0.0, {})


def test_a_member_that_stays_keeps_its_partitions_and_goes_on_where_it_was(
    bootstrap, make_topic, opened: Opened, monkeypatch
) -> None:
    """A group gives up a member that asks for nothing for six seconds here; this one is busy for longer."""
    topic = make_topic("stays")
    produce(bootstrap, topic, [b"1", b"2", b"3"])
    monkeypatch.setattr(consumer.settings_of, "of_packets", lambda: {"max.poll.interval.ms": 6000})
    under_way = threading.Event()
    with opened(topic) as source:
        assert [one.payloads for one in take(source, 1, limit=1)] == [[b"1"]]
        end = time.monotonic() + 8
        while time.monotonic() < end:
            source.stay(under_way)
            under_way.wait(0.2)  # what a busy loop does
        source.acknowledge()
        assert source.health().facts["rebalances"] == 0
        assert [one for batch in take(source, 2) for one in batch.payloads] == [b"2", b"3"]


def test_partitions_are_given_up_only_when_what_is_being_stored_is_stored(bootstrap, make_topic, opened: Opened, unique) -> None:
    topic = make_topic("given.up", 2)
    produce(bootstrap, topic, [b"1"], partition=0)
    finished = threading.Event()
    with opened(topic) as source:
        take(source, 1)
        other = Consumer({"bootstrap.servers": bootstrap, "group.id": f"group-{unique}", "session.timeout.ms": 6000})
        threading.Timer(3.0, finished.set).start()
        try:
            other.subscribe([topic])
            deadline = time.monotonic() + TIMEOUT_S
            while source.health().facts["rebalances"] == 0:
                other.poll(0.1)
                assert not other.assignment(), "the other member got partitions while packets were being stored"
                source.stay(finished)
                assert time.monotonic() < deadline, "the group is not dealt out anew"
            assert finished.is_set()
        finally:
            other.close()
        produce(bootstrap, topic, [b"2"], partition=0)
        assert {one for batch in take(source, 2) for one in batch.payloads} == {b"1", b"2"}  # not acknowledged: again
