"""From an Avro writer schema and a list of wanted values to a *plan*: a short program, held in arrays, that walks messages.

`adapters.codecs.alerts.avro_kernel` runs every plan, so a new schema costs no compilation. Most of a record are numbers of a
fixed size that may be null: a run of those is one instruction, with a row of a table for each.

Encoding: Avro 1.11 specification, "Binary encoding".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_DEPTH = 32
"""Most arrays and maps inside one another."""

MAX_NODES = 20_000
"""Most values that a schema may spell out, its references followed; LSST's have about 500."""

MAX_FIXED = 1 << 30
"""Most bytes of a value of fixed size: no message is as long."""

MAX_BRANCHES = 64
"""Most branches of a union: the number of each then has one byte."""


class PlanImpossible(ValueError):
    """The kernel cannot walk such a schema; fastavro has to read it."""


class WrongKind(ValueError):
    """A wanted value is not of the wanted kind, so nobody can read it."""


MISSING = -(2**63)
"""What a column of whole numbers holds where nothing is stated; one of numbers holds NaN."""


class Fault(IntEnum):
    """Why the bytes of a message do not fit its schema."""

    NONE = 0
    ENDS_EARLY = 1
    """It ends inside a number, an array or a fixed run of bytes."""

    LENGTH = 2
    """A text claims a length below zero or beyond the end."""

    VALUE = 3
    """A truth value, an enumeration or a whole number is none that the schema allows."""

    BRANCH = 4
    """A union chooses a branch that does not exist, or names it in more than one byte."""

    CLAIM = 5
    """An array claims more items than the bytes can hold."""

    TRAILING = 6
    """Bytes follow the end of the record."""

    UNREADABLE = 7
    """fastavro refuses it, where there is no plan."""


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


class Op(IntEnum):
    """Instructions; each is a row of `Plan.code`: the instruction and up to five operands."""

    END = 0
    JUMP = 1
    """To."""

    RUN = 2
    """First row of the table, how many, bytes behind the last, most bytes that all need."""

    VARINT = 3
    """Most bytes, largest last byte: a whole number that nobody wants."""

    SIZED = 4
    """Text or bytes that nobody wants."""

    BOOLEAN = 5
    INDEX = 6
    """How many symbols: an enumeration."""

    OPTION = 7
    """Byte that says "value", byte that says "null", where to go on for the latter."""

    UNION = 8
    """First row of the table, how many: where to go on for each branch."""

    ITEMS = 9
    """Where its `NEXT` is."""

    NEXT = 10
    """Where an item begins, fewest bytes of an item, column of the count or -1."""

    READ_VARINT = 11
    """Column, most bytes, largest last byte."""

    READ_BOOLEAN = 12
    """Column."""

    READ_SIZED = 13
    """Column of the position; that of the length is the next."""

    READ_FLOAT = 14
    """Column."""

    READ_DOUBLE = 15
    LEAST_FLOAT = 16
    LEAST_DOUBLE = 17


WIDTH = 6
"""Numbers in a row of `Plan.code`."""

_VARINTS = {"int": (5, 0x0F), "long": (10, 0x01)}
"""Most bytes and largest last byte of a zigzag number of 32 and of 64 bits."""

