"""Who is let in by a real Kafka, and what the hub says where it is not: never the silence of a quiet night."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import gcn_kafka as gcn_client
import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from pydantic import SecretStr

from adapters.transports import gcn_kafka
from adapters.transports.kafka import consumer as kafka_source
from hub.errors import Permanent
from hub.model.envelope import Trust
from hub.ports import Health, MessageSource
from tests.support import certificates
from tests.support.kafka import Kafka
from tests.support.kafka_server import PASSWORD, USER
from tests.support.kafka_sources import take
from tests.support.parts import part_context
from tests.support.ports import free_port
from tests.support.token_endpoint import CLIENT_ID, CLIENT_SECRET, SigningKey, TokenEndpoint, token_endpoint

pytestmark = [pytest.mark.kafka, pytest.mark.apache_kafka]

WAIT_S = 120
"""Longest wait for a sentence."""

MECHANISMS = ("plain", "scram-sha-256", "scram-sha-512")


@pytest.fixture
def tokens(kafka: Kafka) -> Iterator[TokenEndpoint]:
    with token_endpoint(kafka.server.key) as running:
        yield running


@pytest.fixture
def topic(kafka: Kafka) -> str:
    """A topic with one message in it."""
    name = kafka.create_topic(kafka.unique_topic("credentials"))
    kafka.produce(name, [(None, b"let in")])
    return name


@pytest.fixture
def with_token(kafka: Kafka, tokens: TokenEndpoint, topic: str) -> Callable[..., gcn_kafka.Options]:
    """Options of a GCN source that is let in, but for what a test changes."""

    def options(**changed: object) -> gcn_kafka.Options:
        good = {
            "topics": (topic,),
            "group_id": topic,
            "client_id": CLIENT_ID,
            "client_secret": SecretStr(CLIENT_SECRET),
            "token_url": tokens.url,
            "bootstrap_servers": kafka.server.secured_bootstrap,
            "ca_file": str(kafka.server.authority),
            "heartbeat_topic": "",
            "session_timeout_s": 6,
        }
        return gcn_kafka.Options(**good | changed)

    return options


@pytest.fixture
def with_password(kafka: Kafka, topic: str) -> Callable[..., kafka_source.Options]:
    """Options of a Kafka source that is let in, but for what a test changes."""

    def options(**changed: object) -> kafka_source.Options:
        good = {
            "topics": (topic,),
            "group_id": topic,
            "sasl": "plain",
            "username": USER,
            "password": SecretStr(PASSWORD),
            "bootstrap_servers": kafka.server.secured_bootstrap,
            "ca_file": str(kafka.server.authority),
            "session_timeout_s": 6,
        }
        return kafka_source.Options(**good | changed)

    return options


@pytest.fixture
def foreign_authority(tmp_path: Path) -> str:
    """A certificate that has signed nothing of the broker's."""
    return str(certificates.authority().write(tmp_path / "foreign.pem"))


def refusal_of(source: MessageSource) -> str:
    """Take until the source gives up; whatever it takes meanwhile is wrong."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            assert source.take(10, 0.2) == []
        except Permanent as error:
            return str(error)
    raise AssertionError(f"nobody says that it is refused: {source.health()}")


def alarmed(source: MessageSource, words: str = "") -> Health:
    """Take until there is an alarm with some words, among others that may come first; whatever is taken meanwhile is wrong."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        assert source.take(10, 0.2) == []
        health = source.health()
        if any(words in alarm for alarm in health.alarms):
            return health
    raise AssertionError(f"no such alarm: {source.health()}")


def test_the_client_of_gcn_writes_and_reads_with_tokens(kafka: Kafka, tokens: TokenEndpoint, topic: str):
    settings = {
        "bootstrap.servers": kafka.server.secured_bootstrap,
        "ssl.ca.location": str(kafka.server.authority),
        "sasl.oauthbearer.token.endpoint.url": tokens.url,
    }
    who = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    producer = gcn_client.Producer(settings, **who)
    producer.produce(topic, b"written with a token")
    assert producer.flush(WAIT_S) == 0
    consumer = gcn_client.Consumer({**settings, "group.id": topic, "auto.offset.reset": "earliest"}, **who)
    with closing(consumer):
        consumer.subscribe([topic])
        found = consumer.consume(2, WAIT_S)
    assert [(message.error(), message.value()) for message in found] == [(None, b"let in"), (None, b"written with a token")]


def test_good_tokens_let_a_source_of_gcn_in_and_make_its_messages_trusted(with_token, tmp_path):
    with gcn_kafka.open_source(with_token(), part_context(tmp_path)) as source:
        (envelope,) = take(source, 1)
        assert envelope.payload == b"let in"
        assert envelope.trust is Trust.TRUSTED
        assert source.health().alarms == ()


def test_a_token_is_renewed_before_it_expires(kafka: Kafka, tokens: TokenEndpoint, with_token, topic, tmp_path):
    tokens.life_s = 5
    with gcn_kafka.open_source(with_token(), part_context(tmp_path)) as source:
        take(source, 1)
        deadline = time.monotonic() + WAIT_S
        while tokens.requests < 2:
            assert source.take(10, 0.2) == []
            assert time.monotonic() < deadline, "the token is not renewed"
        kafka.produce(topic, [(None, b"later")])
        assert [envelope.payload for envelope in take(source, 1)] == [b"later"]
        assert source.health().alarms == ()


