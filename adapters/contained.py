"""A message whose Avro schema stands in its Kafka key, made one that can be read by itself.

Fink writes the schema of each message into the key, as JSON text. The hub keeps messages, not keys, so both are put together into
an Avro object container (Avro 1.11 specification, "Object Container Files"): one block of one record, not compressed. The same
schema and body always give the same bytes, and so the same digest.
"""

import hashlib

SYNC_BYTES = 16
"""Length of the marker behind each block."""

MAX_SCHEMA_BYTES = 1 << 20
"""Longest key that is taken for a schema, bytes."""

_MAGIC = b"Obj\x01"


def is_schema(key: bytes | None) -> bool:
    """Return whether the key of a message is the schema of its body: the JSON text of a record."""
    return key is not None and len(key) <= MAX_SCHEMA_BYTES and key.lstrip()[:1] == b"{" and b'"record"' in key


def contained(schema: bytes, body: bytes) -> bytes:
    """Return the container of one record; of a body that is a container itself, that one.

    Parameters
    ----------
    schema
        JSON text; not looked at, its reader does that.
    body
        The record, as Avro writes it.
    """
    if body.startswith(_MAGIC):
        return body
    sync = hashlib.sha256(schema).digest()[:SYNC_BYTES]
    metadata = _number(2) + _sized(b"avro.schema") + _sized(schema) + _sized(b"avro.codec") + _sized(b"null") + _number(0)
    return _MAGIC + metadata + sync + _number(1) + _sized(body) + sync


def _sized(data: bytes) -> bytes:
    return _number(len(data)) + data


def _number(value: int) -> bytes:
    """Return a number that is not negative as Avro writes it: zigzag, seven bits a byte, the lowest first."""
    encoded = value << 1
    out = bytearray()
    while encoded > 0x7F:
        out.append(encoded & 0x7F | 0x80)
        encoded >>= 7
    out.append(encoded)
    return bytes(out)
