"""Kafka as a destination: each message is sent once the one before it has arrived, and counts as sent when the broker says so.

The producer is idempotent (a retry of its own never doubles a message); the hub's own second try after a crash or a time-out
carries the same id in its headers, so that receivers can tell.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import Field

from adapters.transports.kafka import faults, trial
from adapters.transports.kafka import options as settings_of
from adapters.transports.kafka.link import Link
from adapters.transports.kafka.options import LARGEST_MESSAGE_BYTES, KafkaConnection
from adapters.transports.kafka.topics import topic_names
from hub.errors import ConfigError, Permanent, Transient
from hub.model.outgoing import Outgoing, Subject
from hub.ports import Health, PartContext
from hub.telemetry import get_logger

KIND = "kafka"
"""Name in the settings."""

POLL_S = 0.2
"""Longest wait in one look for the delivery report, seconds."""

AT_ONCE_S = 3.0
"""Longest wait for the broker when the destination is opened, seconds."""

Headers = Callable[[Outgoing], list[tuple[str, bytes]]]
"""What a message carries besides its payload."""


class Options(KafkaConnection):
    """Topics that the hub writes to."""

    prefix: str = Field(
        "multimessenger", pattern=r"^[A-Za-z0-9._-]{1,200}$", description="Topics are PREFIX.coincidences and so on"
    )
    topic: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,249}$", description="One topic for everything instead")
    compression: Literal["zstd", "none"] = Field("zstd", description="zstd or none")
    timeout_s: float = Field(20.0, ge=1, le=25, description="A message that is not confirmed for so long is tried again, seconds")
    create_topics: bool = Field(True, description="Make topics that are missing, where the broker allows it")
    partitions: int = Field(
        1, ge=1, le=1000, description="Partitions of a topic that the hub makes; order is kept for each event"
    )
    replication: int = Field(-1, ge=-1, le=10, description="Copies of a topic that the hub makes; -1: the broker's default")


@dataclass(slots=True)
class _Report:
    """What became of one message; filled in by the client's callback."""

    is_done: bool = False
    error: KafkaError | None = None

    def take(self, error: KafkaError | None, message: Message) -> None:
        self.error = error
        self.is_done = True


class KafkaSink:
    """An open producer; implements `hub.ports.Sink`. Used from one thread, but for `health`."""

    def __init__(
        self,
        make: Callable[[dict[str, Any]], Producer],
        settings: Mapping[str, Any],
        *,
        options: Options,
        context: PartContext,
        headers: Headers,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._context = context
        self._headers = headers
        self._monotonic = monotonic
        self._link = Link(
            monotonic, lambda text: settings_of.without_secrets(text, dict(settings)), has_token=settings_of.has_token(settings)
        )
        self._settings = {**settings, "error_cb": self._link.on_error, "stats_cb": self._link.on_stats}
        self._make = make
        self._producer = make(self._settings)
        self._known_topics: set[str] = set()
        self._trouble: str | None = None
        self._n_sent = 0

    def deliver(self, outgoing: Outgoing) -> None:
        """Send one message and wait until all replicas have it.

        Raises
        ------
        Transient
            It is not known to have arrived; sent again it carries the same id. Missing rights and topics count as passing too:
            the messages wait in the outbox until a person has mended that.
        Permanent
            The broker will never take this message, e.g. because it is too large.
        """
        topic = self._options.topic or topic_of(self._options.prefix, outgoing.subject)
        try:
            self._send(topic, outgoing)
        except Transient as error:
            self._trouble = str(error)
            raise
        self._trouble = None
        self._n_sent += 1
        self._link.on_life()

    def make_topics(self) -> None:
        """Make the topics of all subjects, where that is allowed, so that whoever listens finds them before the first message.

        A broker that does not answer at once is asked again with the first message.
        """
        if not self._options.create_topics:
            return
        wanted = [self._options.topic] if self._options.topic else [topic_of(self._options.prefix, one) for one in _SUBJECTS]
        try:
            there = self._producer.list_topics(timeout=AT_ONCE_S).topics
            for topic in wanted:
                if topic not in there:
                    self._create(topic)
        except (KafkaException, Transient, Permanent) as error:
            get_logger("kafka").info("topics not made yet", destination=self._context.name, reason=_said(error, self._settings))

    def close(self) -> None:
        """Drop what is still in hand: the outbox has it."""
        self._producer.purge()
        self._producer.flush(1.0)

    def health(self) -> Health:
        """Return how the connection is; callable from any thread."""
        self._producer.poll(0)
        alarms = self._link.alarms()
        trouble = self._trouble
        if trouble is not None:
            alarms.append(trouble)
        facts = {"topics": sorted(self._known_topics), "sent": self._n_sent, **self._link.facts()}
        return Health(state="sending" if self._link.is_up() else "connecting", alarms=tuple(alarms), facts=facts)

    def _send(self, topic: str, outgoing: Outgoing) -> None:
        self._prepare(topic)
        report = _Report()
        try:
            self._producer.produce(
                topic,
                value=outgoing.payload,
                key=(outgoing.key or outgoing.ivorn).encode(),
                headers=self._headers(outgoing),
                on_delivery=report.take,
            )
        except BufferError as error:
            raise Transient(f"{self._context.name}: too much is waiting to be sent") from error
        except KafkaException as error:
            raise self._translated(error.args[0], topic) from error
        deadline = self._monotonic() + self._options.timeout_s + POLL_S
        while not report.is_done and self._monotonic() < deadline:
            self._producer.poll(POLL_S)
        if not report.is_done:
            self._producer.purge()
            self._producer.poll(0)
        if not report.is_done or report.error is not None:
            raise self._translated(report.error, topic)

    def _prepare(self, topic: str) -> None:
        """Make the topic where it is missing and may be made."""
        if topic in self._known_topics:
            return
        try:
            there = self._producer.list_topics(timeout=self._options.timeout_s / 2).topics
        except KafkaException as error:
            raise self._translated(error.args[0], topic) from error
        if topic not in there and self._options.create_topics:
            self._create(topic)
        self._known_topics.add(topic)

    def _create(self, topic: str) -> None:
        admin = AdminClient(self._admin_settings())
        new = NewTopic(topic, self._options.partitions, self._options.replication)
        try:
            admin.create_topics([new], request_timeout=self._options.timeout_s / 2)[topic].result(self._options.timeout_s)
        except KafkaException as error:
            fault = error.args[0]
            if fault.code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}:
                raise Transient(
                    f"{self._context.name}: the topic {topic} does not exist and this user may not make it: make it by hand"
                ) from error
            if fault.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise self._translated(fault, topic) from error
        except TimeoutError as error:
            raise Transient(f"{self._context.name}: the broker does not answer the wish for the topic {topic}") from error

    def _admin_settings(self) -> dict[str, Any]:
        return {key: value for key, value in self._settings.items() if key not in _PRODUCER_ONLY}

    def _translated(self, error: KafkaError | None, topic: str) -> Transient | Permanent:
        name = self._context.name
        self._producer.poll(0)  # a refusal is said to the error callback only
        refusal = self._link.refusal()
        if refusal is not None:
            return Transient(f"{name}: {refusal}")
        if error is None:
            return Transient(f"{name}: the broker did not confirm a message to {topic} within {self._options.timeout_s:g} s")
        said = settings_of.without_secrets(faults.sentence(error), self._settings)
        if error.code() in faults.UNWELCOME:
            return Permanent(f"{name}: the topic {topic} does not take the message: {said}")
        if error.fatal():
            self._producer = self._make(self._settings)  # an idempotent producer never sends again after a fatal error
        if error.code() in faults.TOPIC_MISSING:
            self._known_topics.discard(topic)
            return Transient(f"{name}: the topic {topic} does not exist: make it, or allow create_topics")
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return Transient(f"{name}: this user may not write to the topic {topic}: ask for that right, the messages wait")
        return Transient(f"{name}: a message to {topic} was not confirmed: {said}")


