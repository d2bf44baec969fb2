"""What may be wanted of an Avro schema, and finding one's way through it: references, paths of names, fewest bytes.

Schemas are in parsing canonical form (Avro 1.11 specification, "Parsing Canonical Form").
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from typing import Any

import numpy as np

MAX_DEPTH = 32
"""Most arrays and maps inside one another."""

MAX_NODES = 20_000
"""Most values that a schema may spell out, its references followed; LSST's have about 500."""

MAX_FIXED = 1 << 30
"""Most bytes of a value of fixed size: no message is as long."""


class PlanImpossible(ValueError):
    """The kernel cannot walk such a schema; fastavro has to read it."""


class WrongKind(ValueError):
    """A wanted value is not of the wanted kind, so nobody can read it."""


class As(StrEnum):
    """What a wanted value becomes."""

    INTEGER = "integer"
    """A column of int64."""

    NUMBER = "number"
    """A column of float64."""

    FLAG = "flag"
    """A column of int64: 0, 1."""

    TEXT = "text"
    """A string or bytes: a column of int64 with the position of the first byte, and one with the number of bytes."""

    COUNT = "count"
    """How many items the array at the path has, int64; those of all such arrays together where it lies in an array."""

    LEAST = "least"
    """The least of the numbers at the path, which lies inside an array, float64; those outside of `Want.within` do not count."""

    EACH = "each"
    """The value of each item of an array, at a path right inside of the items: one column of float64 for the items of all
    messages, NaN where nothing is stated. A truth value is 0 or 1, a text of one byte that byte, a longer one nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A value that a plan shall bring."""

    name: str
    """Of the column."""

    paths: tuple[str, ...]
    """Dotted paths of names, such as ``diaSource.ra``; of several, versions of a schema have one each."""

    kind: As
    within: tuple[float, float] = (-np.inf, np.inf)
    """Both ends belong to it."""


_FIXED = {"float": 4, "double": 8}
_PRIMITIVE = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


def array_of(path: str) -> str:
    """Return the array in whose items a value lies that is wanted `As.EACH`."""
    return path.rpartition(".")[0]


def settle(schema: Any, wants: Sequence[Want]) -> tuple[Want, ...]:
    """Return the wants with the one path that a schema has, or none.

    Raises
    ------
    PlanImpossible
        The schema contains itself, or spells out more than `MAX_NODES` values.
    """
    names = named_types(schema)
    present = _present(schema, names)
    return tuple(replace(want, paths=tuple(path for path in want.paths if path in present)[:1]) for want in wants)


def leading_schema(schema: Any, wants: Sequence[Want]) -> Any:
    """Return a schema that ends with the last wanted value, as `settle` returns them: fastavro then reads no more than that.

    References are spelled out and named types have new names, because a type may be cut in one place and whole in another.
    """
    names = named_types(schema)
    leading = without_rest(schema, "", frozenset(path for want in wants for path in want.paths), names)
    return _spelled_out(leading, names, count())


def _spelled_out(node: Any, names: Mapping[str, Any], numbers: Iterator[int]) -> Any:
    node = resolved(node, names)
    if isinstance(node, list):
        return [_spelled_out(branch, names, numbers) for branch in node]
    if node["type"] in _PRIMITIVE:
        return node["type"]  # which fastavro reads three times as fast as the same in a mapping
    own = {**node}
    if "name" in own:
        own["name"] = f"type{next(numbers)}"
    for key in ("items", "values"):
        if key in own:
            own[key] = _spelled_out(own[key], names, numbers)
    if "fields" in own:
        own["fields"] = [{**each, "type": _spelled_out(each["type"], names, numbers)} for each in own["fields"]]
    return own


def named_types(schema: Any) -> dict[str, Any]:
    """Return the named types that a schema defines."""
    names: dict[str, Any] = {}
    _collect(schema, names)
    return names


