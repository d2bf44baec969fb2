from pathlib import Path

import pytest

from adapters.transports.kafka import consumer, hop, producer
from tests.support.kafka_server import PASSWORD, USER
from tests.support.parts import part_context

CONTEXT = part_context(Path(), "rubin")


def options(bootstrap: str, *topics: str, **changes) -> consumer.Options:
    return consumer.Options(
        **{"bootstrap_servers": bootstrap, "security": "plaintext", "topics": topics, "group_id": "hub-trial", **changes}
    )


def test_a_good_connection_has_nothing_to_complain_about(bootstrap, make_topic) -> None:
    assert consumer.check(options(bootstrap, make_topic("alerts")), CONTEXT) == []
    assert producer.check(producer.Options(bootstrap_servers=bootstrap, security="plaintext"), CONTEXT) == []


def test_topics_that_are_not_there_are_named(bootstrap, unique) -> None:
    assert consumer.check(options(bootstrap, f"typo-{unique}", f"^night-{unique}-.*"), CONTEXT) == [
        f"The topic typo-{unique} does not exist, or this user may not see it.",
        f"No topic matches ^night-{unique}-.* yet; it is heard once there is one.",
    ]
    assert hop.check(
        hop.Options(bootstrap_servers=bootstrap, security="plaintext", sasl="none", topic=f"typo-{unique}"), CONTEXT
    ) == [f"The topic typo-{unique} does not exist, or this user may not see it."]


def test_a_broker_that_is_away_is_one_sentence(monkeypatch, capfd) -> None:
    monkeypatch.setattr("adapters.transports.kafka.trial.TRY_S", 2.0)
    (said, *_) = consumer.check(options("127.0.0.1:9", "alerts"), CONTEXT)
    assert said.startswith("No broker can be reached")
    assert said.endswith("Tried: 127.0.0.1:9.")
    assert capfd.readouterr().err == ""  # and not a line of librdkafka's for each attempt


@pytest.mark.apache_kafka
def test_a_wrong_password_is_one_sentence_without_the_password(kafka) -> None:
    secured = options(
        kafka.server.secured_bootstrap,
        "alerts",
        security="tls",
        ca_file=str(kafka.server.authority),
        sasl="plain",
        username=USER,
        password=f"not-{PASSWORD}",
    )
    said = consumer.check(secured, CONTEXT)
    assert said[0].startswith("The broker refuses the credentials")
    assert PASSWORD not in " ".join(said)
