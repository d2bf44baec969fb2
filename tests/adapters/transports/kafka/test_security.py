"""TLS and every way of saying who one is, against real listeners; through GCN's own client where it is GCN's way."""

import uuid

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

from adapters.transports import gcn_kafka
from adapters.transports.kafka import consumer, producer
from hub.errors import Permanent, Transient
from hub.model.envelope import Trust
from tests.support import certificates
from tests.support.kafka_server import PASSWORD, USER
from tests.support.kafka_sources import produce, take, take_until
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
def listen(kafka, topic, tmp_path):
    def opened(**changes):
        options = consumer.Options(
            **{
                "bootstrap_servers": kafka.server.secured_bootstrap,
                "ca_file": str(kafka.server.authority),
                "sasl": "scram-sha-512",
                "username": USER,
                "password": PASSWORD,
                "topics": (topic,),
                "group_id": f"secure-{uuid.uuid4().hex}",
                "session_timeout_s": 6,
                **changes,
            }
        )
        return consumer.open_source(options, part_context(tmp_path, "rubin"))

    return opened


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


@pytest.mark.parametrize("sasl", ["plain", "scram-sha-256", "scram-sha-512"])
def test_a_password_over_tls_lets_in_and_makes_trusted(listen, sasl) -> None:
    with listen(sasl=sasl) as source:
        assert [(one.payload, one.trust) for one in take(source, 1)] == [(b"one", Trust.TRUSTED)]
        assert source.health().alarms == ()


@pytest.mark.parametrize("sasl", ["plain", "scram-sha-512"])
def test_a_wrong_password_is_said_at_once_and_needs_a_person(listen, sasl) -> None:
    with listen(sasl=sasl, password="wrong-canary") as source:
        with pytest.raises(Permanent, match="rubin: the broker refuses the credentials") as refused:
            take(source, 1)
        assert "wrong-canary" not in str(refused.value)
        assert any("refuses the credentials" in alarm for alarm in source.health().alarms)


def test_a_broker_whose_certificate_nobody_vouches_for_is_an_alarm(listen, tmp_path) -> None:
    other = certificates.authority().write(tmp_path / "other.pem")
    with listen(ca_file=str(other)) as source:
        take_until(source, lambda health: any("ca_file" in alarm for alarm in health.alarms))
        assert source.health().state == "connecting"


def test_a_topic_that_may_not_be_read_is_named(listen, bootstrap, make_topic) -> None:
    forbidden = make_topic("forbidden")
    acl = AclBinding(
        ResourceType.TOPIC,
        forbidden,
        ResourcePatternType.LITERAL,
        "User:someone-else",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_acls([acl])[acl].result(30)
    try:
        with listen(topics=(forbidden,)) as source:
            take_until(source, lambda health: any(forbidden in alarm for alarm in health.alarms))
            assert source.health().facts["topics_missing"] == [forbidden]
    finally:
        chosen = AclBindingFilter(
            ResourceType.TOPIC, forbidden, ResourcePatternType.LITERAL, None, None, AclOperation.ANY, AclPermissionType.ANY
        )
        admin.delete_acls([chosen])[chosen].result(30)


def test_gcn_credentials_let_in_and_make_trusted(listen_to_gcn, endpoint) -> None:
    with listen_to_gcn() as source:
        assert [(one.payload, one.trust) for one in take(source, 1)] == [(b"one", Trust.TRUSTED)]
    assert endpoint.requests >= 1


def test_a_gcn_secret_may_lie_in_a_file(listen_to_gcn, tmp_path) -> None:
    (tmp_path / "secret").write_text(f"{CLIENT_SECRET}\n")
    with listen_to_gcn(client_secret="", client_secret_file="secret") as source:
        assert len(take(source, 1)) == 1


def test_a_wrong_gcn_secret_is_said_at_once_and_needs_a_person(listen_to_gcn) -> None:
    with (
        listen_to_gcn(client_secret="wrong-canary") as source,
        pytest.raises(Permanent, match="token endpoint refuses") as refused,
    ):
        take(source, 1)
    assert "wrong-canary" not in str(refused.value)


def test_an_expired_token_is_an_alarm_and_the_next_good_one_lets_in_unaided(listen_to_gcn, endpoint) -> None:
    endpoint.issued_ago_s, endpoint.life_s = 7200.0, 3600.0
    with listen_to_gcn() as source:
        take_until(source, lambda health: any("clock" in alarm for alarm in health.alarms))
        endpoint.issued_ago_s = 0.0
        assert len(take(source, 1)) == 1
        take_until(source, lambda health: not health.alarms)


def test_a_token_endpoint_that_is_down_is_an_alarm_and_no_refusal(listen_to_gcn) -> None:
    with listen_to_gcn(token_url="http://127.0.0.1:9/token") as source:
        take_until(source, lambda health: any("token endpoint cannot be had" in alarm for alarm in health.alarms))
        assert source.take(1, 0.5) == []


def test_a_sink_that_is_refused_keeps_its_messages_and_says_why(kafka, topic, tmp_path) -> None:
    options = producer.Options(
        bootstrap_servers=kafka.server.secured_bootstrap,
        ca_file=str(kafka.server.authority),
        sasl="plain",
        username=USER,
        password="wrong-canary",
        topic=topic,
        timeout_s=3,
    )
    with producer.open_sink(options, part_context(tmp_path, "topics")) as sink:
        with pytest.raises(Transient, match="refuses the credentials"):
            sink.deliver(outgoing())
        assert any("refuses the credentials" in alarm for alarm in sink.health().alarms)
