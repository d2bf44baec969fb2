import math

import pytest

from adapters.codecs.json_fields import MAX_TEXT, Fields, instant_of, json_value, probability
from hub.errors import DecodeError
from hub.model.instant import Instant


def test_what_a_reader_took_is_not_in_the_rest():
    fields = Fields({"a": 1.5, "b": "text", "c": None, "d": [1, 2]})
    assert fields.number("a") == 1.5
    assert fields.text("b") == "text"
    assert fields.rest() == {"d": [1, 2]}


def test_a_value_of_a_wrong_type_stays_in_the_rest():
    fields = Fields({"a": "1.5", "b": 5, "c": 1, "d": "now", "e": [1, "x"], "f": [], "g": "x" * (MAX_TEXT + 1)})
    assert fields.number("a") is None
    assert fields.text("b") is None
    assert fields.flag("c") is None
    assert fields.instant("d") is None
    assert fields.numbers("e") is None
    assert fields.object("f") is None
    assert fields.text("g") is None
    assert fields.rest().keys() == set("abcdefg")


@pytest.mark.parametrize("value", [True, math.nan, math.inf, "1", [1], {}])
def test_a_demanded_number_is_a_finite_number(value):
    with pytest.raises(DecodeError, match="'a' is not a finite number"):
        Fields({"a": value}).demand_number("a")
    assert Fields({"a": None}).demand_number("a") is None


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("x", ("x",)),
        (["x", "y", "x"], ("x", "y")),
        (7, ("7",)),
        ([7, " z "], ("7", "z")),
        (None, ()),
        (True, ()),
        ({}, ()),
        ("", ()),
    ],
)
def test_names_are_one_text_or_several(value, texts):
    assert Fields({"a": value}).texts("a") == texts


@pytest.mark.parametrize("value", ["1971-01-01", "2200-01-01", "9999-12-31T23:59:59-12:00", "2026-02-30", "", 5, None])
def test_times_that_no_notice_can_mean_are_none(value):
    assert instant_of(value) is None


def test_a_leap_second_is_a_time():
    assert instant_of("2016-12-31T23:59:60.5Z") == Instant.from_utc_iso("2016-12-31T23:59:60.5Z")


def test_a_probability_lies_between_nothing_and_certainty():
    assert [probability(value) for value in (0, 1, 0.5, 1.0001, -0.1, True, "0.5")] == [0.0, 1.0, 0.5, None, None, None, None]


def test_what_json_cannot_hold_is_turned_into_what_it_can():
    assert json_value({"a": [math.nan, 1.0, b"abc", None]}) == {"a": [None, 1.0, "3 bytes", None]}