def _collect(node: Any, names: dict[str, Any]) -> None:
    if isinstance(node, list):
        for branch in node:
            _collect(branch, names)
    elif isinstance(node, dict):
        if isinstance(node.get("name"), str):
            names[node["name"]] = node
        for key in ("type", "items", "values"):
            if isinstance(node.get(key), dict | list):
                _collect(node[key], names)
        for each in node.get("fields", ()):
            _collect(each["type"], names)


def resolved(node: Any, names: Mapping[str, Any]) -> Any:
    """Return a node that is no reference, and of which ``type`` is a name."""
    for _ in range(MAX_DEPTH):
        if isinstance(node, list):
            return node
        kind = node if isinstance(node, str) else node.get("type")
        if isinstance(kind, dict | list):
            node = kind
        elif kind in _PRIMITIVE or kind in ("record", "error", "array", "map", "enum", "fixed"):
            return {"type": kind} if isinstance(node, str) else node
        elif kind in names:
            node = names[kind]
        else:
            raise PlanImpossible(f"no plan for the Avro type {str(kind)[:60]!r}")
    raise PlanImpossible("no plan for types that name one another")


def joined(path: str, name: str) -> str:
    """Return the path of a field."""
    return f"{path}.{name}" if path else name


def _present(schema: Any, names: Mapping[str, Any]) -> set[str]:
    """Return all paths of a schema, but for those inside of maps; items of arrays have that of the array."""
    found: set[str] = set()
    visits = count()

    def visit(node: Any, path: str | None, depth: int) -> None:
        if depth > 2 * MAX_DEPTH:
            raise PlanImpossible("no plan for a schema that contains itself")
        if next(visits) > MAX_NODES:
            raise PlanImpossible(f"no plan for a schema of more than {MAX_NODES} values")
        if path is not None:
            found.add(path)
        node = resolved(node, names)
        if isinstance(node, list):
            for branch in node:
                visit(branch, path, depth + 1)
            return
        for each in node.get("fields", ()):
            visit(each["type"], None if path is None else joined(path, each["name"]), depth + 1)
        if "items" in node:
            visit(node["items"], path, depth + 1)
        if "values" in node:
            visit(node["values"], None, depth + 1)

    visit(schema, "", 0)
    return found


def without_rest(node: Any, path: str, wanted: frozenset[str], names: Mapping[str, Any]) -> Any:
    """Return a schema without the fields behind the last wanted one; what is inside of arrays stays whole."""
    node = resolved(node, names)
    if isinstance(node, list):
        return [without_rest(branch, path, wanted, names) for branch in node]
    if node["type"] not in ("record", "error"):
        return node
    kept = [
        n
        for n, each in enumerate(node["fields"])
        if any(one == (inner := joined(path, each["name"])) or one.startswith(f"{inner}.") for one in wanted)
    ]
    if not kept:
        return {**node, "fields": []}
    last = node["fields"][kept[-1]]
    end = {**last, "type": without_rest(last["type"], joined(path, last["name"]), wanted, names)}
    return {**node, "fields": [*node["fields"][: kept[-1]], end]}


def fixed_size(node: Any) -> int | None:
    """Return the bytes of a value that always has the same number of them, None for another."""
    match node["type"]:
        case "boolean":
            return 1
        case "float" | "double" as kind:
            return _FIXED[kind]
        case "fixed":
            if not 0 <= int(node["size"]) <= MAX_FIXED:
                raise PlanImpossible(f"no plan for values of {int(node['size'])} bytes")
            return int(node["size"])
        case _:
            return None


def fewest_bytes(node: Any, names: Mapping[str, Any], depth: int) -> int:
    """Return how many bytes a value has at least."""
    if depth > 2 * MAX_DEPTH:
        raise PlanImpossible("no plan for a schema that contains itself")
    node = resolved(node, names)
    if isinstance(node, list):
        return 1 + min((fewest_bytes(branch, names, depth + 1) for branch in node), default=0)
    if node["type"] in ("record", "error"):
        return sum(fewest_bytes(each["type"], names, depth + 1) for each in node["fields"])
    if node["type"] == "null":
        return 0
    return 1 if (size := fixed_size(node)) is None else size
