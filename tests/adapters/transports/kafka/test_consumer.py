import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from confluent_kafka import KafkaException, TopicPartition

from adapters.transports.kafka.consumer import Options, open_source
from hub.errors import StorageError
from hub.model.envelope import Trust
from hub.ports import Incident, Place, Position
from tests.support.kafka_sources import TIMEOUT_S, produce, take, take_until
from tests.support.parts import part_context


@pytest.fixture
def options(bootstrap, unique):
    def make(*topics: str, **changes) -> Options:
        return Options(
            **{
                "bootstrap_servers": bootstrap,
                "security": "plaintext",
                "topics": topics,
                "group_id": f"group-{unique}",
                "session_timeout_s": 6,
                "discovery_s": 1,
                **changes,
            }
        )

    return make


def opened(options, incidents=None, name="rubin"):
    return open_source(options, part_context(Path(), name, incidents=incidents))


def delete_before(admin, topic: str, offset: int, partition: int = 0) -> None:
    place = TopicPartition(topic, partition, offset)
    next(iter(admin.delete_records([place]).values())).result(TIMEOUT_S)


def test_messages_carry_where_they_stood_and_how_they_are_read(bootstrap, make_topic, options) -> None:
    topic = make_topic("alerts")
    produce(bootstrap, topic, [b"one", b"two"])
    with opened(options(topic, stream="lsst")) as source:
        found = take(source, 2)
        assert [envelope.payload for envelope in found] == [b"one", b"two"]
        assert [envelope.position for envelope in found] == [f"{topic}/0/0", f"{topic}/0/1"]
        assert {(envelope.source, envelope.topic, envelope.alert_stream) for envelope in found} == {("rubin", topic, "lsst")}
        assert {envelope.trust for envelope in found} == {Trust.UNTRUSTED}


def test_a_message_without_content_moves_the_place_and_is_counted(bootstrap, make_topic, options) -> None:
    topic = make_topic("alerts")
    produce(bootstrap, topic, [b"one", None, b"three"])
    with opened(options(topic)) as source:
        runs: list[Position] = []
        found = []
        while len(found) < 2:
            found += source.take(100, 5)
            runs += source.positions()
        source.acknowledge()
        assert source.health().facts["tombstones"] == 1
    assert [envelope.payload for envelope in found] == [b"one", b"three"]
    assert runs[0].first_offset == 0
    assert runs[-1].next_offset == 3
    assert sum(run.n_messages for run in runs) == 3


def test_only_what_was_taken_is_committed_however_much_was_fetched(bootstrap, make_topic, options) -> None:
    topic = make_topic("alerts")
    produce(bootstrap, topic, [b"%d" % i for i in range(10)])
    with opened(options(topic)) as source:
        taken = []
        while len(taken) < 3:
            taken += source.take(1, 5)
        source.acknowledge()
    with opened(options(topic)) as source:
        assert take(source, 7)[0].payload == b"3"


def test_what_was_taken_and_not_acknowledged_comes_again(bootstrap, make_topic, options) -> None:
    topic = make_topic("alerts")
    produce(bootstrap, topic, [b"one", b"two"])
    with opened(options(topic)) as source:
        take(source, 2)
    with opened(options(topic)) as source:
        assert [envelope.payload for envelope in take(source, 2)] == [b"one", b"two"]


def test_messages_that_expired_during_a_pause_are_reported_once_before_the_next_is_taken(
    bootstrap, admin, make_topic, options
) -> None:
    topic = make_topic("alerts")
    produce(bootstrap, topic, [b"%d" % i for i in range(3)])
    with opened(options(topic)) as source:
        take(source, 3)
        source.acknowledge()
    produce(bootstrap, topic, [b"%d" % i for i in range(3, 10)])
    delete_before(admin, topic, 8)
    incidents = []
    with opened(options(topic), incidents) as source:
        found = []
        while not found:
            found = source.take(100, 1)
            assert incidents or not found, "something was taken before the gap was reported"
        found += take(source, 2 - len(found))
    assert [envelope.payload for envelope in found] == [b"8", b"9"]
    assert [(one.kind, one.subject) for one in incidents] == [("gap", f"{topic}/0/3-8")]
    assert incidents[0].facts == {"topic": topic, "partition": 0, "first_offset": 3, "end_offset": 8, "n_messages": 5}
    assert "5 messages" in incidents[0].text
    again = []
    with opened(options(topic), again) as source:
        take(source, 2)
    assert not again


