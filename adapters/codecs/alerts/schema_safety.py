"""Which Avro schemas may be handed to a reader.

A reader follows a schema blindly: a recursive one ends in a crash of the process at some thousand levels (fastavro 1.13), and a
value that takes no bytes can be claimed a hundred million times by five. So neither is allowed, and with every value costing at
least one byte, what a message can make of itself is bounded by its size.
"""

from typing import Any

from hub.errors import DecodeError

MAX_JSON_DEPTH = 32
"""Deepest nesting of the JSON text of a schema; the survey's own reach about 12."""


def check_json_depth(node: Any) -> None:
    """Refuse JSON that is nested too deeply to be walked; raises `DecodeError`."""
    level = [node]
    for _ in range(MAX_JSON_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise DecodeError(f"the schema is nested more than {MAX_JSON_DEPTH} levels deep")


def check_schema(schema: Any) -> None:
    """Refuse a parsed schema that is recursive or has values without bytes.

    Raises
    ------
    DecodeError
        With the rule that it breaks.
    """
    _check(schema, ())


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _check(node: Any, inside: tuple[str, ...]) -> None:
    """Check one node; ``inside`` are the records that it stands in. A type is defined once and named afterwards, so this ends."""
    if isinstance(node, list):
        for branch in node:
            if branch != "null":  # as a branch it takes the byte of the index
                _check(branch, inside)
        return
    kind = node if isinstance(node, str) else node["type"]
    if kind in inside:
        raise DecodeError(f"the schema is recursive: {kind[:60]} contains itself")
    match kind:
        case "record" | "error" if node["fields"]:
            for field in node["fields"]:
                _check(field["type"], (*inside, node["name"]))
        case "array":
            _check(node["items"], inside)
        case "map":
            _check(node["values"], inside)
        case "null" | "record" | "error":
            raise DecodeError("the schema has values that take no bytes")
        case "fixed" if node["size"] < 1:
            raise DecodeError("the schema has values that take no bytes")
        case _:
            return
