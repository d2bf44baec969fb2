"""Avro object containers, opened with distrust: they bring their own schema, their own counts and their own compression.

Layout: Avro 1.11 specification, "Object Container Files". fastavro's reader is not used for it: it inflates a block of any size
(1 MB can hold 1 GiB), and reads values that take no bytes as often as a count says.
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import fastavro
from fastavro.schema import parse_schema, to_parsing_canonical_form

from adapters.avro_schema_safety import check_json_depth, check_schema
from adapters.codecs.avro_varint import varint
from adapters.codecs.inflating import inflated
from hub.errors import DecodeError

MAGIC = b"Obj\x01"
"""First bytes of every container."""

MAX_BYTES = 64 << 20
"""Largest container, and the most that its blocks may inflate to together, bytes."""

MAX_RECORDS = 10_000
"""Most alerts in one container."""

MAX_SCHEMA_BYTES = 1 << 20
"""Largest schema text; that of ZTF 4.02 with all its prose has 30 kB."""

_MAX_METADATA = 64
_SYNC_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The header of a container whose schema was found harmless."""

    name: str
    """Full name of the schema's root record."""

    version: str | None
    """The attribute ``version`` of the schema (ZTF has it, Avro does not define it)."""

    schema: Any
    """The schema in parsing canonical form, parsed: logical types play no part."""

    codec: str
    sync: bytes
    start: int
    """Position of the first block."""


def open_container(payload: bytes) -> Container:
    """Read the header.

    Raises
    ------
    DecodeError
        It is broken, too large, or its schema could harm the reader.
    """
    if len(payload) > MAX_BYTES:
        raise DecodeError(f"the container has {len(payload)} bytes, {MAX_BYTES} are allowed")
    metadata, position = _metadata(payload)
    sync = payload[position : position + _SYNC_BYTES]
    if len(sync) < _SYNC_BYTES:
        raise DecodeError("the container ends inside its header")
    codec = metadata.get("avro.codec", b"null").decode("ascii", "replace")
    if codec not in ("null", "deflate"):
        raise DecodeError(f"the container is compressed with {codec[:20]!r}; only null and deflate are read")
    name, version, schema = _schema(metadata.get("avro.schema", b""))
    return Container(name=name, version=version, schema=schema, codec=codec, sync=sync, start=position + _SYNC_BYTES)


def blocks(payload: bytes, container: Container) -> Iterator[tuple[int, bytes]]:
    """Yield the number of records and the inflated bytes of each block.

    Raises
    ------
    DecodeError
        A block is broken, or the container holds more than it may.
    """
    position, n_records, n_bytes = container.start, 0, 0
    while position < len(payload):
        count, position = varint(payload, position)
        size, position = varint(payload, position)
        end = position + size
        if count < 0 or size < 0 or payload[end : end + _SYNC_BYTES] != container.sync:
            raise DecodeError("a block of the container is cut off or does not end where it says")
        data = payload[position:end] if container.codec == "null" else _inflated(payload[position:end], MAX_BYTES - n_bytes)
        n_records, n_bytes = n_records + count, n_bytes + len(data)
        if n_records > MAX_RECORDS:
            raise DecodeError(f"the container claims {n_records} alerts, {MAX_RECORDS} are allowed")
        if count > len(data):
            raise DecodeError(f"a block claims {count} alerts in {len(data)} bytes")
        yield count, data
        position = end + _SYNC_BYTES


def _metadata(payload: bytes) -> tuple[dict[str, bytes], int]:
    metadata: dict[str, bytes] = {}
    position = len(MAGIC)
    while True:
        count, position = varint(payload, position)
        if count < 0:
            count, (_, position) = -count, varint(payload, position)
        if count == 0:
            return metadata, position
        if count + len(metadata) > _MAX_METADATA:
            raise DecodeError(f"the container claims {count} entries of metadata")
        for _ in range(count):
            key, position = _sized(payload, position)
            metadata[key.decode("utf-8", "replace")], position = _sized(payload, position)


def _sized(payload: bytes, position: int) -> tuple[bytes, int]:
    length, start = varint(payload, position)
    if length < 0 or start + length > len(payload):
        raise DecodeError("the container ends inside its header")
    return payload[start : start + length], start + length


@lru_cache(maxsize=32)
def _schema(text: bytes) -> tuple[str, str | None, Any]:
    """Return name, version and canonical schema; kept, because a stream repeats the same text in every message."""
    if not text or len(text) > MAX_SCHEMA_BYTES:
        raise DecodeError(f"the container's schema has {len(text)} bytes; 1 to {MAX_SCHEMA_BYTES} are allowed")
    try:
        stated = json.loads(text)
        check_json_depth(stated)
        if not isinstance(stated, dict) or stated.get("type") != "record":
            raise DecodeError("the container's schema is no record")
        schema = parse_schema(json.loads(to_parsing_canonical_form(parse_schema(stated))))
    except fastavro.schema.UnknownType as error:
        raise DecodeError(f"the container's schema names a type that it does not define: {str(error.name)[:60]}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, fastavro.schema.SchemaParseException) as error:
        raise DecodeError("the container's schema is no valid Avro schema") from error
    check_schema(schema)
    version = stated.get("version")
    return str(schema["name"]), str(version)[:20] if version is not None else None, schema


def _inflated(data: bytes, limit: int) -> bytes:
    what, most = "a compressed block of the container", f"the container inflates to more than {MAX_BYTES} bytes"
    return inflated(data, limit, wbits=-zlib.MAX_WBITS, what=what, most=most)
