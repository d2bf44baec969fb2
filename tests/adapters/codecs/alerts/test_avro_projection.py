"""Plans and the kernel against fastavro, on schemas and messages that hypothesis draws and on what mutations make of them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.codecs.alerts.avro_plan import Fault, Op, make_plan
from adapters.codecs.alerts.avro_projection import Messages, Projection, make_projector, project_plainly
from adapters.codecs.alerts.avro_schema import As, PlanImpossible, Want, WrongKind, leading_schema, settle
from tests.support import avro_random
from tests.support.avro_against_fastavro import assert_agree, assert_same_columns
from tests.support.bombs_avro import number, sized


def paths_of(node: Any, path: str, names: dict[str, Any]) -> list[str]:
    """Every path of a schema, with those inside of maps, which cannot be wanted."""
    if isinstance(node, list):
        return [each for branch in node for each in paths_of(branch, path, names)]
    if isinstance(node, str):
        return paths_of(names[node], path, names) if node in names else [path]
    names |= {node["name"]: node} if "name" in node else {}
    inner = [each for key in ("items", "values") if key in node for each in paths_of(node[key], path, names)]
    for each in node.get("fields", ()):
        inner += paths_of(each["type"], f"{path}.{each['name']}".lstrip("."), names)
    return [path, *inner]


def want_of(schema: dict[str, Any], path: str, *, each_first: bool) -> Want | None:
    """Return how a path can be wanted, None where it cannot."""
    for kind in sorted(As, key=lambda one: (one is As.EACH) is not each_first):
        want = Want(name=f"{kind} {path}", paths=(path,), kind=kind)
        try:
            make_plan(schema, settle(schema, [want]))
        except WrongKind:
            continue
        return want
    return None


@st.composite
def drawn_messages(draw: st.DrawFn) -> tuple[dict[str, Any], list[Want], list[bytes]]:
    schema = draw(avro_random.schemas())
    try:
        make_plan(schema, [])
    except PlanImpossible:
        assume(False)
    paths = draw(st.lists(st.sampled_from(sorted(set(paths_of(schema, "", {})))), max_size=5, unique=True))
    each_first = draw(st.booleans())
    wants = [want for path in paths if (want := want_of(schema, path, each_first=each_first)) is not None]
    return schema, wants, [avro_random.message(draw, schema) for _ in range(3)]


def projected(schema: Any, wants: list[Want], payloads: list[bytes], *, to_the_end: bool = True) -> Projection:
    return make_projector(schema, wants, to_the_end=to_the_end).project(Messages.of(payloads))


@given(drawn_messages())
def test_any_schema_is_read_as_fastavro_reads_it(drawn: tuple[dict[str, Any], list[Want], list[bytes]]):
    schema, wants, payloads = drawn
    projector = make_projector(schema, wants)
    found = projector.project(Messages.of(payloads))
    assert [found.sentence(row) for row in range(3)] == [None] * 3
    assert found.ends.tolist() == [len(payload) for payload in payloads]
    assert_same_columns(
        found, project_plainly(projector.schema, projector.wants, Messages.of(payloads), to_the_end=True), [0, 1, 2]
    )


@given(drawn_messages())
def test_a_leading_plan_reads_the_same_and_stops_where_fastavro_does(drawn: tuple[dict[str, Any], list[Want], list[bytes]]):
    schema, wants, payloads = drawn
    projector = make_projector(schema, wants, to_the_end=False)
    messages = Messages.of(payloads)
    found = projector.project(messages)
    assert (found.faults == 0).all()
    plain = project_plainly(projector.schema, projector.wants, messages, to_the_end=False)
    assert_same_columns(found, plain, [0, 1, 2])
    assert found.ends.tolist() == plain.ends.tolist()
    assert (found.ends <= make_projector(schema, wants).project(messages).ends).all()


@given(drawn_messages(), st.randoms(use_true_random=False), st.binary(max_size=40))
def test_spoilt_messages_are_refused_where_fastavro_refuses(
    drawn: tuple[dict[str, Any], list[Want], list[bytes]], dice: Any, tail: bytes
):
    schema, wants, payloads = drawn
    spoilt = [b"".join((payload[: dice.randint(0, len(payload))], tail[: dice.randint(0, 40)])) for payload in payloads]
    for payload in payloads:
        changed = bytearray(payload or b"\0")
        for _ in range(dice.randint(1, 3)):
            changed[dice.randrange(len(changed))] = dice.choice((0, 1, 2, 4, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        spoilt += [bytes(changed), bytes(changed) + tail]
    # Room behind the record makes the kernel take the quick way over runs, none the careful one.
    assert_agree(make_projector(schema, wants), spoilt)
    assert_agree(make_projector(schema, wants, to_the_end=False), [one + bytes(200) for one in spoilt])


@given(drawn_messages(), st.data())
def test_cut_off_messages_are_never_read(drawn: tuple[dict[str, Any], list[Want], list[bytes]], data: st.DataObject):
    schema, wants, payloads = drawn
    cut = [payload[: data.draw(st.integers(0, len(payload) - 1))] for payload in payloads if payload]
    found = projected(schema, wants, cut)
    assert all(found.sentence(row) for row in range(len(cut)))


# ------------------------------------------------------------------------------------------------------- one thing at a time


def record(*kinds: Any) -> dict[str, Any]:
    return {"type": "record", "name": "r", "fields": [{"name": f"f{n}", "type": kind} for n, kind in enumerate(kinds)]}


def fault(schema: Any, payload: bytes) -> str | None:
    return projected(schema, [], [payload]).sentence(0)


ARRAY = record({"type": "array", "items": {"type": "record", "name": "i", "fields": [{"name": "a", "type": "int"}]}})


@pytest.mark.parametrize("claimed", [5, 2**31, 2**62, 2**63 - 1, -5, -(2**62), -(2**63)])
def test_a_claimed_count_is_checked_against_the_bytes(claimed: int):
    size = number(4) if claimed < 0 else b""
    assert "claims more items" in (fault(ARRAY, number(claimed) + size + b"\x02\x02\x02\x00") or "")


def test_blocks_with_their_size_in_bytes_are_read_and_the_size_is_not_believed():
    for size in (2, 0, -7, 2**62):
        data = number(-2) + number(size) + b"\x02\x04" + number(1) + b"\x06\x00"
        found = projected(ARRAY, [Want(name="n", paths=("f0",), kind=As.COUNT)], [data])
        assert (found.sentence(0), found.integers["n"].tolist()) == (None, [3])


@pytest.mark.parametrize("claimed", [4, 2**40, 2**62, 2**63 - 1, -1, -(2**63)])
@pytest.mark.parametrize("kind", ["string", "bytes"])
def test_a_claimed_length_is_checked_against_the_bytes(kind: str, claimed: int):
    assert "cut off inside f0" in (fault(record(kind), number(claimed) + b"abc") or "")
    want = Want(name="t", paths=("f0",), kind=As.TEXT)
    assert projected(record(kind), [want], [number(claimed) + b"abc"]).faults.tolist() == [Fault.LENGTH]


UNFIT = [
    ("long", b"\xff" * 9 + b"\x02", "does not allow"),
    ("long", b"\xff" * 11, "does not allow"),
    ("long", b"\xff" * 10, "ends early"),
    ("long", b"\x80", "ends early"),
    ("long", b"", "ends early"),
    ("int", b"\xff" * 4 + b"\x10", "does not allow"),
    ("int", b"\x80" * 5 + b"\0", "does not allow"),
    ("boolean", b"\x02", "does not allow"),
    (["null", "boolean"], b"\x02\x07", "does not allow"),
    ({"type": "enum", "name": "e", "symbols": ["a", "b"]}, b"\x04", "does not allow"),
    ({"type": "enum", "name": "e", "symbols": ["a", "b"]}, b"\x01", "does not allow"),
    (["null", "float"], b"\x04", "union branch"),
    (["null", "float"], b"\x01", "union branch"),
    (["null", "float"], b"\x80\0", "union branch"),
    (["null", "string"], b"\x04", "union branch"),
    (["int", "string", "null"], b"\x06", "union branch"),
    (["int", "string", "null"], b"\x01", "union branch"),
    ("float", b"\0\0\0", "ends early"),
    (["null", "double"], b"\x02" + bytes(7), "ends early"),
    ("double", bytes(9), "1 bytes follow the end"),
]
"""Type, bytes that do not fit it, and words of the sentence."""


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        *UNFIT,
        *((kind, data + bytes(64), said) for kind, data, said in UNFIT if said not in ("ends early", "1 bytes follow the end")),
    ],
)
def test_bytes_that_do_not_fit_get_a_sentence_at_the_end_and_with_room_behind(kind: Any, data: bytes, said: str):
    assert said in (fault(record(kind), data) or "")


def test_nulls_are_missing_and_so_is_what_the_schema_lacks():
    schema = record(
        ["null", "long"], ["double", "null"], ["null", "string"], ["boolean", "null"], ["null", {"type": "array", "items": "int"}]
    )
    kinds = (As.INTEGER, As.NUMBER, As.TEXT, As.FLAG, As.COUNT)
    wants = [Want(name=kind, paths=(f"f{n}",), kind=kind) for n, kind in enumerate(kinds)]
    wants += [Want(name=f"no {kind}", paths=("nothing", "f0.f1"), kind=kind) for kind in kinds]
    found = projected(schema, wants, [b"\0\x02\0\x02\0", b"\x02\x54\0" + bytes(8) + b"\x02\x04hi\0\x01\x02\x02\x06\0"])
    missing = -(2**63)
    assert found.integers["integer"].tolist() == [missing, 42]
    np.testing.assert_array_equal(found.numbers["number"], [np.nan, 0.0])
    assert [found.text("text", row) for row in (0, 1)] == [None, b"hi"]
    assert found.integers["flag"].tolist() == [missing, 1]
    assert found.integers["count"].tolist() == [missing, 1]
    assert found.integers["no integer"].tolist() == found.integers["no count"].tolist() == [missing, missing]
    assert found.text("no text", 1) is None


def test_an_empty_array_counts_none_and_a_missing_one_nothing():
    found = projected(ARRAY, [Want(name="n", paths=("f0",), kind=As.COUNT)], [b"\0"])
    assert found.integers["n"].tolist() == [0]


def test_the_least_leaves_out_what_lies_beyond_its_bounds():
    values = np.array([7.0, np.nan, -3.0, 2.5, np.inf, 99.0])
    data = number(len(values)) + values.tobytes() + b"\0"
    want = Want(name="least", paths=("f0",), kind=As.LEAST, within=(0.0, 50.0))
    found = projected(record({"type": "array", "items": "double"}), [want], [data, number(2) + values[1:3].tobytes() + b"\0"])
    np.testing.assert_array_equal(found.numbers["least"], [2.5, np.nan])


def test_texts_become_fixed_width_columns_and_words():
    texts = ["g", "", "a long text", "g", "ü", "g"]
    want = Want(name="t", paths=("f0",), kind=As.TEXT)
    payloads = [b"\x02" + sized(text.encode()) for text in texts] + [b"\0"]
    found = projected(record(["null", "string"]), [want], payloads)
    assert [bytes(row).rstrip(b"\0") for row in found.short_texts("t", 4)] == [b"g", b"", b"a lo", b"g", "ü".encode(), b"g", b""]
    words = found.words("t", np.arange(7))
    assert words.texts() == [*texts, ""]
    assert found.words("t", np.array([4, 0])).texts() == ["ü", "g"]
    assert found.words("t", np.array([], dtype=np.intp)).texts() == []


def test_long_words_are_cut():
    want = Want(name="t", paths=("f0",), kind=As.TEXT)
    found = projected(record("string"), [want], [sized(b"x" * 100_000 + end) for end in (b"a", b"b")])
    assert found.words("t", np.arange(2)).values == ("x" * 200,)
    assert found.text("t", 1) == b"x" * 100_000 + b"b"


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=60))
def test_words_tell_all_texts_apart(texts: list[bytes]):
    found = projected(record("bytes"), [Want(name="t", paths=("f0",), kind=As.TEXT)], [sized(text) for text in texts])
    words = found.words("t", np.arange(len(texts)))
    assert words.texts() == [text.decode("utf-8", "replace") for text in texts]
    assert len(words.values) == len(set(texts))


def test_one_bad_message_does_not_stop_the_others():
    want = Want(name="x", paths=("f0",), kind=As.INTEGER)
    found = projected(record("long"), [want], [number(5), b"", number(7) + b"\0", number(9)])
    assert found.faults.tolist() == [Fault.NONE, Fault.ENDS_EARLY, Fault.TRAILING, Fault.NONE]
    assert found.integers["x"][[0, 3]].tolist() == [5, 9]


def test_no_messages_are_no_rows():
    found = projected(record("long"), [Want(name="x", paths=("f0",), kind=As.INTEGER)], [])
    assert found.integers["x"].tolist() == []


def test_only_bytes_are_read_where_they_lie():
    with pytest.raises(TypeError, match="only bytes"):
        Messages.of([bytearray(b"abc")])


# ------------------------------------------------------------------------------------------------------------- without a plan


@pytest.mark.parametrize(
    "kind",
    [
        {"type": "array", "items": {"type": "record", "name": "e", "fields": []}},
        {"type": "array", "items": "null"},
        [{"type": "fixed", "name": f"x{n}", "size": 1} for n in range(70)],
    ],
)
def test_a_schema_without_a_plan_is_read_by_fastavro(kind: Any):
    schema = record("long", kind, ["null", "string"])
    with pytest.raises(PlanImpossible):
        make_plan(schema, [])
    wants = [Want(name="x", paths=("f0",), kind=As.INTEGER), Want(name="t", paths=("f2",), kind=As.TEXT)]
    data = number(7) + (b"\0\x20" if isinstance(kind, list) else b"\0") + b"\x02" + sized(b"text")
    found = projected(schema, wants, [data, data[:-1], data + b"\0"])
    assert found.integers["x"][0] == 7
    assert found.text("t", 0) == b"text"
    assert found.short_texts("t", 2)[0].tobytes() == b"te"
    assert [found.sentence(row) for row in range(3)] == [
        None,
        "the packet cannot be decoded (EOFError)",
        "1 bytes follow the end of the packet",
    ]


def test_a_schema_that_contains_itself_has_no_plan():
    node = {"type": "record", "name": "n", "fields": [{"name": "next", "type": ["null", "n"]}]}
    with pytest.raises(PlanImpossible, match="contains itself"):
        settle(node, [])


@pytest.mark.parametrize(
    ("kind", "path", "wanted"),
    [
        ("string", "f0", As.INTEGER),
        ("long", "f0", As.NUMBER),
        ("double", "f0", As.LEAST),
        ({"type": "array", "items": "double"}, "f0", As.NUMBER),
        ({"type": "array", "items": {"type": "array", "items": "double"}}, "f0", As.COUNT),
        (["null", "double", "long"], "f0", As.NUMBER),
        ({"type": "record", "name": "i", "fields": [{"name": "a", "type": "int"}]}, "f0", As.INTEGER),
        ({"type": "map", "values": "int"}, "f0", As.COUNT),
    ],
)
def test_a_value_of_another_kind_than_the_wanted_cannot_be_read(kind: Any, path: str, wanted: As):
    with pytest.raises(WrongKind):
        make_projector(record(kind), [Want(name="x", paths=(path,), kind=wanted)])


def test_a_run_of_optional_numbers_is_one_instruction():
    schema = record("double", *[["null", kind] for kind in ("float", "double", "boolean") * 20], "float", "float")
    plan = make_plan(schema, [])
    assert plan.code[:, 0].tolist() == [Op.RUN, Op.END]
    assert len(plan.table) == 60


def test_a_leading_schema_ends_with_the_last_wanted_field():
    inner = {"type": "record", "name": "i", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "int"}]}
    wants = [Want(name="x", paths=("f1.a",), kind=As.INTEGER)]
    names = [each["name"] for each in leading_schema(record("long", ["null", inner], "long"), wants)["fields"]]
    assert names == ["f0", "f1"]
    (_, _, cut) = leading_schema(
        record("long", "int", ["null", inner, "long"][:2]), [Want(name="x", paths=("f2.a",), kind=As.INTEGER)]
    )["fields"]
    assert [each["name"] for each in cut["type"][1]["fields"]] == ["a"]
