"""What an operator says about a Kafka broker, and what librdkafka is told.

Keys and values of librdkafka: its CONFIGURATION.md (2.16).
"""

import logging
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.credentials import secret_of, text_of
from hub.errors import ConfigError
from hub.model.envelope import Trust

LARGEST_MESSAGE_BYTES = 8 * 2**20
"""Largest message, bytes: GCN allows about 4 MiB, IGWN alerts with a combined map reach 2.1 MB."""

FETCH_BYTES = 16 * 2**20
"""Most bytes of one answer of a broker: it must get through a 10 Mbit/s link within `SOCKET_TIMEOUT_S`."""

QUEUE_KBYTES = 32 * 1024
"""Most that waits in memory to be taken, kB: behind that the client stops fetching, so a slow hub slows the broker instead."""

PACKET_QUEUE_KBYTES = 16 * 1024
"""The same for alert packets, kB: a tenth of a second at the rate of one worker, whose memory is to stay small."""

PACKET_FETCH_BYTES = 4 * 2**20
"""Most bytes of one answer of a broker with alert packets, but for a single larger one, which it gives by itself.

An answer stays in memory until the last packet in it was taken. With 8 MiB, and 256 packets asked of the client at once, taking
batches of 48 MB took 11 MB more, and no less processor time.
"""

QUEUE_PAUSE_MS = 5
"""A client that holds as much as it may looks again after so long whether there is room, ms; by default it is a whole second."""

SOCKET_TIMEOUT_S = 30
"""After so long without an answer a connection is taken for dead (half-open sockets), seconds."""

Sasl = Literal["none", "plain", "scram-sha-256", "scram-sha-512", "oauthbearer"]
"""How the hub says who it is."""


class KafkaConnection(BaseModel):
    """Where a broker is and how it is spoken to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = Field("", description="Brokers to ask first: host:port, comma separated")
    security: Literal["tls", "plaintext"] = Field("tls", description="tls, or plaintext where the broker has no other")
    allow_plaintext: bool = Field(False, description="Allow security = plaintext to a broker that is not on this machine")
    ca_file: str = Field("", description="Certificates that are believed, PEM; empty: those of the system")
    sasl: Sasl = Field("none", description="none, plain, scram-sha-256, scram-sha-512 or oauthbearer")
    username: str = Field("", description="For plain and scram")
    password: SecretStr = Field(SecretStr(""), description="For plain and scram; in the environment or in password_file")
    password_file: str = Field("", description="File that holds the password and nothing else")
    client_id: str = Field("", description="For oauthbearer (OIDC client credentials)")
    client_secret: SecretStr = Field(SecretStr(""), description="For oauthbearer; in the environment or in client_secret_file")
    client_secret_file: str = Field("", description="File that holds the client secret and nothing else")
    token_url: str = Field("", description="Where oauthbearer gets its tokens: https")
    scope: str = Field("", description="Scope to ask for with oauthbearer")


class KafkaSubscription(BaseModel):
    """What is listened to and how the place in it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[str, ...] = Field(
        (), description="Topics: exact names, families (gcn.notices.*) or regular expressions (^lsst-.*)"
    )
    group_id: str = Field("", description="Consumer group: keeps the place in the stream over restarts; fixed, and yours alone")
    group_instance_id: str = Field(
        "", description="Name of this member, one per process: a quick restart then moves no partition"
    )
    session_timeout_s: float = Field(45.0, ge=6, le=300, description="A member silent for so long is replaced, seconds")
    discovery_s: float = Field(5.0, ge=1, le=10, description="New topics of a family are looked for so often, seconds")
    start: Literal["earliest"] = Field("earliest", description="Where a group without a place begins: with the oldest message")
    trust: Trust | None = Field(None, description="trusted or untrusted; unset: trusted where authenticated over TLS")
    stream: str = Field("", description="Stream map of conf/streams by which its alerts are read; empty: it carries notices")


class KafkaOptions(KafkaConnection, KafkaSubscription):
    """A Kafka source."""


