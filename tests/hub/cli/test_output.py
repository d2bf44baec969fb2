import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.cli.output import cell_text, emit, finite, say, table

JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON_LIKE)
def test_nothing_that_is_not_finite_reaches_json(value: object) -> None:
    json.dumps(finite(value), allow_nan=False)


def test_record_is_one_line_without_nan(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"a": float("nan"), "b": [float("inf"), 1.5], "c": "x\ny\x1b\u202e"})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.isascii()
    assert json.loads(out) == {"a": None, "b": [None, 1.5], "c": "x\ny\x1b\u202e"}


def test_foreign_control_characters_are_made_visible(capsys: pytest.CaptureFixture[str]) -> None:
    say("GRB\x1b]0;title\x07 \u202eabc")
    table(("name",), [("a\x1b[31mb",)])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "a\\x1b[31mb" in out


def test_table_lines_up_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    table(("id", "area"), [("a", 1.5), ("long", 12345.678), ("b", None)])
    assert capsys.readouterr().out.splitlines() == ["id     area", "a       1.5", "long  12346", "b         -"]


def test_empty_table_has_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    table(("id", "area"), [])
    assert capsys.readouterr().out == "id  area\n"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (True, "yes"), (False, "no"), (float("nan"), "-"), (1e-9, "1e-09"), (3, "3")]
)
def test_cells_are_short(value: object, text: str) -> None:
    assert cell_text(value) == text
