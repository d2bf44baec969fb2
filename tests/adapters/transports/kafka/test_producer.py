import time
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from adapters.transports.kafka import hop, producer
from adapters.transports.kafka.producer import Options, message_id, open_sink
from hub.errors import ConfigError, Permanent, Transient
from hub.model.notice import Role
from tests.contracts.sink import check_sink
from tests.support.kafka_sources import TIMEOUT_S, deliver, read_back
from tests.support.outgoing import outgoing
from tests.support.parts import part_context


def sink(bootstrap, unique, **changes):
    options = Options(**{"bootstrap_servers": bootstrap, "security": "plaintext", "prefix": f"hub-{unique}", **changes})
    return open_sink(options, part_context(Path(), "topics"))


def test_each_subject_has_its_topic_and_messages_come_back_as_they_were_sent(bootstrap, unique) -> None:
    with sink(bootstrap, unique) as topics:
        topics.deliver(outgoing(1))
        topics.deliver(outgoing(2))
        topics.deliver(outgoing(3, subject="retraction"))
        assert topics.health().state == "sending"
        assert topics.health().facts["sent"] == 3
    first, second = read_back(bootstrap, f"hub-{unique}.coincidences", 2)
    assert (first.value(), second.value()) == (b'{"n": 1}', b'{"n": 2}')
    assert first.key() == second.key() == b"S230518h"
    assert dict(first.headers()) == {
        "_id": message_id(outgoing(1)),
        "ivorn": b"ivo://hub.test/coincidence#C1.v1",
        "content-type": b"application/json",
        "subject": b"coincidence",
        "role": b"observation",
    }
    assert read_back(bootstrap, f"hub-{unique}.retractions", 1)[0].value() == b'{"n": 3}'


def names_of(bootstrap) -> set[str]:
    return set(AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=TIMEOUT_S).topics)


def wait_for_names(bootstrap, wanted: set[str]) -> None:
    """Wait until the broker knows topics that its controller has made."""
    deadline = time.monotonic() + TIMEOUT_S
    while not wanted <= names_of(bootstrap):
        assert time.monotonic() < deadline, f"there is only {names_of(bootstrap)}"


def test_the_topics_are_there_before_the_first_message_where_they_may_be_made(bootstrap, unique, monkeypatch) -> None:
    monkeypatch.setattr(producer, "AT_ONCE_S", TIMEOUT_S)
    wanted = {f"hub-{unique}.{name}" for name in ("coincidences", "candidates", "retractions")}
    with sink(bootstrap, unique, create_topics=False):
        assert not wanted & names_of(bootstrap)
    for _ in range(2):
        with sink(bootstrap, unique):
            wait_for_names(bootstrap, wanted)


def test_the_producer_keeps_the_contract_of_a_sink(bootstrap, unique) -> None:
    topics = [f"hub-{unique}.coincidences", f"hub-{unique}.retractions"]

    def arrived() -> list[bytes]:
        seen: dict[bytes, bytes] = {}
        for topic, n_least in zip(topics, (3, 1), strict=True):
            if topic.endswith("retractions") and not has_retraction:
                continue
            for record in read_back(bootstrap, topic, n_least):
                seen.setdefault(dict(record.headers())["_id"], record.value())
        has_retraction.append(True)
        return list(seen.values())

    has_retraction: list[bool] = []
    with sink(bootstrap, unique) as out:
        check_sink(out, arrived)


def test_the_same_message_sent_again_has_the_same_id(bootstrap, unique) -> None:
    for _ in range(2):
        with sink(bootstrap, unique) as topics:
            topics.deliver(outgoing())
    first, second = read_back(bootstrap, f"hub-{unique}.coincidences", 2)
    assert dict(first.headers())["_id"] == dict(second.headers())["_id"]


