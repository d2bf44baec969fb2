"""From an Avro writer schema and a list of wanted values to a *plan*: a short program, held in arrays, that walks messages.

`adapters.codecs.alerts.avro_kernel` runs every plan, so a new schema costs no compilation. Most of a record are numbers of a
fixed size that may be null: a run of those is one instruction, with a row of a table for each.

Encoding: Avro 1.11 specification, "Binary encoding".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.codecs.alerts.avro_schema import (
    MAX_DEPTH,
    As,
    PlanImpossible,
    Want,
    WrongKind,
    array_of,
    fewest_bytes,
    fixed_size,
    joined,
    named_types,
    resolved,
    without_rest,
)

MAX_BRANCHES = 64
"""Most branches of a union: the number of each then has one byte."""

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
    ITEM = 18
    """Number of the array: an item of it begins."""

    EACH_FLOAT = 19
    """Column of the values of items, number of the array; byte that says "value" or -1 where it cannot be null, byte that says
    "null". So are those behind it."""

    EACH_DOUBLE = 20
    EACH_BOOLEAN = 21
    EACH_SIZED = 22


WIDTH = 6
"""Numbers in a row of `Plan.code`."""

_VARINTS = {"int": (5, 0x0F), "long": (10, 0x01)}
"""Most bytes and largest last byte of a zigzag number of 32 and of 64 bits."""

_KINDS = {
    As.INTEGER: {"int", "long"},
    As.NUMBER: {"float", "double"},
    As.FLAG: {"boolean"},
    As.TEXT: {"string", "bytes"},
    As.LEAST: {"float", "double"},
    As.COUNT: {"array"},
    As.EACH: {"float", "double", "boolean", "string", "bytes"},
}
_EACH = {
    "float": Op.EACH_FLOAT,
    "double": Op.EACH_DOUBLE,
    "boolean": Op.EACH_BOOLEAN,
    "string": Op.EACH_SIZED,
    "bytes": Op.EACH_SIZED,
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
    each: Mapping[str, int]
    """Name to column of the values of items."""

    arrays: Mapping[str, int]
    """Path to number of each array of which values of items are wanted."""

    depth: int
    """Most arrays and maps inside one another."""

    paths: tuple[str, ...]
    """For each instruction the path that it stands at, for sentences."""


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
    names = named_types(schema)
    wanted: dict[str, list[Want]] = {}
    for want in wants:
        for path in want.paths:
            wanted.setdefault(path, []).append(want)
    root = schema if to_the_end else without_rest(schema, "", frozenset(wanted), names)
    builder = _Builder(names=names, wanted=wanted)
    for want in wants:
        builder.add_column(want)
    builder.value(root, "", 0)
    builder.op(Op.END, "")
    return builder.plan()


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
    each: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, int] = field(default_factory=dict)
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
            each=self.each,
            arrays=self.arrays,
            depth=self.depth,
            paths=tuple(self.paths),
        )

    def add_column(self, want: Want) -> None:
        """Give a wanted value its place, whether the schema has it or not."""
        if want.kind in _INTEGERS:
            self.integers[want.name] = self.n_integers
            self.n_integers += 2 if want.kind is As.TEXT else 1
        elif want.kind is As.EACH:
            self.each[want.name] = len(self.each)
            for path in want.paths:
                self.arrays.setdefault(array_of(path), len(self.arrays))
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
        node = resolved(node, self.names)
        if isinstance(node, list):
            self._union(node, path, level)
            return
        kind = node["type"]
        if kind in ("record", "error"):
            self._check_none(kind, path)
            for each in node["fields"]:
                self.value(each["type"], joined(path, each["name"]), level)
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
        if (want.kind in (As.LEAST, As.EACH)) != (level > 0):
            raise WrongKind(f"{path} is one of many values" if level else f"{path} is no item of an array")
        if want.kind is As.EACH and (level > 1 or array_of(path) != self.around[-1]):
            raise WrongKind(f"{path} is not right inside the items of one array")
        return want

    def _check_none(self, kind: str, path: str) -> None:
        if self._wants_at(path):
            raise WrongKind(f"{path} is a {kind}, no single value")

    def _union(self, branches: list[Any], path: str, level: int) -> None:
        """Write an optional number as a row of a run, another optional value as `Op.OPTION`, and any other union as a jump."""
        kinds = [resolved(branch, self.names) for branch in branches]
        if not 0 < len(kinds) <= MAX_BRANCHES or any(isinstance(one, list) for one in kinds):
            raise PlanImpossible(f"no plan for the union at {path}")
        nulls = [n for n, one in enumerate(kinds) if one["type"] == "null"]
        if len(kinds) != 2 or len(nulls) != 1:
            self._jumps(kinds, path, level)
            return
        null = nulls[0]
        value = kinds[1 - null]
        if (size := fixed_size(value)) is not None and self._want(value["type"], path, level) is None:
            self.run_path = self.run_path if self.run or self.before else path
            self.run.append([self.before, 2 * null, size, 0xFE if value["type"] == "boolean" else 0])
            self.before = 0
            return
        each = self._want(value["type"], path, level) if value["type"] in _EACH else None
        if each is not None and each.kind is As.EACH:
            self._each_value(value["type"], each, path, 2 * (1 - null), 2 * null)
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
        if (least := is_map + fewest_bytes(inner, self.names, 0)) < 1:
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
        elif level == 0 and path in self.arrays:
            self.op(Op.ITEM, path, self.arrays[path])
        self.around.append(path)
        self.n_maps += is_map
        self.value(inner, path, level + 1)
        self.n_maps -= is_map
        self.around.pop()
        self.code[at][1] = self.op(Op.NEXT, path, at + 1, least, column)

    def _wanted(self, node: Any, want: Want, path: str) -> None:
        if want.kind is As.EACH:
            self._each_value(node["type"], want, path, -1, -1)
            return
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

    def _each_value(self, kind: str, want: Want, path: str, value: int, null: int) -> None:
        self.op(_EACH[kind], path, self.each[want.name], self.arrays[array_of(path)], value, null)

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
                self.before += fixed_size(node) or 0
            case _:
                self.op(Op.SIZED, path)
