"""NASA GCN over Kafka, through the `gcn_kafka` client: a thin consumer that loses nothing.

A message's offset is committed only after the hub has stored it (`GcnSource.acknowledge`), and a group id is demanded: without
one the client makes up a new one at each start, and whatever came during a pause is lost. A Kafka error is never taken for a
message.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message
from gcn_kafka import Consumer
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.errors import ConfigError, Permanent, Transient
from hub.model.envelope import Envelope, Trust
from hub.ports import Clock, Health, PartContext, Position

KIND = "gcn-kafka"
"""Name in the settings."""

MAX_MESSAGE_BYTES = 8 * 2**20
"""Largest message fetched, bytes: GCN allows about 4 MiB, IGWN alerts with a combined map reach 2.1 MB."""

_NEEDS_A_PERSON = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - public constants of the client, named so
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
_LOOPBACK = ("127.", "localhost", "[::1]")


class Options(BaseModel):
    """How to listen to GCN."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[str, ...] = Field((), description="Topics, e.g. igwn.gwalert, gcn.classic.voevent.FERMI_GBM_FIN_POS")
    group_id: str = Field("", description="Consumer group: keeps the place in the stream over restarts")
    domain: str = Field("gcn.nasa.gov", description="gcn.nasa.gov or test.gcn.nasa.gov")
    client_id: str = Field("", description="From the GCN quick start")
    client_secret: SecretStr = Field(SecretStr(""), description="From the GCN quick start; in the environment only")
    session_timeout_s: float = Field(
        45.0, ge=6, le=300, description="After so long a silent member of the group is replaced, seconds"
    )
    bootstrap_servers: str = Field(
        "", description="Another broker, on this machine only, spoken to without encryption; for tests"
    )


class GcnSource:
    """An open subscription. Used from one thread."""

    def __init__(self, consumer: Consumer, *, name: str, clock: Clock, trust: Trust) -> None:
        self._name = name
        self._consumer = consumer
        self._clock = clock
        self._trust = trust

    def take(self, limit: int, timeout_s: float) -> list[Envelope]:
        """Return what has arrived, waiting at most the time-out for the first message.

        Raises
        ------
        Transient
            The brokers cannot be reached or a topic is not there; asking again may help.
        Permanent
            Credentials or rights are refused: a person must look.
        """
        messages = self._consumer.consume(limit, timeout_s)
        for message in messages:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - as above
                raise _translated(error)
        return [self._envelope(message) for message in messages if message.error() is None and message.value() is not None]

    def acknowledge(self) -> None:
        """Commit the place behind everything that `take` has returned; called once the hub has stored it.

        Raises
        ------
        Transient
            The commit did not go through: the messages come again, as duplicates.
        """
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._NO_OFFSET:  # noqa: SLF001 - nothing new to commit
                raise _translated(error.args[0]) from error

    def positions(self) -> Sequence[Position]:
        """Return nothing yet."""
        return ()

    def health(self) -> Health:
        """Return that it listens."""
        return Health(state="listening")

    def _envelope(self, message: Message) -> Envelope:
        topic = message.topic() or ""
        return Envelope(
            payload=message.value() or b"",
            source=self._name,
            received_at=self._clock(),
            position=f"{topic}/{message.partition()}/{message.offset()}",
            topic=topic,
            trust=self._trust,
        )


@contextmanager
def open_source(options: Options, context: PartContext) -> Iterator[GcnSource]:
    """Give a subscription, closed at the end without committing anything by itself.

    Raises
    ------
    ConfigError
        The options make no sense, e.g. no group id.
    """
    consumer = Consumer(_configuration(options))
    try:
        consumer.subscribe(list(options.topics))
        trust = Trust.UNTRUSTED if options.bootstrap_servers else Trust.TRUSTED
        yield GcnSource(consumer, name=context.name, clock=context.clock, trust=trust)
    finally:
        consumer.close()


def _configuration(options: Options) -> dict[str, Any]:
    if not options.topics:
        raise ConfigError("gcn.topics names no topic")
    if not options.group_id:
        raise ConfigError("gcn.group_id is empty: without a fixed group everything that comes during a pause is lost")
    configuration: dict[str, Any] = {
        "group.id": options.group_id,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": round(options.session_timeout_s * 1000),
        "fetch.message.max.bytes": MAX_MESSAGE_BYTES,
    }
    if options.bootstrap_servers:
        if not all(server.strip().startswith(_LOOPBACK) for server in options.bootstrap_servers.split(",")):
            raise ConfigError("gcn.bootstrap_servers: only a broker on this machine may be spoken to without encryption")
        return {**configuration, "bootstrap.servers": options.bootstrap_servers, "security.protocol": "plaintext"}
    if not options.client_id or not options.client_secret.get_secret_value():
        raise ConfigError("gcn.client_id and gcn.client_secret are needed: get them from the quick start of GCN")
    return {
        **configuration,
        "domain": options.domain,
        "client_id": options.client_id,
        "client_secret": options.client_secret.get_secret_value(),
    }


def _translated(error: KafkaError) -> Permanent | Transient:
    sentence = f"GCN: {error.str()}"
    return Permanent(sentence) if error.fatal() or error.code() in _NEEDS_A_PERSON else Transient(sentence)
