import threading
import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from hub.demo.survey.running import Rate, to_topic
from hub.demo.survey.sending import Pace, TopicWriter, make_topic, waiting_bytes
from hub.errors import Permanent, Transient
from tests.hub.demo.survey.conftest import pair, small


class SlowClock:
    """Seconds that pass only where somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def test_a_pace_waits_until_a_packet_is_due_and_no_longer():
    clock = SlowClock()
    pace = Pace(clock, clock.sleep)
    for due in (0.0, 1.0, 1.0, 3.5):
        pace.wait_until(due)
    clock.now += 10.0
    pace.wait_until(4.0)

    assert clock.waits == pytest.approx([1.0, 2.5])


def test_packets_that_wait_count_with_their_own_size_and_not_with_the_mean():
    marks = [(0, 0), (1000, 3000), (1100, 60_000), (1200, 120_000)]

    assert waiting_bytes([0], marks) == 0
    assert waiting_bytes([100], marks) == waiting_bytes([50, 50], marks) == 60_000
    assert waiting_bytes([150], marks) == 117_000  # of a part that is not known all is counted
    assert waiting_bytes([100, 0], marks) == 117_000 / 2  # one partition is read and the other is not
    assert waiting_bytes([1200], marks) == waiting_bytes([2000], marks) == 120_000


@pytest.mark.kafka
def test_a_topic_gets_every_packet_once_as_it_is(kafka):
    night = small(fraction=0.01)
    visits = range(pair(night)[0], pair(night)[0] + 2)
    topic = kafka.unique_topic("simulated")
    make_topic(kafka.bootstrap, topic, 3)
    make_topic(kafka.bootstrap, topic, 3)
    writer = TopicWriter(kafka.bootstrap, topic)
    made = to_topic(night, visits, writer, lambda _: None, rate=Rate())
    writer.close()

    found = kafka.consume_all(topic)
    expected = [packet for visit in visits for packet in night.visit(visit).packets()]
    assert made.n_packets == len(expected) == writer.sent.n_acknowledged
    assert sorted(record.value for record in found) == sorted(expected)
    assert {record.key for record in found} == {None}


@pytest.mark.kafka
def test_a_run_ends_where_it_should(kafka):
    night = small(fraction=0.01)
    topic = kafka.create_topic(kafka.unique_topic("limited"), 2)
    writer = TopicWriter(kafka.bootstrap, topic)
    made = to_topic(night, range(len(night)), writer, lambda _: None, rate=Rate(), limit=37)

    assert made.n_packets == len(kafka.consume_all(topic)) == 37


@pytest.mark.kafka
def test_the_writer_stays_within_reach_of_its_reader(kafka):
    topic, group = kafka.create_topic(kafka.unique_topic("ahead"), 1), kafka.unique_topic("group")
    packet, limit = bytes(2 << 20), 150 << 20
    writer = TopicWriter(kafka.bootstrap, topic, ahead_bytes=limit, group=group)
    reader = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group, "enable.auto.commit": False})
    thread = threading.Thread(target=lambda: [writer.send(packet) for _ in range(200)])
    thread.start()
    deadline = time.monotonic() + 60

    def in_topic() -> int:
        return reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1]

    while in_topic() < 75:  # 150 MiB of 2 MiB, and it looks each 64 MiB
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks
    assert thread.is_alive()
    assert writer.sent.n_packets <= 75 + 2 * 33
    while thread.is_alive():
        reader.commit(offsets=[TopicPartition(topic, 0, in_topic())], asynchronous=False)
        assert time.monotonic() < deadline
        thread.join(0.05)
    writer.finish()
    writer.close()
    reader.close()
    assert writer.sent.n_acknowledged == 200


@pytest.mark.kafka
def test_a_topic_that_refuses_packets_ends_the_run_with_a_sentence(kafka):
    topic = kafka.create_topic(kafka.unique_topic("narrow"), 1, {"max.message.bytes": "1000"})
    writer = TopicWriter(kafka.bootstrap, topic)

    def send_many() -> None:
        for _ in range(50):
            writer.send(bytes(50_000))
        writer.finish()

    with pytest.raises(Permanent, match=rf"the topic {topic} does not take packets"):
        send_many()


def test_a_broker_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("hub.demo.survey.sending.ANSWER_S", 0.5)

    with pytest.raises(Transient, match=r"the broker 127\.0\.0\.1:1 does not answer"):
        make_topic("127.0.0.1:1", "any", 1)
