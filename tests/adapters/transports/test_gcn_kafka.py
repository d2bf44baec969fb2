import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

from adapters.transports.gcn_kafka import Options, open_source
from adapters.transports.kafka import heartbeat
from hub.errors import ConfigError, Transient
from hub.model.envelope import Trust
from tests.support.kafka_sources import produce, take, take_until
from tests.support.parts import part_context

TOPIC = "gcn.classic.voevent.FERMI_GBM_FIN_POS"
TIMEOUT_S = 120.0


def options(broker: str, **changes) -> Options:
    return Options(
        **{
            "topics": (TOPIC,),
            "group_id": "hub-test",
            "bootstrap_servers": broker,
            "session_timeout_s": 6,
            "discovery_s": 1,
            **changes,
        }
    )


@pytest.fixture
def mock_broker():
    """The broker inside librdkafka: the real wire protocol on loopback, where there is no Java."""
    owner = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1})
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        known = owner.list_topics(timeout=10).brokers
        if known:
            first = next(iter(known.values()))
            break
        assert time.monotonic() < deadline, "the mock broker did not start"
    yield f"127.0.0.1:{first.port}"
    owner.flush(1)


@pytest.fixture
def names(kafka):
    """Names of this test's own topics and group, built as GCN's are."""

    class Names:
        family = kafka.unique_topic("gcn.classic.voevent")
        fermi = f"{family}.FERMI_GBM_FIN_POS"
        swift = f"{family}.SWIFT_BAT_GRB_POS_ACK"
        heartbeat = kafka.unique_topic("gcn.heartbeat")

        def options(self, **changes) -> Options:
            return options(
                kafka.bootstrap, **{"group_id": self.family, "topics": (f"{self.family}.*",), "heartbeat_topic": "", **changes}
            )

    return Names()


def test_messages_come_with_their_place_and_topic(mock_broker) -> None:
    produce(mock_broker, TOPIC, [b"<one/>", b"x" * 2_100_000])
    with open_source(options(mock_broker, heartbeat_topic=""), part_context(Path(), "gcn")) as source:
        found = take(source, 2)
        source.acknowledge()
    assert [len(envelope.payload) for envelope in found] == [6, 2_100_000]
    assert [envelope.position for envelope in found] == [f"{TOPIC}/0/0", f"{TOPIC}/0/1"]
    assert {(envelope.source, envelope.topic) for envelope in found} == {("gcn", TOPIC)}


def test_an_unencrypted_broker_is_never_trusted(mock_broker) -> None:
    produce(mock_broker, TOPIC, [b"<one/>"])
    with open_source(options(mock_broker), part_context(Path())) as source:
        assert take(source, 1)[0].trust is Trust.UNTRUSTED


def test_a_family_is_heard_as_a_whole_and_each_message_keeps_its_topic(kafka, names) -> None:
    for topic in (names.fermi, names.swift):
        kafka.create_topic(topic)
        produce(kafka.bootstrap, topic, [topic.encode()])
    with open_source(names.options(), part_context(Path())) as source:
        found = take(source, 2)
        assert sorted(envelope.topic for envelope in found) == sorted([names.fermi, names.swift])
        assert all(envelope.payload == envelope.topic.encode() for envelope in found)
        assert source.health().facts["topics_assigned"] == sorted([names.fermi, names.swift])


def test_a_family_without_a_topic_is_an_alarm(kafka, names) -> None:
    kafka.create_topic(names.fermi)
    with open_source(names.options(topics=(names.fermi, "gcn.nonsense.*")), part_context(Path())) as source:
        alarm = "no topic of the family gcn.nonsense.* can be seen: look the name up at gcn.nasa.gov/notices"
        take_until(source, lambda health: health.alarms == (alarm,))


def test_a_subscription_to_nothing_but_an_empty_family_is_an_alarm_too(names) -> None:
    with open_source(names.options(topics=("gcn.nonsense.*",)), part_context(Path())) as source:
        take_until(source, lambda health: any("gcn.nonsense.*" in alarm for alarm in health.alarms))


def test_a_topic_that_gcn_does_not_give_is_an_alarm_that_says_what_to_do(kafka, names) -> None:
    kafka.create_topic(names.fermi)
    with open_source(names.options(topics=(names.fermi, f"{names.family}.TYPO")), part_context(Path())) as source:
        missing = f"{names.family}.TYPO does not exist"
        take_until(
            source, lambda health: len(health.alarms) == 1 and missing in health.alarms[0] and "quick start" in health.alarms[0]
        )


