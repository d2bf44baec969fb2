"""The one record of an Avro object container from anyone.

The container brings its own schema, so the record is read only after `open_container` found it harmless (no recursion, no values
without bytes, capped inflation) and after its name was found to be the expected one.
"""

import io
import re
from typing import Any

import fastavro

from adapters.codecs.avro_container import blocks, open_container
from adapters.codecs.json_text import check_texts
from hub.errors import DecodeError

MAX_BYTES = 16 * 1024 * 1024
"""Longest container; an alert with two maps has 1.6 MB."""


def container_name(payload: bytes) -> str:
    """Return the full name of the record that a container holds.

    Raises
    ------
    DecodeError
        The header is broken or its schema could harm a reader.
    """
    return open_container(payload).name


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
        The container is broken, too long or harmful, or holds anything but one such record.
    """
    if len(payload) > MAX_BYTES:
        raise DecodeError(f"the Avro container has {len(payload)} bytes, more than the {MAX_BYTES} allowed")
    container = open_container(payload)
    if expected.fullmatch(container.name) is None:
        raise DecodeError(f"the Avro container holds {container.name[:60]!r}, not the expected record")
    found = list(blocks(payload, container))
    if [count for count, _ in found] != [1]:
        raise DecodeError("the Avro container holds not exactly one record")
    record = _decoded(found[0][1], container.schema)
    check_texts(record)
    return record


def _decoded(body: bytes, schema: Any) -> dict[str, Any]:
    stream = io.BytesIO(body)
    try:
        record = fastavro.schemaless_reader(stream, schema, None)
    except (EOFError, LookupError, ValueError, TypeError, ArithmeticError, MemoryError) as error:  # fastavro has no base error
        raise DecodeError("the record in the Avro container is damaged") from error
    if stream.tell() != len(body):
        raise DecodeError("the Avro container has bytes after its record")
    if not isinstance(record, dict):
        raise DecodeError("the Avro container holds no record")
    return record
