"""The hub's own messages as Avro in Confluent framing: `schemas/hub/1/announcement.avsc`, equal in content to the JSON.

The frame is a zero, the schema id (32 bit, big-endian) and the Avro body. Our ids are the letters ``mmh`` and the version,
0x6D6D6801 for version 1: they collide with no registry that counts from one, and anyone resolves them from `schemas/hub/ids.json`
or from the hub's API, without a registry. What a score was computed from differs by statistic; in Avro it is a JSON text.
"""

import io
import json
from functools import cache
from typing import Any

import fastavro

from adapters.codecs.hub_content import as_context, content
from adapters.codecs.json_text import check_texts
from adapters.codecs.json_text import read as read_json
from hub import resources
from hub.errors import DecodeError
from hub.model.outgoing import HUB_FRAME
from hub.ports import Announcement, DecodedContext

MEDIA_TYPE = "application/avro"
"""Media type of what is rendered."""

FORMAT = "hub-avro"
"""Name of the format."""

SCHEMA_ID = 0x6D6D6801
"""Schema id of version 1."""

MAX_BYTES = 4 * 1024 * 1024
"""Longest message that is read; real ones have a few kilobytes."""

_HEADER = 5
_SCHEMA_FILE = "schemas/hub/1/announcement.avsc"


class HubAvroRenderer:
    """Renders announcements as framed Avro: implements `hub.ports.Renderer`."""

    media_type = MEDIA_TYPE

    def render(self, announcement: Announcement) -> bytes:
        """Return the framed message; the same announcement gives the same bytes."""
        said = content(announcement)
        for score in said["scores"]:
            score["inputs"] = json.dumps(score["inputs"], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        body = io.BytesIO()
        fastavro.schemaless_writer(body, _schema(), said, strict=True)
        return b"\x00" + SCHEMA_ID.to_bytes(4, "big") + body.getvalue()


def is_message(payload: bytes) -> bool:
    """Return whether bytes are meant to be a message of some hub, of whatever version."""
    return payload.startswith(HUB_FRAME) and len(payload) > _HEADER


def decode(payload: bytes) -> DecodedContext:
    """Return what a hub's message is to the hub that receives it.

    Raises
    ------
    DecodeError
        As `read`, or it bears no ivorn.
    """
    return as_context(read(payload), FORMAT)


def read(payload: bytes) -> dict[str, Any]:
    """Return everything that a message says, the inputs of its scores as JSON values again.

    Raises
    ------
    DecodeError
        It is damaged, too long, or of a version that this hub does not know.
    """
    if len(payload) > MAX_BYTES:
        raise DecodeError(f"the message of a hub has {len(payload)} bytes, more than the {MAX_BYTES} allowed", format=FORMAT)
    if payload[1:_HEADER] != SCHEMA_ID.to_bytes(4, "big"):
        raise DecodeError(f"version {payload[_HEADER - 1]} of the hub's Avro messages is not known here", format=FORMAT)
    body = io.BytesIO(payload[_HEADER:])
    try:
        said = fastavro.schemaless_reader(body, _schema(), None)
    except (EOFError, LookupError, ValueError, TypeError, ArithmeticError, MemoryError) as error:  # fastavro has no base error
        raise DecodeError("the message of a hub is damaged", format=FORMAT) from error
    if body.tell() != len(payload) - _HEADER:
        raise DecodeError("the message of a hub has bytes after its end", format=FORMAT)
    assert isinstance(said, dict)  # the schema is a record
    check_texts(said)
    for score in said["scores"]:
        score["inputs"] = read_json(score["inputs"].encode())
    return said


@cache
def _schema() -> Any:
    return fastavro.parse_schema(json.loads(resources.read_text(_SCHEMA_FILE)))
