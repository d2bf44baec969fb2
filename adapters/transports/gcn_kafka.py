"""NASA GCN over Kafka, through its own client `gcn_kafka`.

What loses nothing is in `adapters.transports.kafka.consumer`; GCN's own are the credentials, the heartbeat topic, and what to do
about a topic that is not to be had.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from gcn_kafka import AdminClient, Consumer
from pydantic import Field, SecretStr

from adapters.credentials import secret_of
from adapters.transports.kafka import trial
from adapters.transports.kafka.consumer import KafkaSource, subscribed
from adapters.transports.kafka.heartbeat import Heartbeat
from adapters.transports.kafka.options import PATIENCE, KafkaSubscription, check_token_url, is_loopback, subscription
from adapters.transports.kafka.topics import topic_names
from hub.errors import ConfigError
from hub.model.envelope import Trust
from hub.ports import PartContext

KIND = "gcn-kafka"
"""Name in the settings."""

HEARTBEAT_TOPIC = "gcn.heartbeat"
"""GCN sends a message here about once a second (its FAQ): silence means a deaf connection, not a quiet night."""

ADVICE = (
    "look the name up at gcn.nasa.gov/notices; credentials without that right are replaced by new ones from GCN's quick start"
)
"""What to do about a topic that is missing."""


class Options(KafkaSubscription):
    """How to listen to GCN."""

    domain: Literal["gcn.nasa.gov", "test.gcn.nasa.gov", "dev.gcn.nasa.gov"] = Field(
        "gcn.nasa.gov", description="gcn.nasa.gov, test.gcn.nasa.gov or dev.gcn.nasa.gov"
    )
    client_id: str = Field("", description="From the GCN quick start")
    client_secret: SecretStr = Field(
        SecretStr(""), description="From the GCN quick start; in the environment or in client_secret_file"
    )
    client_secret_file: str = Field("", description="File that holds the client secret and nothing else")
    heartbeat_topic: str = Field(HEARTBEAT_TOPIC, description="Topic whose silence is an alarm; empty for a broker that has none")
    bootstrap_servers: str = Field(
        "", description="Another broker: on this machine without encryption if there is no client_id, else over TLS; for tests"
    )
    token_url: str = Field("", description="Where another broker's tokens come from; for tests")
    ca_file: str = Field("", description="Certificates that are believed instead of the usual ones, PEM; for tests")


@contextmanager
def open_source(options: Options, context: PartContext) -> Iterator[KafkaSource]:
    """Give a subscription, closed at the end without committing anything by itself.

    Raises
    ------
    ConfigError
        The options make no sense, e.g. no group id.
    """
    where = f"sources.{context.name}"
    with subscribed(
        Consumer,
        _settings(options, where, context),
        make_admin=AdminClient,
        context=context,
        topics=topic_names(options.topics, f"{where}.topics"),
        trust=trust_of(options),
        alert_stream=options.stream or None,
        heartbeat=Heartbeat(options.heartbeat_topic) if options.heartbeat_topic else None,
        advice=ADVICE,
        empty_family="no topic of the family {family} can be seen: look the name up at gcn.nasa.gov/notices",
    ) as source:
        yield source


def trust_of(options: Options) -> Trust:
    """Return how far the messages are believed: as declared, else only where the client proves who it is."""
    return options.trust or (Trust.TRUSTED if options.client_id else Trust.UNTRUSTED)


def check(options: Options, context: PartContext) -> list[str]:
    """Try the connection once and return what is wrong, in sentences; nobody's place in the stream is touched."""
    where = f"sources.{context.name}"
    topics = (*options.topics, *([options.heartbeat_topic] if options.heartbeat_topic else []))
    return trial.complaints(Consumer, _settings(options, where, context), topic_names(topics, f"{where}.topics"), ADVICE)


def _settings(options: Options, where: str, context: PartContext) -> dict[str, Any]:
    return subscription(options, where) | PATIENCE | _connection(options, where, context)


def _connection(options: Options, where: str, context: PartContext) -> dict[str, Any]:
    if options.bootstrap_servers and not options.client_id:
        if not is_loopback(options.bootstrap_servers):
            raise ConfigError(f"{where}.bootstrap_servers: only a broker on this machine may be spoken to without encryption")
        return {"bootstrap.servers": options.bootstrap_servers, "security.protocol": "plaintext"}
    secret = secret_of(options.client_secret, options.client_secret_file, f"{where}.client_secret_file", context.data_dir)
    if not options.client_id:
        raise ConfigError(f"{where}: client_id and client_secret are needed: get them from the quick start of GCN")
    if not secret:
        variable = f"MMHUB_{where.upper().replace('.', '__').replace('-', '_')}__CLIENT_SECRET"
        raise ConfigError(f"{where}: the client secret is missing: set {variable}, or name a file in client_secret_file")
    settings: dict[str, Any] = {"domain": options.domain, "client_id": options.client_id, "client_secret": secret}
    if options.bootstrap_servers:
        settings["bootstrap.servers"] = options.bootstrap_servers
    if options.token_url:
        check_token_url(options.token_url, where)
        settings["sasl.oauthbearer.token.endpoint.url"] = options.token_url
    if options.ca_file:
        file = str(context.data_dir / options.ca_file)
        settings |= {"ssl.ca.location": file, "https.ca.location": file}
    return settings
