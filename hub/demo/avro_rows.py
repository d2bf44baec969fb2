"""Avro records of one type, encoded column-wise: thousands of rows in the time of a few.

Avro binary is a plain concatenation of fields. Rows whose integers need equally many bytes and whose missing values are the same
fields have one width, so each such group is one byte matrix.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import fastavro
import numpy as np
from numpy.typing import NDArray

_FLOAT_TYPES = {"float": "<f4", "double": "<f8"}
_INTEGER_TYPES = ("int", "long")


def encode_rows(
    fields: Sequence[Mapping[str, Any]],
    columns: Mapping[str, NDArray[Any]],
    constants: Mapping[str, Any],
) -> list[bytes]:
    """Return the Avro encoding of each row.

    Parameters
    ----------
    fields
        The ``fields`` of an Avro record schema, all of primitive type or a union of null and one.
    columns
        Field name to one value a row, each of shape ``(n,)``; NaN means null. Text columns are of one byte-string type and fill
        it. constants Field name to the value that all rows share. A field in neither is null.

    Raises
    ------
    ValueError
        A column or constant is no field, or a field that is not nullable has no value.
    """
    unknown = (set(columns) | set(constants)) - {field["name"] for field in fields}
    if unknown:
        raise ValueError(f"the schema has no field {min(unknown)}")
    n = len(next(iter(columns.values())))
    rows: list[bytes] = [b""] * n
    for index in _equal_shapes(columns, n):
        parts = [_field_bytes(field, columns, constants, index) for field in fields]
        matrix = np.concatenate([np.broadcast_to(part, (len(index), part.shape[1])) for part in parts], axis=1)
        width = matrix.shape[1]
        whole = matrix.tobytes()
        for place, row in enumerate(index.tolist()):
            rows[row] = whole[place * width : (place + 1) * width]
    return rows


def zigzag(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return Avro's mapping of signed to unsigned integers (Avro 1.11 specification, "Binary Encoding")."""
    return np.asarray((values << 1) ^ (values >> 63)).astype(np.uint64)


def encode_long(value: int) -> bytes:
    """Return one Avro long."""
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def encode_bytes(value: bytes) -> bytes:
    """Return one Avro bytes or string value."""
    return encode_long(len(value)) + value


def _equal_shapes(columns: Mapping[str, NDArray[Any]], n: int) -> list[NDArray[np.intp]]:
    marks = [np.zeros(n, dtype=np.int64)]
    for values in columns.values():
        if values.dtype.kind == "f":
            marks.append(np.isnan(values).astype(np.int64))
        elif values.dtype.kind == "i":
            marks.append(_varint_width(zigzag(values)))
    shapes = np.stack(marks, axis=1)
    _, group = np.unique(shapes, axis=0, return_inverse=True)
    group = group.reshape(n)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _field_bytes(
    field: Mapping[str, Any], columns: Mapping[str, NDArray[Any]], constants: Mapping[str, Any], index: NDArray[np.intp]
) -> NDArray[np.uint8]:
    name, kind = field["name"], field["type"]
    if name not in columns:
        return _matrix(_constant(kind, constants.get(name), name))
    values = columns[name][index]
    if isinstance(kind, list):
        if values.dtype.kind == "f" and np.isnan(values[0]):
            return _matrix(_constant(kind, None, name))
        branch = next(place for place, branch in enumerate(kind) if branch != "null")
        prefix = np.broadcast_to(_matrix(encode_long(branch)), (len(values), 1))
        return np.concatenate([prefix, _primitive(kind[branch], values, name)], axis=1)
    return _primitive(kind, values, name)


def _primitive(kind: Any, values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    n = len(values)
    if kind in _FLOAT_TYPES:
        if np.isnan(values[0]):
            raise ValueError(f"{name} may not be null")
        return values.astype(_FLOAT_TYPES[kind]).view(np.uint8).reshape(n, -1)
    if kind in _INTEGER_TYPES:
        return _varints(zigzag(values))
    if kind == "boolean":
        return values.astype(np.uint8).reshape(n, 1)
    if kind == "string":
        size = values.dtype.itemsize
        prefix = np.broadcast_to(_matrix(encode_long(size)), (n, len(encode_long(size))))
        return np.concatenate([prefix, np.ascontiguousarray(values).view(np.uint8).reshape(n, size)], axis=1)
    raise ValueError(f"{name} has the type {kind}, which is not written column-wise")


def _varint_width(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    width = np.ones(len(values), dtype=np.int64)
    for bits in range(7, 64, 7):
        width += (values >> np.uint64(bits)) > 0
    return width


def _varints(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    width = int(_varint_width(values[:1])[0])
    shifts = np.arange(width, dtype=np.uint64) * np.uint64(7)
    digits = ((values[:, None] >> shifts) & np.uint64(0x7F)).astype(np.uint8)
    digits[:, :-1] |= 0x80
    return digits


def _constant(kind: Any, value: Any, name: str) -> bytes:
    out = io.BytesIO()
    try:
        fastavro.schemaless_writer(out, kind, value)
    except (TypeError, ValueError) as fault:
        raise ValueError(f"{name} cannot be {value!r}") from fault
    return out.getvalue()


def _matrix(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8).reshape(1, -1)
