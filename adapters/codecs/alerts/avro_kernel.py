"""The one compiled loop that runs plans over messages, and what turns its findings into columns; imported when it is needed.

Nothing here trusts a message: each byte is looked at only after it was found to lie before the end, a count is believed only as
far as the bytes behind it can hold, and a length only up to the end. Messages are read where they lie, by address: copying 100 kB
to read 800 bytes would cost more than reading them.

Sources are little-endian, as Avro is; `avro_projection` uses fastavro on another machine.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # numba needs it and has no types either
from numba import float64, int64, njit, types, uint8
from numba.extending import intrinsic

from adapters.codecs.alerts.avro_plan import Fault, Op

_F = TypeVar("_F", bound=Callable[..., Any])

_OK, _ENDS_EARLY, _LENGTH = int(Fault.NONE), int(Fault.ENDS_EARLY), int(Fault.LENGTH)
_VALUE, _BRANCH, _CLAIM, _TRAILING = int(Fault.VALUE), int(Fault.BRANCH), int(Fault.CLAIM), int(Fault.TRAILING)
_JUMP, _RUN, _VARINT, _SIZED = int(Op.JUMP), int(Op.RUN), int(Op.VARINT), int(Op.SIZED)
_BOOLEAN, _INDEX, _OPTION, _UNION = int(Op.BOOLEAN), int(Op.INDEX), int(Op.OPTION), int(Op.UNION)
_ITEMS, _NEXT = int(Op.ITEMS), int(Op.NEXT)
_READ_VARINT, _READ_BOOLEAN = int(Op.READ_VARINT), int(Op.READ_BOOLEAN)
_READ_SIZED, _READ_FLOAT, _READ_DOUBLE = int(Op.READ_SIZED), int(Op.READ_FLOAT), int(Op.READ_DOUBLE)
_LEAST_FLOAT, _LEAST_DOUBLE = int(Op.LEAST_FLOAT), int(Op.LEAST_DOUBLE)
_ITEM, _EACH_FLOAT, _EACH_DOUBLE = int(Op.ITEM), int(Op.EACH_FLOAT), int(Op.EACH_DOUBLE)
_EACH_SIZED = int(Op.EACH_SIZED)


def _loader(result: Any, kind: ir.Type, widen: Callable[[Any, Any], Any]) -> Any:
    """Return an intrinsic that reads a value at an address, which need not be aligned."""

    def load(typing_context: Any, address: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], kind.as_pointer())
            value = builder.load(pointer)
            value.align = 1
            return widen(builder, value)

        return result(types.int64), build

    return intrinsic(load)


_byte = _loader(types.int64, ir.IntType(8), lambda builder, value: builder.zext(value, ir.IntType(64)))
_float = _loader(types.float64, ir.FloatType(), lambda builder, value: builder.fpext(value, ir.DoubleType()))
_double = _loader(types.float64, ir.DoubleType(), lambda _, value: value)


def _part(function: _F) -> _F:
    """Mark a function that others here are compiled with."""
    return cast("_F", njit(function))


@_part
def _varint(address: int, at: int, end: int, most: int, largest: int) -> tuple[int, int, int]:
    """Return the zigzag number, the position behind it, and a fault."""
    encoded, shift = 0, 0
    last = min(end, at + most)
    while at < last:
        byte = _byte(address + at)
        at += 1
        encoded |= (byte & 0x7F) << shift
        if byte < 0x80:
            if shift == 7 * (most - 1) and byte > largest:
                return 0, at, _VALUE
            return ((encoded >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(encoded & 1), at, _OK
        shift += 7
    return 0, at, _ENDS_EARLY if last == end else _VALUE


@_part
def _careful_run(address: int, at: int, end: int, table: Any, start: int, count: int, tail: int) -> tuple[int, int]:  # noqa: PLR0917 - calls inside compiled code are cheapest so
    """Pass over a run near the end of a message, or one that holds something wrong; return the position and a fault."""
    for k in range(start, start + count):
        if table[k, 0] >= end - at:
            return at, _ENDS_EARLY
        at += table[k, 0]
        tag = _byte(address + at) ^ table[k, 1]
        at += 1
        if tag == 2:
            if table[k, 2] > end - at:
                return at, _ENDS_EARLY
            if table[k, 2] > 0 and _byte(address + at) & table[k, 3]:
                return at, _VALUE
            at += table[k, 2]
        elif tag != 0:
            return at, _BRANCH
    if tail > end - at:
        return at, _ENDS_EARLY
    return at + tail, _OK


@_part
def _quick_run(address: int, at: int, table: Any, start: int, count: int, tail: int) -> tuple[int, int]:  # noqa: PLR0917 - calls inside compiled code are cheapest so
    """Pass over a run that the message has room for; return the position and something that is not 0 where anything is wrong."""
    wrong = 0
    here = address + at
    for k in range(start, start + count):
        here += table[k, 0]
        tag = _byte(here) ^ table[k, 1]
        here += 1
        present = -(tag >> 1)  # all bits where the tag is 2, none where it is 0
        wrong |= (tag & ~2) | (_byte(here) & table[k, 3] & present)
        here += table[k, 2] & present
    return here + tail - address, wrong


@_part
def _length(address: int, at: int, end: int) -> tuple[int, int, int]:
    """Return the length of a text that fits, the position of its first byte, and a fault."""
    length, at, fault = _varint(address, at, end, 10, 0x01)
    if fault == _OK and not 0 <= length <= end - at:
        return 0, at, _LENGTH
    return length, at, fault


@_part
def _block(address: int, at: int, end: int, least: int) -> tuple[int, int, int]:
    """Return how many items a block of an array has, the position of the first, and a fault.

    A negative count has the size of the block behind it; the size is read and not used, because nothing says that it is true.
    """
    count, at, fault = _varint(address, at, end, 10, 0x01)
    if fault == _OK and count < 0:
        count = -count
        _, at, fault = _varint(address, at, end, 10, 0x01)
    if fault == _OK and not 0 <= count <= (end - at) // least:
        return count, at, _CLAIM
    return count, at, fault


def _walk(  # noqa: C901, PLR0912, PLR0915, PLR0917 - an interpreter is one loop with a case for each instruction
    addresses: Any,
    lengths: Any,
    code: Any,
    table: Any,
    within: Any,
    depth: int,
    is_whole: bool,
    integers: Any,
    numbers: Any,
    faults: Any,
    places: Any,
    ends: Any,
    begin: int,
    each: Any,
    items: Any,
) -> int:
    """Run a plan over messages, until the values of items have no room; return the first message that was not read.

    Parameters
    ----------
    addresses, lengths
        Where each message lies in memory and how many bytes it has.
    code, table, within, depth
        As in `Plan`.
    is_whole
        Whether bytes behind the record are a fault.
    integers, numbers
        Shapes ``(columns, messages)``, filled with what is missing.
    faults, places, ends
        For each message what is wrong, at which instruction, and the position behind the last byte read.
    begin
        Message to begin with.
    each
        Room for values of items, NaN, shape ``(columns, room)``.
    items
        How many items of each array were met before each message: shape ``(arrays, messages + 1)``, up to ``begin`` filled in.
    """
    left = np.zeros(depth + 1, dtype=np.int64)
    room = each.shape[1]
    for row in range(begin, len(addresses)):
        for array in range(len(items)):
            items[array, row + 1] = items[array, row]
        address = addresses[row]
        end = lengths[row]
        at = 0
        pc = 0
        level = -1
        fault = _OK
        while True:
            op = code[pc, 0]
            if op == _RUN:
                start, count, tail = code[pc, 1], code[pc, 2], code[pc, 3]
                wrong = 1
                if code[pc, 4] < end - at:
                    then, wrong = _quick_run(address, at, table, start, count, tail)
                if wrong:
                    then, fault = _careful_run(address, at, end, table, start, count, tail)
                    if fault:
                        break
                at = then
            elif op == _VARINT:
                _, at, fault = _varint(address, at, end, code[pc, 1], code[pc, 2])
                if fault:
                    break
            elif op == _OPTION:
                if at >= end:
                    fault = _ENDS_EARLY
                    break
                tag = _byte(address + at)
                at += 1
                if tag == code[pc, 2]:
                    pc = code[pc, 3]
                    continue
                if tag != code[pc, 1]:
                    fault = _BRANCH
                    break
            elif op >= _EACH_FLOAT:
                if code[pc, 3] >= 0:
                    if at >= end:
                        fault = _ENDS_EARLY
                        break
                    tag = _byte(address + at)
                    at += 1
                    if tag != code[pc, 3]:
                        if tag != code[pc, 4]:
                            fault = _BRANCH
                            break
                        pc += 1
                        continue
                item = items[code[pc, 2], row + 1] - 1
                if op == _EACH_SIZED:
                    length, at, fault = _length(address, at, end)
                    if fault:
                        break
                    if length == 1:
                        each[code[pc, 1], item] = _byte(address + at)
                    at += length
                else:
                    size = 4 if op == _EACH_FLOAT else 8 if op == _EACH_DOUBLE else 1
                    if end - at < size:
                        fault = _ENDS_EARLY
                        break
                    if size == 4:
                        each[code[pc, 1], item] = _float(address + at)
                    elif size == 8:
                        each[code[pc, 1], item] = _double(address + at)
                    else:
                        byte = _byte(address + at)
                        if byte > 1:
                            fault = _VALUE
                            break
                        each[code[pc, 1], item] = byte
                    at += size
            elif op == _ITEM:
                if items[code[pc, 1], row + 1] >= room:
                    return row
                items[code[pc, 1], row + 1] += 1
            elif op == _NEXT:
                if left[level] > 1:
                    left[level] -= 1
                    pc = code[pc, 1]
                    continue
                count, at, fault = _block(address, at, end, code[pc, 2])
                if fault:
                    break
                column = code[pc, 3]
                if column >= 0:
                    integers[column, row] = count + max(integers[column, row], 0)  # -2^63 where none was met yet
                if count > 0:
                    left[level] = count
                    pc = code[pc, 1]
                    continue
                level -= 1
            elif op == _ITEMS:
                level += 1
                left[level] = 0
                pc = code[pc, 1]
                continue
            elif op == _SIZED:
                length, at, fault = _length(address, at, end)
                if fault:
                    break
                at += length
            elif op == _READ_VARINT:
                value, at, fault = _varint(address, at, end, code[pc, 2], code[pc, 3])
                if fault:
                    break
                integers[code[pc, 1], row] = value
            elif op in (_READ_FLOAT, _READ_DOUBLE, _LEAST_FLOAT, _LEAST_DOUBLE):
                size = 4 if op in (_READ_FLOAT, _LEAST_FLOAT) else 8
                if end - at < size:
                    fault = _ENDS_EARLY
                    break
                number = _float(address + at) if size == 4 else _double(address + at)
                at += size
                column = code[pc, 1]
                counts = within[column, 0] <= number <= within[column, 1] and not number >= numbers[column, row]  # NaN: none yet
                if op in (_READ_FLOAT, _READ_DOUBLE) or counts:
                    numbers[column, row] = number
            elif op == _READ_SIZED:
                length, at, fault = _length(address, at, end)
                if fault:
                    break
                integers[code[pc, 1], row] = at
                integers[code[pc, 1] + 1, row] = length
                at += length
            elif op in (_BOOLEAN, _READ_BOOLEAN):
                if at >= end:
                    fault = _ENDS_EARLY
                    break
                byte = _byte(address + at)
                if byte > 1:
                    fault = _VALUE
                    break
                at += 1
                if op == _READ_BOOLEAN:
                    integers[code[pc, 1], row] = byte
            elif op == _INDEX:
                value, at, fault = _varint(address, at, end, 5, 0x0F)
                if not fault and not 0 <= value < code[pc, 1]:
                    fault = _VALUE
                if fault:
                    break
            elif op == _UNION:
                if at >= end:
                    fault = _ENDS_EARLY
                    break
                tag = _byte(address + at)
                if tag & 0x81 or tag >= 2 * code[pc, 2]:
                    fault = _BRANCH
                    break
                at += 1
                pc = table[code[pc, 1] + (tag >> 1), 0]
                continue
            elif op == _JUMP:
                pc = code[pc, 1]
                continue
            else:  # Op.END
                if is_whole and at != end:
                    fault = _TRAILING
                break
            pc += 1
        faults[row] = fault
        places[row] = pc
        ends[row] = at
    return len(addresses)


def _copy_texts(addresses: Any, positions: Any, lengths: Any, out: Any) -> None:
    """Copy texts to rows of one width, cut there; ``out`` has the shape ``(messages, width)`` and is zero."""
    for row in range(len(addresses)):
        for k in range(min(lengths[row], out.shape[1])):
            out[row, k] = _byte(addresses[row] + positions[row] + k)


def _code_texts(addresses: Any, positions: Any, lengths: Any, codes: Any, firsts: Any, slots: Any) -> int:  # noqa: PLR0917 - as above
    """Give the different texts numbers, in the order in which they come first.

    Parameters
    ----------
    addresses, positions, lengths
        Where each text is; a length below zero is none, which is told apart from an empty one.
    codes
        Gets the number of each message's text.
    firsts
        Gets the first message of each text.
    slots
        Room for a hash table, -1 everywhere, of a power of two that is at least twice the number of messages.

    Returns
    -------
    int
        How many there are.
    """
    n_found = 0
    mask = len(slots) - 1
    for row in range(len(addresses)):
        if row > 0 and _same(addresses, positions, lengths, row, row - 1):
            codes[row] = codes[row - 1]
            continue
        hashed = lengths[row] + 1
        for k in range(lengths[row]):
            hashed = (hashed ^ _byte(addresses[row] + positions[row] + k)) * 1099511628211  # FNV-1a
        slot = (hashed ^ (hashed >> 29)) & mask
        while slots[slot] >= 0 and not _same(addresses, positions, lengths, row, firsts[slots[slot]]):
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot] = n_found
            firsts[n_found] = row
            n_found += 1
        codes[row] = slots[slot]
    return n_found


@_part
def _same(addresses: Any, positions: Any, lengths: Any, one: int, other: int) -> bool:
    if lengths[one] != lengths[other]:
        return False
    for k in range(lengths[one]):
        if _byte(addresses[one] + positions[one] + k) != _byte(addresses[other] + positions[other] + k):
            return False
    return True


def _schema_ids(addresses: Any, lengths: Any, ids: Any) -> None:
    """Read the schema number of messages in Confluent framing; -1 for one that has none, or nothing behind it."""
    for row in range(len(addresses)):
        ids[row] = -1
        if lengths[row] > 5 and _byte(addresses[row]) == 0:
            number = 0
            for k in range(1, 5):
                number = (number << 8) | _byte(addresses[row] + k)
            ids[row] = number


def _write_decimals(values: Any, out: Any) -> None:
    """Write whole numbers that are not negative as text, left-aligned; ``out`` has the shape ``(n, width)`` and is zero."""
    for row in range(len(values)):
        n_digits, rest = 1, values[row] // 10
        while rest > 0:
            n_digits += 1
            rest //= 10
        rest = values[row]
        for k in range(n_digits - 1, -1, -1):
            out[row, k] = 48 + rest % 10
            rest //= 10


def _compiled(signature: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile for the given types, or load what was compiled before; at each start anew where no folder can keep it."""
    try:
        return njit(signature, cache=True, nogil=True)(function)  # type: ignore[no-any-return]  # numba has no types
    except (RuntimeError, OSError):  # numba found no folder to write to, or the disk is full
        return njit(signature, nogil=True)(function)  # type: ignore[no-any-return]  # the same


_IN = types.Array(int64, 1, "C", readonly=True)
_IN_2D = types.Array(int64, 2, "C", readonly=True)
_WITHIN = types.Array(float64, 2, "C", readonly=True)

walk = _compiled(
    int64(
        _IN,
        _IN,
        _IN_2D,
        _IN_2D,
        _WITHIN,
        int64,
        types.boolean,
        int64[:, ::1],
        float64[:, ::1],
        int64[::1],
        int64[::1],
        int64[::1],
        int64,
        float64[:, ::1],
        int64[:, ::1],
    ),
    _walk,
)
copy_texts = _compiled(types.void(_IN, _IN, _IN, uint8[:, ::1]), _copy_texts)
code_texts = _compiled(int64(_IN, _IN, _IN, int64[::1], int64[::1], int64[::1]), _code_texts)
schema_ids = _compiled(types.void(_IN, _IN, int64[::1]), _schema_ids)
write_decimals = _compiled(types.void(_IN, uint8[:, ::1]), _write_decimals)
