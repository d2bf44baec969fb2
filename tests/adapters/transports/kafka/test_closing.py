"""The end of a client that cannot end: librdkafka waits a quarter of a minute for a token endpoint that answers 500."""

from pathlib import Path
from threading import Event

from adapters.transports.kafka import consumer
from adapters.transports.kafka.topics import topic_names
from hub.model.envelope import Trust
from tests.support.parts import part_context


class StuckClient:
    """A client of Kafka whose end comes when the test says so."""

    def __init__(self, _settings) -> None:
        self.may_end = Event()
        self.has_ended = Event()

    def subscribe(self, topics, **callbacks) -> None:
        """Join nothing."""

    def poll(self, timeout_s: float) -> None:
        """Bring nothing."""

    def close(self) -> None:
        self.may_end.wait(60)
        self.has_ended.set()


def test_a_client_that_cannot_end_is_left_behind(monkeypatch) -> None:
    monkeypatch.setattr(consumer, "CLOSE_S", 0.05)
    clients: list[StuckClient] = []

    def make(settings) -> StuckClient:
        clients.append(StuckClient(settings))
        return clients[-1]

    opened = consumer.subscribed(
        make,
        {},
        make_admin=StuckClient,
        context=part_context(Path()),
        topics=topic_names(["t"], "sources.part"),
        trust=Trust.UNTRUSTED,
    )
    with opened:
        pass
    (client,) = clients
    assert not client.has_ended.is_set()
    client.may_end.set()
    assert client.has_ended.wait(60)
