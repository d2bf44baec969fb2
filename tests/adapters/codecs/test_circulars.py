import pytest

from adapters.codecs import circulars
from hub.errors import DecodeError
from tests.support import json_notices as made

TEXT = b"""TITLE:   GCN CIRCULAR
NUMBER:  123
SUBJECT: GRB 990101: nothing seen
DATE:    99/01/02 03:04:05 GMT
FROM:    A. Nobody at Nowhere

We looked and saw nothing.
SUBJECT: not a header
"""


def test_a_circular_is_kept_as_context():
    read = circulars.decode_json(made.circular())
    assert (read.kind, read.format) == ("circular", "gcn-circular-json")
    assert read.summary["circular_id"] == 40001
    assert read.summary["subject"] == "GRB 260301A: nothing seen"
    assert read.summary["created_at"] == "2026-03-01T01:53:20.000000Z"


def test_the_old_text_form_says_the_same():
    assert circulars.is_text_circular(TEXT)
    read = circulars.decode_text(TEXT)
    assert (read.kind, read.format) == ("circular", "gcn-circular-text")
    assert read.summary["circular_id"] == 123
    assert read.summary["subject"] == "GRB 990101: nothing seen"
    assert read.summary["created_at"] == "1999-01-02T03:04:05.000000Z"
    assert read.summary["submitter"] == "A. Nobody at Nowhere"


@pytest.mark.parametrize(
    "text", [TEXT.replace(b"123", b"x"), TEXT.replace(b"GRB 990101: nothing seen", b""), TEXT + b"x" * 2_000_000]
)
def test_a_text_without_number_or_subject_or_end_is_refused(text):
    with pytest.raises(DecodeError, match="circular"):
        circulars.decode_text(text)


@pytest.mark.parametrize("changes", [{"subject": ""}, {"subject": 5}, {"body": None}])
def test_a_circular_without_subject_or_body_is_refused(changes):
    with pytest.raises(DecodeError, match="no subject or no body"):
        circulars.decode_json(made.circular(**changes))


def test_an_absurd_date_is_left_out():
    assert circulars.decode_json(made.circular(createdOn=1e300)).summary["created_at"] is None
    assert circulars.decode_text(TEXT.replace(b"99/01/02", b"99/13/42")).summary["created_at"] is None