def test_messages_of_one_event_stay_in_one_partition_and_in_order(bootstrap, unique) -> None:
    with sink(bootstrap, unique, partitions=4) as topics:
        for number in range(20):
            topics.deliver(outgoing(number, key=f"event{number % 3}"))
    found = read_back(bootstrap, f"hub-{unique}.coincidences", 20)
    for event in (b"event0", b"event1", b"event2"):
        of_event = [message for message in found if message.key() == event]
        assert len({message.partition() for message in of_event}) == 1
        numbers = [message.value() for message in of_event]
        assert numbers == sorted(numbers, key=lambda payload: int(payload.split()[1][:-1]))


def test_a_message_that_the_topic_will_never_take_is_given_up_and_the_next_goes_out(bootstrap, make_topic) -> None:
    topic = make_topic("small", **{"max.message.bytes": "2000"})
    with sink(bootstrap, "x", topic=topic, compression="none") as topics:
        with pytest.raises(Permanent, match="does not take the message"):
            topics.deliver(outgoing(1, payload=b"x" * 10_000))
        topics.deliver(outgoing(2))
    assert read_back(bootstrap, topic, 1)[0].value() == b'{"n": 2}'


def test_a_message_larger_than_any_broker_takes_is_given_up(bootstrap, unique) -> None:
    with sink(bootstrap, unique) as topics, pytest.raises(Permanent, match="does not take"):
        topics.deliver(outgoing(1, payload=b"x" * 9_000_000))


def test_a_topic_that_is_missing_and_may_not_be_made_keeps_the_message_waiting(bootstrap, unique, make_topic) -> None:
    with sink(bootstrap, unique, create_topics=False, timeout_s=2) as topics:
        with pytest.raises(Transient, match="does not exist"):
            topics.deliver(outgoing())
        assert any("does not exist" in alarm for alarm in topics.health().alarms)
        make_topic(f"hub-{unique}.coincidences")
        deliver(topics, outgoing())
        assert topics.health().alarms == ()
    assert read_back(bootstrap, f"hub-{unique}.coincidences", 1)


def test_a_broker_that_is_away_keeps_the_message_waiting(unique) -> None:
    with sink("127.0.0.1:9", unique, timeout_s=1) as topics:
        deadline = time.monotonic() + TIMEOUT_S
        health = topics.health()
        while "no broker can be reached" not in " ".join(health.alarms):
            with pytest.raises(Transient):
                topics.deliver(outgoing())
            health = topics.health()
            assert time.monotonic() < deadline, health
    assert health.state == "connecting"


def test_hopskotch_messages_carry_the_headers_that_its_client_reads(bootstrap, unique, make_topic) -> None:
    topic = make_topic("hop")
    options = hop.Options(bootstrap_servers=bootstrap, security="plaintext", sasl="none", topic=topic, username="hub-7f")
    with hop.open_sink(options, part_context(Path(), "scimma")) as topics:
        topics.deliver(outgoing(1, media_type="application/xml"))
        topics.deliver(outgoing(2, role=Role.TEST))
        topics.deliver(outgoing(3, media_type="application/avro"))
    voevent, test, blob = (message.headers() for message in read_back(bootstrap, topic, 3))
    assert dict(voevent) == {"_id": message_id(outgoing(1)), "_sender": b"hub-7f", "_format": b"voevent"}
    assert len(dict(voevent)["_id"]) == 16
    assert (dict(test)["_format"], dict(test)["_test"]) == (b"json", b"true")
    assert dict(blob)["_format"] == b"blob"


def test_hopskotch_demands_its_credentials() -> None:
    with (
        pytest.raises(ConfigError, match="username and a password"),
        hop.open_sink(hop.Options(), part_context(Path(), "scimma")),
    ):
        pass


def test_the_producer_never_doubles_by_itself() -> None:
    from adapters.transports.kafka.producer import producing

    settings = producing(Options(bootstrap_servers="127.0.0.1:9"))
    assert settings["enable.idempotence"] is True
    assert settings["acks"] == "all"