def test_nothing_is_taken_while_a_gap_cannot_be_written_down(bootstrap, admin, make_topic, options) -> None:
    topic = make_topic("alerts")
    produce(bootstrap, topic, [b"0"])
    with opened(options(topic)) as source:
        take(source, 1)
        source.acknowledge()
    produce(bootstrap, topic, [b"1", b"2"])
    delete_before(admin, topic, 2)

    def refuse(incident):
        raise StorageError("the disk is full")

    context = part_context(Path(), "rubin")
    with (
        pytest.raises(StorageError, match="disk is full"),
        open_source(options(topic), replace(context, report=refuse)) as source,
    ):
        take(source, 1)
    incidents = []
    with opened(options(topic), incidents) as source:
        assert take(source, 1)[0].payload == b"2"
    assert [one.subject for one in incidents] == [f"{topic}/0/1-2"]


def test_a_gap_in_a_partition_that_was_empty_at_the_first_start_is_seen(bootstrap, admin, make_topic, options) -> None:
    topic = make_topic("alerts")
    with opened(options(topic)) as source:
        take_until(source, lambda health: health.state == "listening")
    produce(bootstrap, topic, [b"0", b"1"])
    delete_before(admin, topic, 1)
    incidents = []
    with opened(options(topic), incidents) as source:
        assert take(source, 1)[0].payload == b"1"
    assert [one.subject for one in incidents] == [f"{topic}/0/0-1"]


def test_what_had_expired_before_the_first_start_is_a_fact_and_no_gap(bootstrap, admin, make_topic, options) -> None:
    topic = make_topic("alerts")
    produce(bootstrap, topic, [b"0", b"1", b"2"])
    delete_before(admin, topic, 2)
    incidents = []
    with opened(options(topic), incidents) as source:
        assert take(source, 1)[0].payload == b"2"
        assert source.health().facts["expired_before_first_start"] == {f"{topic}/0": 2}
    assert not incidents


def test_messages_deleted_under_a_slow_hub_are_reported_and_not_skipped_in_silence(bootstrap, admin, make_topic, options) -> None:
    topic = make_topic("alerts")
    incidents = []
    with opened(options(topic), incidents) as source:
        take_until(source, lambda health: health.state == "listening")
        big = b"x" * 4_000_000
        produce(bootstrap, topic, [big] * 30)  # more than the client keeps in memory
        taken = 0
        while not taken:
            taken = len(source.take(1, 1))
        produce(bootstrap, topic, [b"last"])
        delete_before(admin, topic, 30)
        found = []
        while not found or found[-1].payload != b"last":
            found += take(source, 1)
    assert len(incidents) == 1
    gap = incidents[0].facts
    assert gap["end_offset"] == 30
    assert gap["first_offset"] == taken + len(found) - 1
    assert gap["n_messages"] == 31 - taken - len(found)


class HubBooks:
    """What a hub writes down of a source, in memory."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, int], Place] = {}
        self.incidents: list[Incident] = []

    def opened(self, options):
        return open_source(options, part_context(Path(), "rubin", incidents=self.incidents, places=self.places))

    def take(self, source, number: int) -> list[bytes]:
        found = []
        deadline = time.monotonic() + TIMEOUT_S
        while len(found) < number:
            found += [envelope.payload for envelope in source.take(100, 0.2)]
            for run in source.positions():
                self.places[run.topic, run.partition] = Place(next_offset=run.next_offset, topic_id=run.topic_id)
            source.acknowledge()
            assert time.monotonic() < deadline, f"only {found} came"
        return found


def remake(admin, make_topic, topic: str) -> None:
    admin.delete_topics([topic])[topic].result(TIMEOUT_S)
    deadline = time.monotonic() + TIMEOUT_S
    while topic in admin.list_topics(timeout=TIMEOUT_S).topics:
        assert time.monotonic() < deadline
    make_topic(topic)


def forget(admin, group: str) -> None:
    """Delete a group, which must have seen its last member leave."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            admin.delete_consumer_groups([group])[group].result(TIMEOUT_S)
        except KafkaException:
            assert time.monotonic() < deadline, f"the group {group} stays"
            time.sleep(0.05)  # between two tries
        else:
            return


