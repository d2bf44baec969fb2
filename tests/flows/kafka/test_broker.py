"""The broker of the tests does what the other tests rest on."""

import pytest
from confluent_kafka import KafkaException

from tests.support.kafka import Kafka
from tests.support.kafka_server import MAX_MESSAGE_BYTES

pytestmark = pytest.mark.kafka


def test_what_is_produced_is_read_back_from_every_partition(kafka: Kafka):
    topic = kafka.create_topic(kafka.unique_topic("broker.round"), partitions=2)
    kafka.produce(topic, [(f"key {n}".encode(), f"value {n}".encode()) for n in range(20)])
    records = kafka.consume_all(topic)
    assert sorted(record.value for record in records) == sorted(f"value {n}".encode() for n in range(20))
    assert {record.partition for record in records} == {0, 1}


def test_a_message_of_four_megabytes_passes(kafka: Kafka):
    topic = kafka.create_topic(kafka.unique_topic("broker.large"))
    payload = bytes(range(256)) * (4 * 2**20 // 256)
    assert len(payload) < MAX_MESSAGE_BYTES
    kafka.produce(topic, [(None, payload)])
    assert kafka.consume_all(topic)[0].value == payload


@pytest.mark.apache_kafka
def test_deleted_records_are_gone(kafka: Kafka):
    topic = kafka.create_topic(kafka.unique_topic("broker.gone"))
    kafka.produce(topic, [(None, str(n).encode()) for n in range(5)])
    kafka.delete_records(topic, 3)
    assert [record.offset for record in kafka.consume_all(topic)] == [3, 4]


def test_an_unknown_topic_is_not_made_by_reading_it(kafka: Kafka):
    assert kafka.consume_all(kafka.unique_topic("broker.never")) == []


@pytest.mark.apache_kafka
def test_a_topic_that_exists_cannot_be_created_again(kafka: Kafka):
    topic = kafka.create_topic(kafka.unique_topic("broker.twice"))
    with pytest.raises(KafkaException, match="already exists"):
        kafka.create_topic(topic)


@pytest.mark.apache_kafka
def test_a_killed_broker_comes_back_with_what_it_acknowledged(own_kafka: Kafka):
    topic = own_kafka.create_topic("kept")
    own_kafka.produce(topic, [(None, b"before")])
    own_kafka.kill()
    own_kafka.restart()
    own_kafka.produce(topic, [(None, b"after")])
    assert [record.value for record in own_kafka.consume_all(topic)] == [b"before", b"after"]
