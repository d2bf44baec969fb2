"""Columns straight from Avro bytes: a few values of each message of a batch, without building a record for any.

`Projector` runs a plan (`adapters.codecs.alerts.avro_plan`) in the compiled kernel (`adapters.codecs.alerts.avro_kernel`). Where
a schema has no plan, or the machine is not like those that the kernel is for, it reads with fastavro and gives the same.

The kernel is stricter than fastavro, which takes any byte for a truth value, negative numbers of union branches and of symbols,
numbers of branches in any length, and whole numbers of more than their 32 or 64 bits: here each is a fault. It is milder in one
thing: a text that is no UTF-8 is brought as it is.
"""

import ctypes
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Self

import fastavro
import numpy as np
from fastavro.schema import parse_schema
from numpy.typing import NDArray

from adapters.codecs.alerts.avro_plan import MISSING, Fault, Op, Plan, make_plan
from adapters.codecs.alerts.avro_schema import As, PlanImpossible, Want, array_of, leading_schema, settle
from hub.model.alert import Words

LONGEST_WORD = 200
"""Bytes after which a text is cut that becomes one of `Words`; what a survey writes has a few."""

LEAST_ROOM = 256
"""Items of arrays for whose values there is room at first."""

_HEADER_OF_BYTES = bytes.__basicsize__ - 1
"""Bytes of a bytes object before its content, which ends in a zero that the size counts."""