def test_what_expired_is_a_gap_though_the_group_was_forgotten(bootstrap, admin, make_topic, options) -> None:
    topic, books = make_topic("alerts"), HubBooks()
    produce(bootstrap, topic, [b"%d" % i for i in range(10)])
    with books.opened(options(topic)) as source:
        books.take(source, 10)
    produce(bootstrap, topic, [b"%d" % i for i in range(10, 20)])
    delete_before(admin, topic, 15)
    group = options(topic).group_id
    forget(admin, group)
    with books.opened(options(topic)) as source:
        assert books.take(source, 5) == [b"%d" % i for i in range(15, 20)]
    assert [(one.kind, one.subject, one.facts["n_messages"]) for one in books.incidents] == [("gap", f"{topic}/0/10-15", 5)]


@pytest.mark.apache_kafka
def test_a_topic_made_anew_is_read_from_its_beginning_and_reported(bootstrap, admin, make_topic, options) -> None:
    topic, books = make_topic("alerts"), HubBooks()
    produce(bootstrap, topic, [b"%d" % i for i in range(5)])
    with books.opened(options(topic)) as source:
        books.take(source, 5)
    remake(admin, make_topic, topic)
    produce(bootstrap, topic, [b"new%d" % i for i in range(9)])
    with books.opened(options(topic)) as source:
        assert books.take(source, 9) == [b"new%d" % i for i in range(9)]
    (incident,) = books.incidents
    assert incident.kind == "gap"
    assert "made anew" in incident.text
    with books.opened(options(topic)) as source:
        produce(bootstrap, topic, [b"later"])
        assert books.take(source, 1) == [b"later"]
    assert len(books.incidents) == 1


@pytest.mark.apache_kafka
def test_a_topic_made_anew_while_the_hub_listens_loses_nothing_of_the_new_one(bootstrap, admin, make_topic, options) -> None:
    topic, books = make_topic("alerts"), HubBooks()
    produce(bootstrap, topic, [b"%d" % i for i in range(5)])
    with books.opened(options(topic)) as source:
        books.take(source, 5)
        remake(admin, make_topic, topic)
        wanted = {b"new%d" % i for i in range(20)}
        produce(bootstrap, topic, sorted(wanted))
        found: set[bytes] = set()
        while not wanted <= found:
            found |= set(books.take(source, 1))
        assert found == wanted
    assert books.places[topic, 0].next_offset == 20
    (incident,) = books.incidents
    assert "made anew" in incident.text


def test_a_new_topic_of_a_family_is_taken_from_its_first_message(bootstrap, make_topic, options, unique) -> None:
    first = make_topic(f"lsst.{unique}.night1")
    produce(bootstrap, first, [b"night1"])
    with opened(options(f"lsst.{unique}.*")) as source:
        assert take(source, 1)[0].topic == first
        source.acknowledge()
        second = make_topic(f"lsst.{unique}.night2", 2)
        produce(bootstrap, second, [b"%d" % i for i in range(1000)], partition=1)
        found = take(source, 1000)
        assert {envelope.topic for envelope in found} == {second}
        assert [int(envelope.payload) for envelope in found] == list(range(1000))
        source.acknowledge()
        take_until(source, lambda health: health.facts["families"] == {f"lsst.{unique}.*": 2})


def test_a_regular_expression_takes_what_it_matches_and_nothing_else(bootstrap, make_topic, options, unique) -> None:
    wanted = make_topic(f"lsst-{unique}-alerts")
    produce(bootstrap, make_topic(f"ztf-{unique}-alerts"), [b"other"])
    produce(bootstrap, wanted, [b"wanted"])
    with opened(options(f"^lsst-{unique}-.*")) as source:
        assert [envelope.payload for envelope in take(source, 1)] == [b"wanted"]
        assert source.health().facts["topics_assigned"] == [wanted]


def test_a_topic_that_does_not_exist_is_an_alarm_that_ends_when_it_does(bootstrap, make_topic, options, unique) -> None:
    there = make_topic("alerts")
    wanted = f"later.{unique}"
    with opened(options(there, wanted)) as source:
        alarm = f"the topic {wanted} does not exist, or this user may not see it"
        take_until(source, lambda health: health.alarms == (alarm,))
        health = source.health()
        assert health.facts["topics_expected"] == [there, wanted]
        assert health.facts["topics_missing"] == [wanted]
        make_topic(wanted)
        produce(bootstrap, wanted, [b"at last"])
        assert [envelope.payload for envelope in take(source, 1)] == [b"at last"]
        take_until(source, lambda health: not health.alarms)


