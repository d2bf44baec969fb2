import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

from adapters.transports.gcn_kafka import Options, open_source
from hub.errors import ConfigError
from hub.model.envelope import Trust
from tests.support.parts import part_context

TOPIC = "gcn.classic.voevent.FERMI_GBM_FIN_POS"
TIMEOUT_S = 60.0


@pytest.fixture
def broker():
    """The broker inside librdkafka: the real wire protocol on loopback."""
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


def options(broker: str, **changes) -> Options:
    return Options(**{"topics": (TOPIC,), "group_id": "hub-test", "bootstrap_servers": broker, "session_timeout_s": 6, **changes})


def produce(broker: str, *payloads: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker, "message.max.bytes": 8 * 2**20})
    for payload in payloads:
        producer.produce(TOPIC, payload, partition=0)
    assert producer.flush(TIMEOUT_S) == 0


def take(source, number: int):
    found = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(found) < number:
        found += source.take(10, 0.5)
        assert time.monotonic() < deadline, f"only {len(found)} of {number} messages came"
    return found


def test_messages_come_with_their_place_and_topic(broker) -> None:
    produce(broker, b"<one/>", b"<two/>")
    with open_source(options(broker), part_context(Path())) as source:
        found = take(source, 2)
    assert [envelope.payload for envelope in found] == [b"<one/>", b"<two/>"]
    assert [envelope.position for envelope in found] == [f"{TOPIC}/0/0", f"{TOPIC}/0/1"]
    assert {envelope.topic for envelope in found} == {TOPIC}


def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(broker) -> None:
    produce(broker, b"<one/>", b"<two/>")
    with open_source(options(broker), part_context(Path())) as source:
        take(source, 2)
    with open_source(options(broker), part_context(Path())) as source:
        assert [envelope.payload for envelope in take(source, 2)] == [b"<one/>", b"<two/>"]
        source.acknowledge()
    produce(broker, b"<three/>")
    with open_source(options(broker), part_context(Path())) as source:
        assert [envelope.payload for envelope in take(source, 1)] == [b"<three/>"]


def test_a_message_as_large_as_an_alert_with_two_maps_passes(broker) -> None:
    produce(broker, b"x" * 2_100_000)
    with open_source(options(broker), part_context(Path())) as source:
        assert len(take(source, 1)[0].payload) == 2_100_000


def test_an_unencrypted_broker_is_never_trusted(broker) -> None:
    produce(broker, b"<one/>")
    with open_source(options(broker), part_context(Path())) as source:
        assert take(source, 1)[0].trust is Trust.UNTRUSTED


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"group_id": ""}, "group_id"),
        ({"topics": ()}, "topics"),
        ({"bootstrap_servers": "kafka.example.org:9092"}, "this machine"),
        ({"bootstrap_servers": ""}, "client_id"),
    ],
)
def test_options_that_would_lose_or_leak_are_refused(changes, says) -> None:
    with (
        pytest.raises(ConfigError, match=says),
        open_source(options("127.0.0.1:9", **changes), part_context(Path())),
    ):
        pass
