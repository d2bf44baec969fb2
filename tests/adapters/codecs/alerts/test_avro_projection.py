"""The walk over Avro bytes against fastavro, on schemas and records that hypothesis draws."""

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.alerts.avro_projection import compile_walk
from adapters.codecs.avro_varint import varint
from hub.errors import DecodeError

NUMBERS = {
    "long": st.integers(-(2**63), 2**63 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
}
OTHERS = {"string": st.text(), "bytes": st.binary()}


@st.composite
def records(draw: st.DrawFn, depth: int = 2, prefix: str = "r") -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a record schema of the LSST kind and a record of it."""
    fields, values = [], {}
    for n in range(draw(st.integers(1, 6))):
        kinds = [*NUMBERS, *OTHERS] + (["record", "array"] if depth else [])
        kind = draw(st.sampled_from(kinds))
        if kind in ("record", "array"):
            inner, value = draw(records(depth=depth - 1, prefix=f"{prefix}{n}"))
            schema: Any = {"type": "array", "items": inner} if kind == "array" else inner
            value = [value] * draw(st.integers(0, 3)) if kind == "array" else value
        else:
            schema, value = kind, draw((NUMBERS | OTHERS)[kind])
        if draw(st.booleans()):
            schema, value = ["null", schema], draw(st.sampled_from([value, None]))
        fields.append({"name": f"f{n}", "type": schema})
        values[f"f{n}"] = value
    return {"type": "record", "name": prefix, "fields": fields}, values


def encoded(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


@given(records())
def test_the_walk_ends_where_the_record_ends_and_finds_its_numbers(drawn: tuple[dict[str, Any], dict[str, Any]]):
    schema, value = drawn
    data = encoded(schema, value)
    scalar = {f["name"] for f in schema["fields"] if not isinstance(value[f["name"]], dict | list)}
    found: dict[str, Any] = {}
    assert compile_walk(schema, frozenset(scalar))(b"xyz" + data + b"more", 3, found) == 3 + len(data)
    for name in scalar:
        stated = value[name].encode() if isinstance(value[name], str) else value[name]
        assert found.get(name) == stated


@given(records(), st.data())
def test_a_walk_over_cut_off_bytes_never_succeeds_past_their_end(
    drawn: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
):
    schema, value = drawn
    whole = encoded(schema, value)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(DecodeError):
        compile_walk(schema, frozenset())(cut, 0, {})


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_number_is_read_as_fastavro_wrote_it(number: int):
    data = encoded("long", number)
    assert varint(data, 0) == (number, len(data))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 10, b"\xff" * 9 + b"\x02", b"\x80" * 20])
def test_a_number_that_ends_early_or_never_is_refused(data: bytes):
    with pytest.raises(DecodeError):
        varint(data, 0)


ITEMS = {"type": "record", "name": "r", "fields": [{"name": "a", "type": {"type": "array", "items": "int"}}]}
WALK = compile_walk(ITEMS, frozenset())


@pytest.mark.parametrize("claimed", [5, 2**31, 2**62, -5, -(2**62)])
def test_a_claimed_count_is_checked_against_the_bytes(claimed: int):
    size = encoded("long", 4) if claimed < 0 else b""
    with pytest.raises(DecodeError, match=r"claims|ends early"):
        WALK(encoded("long", claimed) + size + b"\x02\x02\x02\x00", 0, {})


def test_blocks_with_their_size_in_bytes_are_read():
    data = encoded("long", -2) + encoded("long", 2) + b"\x02\x04" + encoded("long", 1) + b"\x06\x00"
    assert WALK(data, 0, {}) == len(data)


def test_unions_other_than_optional_values_are_not_compiled():
    with pytest.raises(ValueError, match="union"):
        compile_walk({"type": "record", "name": "r", "fields": [{"name": "a", "type": ["int", "string"]}]}, frozenset())
