from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.transports.kafka.consumer import Options, open_source
from adapters.transports.kafka.options import connection, of_packets, subscription, trust_of, without_group, without_secrets
from hub.errors import ConfigError
from hub.model.envelope import Trust
from tests.support.parts import part_context

SECRET = "c4n4ry-s3cret"
FAR = {"bootstrap_servers": "kafka.example.org:9093", "topics": ("alerts",), "group_id": "hub"}
SCRAM = {**FAR, "sasl": "scram-sha-512", "username": "me", "password": SECRET}
OIDC = {
    **FAR,
    "sasl": "oauthbearer",
    "client_id": "me",
    "client_secret": SECRET,
    "token_url": "https://auth.example.org/token",
}


def settings(**changes) -> dict:
    return connection(Options(**{**FAR, **changes}), "sources.rubin", Path())


def test_tls_is_what_one_gets_without_asking() -> None:
    assert settings()["security.protocol"] == "ssl"


def test_scram_and_oidc_go_over_tls() -> None:
    scram, oidc = settings(**SCRAM), settings(**OIDC, scope="kafka")
    assert (scram["security.protocol"], scram["sasl.mechanisms"], scram["sasl.username"]) == ("sasl_ssl", "SCRAM-SHA-512", "me")
    assert (oidc["security.protocol"], oidc["sasl.oauthbearer.method"], oidc["sasl.oauthbearer.scope"]) == (
        "sasl_ssl",
        "oidc",
        "kafka",
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bootstrap_servers": ""}, "sources.rubin.bootstrap_servers"),
        ({"security": "plaintext"}, "allow_plaintext"),
        ({"security": "plaintext", "bootstrap_servers": "127.example.org:9092"}, "allow_plaintext"),
        ({"security": "plaintext", "bootstrap_servers": "127.0.0.1:9092,kafka.example.org:9092"}, "allow_plaintext"),
        ({**SCRAM, "security": "plaintext", "allow_plaintext": True, "sasl": "plain"}, "show the credentials"),
        ({**OIDC, "security": "plaintext", "allow_plaintext": True}, "show the credentials"),
        ({**SCRAM, "password": ""}, "username and a password"),
        ({**SCRAM, "password": "", "password_file": "nowhere"}, "sources.rubin.password_file: the file nowhere cannot be read"),
        ({**OIDC, "client_secret": ""}, "client_secret"),
        ({**OIDC, "token_url": "http://auth.example.org/token"}, "must be https"),
        ({"ca_file": "nowhere.pem"}, "sources.rubin.ca_file"),
    ],
)
def test_connections_that_leak_or_cannot_be_are_refused_with_a_sentence(changes, says) -> None:
    with pytest.raises(ConfigError, match=says):
        settings(**changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"group_id": " "}, "group_id"),
        ({"topics": ()}, "topics"),
        ({"topics": ("two words",)}, "no name of a Kafka topic"),
        ({"topics": ("^lsst-(",)}, "no regular expression"),
        ({"topics": ("a b*",)}, "no beginning"),
    ],
)
def test_subscriptions_that_would_lose_are_refused_with_a_sentence(changes, says) -> None:
    with pytest.raises(ConfigError, match=says), open_source(Options(**{**FAR, **changes}), part_context(Path(), "rubin")):
        pass


def test_plaintext_to_another_machine_must_be_asked_for() -> None:
    assert settings(security="plaintext", allow_plaintext=True)["security.protocol"] == "plaintext"


def test_a_secret_may_lie_in_a_file_of_the_data_folder(tmp_path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    options = Options(**{**SCRAM, "password": "", "password_file": "secret"})
    assert connection(options, "sources.rubin", tmp_path)["sasl.password"] == SECRET


def test_secrets_are_in_no_text() -> None:
    options = Options(**SCRAM)
    assert SECRET not in repr(options)
    assert SECRET not in str(options.model_dump())
    assert SECRET not in without_secrets(f"wrong: {SECRET}", settings(**SCRAM))


@pytest.mark.parametrize(
    ("changes", "trust"),
    [
        (SCRAM, Trust.TRUSTED),
        (OIDC, Trust.TRUSTED),
        ({}, Trust.UNTRUSTED),
        ({**SCRAM, "security": "plaintext", "allow_plaintext": True}, Trust.UNTRUSTED),
        ({"trust": "trusted"}, Trust.TRUSTED),
        ({**SCRAM, "trust": "untrusted"}, Trust.UNTRUSTED),
    ],
)
def test_only_what_is_authenticated_over_tls_is_trusted_unless_declared(changes, trust) -> None:
    assert trust_of(Options(**{**FAR, **changes})) is trust


def test_nothing_is_committed_or_skipped_by_the_client_itself() -> None:
    found = subscription(Options(**FAR, group_instance_id="hub-1"), "sources.rubin")
    assert found["enable.auto.commit"] is False
    assert found["auto.offset.reset"] == "error"
    assert found["topic.metadata.refresh.interval.ms"] <= 10_000
    assert found["group.instance.id"] == "hub-1"


def test_a_full_queue_of_packets_is_looked_at_again_before_a_batch_is_done() -> None:
    told = of_packets()
    assert told["fetch.queue.backoff.ms"] <= 50  # librdkafka waits a second by default, at most the time of some batches
    assert not without_group(told), "the client that only looks around would refuse what is for a member"


def test_unknown_options_and_later_starts_are_refused() -> None:
    for changes in ({"start": "latest"}, {"discovery_s": 60}, {"topic": "one"}):
        with pytest.raises(ValidationError):
            Options(**{**FAR, **changes})