def connection(options: KafkaConnection, where: str, folder: Path) -> dict[str, Any]:
    """Return librdkafka's settings for a connection; they hold secrets, so they are neither logged nor shown.

    Parameters
    ----------
    options
        As the operator wrote them.
    where
        Table of the settings, for the sentences: ``sources.rubin``.
    folder
        Relative files lie in it.

    Raises
    ------
    ConfigError
        They make no sense together, or would send a secret where it can be read.
    """
    if not options.bootstrap_servers.strip():
        raise ConfigError(f"{where}.bootstrap_servers is empty: name at least one broker as host:port")
    settings: dict[str, Any] = {"bootstrap.servers": options.bootstrap_servers, **PATIENCE}
    is_tls = options.security == "tls"
    is_here = is_loopback(options.bootstrap_servers)
    if not is_tls and not is_here and not options.allow_plaintext:
        raise ConfigError(
            f"{where}.security: only a broker on this machine may be spoken to without encryption; "
            f"where the broker has nothing else, say so with {where}.allow_plaintext = true"
        )
    if not is_tls and not is_here and options.sasl in {"plain", "oauthbearer"}:
        raise ConfigError(f"{where}.sasl: {options.sasl} without TLS would show the credentials to everyone on the way")
    if is_tls:
        settings["ssl.ca.location"] = _certificates(options, where, folder)
    match options.sasl:
        case "none":
            return {**settings, "security.protocol": "ssl" if is_tls else "plaintext"}
        case "oauthbearer":
            who = _client_credentials(options, where, folder)
        case "plain" | "scram-sha-256" | "scram-sha-512":
            who = _password(options, where, folder)
    return {**settings, "security.protocol": "sasl_ssl" if is_tls else "sasl_plaintext", **who}


PATIENCE: dict[str, Any] = {
    "socket.keepalive.enable": True,
    "socket.timeout.ms": SOCKET_TIMEOUT_S * 1000,
    "reconnect.backoff.ms": 250,
    "reconnect.backoff.max.ms": 10_000,
    "statistics.interval.ms": 2_000,
    "client.id": "multimessenger-hub",
    "logger": logging.getLogger("adapters.transports.kafka"),
    "log_level": 2,  # only what is critical: a broker that is away is an alarm, not a line for each attempt
}
"""How long the client waits and how it reconnects: by itself, for ever, at most ten seconds apart."""


def subscription(options: KafkaSubscription, where: str) -> dict[str, Any]:
    """Return librdkafka's settings for a member of a consumer group.

    The reset policy is ``error``: the hub itself looks where each partition begins and goes there, so that whatever is missing is
    recorded and not skipped (`adapters.transports.kafka.places`).

    Raises
    ------
    ConfigError
        There is no topic or no fixed group.
    """
    if not any(topic.strip() for topic in options.topics):
        raise ConfigError(f"{where}.topics names no topic")
    if not options.group_id.strip():
        raise ConfigError(f"{where}.group_id is empty: without a fixed group everything that comes during a pause is lost")
    settings: dict[str, Any] = {
        "group.id": options.group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
        "session.timeout.ms": round(options.session_timeout_s * 1000),
        "heartbeat.interval.ms": round(options.session_timeout_s * 1000 / 10),
        "max.poll.interval.ms": MAX_PAUSE_S * 1000,
        "topic.metadata.refresh.interval.ms": round(options.discovery_s * 1000),
        "fetch.message.max.bytes": LARGEST_MESSAGE_BYTES,
        "fetch.max.bytes": FETCH_BYTES,
        "fetch.error.backoff.ms": 250,
        "queued.max.messages.kbytes": QUEUE_KBYTES,
    }
    if options.group_instance_id:
        settings["group.instance.id"] = options.group_instance_id
    return settings


def of_packets() -> dict[str, Any]:
    """Return what is different for a member that takes alert packets."""
    return {
        "max.poll.interval.ms": MAX_STAY_S * 1000,
        "queued.max.messages.kbytes": PACKET_QUEUE_KBYTES,
        "fetch.max.bytes": PACKET_FETCH_BYTES,
        "fetch.queue.backoff.ms": QUEUE_PAUSE_MS,
    }


