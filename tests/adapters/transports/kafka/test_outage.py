"""What happens when brokers go away and come back; the client is never replaced."""

import time

import pytest

from adapters.transports.kafka import consumer, producer
from hub.errors import Transient
from tests.support.kafka_sources import TIMEOUT_S, deliver, produce, take, take_until
from tests.support.outgoing import outgoing
from tests.support.parts import part_context

pytestmark = pytest.mark.apache_kafka


def test_a_source_and_a_sink_sit_through_an_outage_and_go_on_where_they_were(own_kafka, tmp_path) -> None:
    topic = own_kafka.create_topic("alerts")
    produce(own_kafka.bootstrap, topic, [b"before"])
    listen = consumer.Options(
        bootstrap_servers=own_kafka.bootstrap, security="plaintext", topics=(topic,), group_id="hub", session_timeout_s=6
    )
    send = producer.Options(bootstrap_servers=own_kafka.bootstrap, security="plaintext", prefix="hub", timeout_s=2)
    incidents = []
    with (
        consumer.open_source(listen, part_context(tmp_path, "rubin", incidents=incidents)) as source,
        producer.open_sink(send, part_context(tmp_path, "topics")) as sink,
    ):
        take(source, 1)
        source.acknowledge()
        sink.deliver(outgoing(1))
        own_kafka.kill()
        assert take_until(source, lambda health: "no broker can be reached" in " ".join(health.alarms)) == []
        assert source.health().state == "connecting"
        with pytest.raises(Transient):
            sink.deliver(outgoing(2))
        assert sink.health().alarms
        own_kafka.restart()
        produce(own_kafka.bootstrap, topic, [b"after"])
        deliver(sink, outgoing(2))
        deliver(sink, outgoing(3))
        assert sink.health().alarms == ()
        assert [envelope.payload for envelope in take(source, 1)] == [b"after"]
        source.acknowledge()
        take_until(source, lambda health: not health.alarms and health.state == "listening")
    assert own_kafka.committed("hub", topic) == {0: 2}
    assert incidents == []
    sent = own_kafka.consume_all("hub.coincidences")
    # What was not confirmed in time is sent again, and may be there twice.
    assert list(dict.fromkeys(record.value for record in sent)) == [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}']


def test_brokers_that_are_away_are_an_alarm_while_nobody_takes(own_kafka, tmp_path) -> None:
    topic = own_kafka.create_topic("unwatched")
    listen = consumer.Options(
        bootstrap_servers=own_kafka.bootstrap, security="plaintext", topics=(topic,), group_id="busy", session_timeout_s=6
    )
    with consumer.open_source(listen, part_context(tmp_path, "rubin")) as source:
        take_until(source, lambda health: health.state == "listening")
        own_kafka.kill()
        deadline = time.monotonic() + TIMEOUT_S
        while "no broker can be reached" not in " ".join(source.health().alarms):
            assert time.monotonic() < deadline
            time.sleep(0.05)  # between two looks at the health: the hub stores something meanwhile
        assert source.health().state == "connecting"
        own_kafka.restart()
        take_until(source, lambda health: not health.alarms and health.state == "listening")
