"""Secrets out of what is written down, and nothing else."""

import pytest

from hub.services.redacting import REDACTED, redacted

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password: hunter2hunter2", "hunter2hunter2"),
        ("its token=abcdef1234567890 is old", "abcdef1234567890"),
        ("api_key=XYZ", "XYZ"),
        ('{"api-key": "a b c", "n": 1}', "a b c"),
        ("https://portal.example.org/api/?api_token=s3cret&limit=1", "s3cret"),
        ("X-CSRF-Token: abc", "abc"),
        ("post to https://hooks.slack.com/services/T0/B0/xyz then", "T0/B0/xyz"),
        ("https://discord.com/api/webhooks/1/abc", "1/abc"),
        (f"unknown credential Token {KEY} of user ops", KEY),
        (f"the portal knows no {KEY}", KEY),
        ("https://ops:pa55@portal.example.org", "pa55"),
        ("Authorization: Bearer abcdefgh.ijk", "abcdefgh.ijk"),
        ("mmh_abcdef", "mmh_abcdef"),
    ],
)
def test_what_is_stated_as_a_secret_or_looks_like_one_is_left_out(text, secret):
    said = redacted(text)
    assert secret not in said
    assert REDACTED in said


@pytest.mark.parametrize(
    "text",
    [
        "the request c2e7655437d3a5419a7c4a5493f79555 is not at the network",
        "payload " + "ab" * 32,
        "The nova is 3.2 deg from the Moon: not observable, see S190425z=GW190425",
        "no credential is set for lco",
        "https://portal.example.org/api/requestgroups/12/cancel",
    ],
)
def test_what_is_none_stays(text):
    assert redacted(text) == text


def test_what_is_called_like_one_is_left_out_at_any_depth():
    assert redacted({"a": [{"Token": "x", "n": 1}], "cookie": {"b": 2}}) == {
        "a": [{"Token": REDACTED, "n": 1}],
        "cookie": REDACTED,
    }