def without_group(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a subscription's settings that is about the connection."""
    return {key: value for key, value in settings.items() if key not in _OF_A_GROUP}


_OF_A_GROUP = frozenset(
    {
        "group.id",
        "group.instance.id",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "auto.offset.reset",
        "allow.auto.create.topics",
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "max.poll.interval.ms",
        "fetch.message.max.bytes",
        "fetch.max.bytes",
        "fetch.error.backoff.ms",
        "fetch.queue.backoff.ms",
        "queued.max.messages.kbytes",
        "statistics.interval.ms",
    }
)

MAX_PAUSE_S = 3600
"""Longest time between two takes before the group gives the partitions to another member, seconds: a hub whose disk is full waits
that long with its place kept. Nothing is lost behind it either, the next take joins the group again."""


MAX_STAY_S = 300
"""The same for alert packets, seconds: their source shows signs of life while they are stored, so silence means that it hangs."""


def trust_of(options: KafkaOptions) -> Trust:
    """Return how far the messages are believed: as declared, else only where both sides proved who they are over TLS."""
    if options.trust is not None:
        return options.trust
    return Trust.TRUSTED if options.security == "tls" and options.sasl != "none" else Trust.UNTRUSTED


def is_loopback(servers: str) -> bool:
    """Return whether every broker of a list is on this machine.

    >>> is_loopback("127.0.0.1:9092, [::1]:9092, localhost:9092"), is_loopback("127.example.org:9092"), is_loopback("")
    (True, False, False)
    """
    return all(_is_this_machine(server.strip()) for server in servers.split(","))


def without_secrets(text: str, settings: dict[str, Any]) -> str:
    """Return a text of the client with every secret of its settings masked."""
    for key in ("sasl.password", "sasl.oauthbearer.client.secret", "client_secret"):
        if settings.get(key):
            text = text.replace(str(settings[key]), "***")
    return text


def has_token(settings: Mapping[str, Any]) -> bool:
    """Return whether librdkafka's settings, or those of GCN's client, say who one is by a token."""
    return settings.get("sasl.mechanisms") == "OAUTHBEARER" or "client_id" in settings


def check_token_url(token_url: str, where: str) -> None:
    """Check that a client secret may be sent to an address.

    Raises
    ------
    ConfigError
        It is neither https nor on this machine.
    """
    url = urlsplit(token_url)
    if url.scheme != "https" and not (url.scheme == "http" and _is_this_machine(url.netloc)):
        raise ConfigError(f"{where}.token_url: the client secret goes there, so it must be https")


def _password(options: KafkaConnection, where: str, folder: Path) -> dict[str, Any]:
    password = secret_of(options.password, options.password_file, f"{where}.password_file", folder)
    if not options.username or not password:
        raise ConfigError(f"{where}: sasl = {options.sasl} needs a username and a password (environment or password_file)")
    return {"sasl.mechanisms": options.sasl.upper(), "sasl.username": options.username, "sasl.password": password}


def _client_credentials(options: KafkaConnection, where: str, folder: Path) -> dict[str, Any]:
    secret = secret_of(options.client_secret, options.client_secret_file, f"{where}.client_secret_file", folder)
    if not options.client_id or not secret or not options.token_url:
        raise ConfigError(f"{where}: sasl = oauthbearer needs client_id, client_secret (environment or file) and token_url")
    check_token_url(options.token_url, where)
    settings = {
        "sasl.mechanisms": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": options.client_id,
        "sasl.oauthbearer.client.secret": secret,
        "sasl.oauthbearer.token.endpoint.url": options.token_url,
        "https.ca.location": _certificates(options, where, folder),
    }
    return {**settings, "sasl.oauthbearer.scope": options.scope} if options.scope else settings


def _is_this_machine(server: str) -> bool:
    host = server.rpartition("://")[2]
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _certificates(options: KafkaConnection, where: str, folder: Path) -> str:
    if not options.ca_file:
        return "probe"
    text_of(folder / options.ca_file, f"{where}.ca_file")
    return str(folder / options.ca_file)