def test_heartbeats_are_counted_and_never_handed_on_nor_committed(kafka, names) -> None:
    kafka.create_topic(names.fermi)
    kafka.create_topic(names.heartbeat)
    produce(kafka.bootstrap, names.heartbeat, [b"{}"] * 1000)  # of days ago: nobody needs them
    with open_source(names.options(heartbeat_topic=names.heartbeat), part_context(Path())) as source:
        take_until(source, lambda health: health.state == "listening")
        deadline = time.monotonic() + TIMEOUT_S
        while not source.health().facts["heartbeats"]:
            produce(kafka.bootstrap, names.heartbeat, [b"{}"])
            assert source.take(10, 0.2) == []
            assert source.positions() == ()
            assert time.monotonic() < deadline
        produce(kafka.bootstrap, names.fermi, [b"<one/>"])
        assert [envelope.payload for envelope in take(source, 1)] == [b"<one/>"]
        source.acknowledge()
        assert 1 <= source.health().facts["heartbeats"] < 1000
        assert source.health().facts["heartbeat_age_s"] is not None
        assert source.health().alarms == ()
    assert set(kafka.committed(names.family, names.heartbeat).values()) == {-1001}
    assert kafka.committed(names.family, names.fermi) == {0: 1}


def beat(kafka, names, source) -> None:
    """Write heartbeats until one is heard: the client begins at an end that it may ask for after the first was written."""
    deadline = time.monotonic() + TIMEOUT_S
    while not source.health().facts["heartbeats"]:
        produce(kafka.bootstrap, names.heartbeat, [b"{}"])
        assert source.take(10, 0.2) == []
        assert time.monotonic() < deadline, f"no heartbeat is heard: {source.health()}"


def test_silence_of_the_heartbeat_is_an_alarm_and_its_return_ends_it(kafka, names, monkeypatch) -> None:
    monkeypatch.setattr(
        heartbeat.Heartbeat.__init__, "__kwdefaults__", {**heartbeat.Heartbeat.__init__.__kwdefaults__, "old_s": 1.0}
    )
    kafka.create_topic(names.fermi)
    kafka.create_topic(names.heartbeat)
    with open_source(names.options(heartbeat_topic=names.heartbeat), part_context(Path())) as source:
        take_until(source, lambda health: any("no heartbeat has come" in alarm for alarm in health.alarms))
        beat(kafka, names, source)
        take_until(source, lambda health: any("the last heartbeat" in alarm for alarm in health.alarms))


def test_a_connection_that_has_gone_deaf_is_given_up_for_a_new_one(kafka, names, monkeypatch) -> None:
    monkeypatch.setattr(heartbeat, "DEAF_S", 1.0)
    kafka.create_topic(names.fermi)
    kafka.create_topic(names.heartbeat)
    with open_source(names.options(heartbeat_topic=names.heartbeat), part_context(Path())) as source:
        take_until(source, lambda health: health.state == "listening")

        def hear_no_more() -> None:
            beat(kafka, names, source)
            take(source, 1)

        with pytest.raises(Transient, match="no heartbeat comes"):
            hear_no_more()


def test_two_members_of_a_group_both_hear_the_heartbeat(kafka, names) -> None:
    kafka.create_topic(names.fermi, partitions=2)
    kafka.create_topic(names.heartbeat)
    heard = names.options(heartbeat_topic=names.heartbeat)
    with open_source(heard, part_context(Path())) as first, open_source(heard, part_context(Path())) as second:
        deadline = time.monotonic() + TIMEOUT_S
        while not (first.health().facts["heartbeats"] and second.health().facts["heartbeats"]):
            produce(kafka.bootstrap, names.heartbeat, [b"{}"])
            first.take(10, 0.1)
            second.take(10, 0.1)
            assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"group_id": ""}, "group_id"),
        ({"topics": ()}, "topics"),
        ({"bootstrap_servers": "kafka.example.org:9092"}, "this machine"),
        ({"bootstrap_servers": ""}, "client_id"),
        ({"bootstrap_servers": "", "client_id": "me", "client_secret_file": "nowhere"}, "client_secret_file"),
        ({"client_id": "me", "client_secret": "s", "token_url": "http://auth.example.org/"}, "https"),
    ],
)
def test_options_that_would_lose_or_leak_are_refused(changes, says) -> None:
    with (
        pytest.raises(ConfigError, match=says),
        open_source(options("127.0.0.1:9", **changes), part_context(Path())),
    ):
        pass


def test_the_secret_is_in_no_text() -> None:
    assert "c4n4ry" not in repr(options("127.0.0.1:9", client_secret="c4n4ry"))
