import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.codecs import json_text
from hub.errors import DecodeError

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No wall clock in tests: the machine may be busy."""

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('abc"\\{[,é'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab\\"', max_size=3), inner, max_size=4),
    max_leaves=20,
)


@calm
@given(values)
def test_what_is_written_is_read_back(value):
    assert json_text.read(json.dumps(value).encode()) == value


@calm
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(payload):
    try:
        json_text.read(payload)
    except DecodeError as error:
        assert error.reason  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b"[" * 65 + b"]" * 65, "nested deeper"),
        (b"[" + b"[]," * 300_000 + b"[]]", "more than 200000 values"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "5000 digits"),
        (b'{"a": 1, "b": 2, "a": 3}', "stands twice"),
        (b'{"a": "\\u0000"}', "U+0000"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b'["\xff"]', "not UTF-8"),
        (b'{"a": 1', "not valid JSON"),
        (b'"' + b'\\"' * 1_000_000, "not valid JSON"),
        (b"", "not valid JSON"),
        (b" " * (json_text.MAX_BYTES + 1), "bytes, more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_text_is_refused_in_one_sentence(payload, reason):
    with pytest.raises(DecodeError, match=reason.replace("+", r"\+")) as caught:
        json_text.read(payload)
    assert "\n" not in caught.value.reason
    assert len(caught.value.reason) < 200


def test_brackets_inside_texts_do_not_count_as_nesting():
    assert json_text.read(b'["' + b"[" * 1_000 + b'"]') == ["[" * 1_000]


def test_a_pair_of_surrogates_is_one_character():
    assert json_text.read(b'["\\ud83d\\ude00"]') == ["\U0001f600"]


def test_numbers_that_are_not_finite_stay_visible_as_such():
    nan, infinite = json_text.read(b"[NaN, 1e999]")
    assert math.isnan(nan)
    assert math.isinf(infinite)


def test_only_an_object_is_an_object():
    assert json_text.read_object(b'{"a": 1}') == {"a": 1}
    with pytest.raises(DecodeError, match="no object"):
        json_text.read_object(b"[1]")


def test_what_kafka_and_the_api_bring_is_not_too_long_to_be_read():
    from adapters.transports.kafka.options import LARGEST_MESSAGE_BYTES

    assert LARGEST_MESSAGE_BYTES <= json_text.MAX_BYTES
    text = json.dumps({"x": "a" * (LARGEST_MESSAGE_BYTES - 9)}).encode()
    assert len(text) == LARGEST_MESSAGE_BYTES
    assert json_text.read(text).keys() == {"x"}
