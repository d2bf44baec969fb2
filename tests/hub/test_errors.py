"""What strangers write ends up in our sentences: it must neither forge lines nor fill the log."""

import pickle

import pytest

from hub.errors import DecodeError, NotAMessage, SkymapRefused
from hub.text import printable


@pytest.mark.parametrize("kind", [DecodeError, NotAMessage, SkymapRefused])
def test_a_sentence_about_a_stranger_is_one_line_of_bearable_length(kind: type[Exception]) -> None:
    short = str(kind("the name 'a\n\x1b[2J\u202e' is none"))
    assert short == printable(short)
    assert short == "the name 'a\\x0a\\x1b[2J\\u202e' is none"
    long = str(kind("no such name: " + "x\x00" * 100_000))
    assert len(long) < 300
    assert long.endswith(" ...")


def test_the_reason_is_what_the_error_says() -> None:
    error = DecodeError("the field 'a\tb' is unknown", format="json")
    assert error.reason == str(error) == "the field 'a\\x09b' is unknown"
    assert pickle.loads(pickle.dumps(error)).reason == error.reason
