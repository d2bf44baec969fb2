"""One record out of an Avro object container from anyone: the container brings its own schema, so the schema is checked first.

A library that opens such a container trusts it: a recursive schema ends the process (SIGSEGV at a depth of 5,000), an array of
items without bytes makes 10^8 nulls out of five bytes, and a deflated block of 1 MB grows to 1 GB. So the header is read here,
the schema must have the expected record's name, no recursion and no item of zero width, the codec is null or deflate with a cap
on what comes out, and the container holds one record whose bytes are used to the last.

Layout: Avro specification 1.11, "Object Container Files"; varints are zig-zag coded.
"""

import io
import re
import zlib
from dataclasses import dataclass
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException

from adapters.codecs import json_text
from hub.errors import DecodeError

MAGIC = b"Obj\x01"
MAX_BYTES = 16 * 1024 * 1024
"""Longest container, and most bytes that a deflated block may become; an alert with two maps has 1.6 MB."""

MAX_SCHEMA_BYTES = 65_536
"""Longest schema text; that of the public alerts has 7 kB."""

MAX_SCHEMA_DEPTH = 24
"""Deepest nesting of types."""

_PRIMITIVE = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands before the first block."""

    schema: Any
    """The schema as parsed JSON."""

    codec: str
    sync: bytes
    end: int
    """Offset of the first block."""

    @property
    def name(self) -> str:
        """Full name of the top-level record, empty where the top level is none."""
        return _full_name(self.schema, "") if isinstance(self.schema, dict) and self.schema.get("type") == "record" else ""


def read_header(payload: bytes) -> Header:
    """Return the header of a container.

    Raises
    ------
    DecodeError
        It is cut off, too long, or its schema is no JSON.
    """
    if len(payload) > MAX_BYTES:
        raise DecodeError(f"the Avro container has {len(payload)} bytes, more than the {MAX_BYTES} allowed")
    if not payload.startswith(MAGIC):
        raise DecodeError("not an Avro container")
    stream = io.BytesIO(payload)
    stream.seek(len(MAGIC))
    meta: dict[str, bytes] = {}
    while count := _long(stream):
        if count < 0:
            _long(stream)  # size of the block in bytes, of no use here
        for _ in range(min(abs(count), 64)):
            key = _sized(stream).decode("utf-8", "replace")
            meta[key] = _sized(stream)
        if len(meta) > 64 or abs(count) > 64:
            raise DecodeError("the header of the Avro container has too many entries")
    sync = stream.read(16)
    if len(sync) != 16:
        raise DecodeError("the Avro container is cut off in its header")
    text = meta.get("avro.schema", b"")
    if not text or len(text) > MAX_SCHEMA_BYTES:
        raise DecodeError(f"the Avro container's schema has {len(text)} bytes, not 1 to {MAX_SCHEMA_BYTES}")
    codec = meta.get("avro.codec", b"null").decode("utf-8", "replace")
    return Header(schema=json_text.read(text), codec=codec, sync=sync, end=stream.tell())


def read_single_record(payload: bytes, expected: re.Pattern[str]) -> dict[str, Any]:
    """Return the one record of a container.

    Parameters
    ----------
    payload
        The container.
    expected
        What the full name of its record must match.

    Raises
    ------
    DecodeError
        Anything about the container is not as this module demands.
    """
    header = read_header(payload)
    if expected.fullmatch(header.name) is None:
        raise DecodeError(f"the Avro container holds {header.name[:60] or 'no record'!r}, not the expected record")
    _check_type(header.schema, "", (), 0)
    body = _only_block(payload, header)
    stream = io.BytesIO(body)
    try:
        record = fastavro.schemaless_reader(stream, header.schema, None)
    except (
        SchemaParseException,
        EOFError,
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        MemoryError,
        RecursionError,
        ArithmeticError,
    ) as error:  # fastavro has no error of its own for damaged data
        raise DecodeError("the record in the Avro container is damaged") from error
    if stream.tell() != len(body):
        raise DecodeError("the Avro container has bytes after its record")
    if not isinstance(record, dict):
        raise DecodeError("the Avro container holds no record")
    json_text.check_texts(record)
    return record


def _only_block(payload: bytes, header: Header) -> bytes:
    stream = io.BytesIO(payload)
    stream.seek(header.end)
    count = _long(stream)
    data = _sized(stream)
    if count != 1 or stream.read(16) != header.sync or stream.read(1):
        raise DecodeError("the Avro container holds not exactly one record")
    match header.codec:
        case "null":
            return data
        case "deflate":
            return _inflated(data)
        case other:
            raise DecodeError(f"the Avro container is compressed by {other[:20]!r}, not by null or deflate")


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        out = inflater.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise DecodeError("the compressed block of the Avro container is damaged") from error
    if not inflater.eof:
        raise DecodeError(f"the block of the Avro container is cut off or grows beyond {MAX_BYTES} bytes")
    return out


def _long(stream: io.BytesIO) -> int:
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte or shift > 63:
            raise DecodeError("the Avro container is cut off or damaged")
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return (value >> 1) ^ -(value & 1)


def _sized(stream: io.BytesIO) -> bytes:
    size = _long(stream)
    data = stream.read(size) if size >= 0 else b""
    if size < 0 or len(data) != size:
        raise DecodeError("the Avro container is cut off or damaged")
    return data


def _check_type(  # noqa: C901, PLR0912 - one case for each shape that a type can have
    schema: Any, namespace: str, open_names: tuple[str, ...], depth: int
) -> None:
    """Refuse a schema that refers to a type from within it, nests too deep, or has arrays of items without width."""
    if depth > MAX_SCHEMA_DEPTH:
        raise DecodeError("the Avro container's schema is nested too deep")
    match schema:
        case str():
            full = schema if "." in schema or not namespace else f"{namespace}.{schema}"
            if schema in open_names or full in open_names:
                raise DecodeError("the Avro container's schema is recursive")
        case list():
            for branch in schema:
                _check_type(branch, namespace, open_names, depth + 1)
        case {"type": "array", "items": items} | {"type": "map", "values": items}:
            if schema["type"] == "array" and not _has_width(items):
                raise DecodeError("the Avro container's schema has an array of items without bytes")
            _check_type(items, namespace, open_names, depth + 1)
        case {"type": "record" | "error", "fields": list() as fields}:
            full = _full_name(schema, namespace)
            inner = full.rpartition(".")[0]
            for field in fields:
                if not isinstance(field, dict):
                    raise DecodeError("the Avro container's schema is damaged")
                _check_type(field.get("type"), inner, (*open_names, full), depth + 1)
        case {"type": dict() | list() as nested}:
            _check_type(nested, namespace, open_names, depth + 1)
        case {"type": str()}:
            pass
        case _:
            raise DecodeError("the Avro container's schema is damaged")


def _has_width(schema: Any) -> bool:
    """Return whether every value of a type surely takes at least one byte; a type given by name only is not trusted to."""
    match schema:
        case str():
            return schema in _PRIMITIVE - {"null"}
        case list():
            return True  # the index of the branch
        case {"type": "record", "fields": list() as fields}:
            return any(isinstance(field, dict) and _has_width(field.get("type")) for field in fields)
        case {"type": "fixed", "size": size}:
            return isinstance(size, int) and size > 0
        case {"type": "enum" | "array" | "map"}:
            return True
        case {"type": nested}:
            return _has_width(nested)
        case _:
            return False


def _full_name(schema: dict[str, Any], namespace: str) -> str:
    name, own = schema.get("name"), schema.get("namespace", namespace)
    if not isinstance(name, str) or not isinstance(own, str):
        return ""
    return name if "." in name or not own else f"{own}.{name}"
