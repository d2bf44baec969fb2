"""SCiMMA Hopskotch as a destination: Kafka with the headers that hop-client reads.

The wire format is that of hop-client 0.13 (``hop/io.py``, ``hop/models.py``): the payload as it is, and headers ``_id`` (16 bytes
of a UUID), ``_sender`` (the credential's name), ``_format`` (``voevent``, ``json``, ``blob``) and ``_test`` for tests.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer
from pydantic import Field

from adapters.transports.kafka import producer
from adapters.transports.kafka.options import Sasl
from adapters.transports.kafka.producer import Headers, KafkaSink, message_id
from hub.model.notice import Role
from hub.model.outgoing import Outgoing
from hub.ports import PartContext

KIND = "hop"
"""Name in the settings."""

FORMATS = {"application/xml": "voevent", "application/json": "json"}
"""Media type to hop-client's word; anything else is a ``blob`` (its ``avro`` is a container file, not Confluent framing)."""


class Options(producer.Options):
    """Topics of a Hopskotch group that the hub writes to."""

    bootstrap_servers: str = Field("kafka.scimma.org:9092", description="Brokers: host:port, comma separated")
    sasl: Sasl = Field("scram-sha-512", description="How the hub says who it is; Hopskotch takes scram-sha-512")
    create_topics: bool = Field(False, description="Make topics that are missing; at Hopskotch a group's owner makes them")


check = producer.check


def hop_headers(sender: str) -> Headers:
    """Return what makes the headers of messages from one sender."""

    def headers(outgoing: Outgoing) -> list[tuple[str, bytes]]:
        found = [("_id", message_id(outgoing))]
        if sender:
            found.append(("_sender", sender.encode()))
        if outgoing.role is Role.TEST:
            found.append(("_test", b"true"))
        return [*found, ("_format", FORMATS.get(outgoing.media_type, "blob").encode())]

    return headers


@contextmanager
def open_sink(options: Options, context: PartContext) -> Iterator[KafkaSink]:
    """Give a producer, closed at the end.

    Raises
    ------
    ConfigError
        The options make no sense.
    """
    with producer.producer(Producer, options, context, hop_headers(options.username)) as sink:
        yield sink
