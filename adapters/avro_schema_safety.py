"""Which Avro schemas may be handed to a reader.

A reader follows a schema blindly: a recursive one ends in a crash of the process at some thousand levels (fastavro 1.13), and a
value that takes no bytes can be claimed a hundred million times by five. So neither is allowed, and with every value costing at
least one byte, what a message can make of itself is bounded by its size.
"""

from typing import Any

from hub.errors import DecodeError

MAX_DEPTH = 32
"""Deepest nesting of a schema, as JSON text and with its references followed; the surveys' own reach about 12."""


def check_json_depth(node: Any) -> None:
    """Refuse JSON that is nested too deeply to be walked; raises `DecodeError`."""
    level = [node]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise DecodeError(f"the schema is nested more than {MAX_DEPTH} levels deep")


def check_schema(schema: Any) -> None:
    """Refuse a parsed schema that is recursive, nests too deeply or has values without bytes.

    Raises
    ------
    DecodeError
        With the rule that it breaks.
    """
    _depth(schema, (), {})


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _depth(node: Any, inside: tuple[str, ...], depths: dict[str, int]) -> int:
    """Return how deep the values of a node nest.

    ``inside`` are the records that it stands in, ``depths`` those of the types defined so far: a chain of references makes a deep
    value out of a flat text.
    """
    if isinstance(node, list):
        return max((_depth(branch, inside, depths) for branch in node if branch != "null"), default=1)
    kind = node if isinstance(node, str) else node["type"]
    if kind in inside:
        raise DecodeError(f"the schema is recursive: {kind[:60]} contains itself")
    if kind in depths:
        return depths[kind]
    parts = _parts(kind, node)
    if kind == "null" or (kind in ("record", "error") and not parts) or (kind == "fixed" and node["size"] < 1):
        raise DecodeError("the schema has values that take no bytes")
    within = (*inside, node["name"]) if kind in ("record", "error") else inside
    depth = 1 + max((_depth(part, within, depths) for part in parts), default=0)
    if depth > MAX_DEPTH:
        raise DecodeError(f"the schema is nested more than {MAX_DEPTH} levels deep")
    if isinstance(node, dict) and "name" in node:
        depths[node["name"]] = depth
    return depth


def _parts(kind: str, node: Any) -> list[Any]:
    """Return the schemas that a value of this kind is made of."""
    match kind:
        case "record" | "error":
            return [field["type"] for field in node["fields"]]
        case "array":
            return [node["items"]]
        case "map":
            return [node["values"]]
        case _:
            return []