_HAS_KERNEL = sys.byteorder == "little" and ctypes.sizeof(ctypes.c_void_p) == 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Messages:
    """Bytes of many messages where they lie in memory."""

    payloads: Sequence[bytes]
    """Keeps the memory alive; `rows` says which of them are meant."""

    rows: NDArray[np.intp]
    skipped: int
    """Bytes of each that do not count, at its beginning."""

    addresses: NDArray[np.int64]
    """Of the first byte that counts, shape ``(n,)``."""

    lengths: NDArray[np.int64]
    """Bytes that count, shape ``(n,)``."""

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, payloads: Sequence[bytes]) -> Self:
        """Return messages; nothing is copied."""
        n = len(payloads)
        return cls(
            payloads=payloads,
            rows=np.arange(n),
            skipped=0,
            addresses=_addresses(payloads),
            lengths=np.fromiter(map(len, payloads), dtype=np.int64, count=n),
        )

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return those of an index or mask."""
        return type(self)(
            payloads=self.payloads,
            rows=self.rows[index],
            skipped=self.skipped,
            addresses=self.addresses[index],
            lengths=self.lengths[index],
        )

    def behind(self, n_bytes: int) -> Self:
        """Return what follows after some bytes, which all of them have."""
        return type(self)(
            payloads=self.payloads,
            rows=self.rows,
            skipped=self.skipped + n_bytes,
            addresses=self.addresses + n_bytes,
            lengths=self.lengths - n_bytes,
        )

    def body(self, row: int) -> bytes:
        """Return the bytes of one that count."""
        return self.payloads[int(self.rows[row])][self.skipped :]

    def piece(self, row: int, start: int, size: int) -> bytes:
        """Return some of the bytes of one that count."""
        return self.payloads[int(self.rows[row])][self.skipped + start : self.skipped + start + size]

    def schema_ids(self) -> NDArray[np.int64]:
        """Return the number of the schema of each in Confluent framing; -1 for what has no such header, or nothing behind it."""
        from adapters.codecs.alerts import avro_kernel  # noqa: PLC0415 - compiled code that only those who read alerts pay for

        ids = np.empty(len(self), dtype=np.int64)
        avro_kernel.schema_ids(self.addresses, self.lengths, ids)
        return ids


def _addresses(payloads: Sequence[bytes]) -> NDArray[np.int64]:
    """Return where the bytes lie.

    In CPython they follow the header of their object, whose address is its identity: 40 ns each. That is not promised, so it is
    verified on one of them, and ctypes, which takes ten times as long, is asked where it does not hold.
    """
    n = len(payloads)
    if not n:
        return np.zeros(0, dtype=np.int64)
    if set(map(type, payloads)) != {bytes}:
        raise TypeError("only bytes can be read where they lie")
    found = np.fromiter(map(id, payloads), dtype=np.int64, count=n) + _HEADER_OF_BYTES
    if found[-1] != ctypes.cast(ctypes.c_char_p(payloads[-1]), ctypes.c_void_p).value:
        return np.frombuffer(memoryview((ctypes.c_char_p * n)(*payloads)).cast("B"), dtype=np.int64)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """What was found in some messages; columns have the shape ``(n,)`` and are meaningless in rows that have a fault."""

    messages: Messages
    faults: NDArray[np.int64]
    """`Fault` of each."""

    ends: NDArray[np.int64]
    """Position behind the last byte that was read."""

    integers: Mapping[str, NDArray[np.int64]]
    """Whole numbers, truth values and counts by name, `MISSING` where nothing is stated."""

    numbers: Mapping[str, NDArray[np.float64]]
    """Numbers by name, NaN where nothing is stated."""

    positions: Mapping[str, NDArray[np.int64]]
    """Of the first byte of texts, by name."""

    sizes: Mapping[str, NDArray[np.int64]]
    """Bytes of texts, by name; -1 where nothing is stated."""

    each: Mapping[str, NDArray[np.float64]]
    """Values of the items of arrays by name, those of all messages one behind the other; none where the schema has them not."""

    items: Mapping[str, NDArray[np.int64]]
    """By the same names the index of the first item of each message, and how many there are: shape ``(n + 1,)``."""

    memory: Messages
    """What `positions` point into."""

    places: Mapping[int, str]
    """Row that has a fault to the path of it, or to the whole sentence where fastavro gave one."""

    def text(self, name: str, row: int) -> bytes | None:
        """Return one text."""
        size = int(self.sizes[name][row])
        return None if size < 0 else self.memory.piece(row, int(self.positions[name][row]), size)

    def short_texts(self, name: str, width: int) -> NDArray[np.uint8]:
        """Return the bytes of texts, cut at a width, zeros behind them; shape ``(n, width)``."""
        out = np.zeros((len(self.faults), width), dtype=np.uint8)
        if len(out):
            from adapters.codecs.alerts import avro_kernel  # noqa: PLC0415 - as in `schema_ids`

            # Even where a later byte of the message is bad, what was noted of a text before lies inside it.
            avro_kernel.copy_texts(self.memory.addresses, self.positions[name], self.sizes[name], out)
        return out

    def words(self, name: str, index: NDArray[np.intp]) -> Words:
        """Return the texts of some rows without a fault as a column of few different ones; nothing stated is an empty text."""
        n = len(index)
        if not n:
            return Words.constant("", 0)
        from adapters.codecs.alerts import avro_kernel  # noqa: PLC0415 - as in `schema_ids`

        codes, firsts = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        slots = np.full(2 << n.bit_length(), -1, dtype=np.int64)
        sizes = np.minimum(self.sizes[name][index], LONGEST_WORD)
        n_found = avro_kernel.code_texts(self.memory.addresses[index], self.positions[name][index], sizes, codes, firsts, slots)
        found = [(self.text(name, int(index[first])) or b"")[:LONGEST_WORD] for first in firsts[:n_found]]
        return Words(codes.astype(np.int32), tuple(text.decode("utf-8", "replace") for text in found))

    def sentence(self, row: int) -> str | None:
        """Return what is wrong with a message, None for one that fits."""
        path = self.places.get(row, "")
        match Fault(int(self.faults[row])):
            case Fault.NONE:
                return None
            case Fault.ENDS_EARLY:
                return f"the Avro body ends early, inside {path}"
            case Fault.LENGTH:
                return f"the Avro body is cut off inside {path}, a text or an image"
            case Fault.VALUE:
                return f"{path} holds a value that its schema does not allow"
            case Fault.BRANCH:
                return f"{path} chooses a union branch that does not exist"
            case Fault.CLAIM:
                return f"{path} claims more items than the {self.messages.lengths[row] - self.ends[row]} bytes behind it can hold"
            case Fault.TRAILING:
                return f"{self.messages.lengths[row] - self.ends[row]} bytes follow the end of the packet"
            case Fault.UNREADABLE:
                return path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projector:
    """Reads the wanted values of messages of one schema."""

    schema: Any
    """As fastavro wants it; ends with the last wanted value where no more is read."""

    wants: tuple[Want, ...]
    to_the_end: bool
    """Whether messages are read to the end, so that none may have bytes behind it."""

    plan: Plan | None
    """None where only fastavro can read them."""

    def project(self, messages: Messages) -> Projection:
        """Return what is wanted of each message; a bad one has a fault and does not stop the others."""
        return self._run(messages, to_the_end=self.to_the_end)

    def end_of(self, data: bytes, position: int) -> tuple[int, str | None]:
        """Return the position behind the record that begins at one, and what is wrong with it, as records of a block follow."""
        found = self._run(Messages.of([data]).behind(position), to_the_end=False)
        return position + int(found.ends[0]), found.sentence(0)

    def _run(self, messages: Messages, *, to_the_end: bool) -> Projection:
        if self.plan is None or not _HAS_KERNEL:
            return project_plainly(self.schema, self.wants, messages, to_the_end=to_the_end)
        return _run_plan(self.plan, self.wants, messages, to_the_end=to_the_end)


def warm_up() -> None:
    """Load the kernel, or compile it the first time on a machine, where it can run; else the first packets would wait for it."""
    if _HAS_KERNEL:
        from adapters.codecs.alerts import avro_kernel  # noqa: F401, PLC0415 - as in `schema_ids`


def make_projector(schema: Any, wants: Sequence[Want], *, to_the_end: bool = True) -> Projector:
    """Return what reads the wanted values out of messages of a schema, which is in parsing canonical form and not recursive.

    Raises
    ------
    WrongKind
        A wanted value is of another kind, or a single one of many.
    """
    settled = settle(schema, wants)
    try:
        plan = make_plan(schema, settled, to_the_end=to_the_end)
    except PlanImpossible:
        plan = None
    read = schema if to_the_end else leading_schema(schema, settled)
    return Projector(schema=parse_schema(json.loads(json.dumps(read))), wants=settled, to_the_end=to_the_end, plan=plan)


def _run_plan(plan: Plan, wants: Sequence[Want], messages: Messages, *, to_the_end: bool) -> Projection:
    from adapters.codecs.alerts import avro_kernel  # noqa: PLC0415 - as in `schema_ids`

    n = len(messages)
    integers = np.full((plan.n_integers, n), MISSING, dtype=np.int64)
    numbers = np.full((len(plan.within), n), np.nan)
    faults, places, ends = (np.empty(n, dtype=np.int64) for _ in range(3))
    each, items = np.full((len(plan.each), max(LEAST_ROOM, 2 * n)), np.nan), np.zeros((len(plan.arrays), n + 1), dtype=np.int64)
    program = (plan.code, plan.table, plan.within, plan.depth, to_the_end)
    begin = 0
    while True:
        columns = (integers, numbers, faults, places, ends, begin, each, items)
        begin = avro_kernel.walk(messages.addresses, messages.lengths, *program, *columns)
        if begin == n:
            break
        integers[:, begin], numbers[:, begin] = MISSING, np.nan  # this one was read in part
        for want in (want for want in wants if want.kind is As.EACH and want.paths):
            each[plan.each[want.name], items[plan.arrays[array_of(want.paths[0])], begin] :] = np.nan
        each = np.concatenate([each, np.full((len(each), 3 * each.shape[1]), np.nan)], axis=1)
    texts = {want.name: plan.integers[want.name] for want in wants if want.kind is As.TEXT}
    no_items = np.zeros(n + 1, dtype=np.int64)
    of_name = {
        want.name: items[plan.arrays[array_of(want.paths[0])]] if want.paths else no_items
        for want in wants
        if want.kind is As.EACH
    }
    bad = np.flatnonzero(faults).tolist()
    return Projection(
        messages=messages,
        faults=faults,
        ends=ends,
        integers={name: integers[column] for name, column in plan.integers.items() if name not in texts},
        numbers={name: numbers[column] for name, column in plan.numbers.items()},
        each={name: each[plan.each[name], : own[-1]] for name, own in of_name.items()},
        items=of_name,
        positions={name: integers[column] for name, column in texts.items()},
        sizes={name: np.maximum(integers[column + 1], -1) for name, column in texts.items()},
        memory=messages,
        places={row: _place(plan, int(places[row])) for row in bad},
    )


def _place(plan: Plan, instruction: int) -> str:
    path = plan.paths[instruction] or "the record"
    return f"{path} or a field behind it" if plan.code[instruction, 0] == Op.RUN else path


# ------------------------------------------------------------------------------------------------------------ with fastavro


def project_plainly(schema: Any, wants: Sequence[Want], messages: Messages, *, to_the_end: bool) -> Projection:
    """Return the same as a plan, by decoding each message with fastavro.

    Parameters
    ----------
    schema
        As fastavro wants it, without logical types.
    wants
        What to bring.
    messages
        The messages.
    to_the_end
        Whether bytes behind the record are a fault.
    """
    n = len(messages)
    found = _Found(n=n, wants=wants)
    faults, ends, places = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), {}
    texts: list[bytes] = []
    for row in range(n):
        data = BytesIO(messages.body(row))
        try:
            record = fastavro.schemaless_reader(data, schema, None, handle_unicode_errors="surrogateescape")
            texts.append(found.add(row, record))
        except Exception as error:  # noqa: BLE001 - fastavro has no base error
            faults[row], places[row] = Fault.UNREADABLE, f"the packet cannot be decoded ({type(error).__name__})"
            texts.append(b"")
            continue
        ends[row] = data.tell()
        if to_the_end and ends[row] != messages.lengths[row]:
            faults[row] = Fault.TRAILING
    return Projection(
        messages=messages,
        faults=faults,
        ends=ends,
        integers=found.integers,
        numbers=found.numbers,
        each={name: np.array(values, dtype=np.float64) for name, values in found.each.items()},
        items={name: np.cumsum(counts) for name, counts in found.counts.items()},
        positions=found.positions,
        sizes=found.sizes,
        memory=Messages.of(texts),
        places=places,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Columns that records fill one by one."""

    n: int
    wants: Sequence[Want]
    integers: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    positions: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    sizes: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    each: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Items of each message, behind a zero."""

    def __post_init__(self) -> None:
        for want in self.wants:
            match want.kind:
                case As.TEXT:
                    self.positions[want.name] = np.zeros(self.n, dtype=np.int64)
                    self.sizes[want.name] = np.full(self.n, -1, dtype=np.int64)
                case As.EACH:
                    self.each[want.name], self.counts[want.name] = [], np.zeros(self.n + 1, dtype=np.int64)
                case As.NUMBER | As.LEAST:
                    self.numbers[want.name] = np.full(self.n, np.nan)
                case As.INTEGER | As.FLAG | As.COUNT:
                    self.integers[want.name] = np.full(self.n, MISSING, dtype=np.int64)

    def add(self, row: int, record: Any) -> bytes:
        """Fill a row, and return its texts one behind the other."""
        texts = b""
        for want in self.wants:
            if want.kind is As.EACH:
                for path in want.paths:
                    *array, leaf = path.split(".")
                    found = [_number_of(item, leaf) for item in _items(record, array)]
                    self.each[want.name] += found
                    self.counts[want.name][row + 1] = len(found)
                continue
            values = [value for path in want.paths for value in _values(record, path.split("."), want.kind)]
            match want.kind:
                case As.TEXT:
                    for value in values:
                        text = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
                        self.positions[want.name][row], self.sizes[want.name][row] = len(texts), len(text)
                        texts += text
                case As.COUNT:
                    self.integers[want.name][row] = sum(map(len, values)) if values else MISSING
                case As.LEAST:
                    counted = [value for value in values if want.within[0] <= value <= want.within[1]]
                    self.numbers[want.name][row] = min(counted, default=np.nan)
                case As.NUMBER:
                    self.numbers[want.name][row] = values[0] if values else np.nan
                case As.INTEGER | As.FLAG:
                    self.integers[want.name][row] = values[0] if values else MISSING
        return texts


def _items(value: Any, path: Sequence[str]) -> Sequence[Any]:
    """Return the items of an array that does not lie in another one."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, list) else ()


def _number_of(item: Any, name: str) -> float:
    """Return a value of an item as `As.EACH` says."""
    value = item.get(name) if isinstance(item, Mapping) else None
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return float(value[0]) if len(value) == 1 else np.nan
    return np.nan if value is None else float(value)


def _values(value: Any, path: Sequence[str], kind: As) -> Iterator[Any]:
    """Yield what stands at a path, null left out; where it leads through an array, that of each item."""
    if isinstance(value, list) and not (kind is As.COUNT and not path):
        for item in value:
            yield from _values(item, path, kind)
    elif isinstance(value, Mapping) and path:
        if path[0] in value:
            yield from _values(value[path[0]], path[1:], kind)
    elif value is not None and not path:
        yield value