def test_a_second_member_takes_over_and_nothing_is_lost(bootstrap, make_topic, options) -> None:
    topic = make_topic("alerts", 4)
    wanted = {b"%d/%d" % (partition, i) for partition in range(4) for i in range(1000)}
    for partition in range(4):
        produce(bootstrap, topic, [b"%d/%d" % (partition, i) for i in range(1000)], partition=partition)
    stored: list[bytes] = []
    stop, joined = Event(), Event()

    def store(source) -> None:
        # One by one until both are there, so that much is left to be taken over.
        stored.extend(envelope.payload for envelope in source.take(100 if joined.is_set() else 1, 0.2))
        source.acknowledge()

    def other() -> None:
        with opened(options(topic)) as source:
            while not stop.is_set():
                store(source)
                if source.health().facts["partitions_assigned"]:
                    joined.set()

    with opened(options(topic)) as source:
        thread = Thread(target=other)
        try:
            while not stored:
                store(source)
            thread.start()
            deadline = time.monotonic() + 2 * TIMEOUT_S
            while not joined.is_set() or not wanted <= set(stored):
                store(source)
                assert time.monotonic() < deadline, f"{len(wanted - set(stored))} are missing"
        finally:
            stop.set()
            thread.join(60)
        assert source.health().facts["rebalances"] >= 1


def test_a_partition_that_was_given_away_and_comes_back_is_said_to_be_taken_up(bootstrap, make_topic, options) -> None:
    topic = make_topic("alerts", 2)
    for partition in range(2):
        produce(bootstrap, topic, [b"one", b"two"], partition=partition)
    stop, joined = Event(), Event()

    def other() -> None:
        with opened(options(topic)) as source:
            while not stop.is_set():
                source.take(100, 0.2)
                source.acknowledge()
                if source.health().facts["partitions_assigned"]:
                    joined.set()

    def taken_up(source) -> set[tuple[int, int]]:
        source.take(100, 0.2)
        source.acknowledge()
        return {(run.partition, run.first_offset) for run in source.positions() if not run.n_messages}

    with opened(options(topic)) as source:
        thread = Thread(target=other)
        begun: set[tuple[int, int]] = set()
        deadline = time.monotonic() + 2 * TIMEOUT_S
        while len(begun) < 2:
            begun |= taken_up(source)
            assert time.monotonic() < deadline
        try:
            thread.start()
            while not joined.is_set():
                taken_up(source)
                assert time.monotonic() < deadline
        finally:
            stop.set()
        again: set[tuple[int, int]] = set()
        while not {(0, 2), (1, 2)} <= again:
            again |= taken_up(source)
            assert time.monotonic() < deadline, f"only {again} were said to be taken up"
        thread.join(60)
    assert begun == {(0, 0), (1, 0)}


def test_a_commit_in_the_middle_of_a_rebalance_is_no_crash(bootstrap, make_topic, options) -> None:
    topic = make_topic("alerts", 2)
    produce(bootstrap, topic, [b"one"])
    with opened(options(topic)) as first:
        taken = take(first, 1)
        with opened(options(topic)) as second:
            deadline = time.monotonic() + 60
            # The second joins; the first keeps acknowledging without taking, so that it answers the rebalance late.
            while not second.health().facts["partitions_assigned"] and time.monotonic() < deadline:
                first.acknowledge()
                second.take(1, 0.1)
                first.take(1, 0.1)
        assert taken


def test_the_largest_alert_of_gravitational_waves_passes(bootstrap, make_topic, options) -> None:
    topic = make_topic("igwn", **{"max.message.bytes": "9000000"})
    produce(bootstrap, topic, [b"x" * 2_100_000, b"y" * 7_000_000])
    with opened(options(topic)) as source:
        assert [len(envelope.payload) for envelope in take(source, 2)] == [2_100_000, 7_000_000]


def test_lag_is_how_far_the_hub_is_behind(bootstrap, make_topic, options) -> None:
    topic = make_topic("alerts")
    produce(bootstrap, topic, [b"%d" % i for i in range(10)])
    with opened(options(topic)) as source:
        while not source.take(1, 1):
            pass
        assert source.health().facts["lag"] == 9
        assert source.health().facts["lag_of"] == {f"{topic}/0": 9}
        take(source, 9)
        assert source.health().facts["lag"] == 0
