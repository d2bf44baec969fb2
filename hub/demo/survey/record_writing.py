"""A record of an Avro schema as a plan: constant bytes and, between them, the places where a value of a row goes.

Avro binary is a plain concatenation of fields (Avro 1.11 specification, "Binary encoding"): machine code can follow a plan.
"""
# ruff: noqa: PLR0917 - compiled functions are called by position

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import fastavro
import numpy as np
from numpy.typing import NDArray

from hub.science.compiled import compiled

CONSTANT, FLOAT, DOUBLE, LONG, BOOLEAN, LETTER, MAYBE_FLOAT, MAYBE_DOUBLE, MAYBE_LONG, MAYBE_BOOLEAN, MAYBE_LETTER, NAME = range(
    12
)
"""What a step of a plan writes; a NaN of ``MAYBE_FLOAT`` and ``MAYBE_DOUBLE`` is null."""

NAME_BYTES = 7
"""Length of what `NAME` writes: a provisional designation made of a number."""

_KINDS = {
    "float": (FLOAT, MAYBE_FLOAT),
    "double": (DOUBLE, MAYBE_DOUBLE),
    "int": (LONG, MAYBE_LONG),
    "long": (LONG, MAYBE_LONG),
    "boolean": (BOOLEAN, MAYBE_BOOLEAN),
}


class Plan(NamedTuple):
    """Steps, shape ``(n, 3)``: what; slot of the value, or begin and end in `constants`."""

    steps: NDArray[np.int64]
    constants: NDArray[np.uint8]


class Pen(NamedTuple):
    """Bytes of one number, to be copied from."""

    four: NDArray[np.float32]
    four_bytes: NDArray[np.uint8]
    eight: NDArray[np.float64]
    eight_bytes: NDArray[np.uint8]


def pen() -> Pen:
    """Return a pen for one thread."""
    four, eight = np.zeros(1, dtype="<f4"), np.zeros(1, dtype="<f8")
    return Pen(four, four.view(np.uint8), eight, eight.view(np.uint8))


def plan_of(
    fields: Sequence[Mapping[str, Any]],
    reals: Sequence[str],
    integers: Sequence[str],
    constants: Mapping[str, Any],
    *,
    letters: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Plan:
    """Return the plan of a record.

    Parameters
    ----------
    fields
        Of the Avro record, all of primitive type or a union of null and one.
    reals, integers
        Names of the slots, in order; those that the schema lacks are not written.
    constants
        Field name to the value that all rows share. A field in none of them is null, or zero where it may not be.
    letters
        Names among the integers that are written as a text of one letter with this code point.
    names
        Names among the integers that are written as text of `NAME_BYTES`.
    """
    steps: list[tuple[int, int, int]] = []
    stock = bytearray()
    for field in fields:
        name, kind = field["name"], field["type"]
        is_maybe = isinstance(kind, list)
        base = next(branch for branch in kind if branch != "null") if is_maybe else kind
        if name in names:
            stock += b"\x02" * is_maybe
            steps += [*_constant(steps, stock, is_maybe), (NAME, integers.index(name), 0)]
        elif name in letters:
            steps.append((MAYBE_LETTER if is_maybe else LETTER, integers.index(name), 0))
        elif name in reals:
            steps.append((_KINDS[base][is_maybe], reals.index(name), 0))
        elif name in integers:
            steps.append((_KINDS[base][is_maybe], integers.index(name), 0))
        else:
            value = constants.get(name, None if is_maybe else ("" if base == "string" else 0))
            out = io.BytesIO()
            fastavro.schemaless_writer(out, kind, value)
            begin = len(stock)
            stock += out.getvalue()
            if steps and steps[-1][0] == CONSTANT and steps[-1][2] == begin:
                steps[-1] = (CONSTANT, steps[-1][1], len(stock))
            else:
                steps.append((CONSTANT, begin, len(stock)))
    return Plan(np.array(steps, dtype=np.int64), np.frombuffer(bytes(stock), dtype=np.uint8))


def _constant(steps: list[tuple[int, int, int]], stock: bytearray, is_maybe: bool) -> list[tuple[int, int, int]]:
    return [(CONSTANT, len(stock) - 1, len(stock))] if is_maybe else []


@compiled
def put_long(out: NDArray[np.uint8], at: int, value: int) -> int:
    """Write one number in Avro's variable length; return the place behind it."""
    left = np.uint64((value << 1) ^ (value >> 63))
    while left > np.uint64(0x7F):
        out[at] = np.uint8(left & np.uint64(0x7F)) | np.uint8(0x80)
        left >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(left)
    return at + 1


@compiled
def put_record(  # noqa: C901, PLR0912 - one step after the other, a call for each would cost more than the step
    out: NDArray[np.uint8], at: int, plan: Plan, reals: NDArray[np.float64], integers: NDArray[np.int64], pens: Pen
) -> int:
    """Write one record; return the place behind it."""
    for step in range(len(plan.steps)):
        what, slot = plan.steps[step, 0], plan.steps[step, 1]
        if what == CONSTANT:
            for place in range(slot, plan.steps[step, 2]):
                out[at] = plan.constants[place]
                at += 1
        elif what in (FLOAT, MAYBE_FLOAT, DOUBLE, MAYBE_DOUBLE):
            value = reals[slot]
            if what in (MAYBE_FLOAT, MAYBE_DOUBLE):
                if math.isnan(value):
                    out[at] = 0
                    at += 1
                    continue
                out[at] = 2
                at += 1
            if what in (FLOAT, MAYBE_FLOAT):
                pens.four[0] = value
                for k in range(4):
                    out[at + k] = pens.four_bytes[k]
                at += 4
            else:
                pens.eight[0] = value
                for k in range(8):
                    out[at + k] = pens.eight_bytes[k]
                at += 8
        else:
            if what in (MAYBE_LONG, MAYBE_BOOLEAN, MAYBE_LETTER):
                out[at] = 2
                at += 1
            number = integers[slot]
            if what in (LONG, MAYBE_LONG):
                at = put_long(out, at, number)
            elif what in (LETTER, MAYBE_LETTER):
                out[at], out[at + 1] = 2, number
                at += 2
            elif what == NAME:
                out[at] = 2 * NAME_BYTES
                for k in range(NAME_BYTES):  # letters and digits by turns, so that it looks like a designation
                    out[at + 1 + k] = 65 + number % 24 if k in (0, 3, 4) else 48 + number % 10
                    number //= 24 if k in (0, 3, 4) else 10
                at += 1 + NAME_BYTES
            else:
                out[at] = number
                at += 1
    return at
