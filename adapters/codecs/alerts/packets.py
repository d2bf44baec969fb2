"""The bytes of a message of a mapped stream to records, in each of the forms that brokers write."""

import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from io import BytesIO
from typing import Any

import fastavro
from fastavro.schema import parse_schema

from adapters.codecs import json_text
from adapters.codecs.alerts import bson
from adapters.codecs.alerts.lsst_schemas import by_id
from adapters.codecs.alerts.stream_map import StreamMap, Wire
from adapters.codecs.avro_container import MAGIC, Container, blocks, open_container
from hub.errors import DecodeError, SchemaUnknown

MAX_PACKET_BYTES = 4 << 20
"""Largest single alert, bytes; the largest real one known has 0.3 MB."""

HEADER_BYTES = 5
"""Confluent framing: a zero, then the number of the schema, big-endian."""

NO_HEADER = "the packet ends inside its header"
"""Why framed bytes are refused behind which nothing follows."""

Schemas = Callable[[int], Mapping[str, Any]]
"""Gives the schema of a number in parsing canonical form; raises `SchemaUnknown` where nobody has it."""


def no_schemas(schema_id: int) -> Mapping[str, Any]:
    """Know no schema beyond the pinned ones."""
    raise SchemaUnknown(f"nobody knows the schema {schema_id} yet, and no schema registry is configured", schema_id)


def too_long(n_bytes: int) -> str:
    """Return why a packet is refused before it is read."""
    return f"the packet has {n_bytes} bytes, {MAX_PACKET_BYTES} are allowed"


def records(payload: bytes, stream: StreamMap, schemas: Schemas) -> Iterator[dict[str, Any]]:
    """Yield the packets of a message.

    Raises
    ------
    SchemaUnknown
        Nobody knows its schema yet.
    DecodeError
        It is of none of the forms that the map names, or is broken.
    """
    form = _form(payload, stream)
    if form != "avro-container" and len(payload) > MAX_PACKET_BYTES:
        raise DecodeError(too_long(len(payload)))
    match form:
        case "avro-container":
            container = open_container(payload)
            _check_name(container.name, stream)
            yield from container_records(payload, container)
        case "confluent-avro":
            yield _framed(payload, stream, schemas)
        case "avro-schemaless":
            yield _bare(payload, stream)
        case "json":
            yield json_text.read_object(payload)
        case "bson-zlib":
            yield bson.read_compressed(payload)


def container_records(payload: bytes, container: Container) -> Iterator[dict[str, Any]]:
    """Yield the records of a container, each read from at most `MAX_PACKET_BYTES`."""
    for count, data in blocks(payload, container):
        position = 0
        for _ in range(count):
            body = BytesIO(data[position : position + MAX_PACKET_BYTES])
            record = fastavro.schemaless_reader(body, container.schema, None)
            position += body.tell()
            yield record
        check_consumed(data, position)


def check_consumed(data: bytes, position: int) -> None:
    """Refuse bytes behind the last alert of a block."""
    if position != len(data):
        raise DecodeError(f"{len(data) - position} bytes follow the last alert of a block")


def schema_id_of(payload: bytes) -> int:
    """Return the number of the schema that a packet in Confluent framing names."""
    if len(payload) <= HEADER_BYTES:
        raise DecodeError(NO_HEADER)
    return int.from_bytes(payload[1:HEADER_BYTES], "big")


def _form(payload: bytes, stream: StreamMap) -> Wire:
    """Return the form of a message, told by its first bytes where the map allows several."""
    allowed = stream.wire
    if "avro-container" in allowed and payload.startswith(MAGIC):
        return "avro-container"
    if len(allowed) == 1 and allowed[0] != "avro-container":
        if allowed[0] == "confluent-avro" and payload[:1] != b"\0":
            raise DecodeError(f"the message is no packet in Confluent framing, as the stream {stream.name} has")
        return allowed[0]
    if "confluent-avro" in allowed and payload[:1] == b"\0":
        return "confluent-avro"
    if "json" in allowed and payload.lstrip()[:1] == b"{":
        return "json"
    if "bson-zlib" in allowed and payload[:1] == b"\x78":
        return "bson-zlib"
    if "avro-schemaless" in allowed and stream.schema_file is not None:
        return "avro-schemaless"
    raise DecodeError(f"the message is not written as the stream {stream.name} writes ({', '.join(allowed)})")


def _framed(payload: bytes, stream: StreamMap, schemas: Schemas) -> dict[str, Any]:
    schema_id = schema_id_of(payload)
    pinned = by_id(schema_id) if stream.survey == "LSST" else None
    schema = pinned.schema if pinned is not None else _parsed(json.dumps(schemas(schema_id)))
    _check_name(schema["name"], stream)
    return _one(payload[HEADER_BYTES:], schema)


def _bare(payload: bytes, stream: StreamMap) -> dict[str, Any]:
    """Read a body without any header, by the schema beside the map; a source that has it in the key sends containers."""
    if stream.schema_text is None:
        raise DecodeError(f"the message of the stream {stream.name} came without its schema, which stands in its Kafka key")
    return _one(payload, _parsed(stream.schema_text))


def _one(body: bytes, schema: Any) -> dict[str, Any]:
    data = BytesIO(body)
    record = fastavro.schemaless_reader(data, schema, None)
    if data.tell() != len(body):
        raise DecodeError(f"{len(body) - data.tell()} bytes follow the end of the packet")
    if not isinstance(record, dict):
        raise DecodeError("the packet is no record")
    return record


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    """Return a schema as fastavro wants it; kept, because a stream names the same one in every message."""
    return parse_schema(json.loads(text))


def _check_name(name: str, stream: StreamMap) -> None:
    if stream.schema_names and not any(fnmatchcase(name, pattern) for pattern in stream.schema_names):
        raise DecodeError(
            f"a packet of the schema {name[:60]}, but the stream {stream.name} has {', '.join(stream.schema_names)}"
        )
