"""BSON documents to plain Python values (BSON specification 1.1), read with distrust. ANTARES sends them, compressed by zlib."""

import struct
import zlib
from typing import Any

from adapters.codecs.inflating import inflated
from hub.errors import DecodeError

MAX_BYTES = 16 << 20
"""Largest document, bytes; MongoDB allows no larger one."""

MAX_DEPTH = 32
"""Deepest nesting."""

_INT32 = struct.Struct("<i")
_FIXED: dict[int, tuple[int, str | None]] = {
    0x01: (8, "<d"),
    0x06: (0, None),
    0x07: (12, None),
    0x09: (8, "<q"),
    0x0A: (0, None),
    0x10: (4, "<i"),
    0x11: (8, None),
    0x12: (8, "<q"),
    0x13: (16, None),
    0x7F: (0, None),
    0xFF: (0, None),
}
"""Type of a value to its size and its `struct` format; without one the value is passed over and is None."""


def read_compressed(payload: bytes) -> dict[str, Any]:
    """Return the document of a zlib stream.

    Raises
    ------
    DecodeError
        It is broken, or holds more than it may.
    """
    what, most = "the zlib stream of the message", f"the message inflates to more than {MAX_BYTES} bytes"
    data = inflated(payload, MAX_BYTES, wbits=zlib.MAX_WBITS, what=what, most=most)
    return read(data)


def read(data: bytes) -> dict[str, Any]:
    """Return a document; dates are milliseconds since 1970, binary data is bytes, what numbers and texts are not is None.

    Raises
    ------
    DecodeError
        It is broken, too deep, or followed by something.
    """
    found, end = _document(data, 0, 0, len(data))
    if end != len(data):
        raise DecodeError(f"{len(data) - end} bytes follow the end of the BSON document")
    return found


def _document(data: bytes, position: int, depth: int, limit: int) -> tuple[dict[str, Any], int]:
    if depth > MAX_DEPTH:
        raise DecodeError(f"the BSON document is nested more than {MAX_DEPTH} levels deep")
    length = _int32(data, position)
    end = position + length
    if length < 5 or end > limit or data[end - 1] != 0:
        raise DecodeError("a BSON document is cut off or does not end where it says")
    found: dict[str, Any] = {}
    position += 4
    while position < end - 1:
        kind = data[position]
        name, position = _name(data, position + 1, end)
        found[name], position = _value(data, kind, position, end, depth)
    if position != end - 1:
        raise DecodeError("a BSON document does not end where it says")
    return found, end


def _value(data: bytes, kind: int, position: int, end: int, depth: int) -> tuple[Any, int]:
    match kind:
        case 0x03:
            return _document(data, position, depth + 1, end)
        case 0x04:
            items, position = _document(data, position, depth + 1, end)
            return list(items.values()), position
        case 0x02 | 0x0D | 0x0E:
            return _text(data, position, end)
        case 0x05:
            size = _int32(data, position)
            start = position + 5
            _check(start + size, end, size)
            return data[start : start + size], start + size
        case 0x08:
            _check(position + 1, end)
            return data[position] != 0, position + 1
        case 0x0B:
            _, position = _name(data, position, end)
            _, position = _name(data, position, end)
            return None, position
        case _ if kind in _FIXED:
            size, form = _FIXED[kind]
            _check(position + size, end)
            return (struct.unpack_from(form, data, position)[0] if form else None), position + size
        case _:
            raise DecodeError(f"the BSON document holds a value of type {kind}, which the hub does not read")


def _text(data: bytes, position: int, end: int) -> tuple[str, int]:
    size = _int32(data, position)
    start = position + 4
    _check(start + size, end, size - 1)
    return data[start : start + size - 1].decode("utf-8", "replace"), start + size


def _name(data: bytes, position: int, end: int) -> tuple[str, int]:
    stop = data.find(b"\0", position, end)
    if stop < 0:
        raise DecodeError("a name in the BSON document does not end")
    return data[position:stop].decode("utf-8", "replace"), stop + 1


def _int32(data: bytes, position: int) -> int:
    if position + 4 > len(data):
        raise DecodeError("the BSON document is cut off")
    number: int = _INT32.unpack_from(data, position)[0]
    return number


def _check(behind: int, end: int, size: int = 0) -> None:
    if behind > end - 1 or size < 0:
        raise DecodeError("a value of the BSON document reaches beyond its end")