def _said(error: Exception, settings: Mapping[str, Any]) -> str:
    fault = error.args[0] if error.args else error
    said = faults.sentence(fault) if isinstance(fault, KafkaError) else str(error)
    return settings_of.without_secrets(said, dict(settings))


_SUBJECTS = (Subject.COINCIDENCE, Subject.CANDIDATE, Subject.RETRACTION)
"""What the hub announces; the topic of what it relays is made with its first message."""

_PRODUCER_ONLY = frozenset(
    {
        "enable.idempotence",
        "acks",
        "compression.type",
        "linger.ms",
        "message.timeout.ms",
        "request.timeout.ms",
        "error_cb",
        "stats_cb",
        "statistics.interval.ms",
    }
)


def topic_of(prefix: str, subject: str) -> str:
    """Return the topic of a subject.

    >>> topic_of("hub", "coincidence")
    'hub.coincidences'
    """
    return f"{prefix}.{subject}s"


def message_id(outgoing: Outgoing) -> bytes:
    """Return the 16 bytes that tell a message from all others, the same each time that it is sent."""
    return uuid5(NAMESPACE_URL, outgoing.ivorn).bytes


def plain_headers(outgoing: Outgoing) -> list[tuple[str, bytes]]:
    """Return the headers of the hub's own topics."""
    return [
        ("_id", message_id(outgoing)),
        ("ivorn", outgoing.ivorn.encode()),
        ("content-type", outgoing.media_type.encode()),
        ("subject", str(outgoing.subject).encode()),
        ("role", outgoing.role.value.encode()),
    ]


def producing(options: Options) -> dict[str, Any]:
    """Return librdkafka's settings for a producer that neither loses nor doubles."""
    return {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": options.compression,
        "linger.ms": 0,
        "message.max.bytes": LARGEST_MESSAGE_BYTES,
        "message.timeout.ms": round(options.timeout_s * 1000),
        "request.timeout.ms": round(options.timeout_s * 1000 / 2),
        "topic.metadata.propagation.max.ms": round(options.timeout_s * 1000 / 2),
    }


@contextmanager
def open_sink(options: Options, context: PartContext) -> Iterator[KafkaSink]:
    """Give a producer, closed at the end.

    Raises
    ------
    ConfigError
        The options make no sense.
    """
    with producer(Producer, options, context, plain_headers) as sink:
        sink.make_topics()
        yield sink


def check(options: Options, context: PartContext) -> list[str]:
    """Try the connection once and return what is wrong, in sentences; nothing is sent and no topic is made."""
    wanted = [options.topic] if options.topic and not options.create_topics else []
    settings = settings_of.connection(options, f"destinations.{context.name}", context.data_dir)
    names = topic_names(wanted, f"destinations.{context.name}.topic")
    return trial.complaints(Consumer, {**settings, "group.id": "multimessenger-hub-check"}, names, group=False)


@contextmanager
def producer(
    make: Callable[[dict[str, Any]], Producer], options: Options, context: PartContext, headers: Headers
) -> Iterator[KafkaSink]:
    """Give a producer that writes given headers; as `open_sink`."""
    where = f"destinations.{context.name}"
    settings = settings_of.connection(options, where, context.data_dir) | producing(options)
    try:
        sink = KafkaSink(make, settings, options=options, context=context, headers=headers)
    except KafkaException as error:
        said = settings_of.without_secrets(error.args[0].str(), settings)
        raise ConfigError(f"{where}: the Kafka client refuses the settings: {said}") from None
    try:
        yield sink
    finally:
        sink.close()