def test_a_wrong_client_secret_needs_a_person(with_token, tmp_path):
    with gcn_kafka.open_source(with_token(client_secret=SecretStr("mistyped")), part_context(tmp_path, "gcn")) as source:
        said = refusal_of(source)
    assert said.startswith("gcn: the token endpoint refuses the client id and secret")
    assert "mistyped" not in said


def test_a_token_of_a_stranger_needs_a_person(tokens: TokenEndpoint, with_token, tmp_path):
    tokens.key = SigningKey.generate()
    with gcn_kafka.open_source(with_token(), part_context(tmp_path, "gcn")) as source:
        assert "the broker refuses the credentials" in refusal_of(source)


def test_expired_tokens_are_an_alarm(tokens: TokenEndpoint, with_token, tmp_path):
    tokens.issued_ago_s, tokens.life_s = 7200, 3600
    with gcn_kafka.open_source(with_token(), part_context(tmp_path)) as source:
        assert alarmed(source, "expired").state == "connecting"


def test_a_token_endpoint_that_is_down_is_an_alarm_until_it_is_back(kafka: Kafka, with_token, tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/oauth2/token"
    with gcn_kafka.open_source(with_token(token_url=url), part_context(tmp_path)) as source:
        alarmed(source, "the token endpoint cannot be had")
        with token_endpoint(kafka.server.key, port=port):
            take(source, 1)
        assert source.health().alarms == ()


@pytest.mark.slow
def test_a_token_endpoint_with_a_fault_of_its_own_is_an_alarm(tokens: TokenEndpoint, with_token, tmp_path):
    # The client asks again by itself and says nothing for more than a minute: the hub minds that nobody has answered.
    tokens.fault = 500
    with gcn_kafka.open_source(with_token(), part_context(tmp_path)) as source:
        alarmed(source, "no broker has answered since the start")


def test_a_broker_that_another_authority_vouches_for_gets_no_token(with_token, foreign_authority, tmp_path):
    with gcn_kafka.open_source(with_token(ca_file=foreign_authority), part_context(tmp_path)) as source:
        alarmed(source, "the encrypted connection fails")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_good_password_lets_a_source_in(with_password, tmp_path, mechanism):
    with kafka_source.open_source(with_password(sasl=mechanism), part_context(tmp_path)) as source:
        (envelope,) = take(source, 1)
        assert envelope.payload == b"let in"
        assert envelope.trust is Trust.TRUSTED


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("wrong", [{"password": SecretStr("mistyped")}, {"username": "nobody"}], ids=["password", "user"])
def test_wrong_passwords_and_users_need_a_person(with_password, tmp_path, mechanism, wrong):
    with kafka_source.open_source(with_password(sasl=mechanism, **wrong), part_context(tmp_path, "rubin")) as source:
        said = refusal_of(source)
    assert said.startswith("rubin: the broker refuses the credentials")
    assert "mistyped" not in said


def test_tokens_let_any_kafka_source_in(with_password, tokens: TokenEndpoint, tmp_path):
    options = with_password(sasl="oauthbearer", client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET), token_url=tokens.url)
    with kafka_source.open_source(options, part_context(tmp_path)) as source:
        assert [envelope.payload for envelope in take(source, 1)] == [b"let in"]


def test_no_password_goes_to_a_broker_that_another_authority_vouches_for(with_password, foreign_authority, tmp_path):
    with kafka_source.open_source(with_password(ca_file=foreign_authority), part_context(tmp_path)) as source:
        alarmed(source, "the encrypted connection fails")


@pytest.mark.parametrize(
    "changed", [{"sasl": "none"}, {"sasl": "none", "security": "plaintext"}], ids=["no credentials", "no encryption"]
)
def test_speaking_to_the_broker_in_the_wrong_way_is_an_alarm(with_password, tmp_path, changed):
    with kafka_source.open_source(with_password(**changed), part_context(tmp_path)) as source:
        assert alarmed(source).state == "connecting"


def test_a_topic_that_the_user_may_not_read_is_an_alarm_and_the_others_are_read(kafka: Kafka, with_password, topic, tmp_path):
    closed = kafka.create_topic(kafka.unique_topic("closed"))
    kafka.produce(closed, [(None, b"secret")])
    deny(kafka, ResourceType.TOPIC, closed)
    with kafka_source.open_source(with_password(topics=(topic, closed)), part_context(tmp_path)) as source:
        assert [envelope.payload for envelope in take(source, 1)] == [b"let in"]
        alarmed(source, closed)


def test_a_group_that_the_user_may_not_use_needs_a_person(kafka: Kafka, with_password, topic, tmp_path):
    deny(kafka, ResourceType.GROUP, topic)
    with kafka_source.open_source(with_password(), part_context(tmp_path)) as source:
        assert "group" in refusal_of(source)


def deny(kafka: Kafka, resource: ResourceType, name: str) -> None:
    """Take everything about a topic or a group from the user of the tests, and wait until the broker knows that."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    rule = (resource, name, ResourcePatternType.LITERAL, f"User:{USER}", "*", AclOperation.ALL, AclPermissionType.DENY)
    for future in admin.create_acls([AclBinding(*rule)]).values():
        future.result(timeout=WAIT_S)
    deadline = time.monotonic() + WAIT_S
    while not admin.describe_acls(AclBindingFilter(*rule)).result(timeout=WAIT_S):
        assert time.monotonic() < deadline, "the rule does not come into force"
