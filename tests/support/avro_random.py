"""Avro schemas and messages that hypothesis draws: every type, unions in any order, references, blocks with and without their size."""

import struct
from typing import Any

from hypothesis import strategies as st

from tests.support.bombs_avro import number, sized

SIMPLE = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
LONGS = st.one_of(st.integers(-300, 300), st.integers(-(2**63), 2**63 - 1))
INTS = st.one_of(st.integers(-300, 300), st.integers(-(2**31), 2**31 - 1))


class _Names:
    """Gives each named type a name of its own, and knows those given."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def new(self, node: dict[str, Any]) -> dict[str, Any]:
        name = f"n{len(self.known)}"
        self.known[name] = node
        return {"name": name, **node}


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a record schema that is not recursive."""
    names = _Names()
    return _in_order(_record(draw, names, 3), names.known, set())


def _in_order(node: Any, known: dict[str, Any], seen: set[str]) -> Any:
    """Return a node in which the first mention of a type is its definition, whatever order its branches were put in."""
    if isinstance(node, list):
        return [_in_order(branch, known, seen) for branch in node]
    if isinstance(node, str):
        return node if node not in known or node in seen else _in_order({"name": node, **known[node]}, known, seen)
    if "name" in node:
        if node["name"] in seen:
            return node["name"]
        seen.add(node["name"])
    own = {key: _in_order(node[key], known, seen) for key in ("items", "values") if key in node}
    fields = [{**each, "type": _in_order(each["type"], known, seen)} for each in node.get("fields", ())]
    return {**node, **own, **({"fields": fields} if fields else {})}


def _record(draw: st.DrawFn, names: _Names, depth: int) -> dict[str, Any]:
    fields = [{"name": f"f{n}", "type": _node(draw, names, depth)} for n in range(draw(st.integers(1, 6)))]
    return names.new({"type": "record", "fields": fields})


def _node(draw: st.DrawFn, names: _Names, depth: int, *, in_union: bool = False) -> Any:
    kinds = [*SIMPLE, "enum", "fixed", *(["record", "array", "map"] if depth else []), *(["reference"] if names.known else [])]
    # Optional values are what surveys write, and runs of them are what the kernel is quick with.
    if not in_union and draw(st.booleans()):
        kinds = ["union"] if depth and draw(st.booleans()) else ["option"]
    match draw(st.sampled_from(kinds)):
        case "enum":
            return names.new({"type": "enum", "symbols": [f"s{n}" for n in range(draw(st.integers(1, 70)))]})
        case "fixed":
            return names.new({"type": "fixed", "size": draw(st.integers(1, 20))})
        case "record":
            return _record(draw, names, depth - 1)
        case "array":
            return {"type": "array", "items": _node(draw, names, depth - 1)}
        case "map":
            return {"type": "map", "values": _node(draw, names, depth - 1)}
        case "reference":
            return draw(st.sampled_from(sorted(names.known)))
        case "option":
            return draw(st.permutations(["null", draw(st.sampled_from(SIMPLE[1:]))]))
        case "union":
            simple = draw(st.lists(st.sampled_from(SIMPLE), max_size=4, unique=True))
            named = [_node_named(draw, names, depth) for _ in range(draw(st.integers(not simple, 2)))]
            return draw(st.permutations([*simple, *named]))
        case kind:
            return kind


def _node_named(draw: st.DrawFn, names: _Names, depth: int) -> Any:
    return _record(draw, names, depth - 1) if draw(st.booleans()) else names.new({"type": "fixed", "size": 3})


def message(draw: st.DrawFn, schema: Any) -> bytes:
    """Draw the bytes of a record."""
    names: dict[str, Any] = {}
    _define(schema, names)
    return _bytes(draw, schema, names)


def _define(node: Any, names: dict[str, Any]) -> None:
    if isinstance(node, list):
        for branch in node:
            _define(branch, names)
    elif isinstance(node, dict):
        if "name" in node:
            names[node["name"]] = node
        for inner in (node.get("items"), node.get("values"), *(each["type"] for each in node.get("fields", ()))):
            _define(inner, names)


def _bytes(draw: st.DrawFn, node: Any, names: dict[str, Any]) -> bytes:
    if isinstance(node, list):
        branch = draw(st.integers(0, len(node) - 1))
        return number(branch) + _bytes(draw, node[branch], names)
    match names.get(node, node) if isinstance(node, str) else node:
        case "null":
            return b""
        case "boolean":
            return bytes([draw(st.booleans())])
        case "int":
            return number(draw(INTS))
        case "long":
            return number(draw(LONGS))
        case "float":
            return struct.pack("<f", draw(st.floats(width=32)))
        case "double":
            return struct.pack("<d", draw(st.floats()))
        case "bytes":
            return sized(draw(st.binary(max_size=9)))
        case "string":
            return sized(draw(st.text(max_size=5)).encode())
        case {"type": "enum", "symbols": symbols}:
            return number(draw(st.integers(0, len(symbols) - 1)))
        case {"type": "fixed", "size": size}:
            return draw(st.binary(min_size=size, max_size=size))
        case {"type": "record", "fields": fields}:
            return b"".join(_bytes(draw, each["type"], names) for each in fields)
        case {"type": "array", "items": items}:
            return _blocks(draw, lambda: _bytes(draw, items, names))
        case {"type": "map", "values": values}:
            return _blocks(draw, lambda: sized(draw(st.text(max_size=3)).encode()) + _bytes(draw, values, names))
        case other:
            raise AssertionError(other)


def _blocks(draw: st.DrawFn, item: Any) -> bytes:
    out = b""
    for _ in range(draw(st.integers(0, 2))):
        n = draw(st.integers(1, 3))
        items = b"".join(item() for _ in range(n))
        out += (number(-n) + number(len(items)) if draw(st.booleans()) else number(n)) + items
    return out + number(0)
