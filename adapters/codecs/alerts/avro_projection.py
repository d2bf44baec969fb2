"""A few values out of Avro bytes without building records: a schema is compiled once into a walk over the bytes.

Avro has no index, so reaching ``diaObject`` means passing over every earlier detection. Runs of fixed-size and variable-length
numbers are passed by one regular expression per run, in C and without making an object for each; strings, bytes and arrays are
stepped over by their lengths. The walk reads the whole message and is stricter than fastavro, which takes any byte for a boolean,
negative union indices and varints of any length: here each is an error.

Encoding: Avro 1.11 specification, "Binary encoding".
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from re import DOTALL
from re import compile as compile_pattern
from typing import Any

from adapters.codecs.avro_varint import varint
from hub.errors import DecodeError

Values = dict[str, Any]
"""What a walk found: wanted path to value; a null is None or absent, an array is the list of its items' wanted value."""

Step = Callable[[bytes, int, Values], int]
"""Passes over one piece of a message: (bytes, position, values found so far) to the position behind it."""

_FLOAT = struct.Struct("<f")
_DOUBLE = struct.Struct("<d")
_VARINT = rb"(?>[\x80-\xff]{0,8}+[\x00-\x7f]|[\x80-\xff]{9}[\x00\x01])"
"""A zigzag number of at most 64 bits."""

_PATTERNS = {
    "null": b"",
    "boolean": rb"[\x00\x01]",
    "int": rb"(?>[\x80-\xff]{0,4}+[\x00-\x7f])",
    "long": _VARINT,
    "float": rb".{4}",
    "double": rb".{8}",
}


_READERS: dict[str, Callable[[bytes], Any]] = {
    "boolean": lambda raw: raw == b"\x01",
    "int": lambda raw: varint(raw, 0)[0],
    "long": lambda raw: varint(raw, 0)[0],
    "float": lambda raw: _FLOAT.unpack(raw)[0],
    "double": lambda raw: _DOUBLE.unpack(raw)[0],
}


def compile_walk(schema: Mapping[str, Any], wanted: frozenset[str]) -> Step:
    """Return the walk over one record that stores the wanted values.

    Parameters
    ----------
    schema
        A record with all references resolvable, not recursive (the pinned schemas are tested for that).
    wanted
        Dotted paths, ``diaSource.ra``; ``prvDiaSources.midpointMjdTai`` collects one value of each item. Paths that the schema
        lacks are ignored.

    Returns
    -------
    Step
        Costs about 1 us a run of numbers and 1 us an array item and run; raises `DecodeError` where the bytes do not fit.
    """
    return _sequence(_pieces(schema, "", wanted, {}))


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A piece that a regular expression passes; its groups are the wanted values in order."""

    pattern: bytes
    captures: tuple[tuple[str, Callable[[bytes], Any]], ...] = ()


_Piece = _Numbers | Step


def _pieces(node: Any, path: str, wanted: frozenset[str], names: dict[str, Any]) -> list[_Piece]:
    """Return the pieces of one schema node."""
    if isinstance(node, list):
        return _union(node, path, wanted, names)
    kind = node if isinstance(node, str) else node["type"]
    if kind in _PATTERNS:
        return [_number(kind, path, wanted)]
    match kind:
        case "string" | "bytes":
            return [_sized(path if path in wanted else None)]
        case "record":
            names[node["name"]] = node
            inner = [_pieces(f["type"], f"{path}.{f['name']}".lstrip("."), wanted, names) for f in node["fields"]]
            return [piece for pieces in inner for piece in pieces]
        case "array":
            return [_array(node["items"], path, wanted, names)]
        case _ if kind in names:
            return _pieces(names[kind], path, wanted, names)
        case _:
            raise ValueError(f"no walk over Avro type {kind!r}")


def _number(kind: str, path: str, wanted: frozenset[str]) -> _Numbers:
    if path in wanted:
        return _Numbers(b"(" + _PATTERNS[kind] + b")", ((path, _READERS[kind]),))
    return _Numbers(_PATTERNS[kind])


def _union(branches: list[Any], path: str, wanted: frozenset[str], names: dict[str, Any]) -> list[_Piece]:
    """Return the pieces of an optional value; LSST schemas hold no other union."""
    if len(branches) != 2 or branches[0] != "null":
        raise ValueError(f"no walk over the union {path}")
    inner = _merged(_pieces(branches[1], path, wanted, names))
    if len(inner) == 1 and isinstance(inner[0], _Numbers):
        return [_Numbers(rb"(?>\x00|\x02" + inner[0].pattern + rb")", inner[0].captures)]
    present = _sequence(inner)

    def optional(data: bytes, position: int, values: Values) -> int:
        index = data[position : position + 1]
        if index == b"\x00":
            return position + 1
        if index != b"\x02":
            raise DecodeError(f"{path} chooses a union branch that does not exist, or is cut off")
        return present(data, position + 1, values)

    return [optional]


def _sized(name: str | None) -> Step:
    """Pass over a string or bytes."""

    def sized(data: bytes, position: int, values: Values) -> int:
        length, start = varint(data, position)
        end = start + length
        if length < 0 or end > len(data):
            raise DecodeError("the Avro body is cut off inside a text or an image")
        if name is not None:
            values[name] = data[start:end]
        return end

    return sized


def _array(items: Any, path: str, wanted: frozenset[str], names: dict[str, Any]) -> Step:
    """Pass over an array; where one value of its items is wanted, store the list of them."""
    record = names.get(items, items) if isinstance(items, str) else items
    fields = (
        {f"{path}.{field['name']}" for field in record["fields"]} if isinstance(record, dict) and "fields" in record else set()
    )
    collected = sorted(fields & wanted)
    if len(collected) > 1:
        raise ValueError(f"one value of the items of {path} at most")
    item = _sequence(_pieces(items, path, wanted, names))
    name = collected[0] if collected else None

    def array(data: bytes, position: int, values: Values) -> int:
        found: list[Any] = []
        while True:
            count, position = varint(data, position)
            if count < 0:
                count, (_, position) = -count, varint(data, position)
            if count == 0:
                break
            if count > len(data) - position:
                raise DecodeError(f"{path} claims {count} items in {len(data) - position} bytes")
            for _ in range(count):
                position = item(data, position, values)
                if name is not None:
                    found.append(values.pop(name, None))
        if name is not None:
            values[name] = found
        return position

    return array


def _merged(pieces: list[_Piece]) -> list[_Piece]:
    """Join neighbouring runs of numbers into one."""
    joined: list[_Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if isinstance(piece, _Numbers) and isinstance(last, _Numbers):
            joined[-1] = _Numbers(last.pattern + piece.pattern, last.captures + piece.captures)
        else:
            joined.append(piece)
    return joined


def _sequence(pieces: list[_Piece]) -> Step:
    steps = [_run(piece) if isinstance(piece, _Numbers) else piece for piece in _merged(pieces)]
    if len(steps) == 1:
        return steps[0]

    def sequence(data: bytes, position: int, values: Values) -> int:
        for step in steps:
            position = step(data, position, values)
        return position

    return sequence


def _run(numbers: _Numbers) -> Step:
    """Return the step of a run of numbers."""
    match_at = compile_pattern(numbers.pattern, DOTALL).match
    captures = numbers.captures

    def run(data: bytes, position: int, values: Values) -> int:
        match = match_at(data, position)
        if match is None:
            raise DecodeError("the Avro body ends early or holds a value that its schema does not allow")
        for (name, read), raw in zip(captures, match.groups(), strict=True):
            values[name] = None if raw is None else read(raw)
        return match.end()

    return run
