"""Secrets in files, and refused destinations; who is let in is tested in tests/flows/kafka."""

import uuid

import pytest

from adapters.transports import gcn_kafka
from adapters.transports.kafka import producer
from hub.errors import Transient
from tests.support.kafka_server import USER
from tests.support.kafka_sources import produce, take
from tests.support.outgoing import outgoing
from tests.support.parts import part_context
from tests.support.token_endpoint import CLIENT_ID, CLIENT_SECRET, token_endpoint

pytestmark = pytest.mark.apache_kafka


@pytest.fixture
def topic(make_topic, bootstrap) -> str:
    topic = make_topic("secret")
    produce(bootstrap, topic, [b"one"])
    return topic


@pytest.fixture
def endpoint(kafka):
    with token_endpoint(kafka.server.key) as endpoint:
        yield endpoint


@pytest.fixture
def listen_to_gcn(kafka, topic, endpoint, tmp_path):
    def opened(**changes):
        options = gcn_kafka.Options(
            **{
                "bootstrap_servers": kafka.server.secured_bootstrap,
                "ca_file": str(kafka.server.authority),
                "token_url": endpoint.url,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "topics": (topic,),
                "group_id": f"gcn-{uuid.uuid4().hex}",
                "session_timeout_s": 6,
                "heartbeat_topic": "",
                **changes,
            }
        )
        return gcn_kafka.open_source(options, part_context(tmp_path, "gcn"))

    return opened


def test_a_gcn_secret_may_lie_in_a_file(listen_to_gcn, tmp_path) -> None:
    (tmp_path / "secret").write_text(f"{CLIENT_SECRET}\n")
    with listen_to_gcn(client_secret="", client_secret_file="secret") as source:
        assert len(take(source, 1)) == 1


def test_a_sink_that_is_refused_keeps_its_messages_and_says_why(kafka, topic, tmp_path) -> None:
    options = producer.Options(
        bootstrap_servers=kafka.server.secured_bootstrap,
        ca_file=str(kafka.server.authority),
        sasl="plain",
        username=USER,
        password="wrong-canary",
        topic=topic,
        timeout_s=25,  # the sentence comes at once where the machine is quick
    )
    with producer.open_sink(options, part_context(tmp_path, "topics")) as sink:
        with pytest.raises(Transient, match="refuses the credentials"):
            sink.deliver(outgoing())
        assert any("refuses the credentials" in alarm for alarm in sink.health().alarms)