_FIXED = {"float": 4, "double": 8}
_PRIMITIVE = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
_KINDS = {
    As.INTEGER: {"int", "long"},
    As.NUMBER: {"float", "double"},
    As.FLAG: {"boolean"},
    As.TEXT: {"string", "bytes"},
    As.LEAST: {"float", "double"},
    As.COUNT: {"array"},
}
_INTEGERS = (As.INTEGER, As.FLAG, As.TEXT, As.COUNT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What the kernel needs to walk the messages of one schema; the arrays are read-only."""

    code: NDArray[np.int64]
    """Instructions, shape ``(n, WIDTH)``, the last is `Op.END`."""

    table: NDArray[np.int64]
    """Rows that instructions point to, shape ``(n, 4)``. Of a run: bytes before the tag, tag of null, bytes of the value, and the
    bits that its first byte may not have. Of a union: where to go on."""

    within: NDArray[np.float64]
    """For each column of numbers the least and the largest that count, shape ``(n, 2)``."""

    integers: Mapping[str, int]
    """Name to column of those of int64; of a text that of its position."""

    numbers: Mapping[str, int]
    """Name to column of those of float64."""

    n_integers: int
    depth: int
    """Most arrays and maps inside one another."""

    paths: tuple[str, ...]
    """For each instruction the path that it stands at, for sentences."""


def settle(schema: Any, wants: Sequence[Want]) -> tuple[Want, ...]:
    """Return the wants with the one path that a schema has, or none."""
    names: dict[str, Any] = {}
    _define(schema, names)
    present = _present(schema, names)
    return tuple(replace(want, paths=tuple(path for path in want.paths if path in present)[:1]) for want in wants)


def make_plan(schema: Any, wants: Sequence[Want], *, to_the_end: bool = True) -> Plan:
    """Return the plan for a schema.

    Parameters
    ----------
    schema
        In parsing canonical form.
    wants
        What to bring, as `settle` returns it; one without a path gives a column where all is missing.
    to_the_end
        Walk the whole message; else stop behind the last wanted value.

    Raises
    ------
    PlanImpossible
        The schema is recursive, has array items that may take no bytes, unions of unions or too many branches.
    WrongKind
        A wanted value is of another kind, or a single one of many.
    """
    names: dict[str, Any] = {}
    _define(schema, names)
    wanted: dict[str, list[Want]] = {}
    for want in wants:
        for path in want.paths:
            wanted.setdefault(path, []).append(want)
    root = schema if to_the_end else _leading(schema, "", frozenset(wanted), names)
    builder = _Builder(names=names, wanted=wanted)
    for want in wants:
        builder.add_column(want)
    builder.value(root, "", 0)
    builder.op(Op.END, "")
    return builder.plan()


def leading_schema(schema: Any, wants: Sequence[Want]) -> Any:
    """Return a schema that ends with the last wanted value, as `settle` returns them: fastavro then reads no more than that.

    References are spelled out and named types have new names, because a type may be cut in one place and whole in another.
    """
    names: dict[str, Any] = {}
    _define(schema, names)
    leading = _leading(schema, "", frozenset(path for want in wants for path in want.paths), names)
    return _spelled_out(leading, names, count())


def _spelled_out(node: Any, names: Mapping[str, Any], numbers: Iterator[int]) -> Any:
    node = _resolved(node, names)
    if isinstance(node, list):
        return [_spelled_out(branch, names, numbers) for branch in node]
    own = {**node}
    if "name" in own:
        own["name"] = f"type{next(numbers)}"
    for key in ("items", "values"):
        if key in own:
            own[key] = _spelled_out(own[key], names, numbers)
    if "fields" in own:
        own["fields"] = [{**each, "type": _spelled_out(each["type"], names, numbers)} for each in own["fields"]]
    return own


def _define(node: Any, names: dict[str, Any]) -> None:
    """Collect named types."""
    if isinstance(node, list):
        for branch in node:
            _define(branch, names)
    elif isinstance(node, dict):
        if isinstance(node.get("name"), str):
            names[node["name"]] = node
        for key in ("type", "items", "values"):
            if isinstance(node.get(key), dict | list):
                _define(node[key], names)
        for each in node.get("fields", ()):
            _define(each["type"], names)


def _resolved(node: Any, names: Mapping[str, Any]) -> Any:
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


def _join(path: str, name: str) -> str:
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
        node = _resolved(node, names)
        if isinstance(node, list):
            for branch in node:
                visit(branch, path, depth + 1)
            return
        for each in node.get("fields", ()):
            visit(each["type"], None if path is None else _join(path, each["name"]), depth + 1)
        if "items" in node:
            visit(node["items"], path, depth + 1)
        if "values" in node:
            visit(node["values"], None, depth + 1)

    visit(schema, "", 0)
    return found


def _leading(node: Any, path: str, wanted: frozenset[str], names: Mapping[str, Any]) -> Any:
    """Return a schema without the fields behind the last wanted one; what is inside of arrays stays whole."""
    node = _resolved(node, names)
    if isinstance(node, list):
        return [_leading(branch, path, wanted, names) for branch in node]
    if node["type"] not in ("record", "error"):
        return node
    kept = [
        n
        for n, each in enumerate(node["fields"])
        if any(one == (inner := _join(path, each["name"])) or one.startswith(f"{inner}.") for one in wanted)
    ]
    if not kept:
        return {**node, "fields": []}
    last = node["fields"][kept[-1]]
    end = {**last, "type": _leading(last["type"], _join(path, last["name"]), wanted, names)}
    return {**node, "fields": [*node["fields"][: kept[-1]], end]}


@dataclass(slots=True, kw_only=True)
class _Builder:
    """A plan under construction."""

    names: Mapping[str, Any]
    wanted: Mapping[str, list[Want]]
    code: list[list[int]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    table: list[list[int]] = field(default_factory=list)
    within: list[tuple[float, float]] = field(default_factory=list)
    integers: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    n_integers: int = 0
    depth: int = 0
    run: list[list[int]] = field(default_factory=list)
    around: list[str] = field(default_factory=list)
    """Paths of the arrays and maps that are being written."""

    n_maps: int = 0
    """How many maps are among them."""

    run_path: str = ""
    before: int = 0
    """Bytes of numbers since the last row of `run`."""

    def plan(self) -> Plan:
        """Return what was built."""
        arrays = (
            np.array(self.code, dtype=np.int64),
            np.array(self.table, dtype=np.int64).reshape(-1, 4),
            np.array(self.within, dtype=np.float64).reshape(-1, 2),
        )
        for array in arrays:
            array.setflags(write=False)
        return Plan(
            code=arrays[0],
            table=arrays[1],
            within=arrays[2],
            integers=self.integers,
            numbers=self.numbers,
            n_integers=self.n_integers,
            depth=self.depth,
            paths=tuple(self.paths),
        )

    def add_column(self, want: Want) -> None:
        """Give a wanted value its place, whether the schema has it or not."""
        if want.kind in _INTEGERS:
            self.integers[want.name] = self.n_integers
            self.n_integers += 2 if want.kind is As.TEXT else 1
        else:
            self.numbers[want.name] = len(self.within)
            self.within.append(want.within)

    def op(self, op: Op, path: str, *operands: int) -> int:
        """Write an instruction and return its place."""
        self._end_run()
        return self._write(op, path, *operands)

    def _write(self, op: Op, path: str, *operands: int) -> int:
        self.code.append([op, *operands, *[0] * (WIDTH - 1 - len(operands))])
        self.paths.append(path)
        return len(self.code) - 1

    def here(self) -> int:
        """Return the place of the next instruction."""
        self._end_run()
        return len(self.code)

    def _end_run(self) -> None:
        if self.run or self.before:
            most = self.before + sum(row[0] + 1 + row[2] for row in self.run)
            start, self.table = len(self.table), [*self.table, *self.run]
            self._write(Op.RUN, self.run_path, start, len(self.run), self.before, most)
            self.run, self.before = [], 0

    def value(self, node: Any, path: str, level: int) -> None:
        """Write the instructions of one value; ``level`` counts the arrays around it, whose items have the path of the array."""
        node = _resolved(node, self.names)
        if isinstance(node, list):
            self._union(node, path, level)
            return
        kind = node["type"]
        if kind in ("record", "error"):
            self._check_none(kind, path)
            for each in node["fields"]:
                self.value(each["type"], _join(path, each["name"]), level)
        elif kind in ("array", "map"):
            self._items(node, path, level)
        elif (want := self._want(kind, path, level)) is not None:
            self._wanted(node, want, path)
        else:
            self._unwanted(node, path)

    def _wants_at(self, path: str) -> list[Want]:
        """Return what is wanted at a path; within maps nothing can be, and an array has been counted before its items."""
        if self.n_maps:
            return []
        wants = self.wanted.get(path, [])
        return [want for want in wants if want.kind is not As.COUNT] if path in self.around else list(wants)

    def _want(self, kind: str, path: str, level: int) -> Want | None:
        """Return what is wanted of a simple value."""
        wants = self._wants_at(path)
        if kind == "null" or not wants:
            return None
        want = wants[0]
        if len(wants) > 1 or kind not in _KINDS[want.kind]:
            raise WrongKind(f"{path} is a {kind} and cannot be read as {' and '.join(one.kind for one in wants)}")
        if (want.kind is As.LEAST) != (level > 0):
            raise WrongKind(f"{path} is one of many values" if level else f"{path} is no item of an array")
        return want

    def _check_none(self, kind: str, path: str) -> None:
        if self._wants_at(path):
            raise WrongKind(f"{path} is a {kind}, no single value")

    def _union(self, branches: list[Any], path: str, level: int) -> None:
        """Write an optional number as a row of a run, another optional value as `Op.OPTION`, and any other union as a jump."""
        kinds = [_resolved(branch, self.names) for branch in branches]
        if not 0 < len(kinds) <= MAX_BRANCHES or any(isinstance(one, list) for one in kinds):
            raise PlanImpossible(f"no plan for the union at {path}")
        nulls = [n for n, one in enumerate(kinds) if one["type"] == "null"]
        if len(kinds) != 2 or len(nulls) != 1:
            self._jumps(kinds, path, level)
            return
        null = nulls[0]
        value = kinds[1 - null]
        if (size := _size(value)) is not None and self._want(value["type"], path, level) is None:
            self.run_path = self.run_path if self.run or self.before else path
            self.run.append([self.before, 2 * null, size, 0xFE if value["type"] == "boolean" else 0])
            self.before = 0
            return
        at = self.op(Op.OPTION, path, 2 * (1 - null), 2 * null, 0)
        self.value(value, path, level)
        self.code[at][3] = self.here()

    def _jumps(self, kinds: list[Any], path: str, level: int) -> None:
        start = len(self.table) + len(self.run)
        self.op(Op.UNION, path, start, len(kinds))
        self.table += [[0, 0, 0, 0] for _ in kinds]
        ends = []
        for n, kind in enumerate(kinds):
            self.table[start + n][0] = self.here()
            self.value(kind, path, level)
            ends.append(self.op(Op.JUMP, path, 0))
        for end in ends:
            self.code[end][1] = self.here()

    def _items(self, node: Any, path: str, level: int) -> None:
        self.depth = max(self.depth, level + 1)
        if self.depth > MAX_DEPTH:
            raise PlanImpossible(f"{path} has more than {MAX_DEPTH} arrays inside one another")
        is_map = node["type"] == "map"
        inner = node["values"] if is_map else node["items"]
        if (least := is_map + _fewest_bytes(inner, self.names, 0)) < 1:
            raise PlanImpossible(f"the items of {path} may take no bytes")
        if is_map:
            self._check_none("map", path)
        counts = [want for want in self._wants_at(path) if want.kind is As.COUNT]
        if len(counts) > 1 or (path in self.around and any(want.kind is As.COUNT for want in self.wanted.get(path, ()))):
            raise WrongKind(f"{path} cannot be counted")
        column = self.integers[counts[0].name] if counts else -1
        at = self.op(Op.ITEMS, path, 0)
        if is_map:
            self.op(Op.SIZED, path)
        self.around.append(path)
        self.n_maps += is_map
        self.value(inner, path, level + 1)
        self.n_maps -= is_map
        self.around.pop()
        self.code[at][1] = self.op(Op.NEXT, path, at + 1, least, column)

    def _wanted(self, node: Any, want: Want, path: str) -> None:
        column = self.numbers[want.name] if want.name in self.numbers else self.integers[want.name]
        match node["type"]:
            case "int" | "long" as kind:
                self.op(Op.READ_VARINT, path, column, *_VARINTS[kind])
            case "boolean":
                self.op(Op.READ_BOOLEAN, path, column)
            case "float":
                self.op(Op.LEAST_FLOAT if want.kind is As.LEAST else Op.READ_FLOAT, path, column)
            case "double":
                self.op(Op.LEAST_DOUBLE if want.kind is As.LEAST else Op.READ_DOUBLE, path, column)
            case _:
                self.op(Op.READ_SIZED, path, column)

    def _unwanted(self, node: Any, path: str) -> None:
        match node["type"]:
            case "int" | "long" as kind:
                self.op(Op.VARINT, path, *_VARINTS[kind])
            case "boolean":
                self.op(Op.BOOLEAN, path)
            case "enum":
                self.op(Op.INDEX, path, len(node["symbols"]))
            case "float" | "double" | "fixed" | "null":
                self.run_path = self.run_path if self.run or self.before else path
                self.before += _size(node) or 0
            case _:
                self.op(Op.SIZED, path)


def _size(node: Any) -> int | None:
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


def _fewest_bytes(node: Any, names: Mapping[str, Any], depth: int) -> int:
    """Return how many bytes a value has at least."""
    if depth > 2 * MAX_DEPTH:
        raise PlanImpossible("no plan for a schema that contains itself")
    node = _resolved(node, names)
    if isinstance(node, list):
        return 1 + min((_fewest_bytes(branch, names, depth + 1) for branch in node), default=0)
    if node["type"] in ("record", "error"):
        return sum(_fewest_bytes(each["type"], names, depth + 1) for each in node["fields"])
    if node["type"] == "null":
        return 0
    return 1 if (size := _size(node)) is None else size
