"""Hostile JSON notices."""

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.support import json_notices
from tests.support.bombs import Bomb, family
from tests.support.bombs_maps import zeros

WRONG: tuple[Any, ...] = (None, True, -1, 1e300, "", "nan", "x" * 5_000, [], [[[]]], {}, {"a": 1}, ["a"] * 1_000, "\u202e\u0007")
"""Values of every type; each stands once for each field."""

NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "370", "-90.0001", "359.9999999999999999", "1" * 99)


def replaced(notice: dict[str, Any], field: str, literal: str) -> bytes:
    """Return a notice with the text of one value replaced by something that JSON may not have."""
    return json.dumps(notice | {field: "@@"}).replace('"@@"', literal).encode()


def _refused() -> dict[str, Callable[[], bytes]]:
    text = json.dumps(json_notices.gbm(id=["77"]))
    return {
        "duplicate keys": lambda: replaced(json_notices.gbm(), "dec", '1.0, "ra": 7'),
        **{f"100000 {mark}": lambda mark=mark: mark.encode() * 100_000 for mark in ("[", '{"a":', "[[],")},
        "100000 [ inside": lambda: replaced(json_notices.gbm(), "rate_snr", "[" * 100_000 + "]" * 100_000),
        "number of 5000 digits": lambda: replaced(json_notices.gbm(), "ra", "1" * 5_000),
        "a million values": lambda: replaced(json_notices.gbm(), "extra", "[" + "0," * 1_000_000 + "0]"),
        "9 MB of text": lambda: replaced(json_notices.gbm(), "extra", '"' + "x" * (9 << 20) + '"'),
        "base64 of 12 MB": lambda: json_notices.as_bytes(
            json_notices.gbm(healpix_file=base64.b64encode(bytes(12 << 20)).decode())
        ),
        "not closed": lambda: text.encode()[:-1],
        "NUL in the middle": lambda: text.replace("GROUND", "GRO\0UND").encode(),
        "escaped NUL in an id": lambda: text.replace('"77"', '"7\\u00007"').encode(),
        "half a surrogate": lambda: text.replace('"77"', '"7\\ud8007"').encode(),
        "UTF-16": lambda: text.encode("utf-16"),
        "Latin-1": lambda: text.replace("GROUND", "GR\xd6UND").encode("latin-1"),
        "a list": lambda: b"[" + text.encode() + b"]",
        **{f"only {word}": lambda word=word: word.encode() for word in ("{}", "[]", "null", "1e999", '"text"', "NaN")},
        "a JSON schema": lambda: b'{"$schema": "https://json-schema.org/draft/2020-12/schema", "mission": {"type": "string"}}',
    }


def _odd() -> dict[str, Callable[[], bytes]]:
    found: dict[str, Callable[[], bytes]] = {}
    for build in json_notices.ALL:
        notice = build()
        name = build.__name__
        for field in notice:
            for i, value in enumerate(WRONG):
                found[f"{name}.{field} = wrong value {i}"] = lambda n=notice, f=field, v=value: json_notices.as_bytes(n | {f: v})
    alert = json_notices.igwn_alert()
    for field in alert["event"]:
        for i, value in enumerate(WRONG):
            found[f"igwn event.{field} = wrong value {i}"] = lambda f=field, v=value: json_notices.as_bytes(
                alert | {"event": alert["event"] | {f: v}}
            )
    for field in ("ra", "dec", "ra_dec_error", "containment_probability", "record_number"):
        for literal in NUMBERS:
            found[f"gbm.{field} = {literal[:20]}"] = lambda f=field, text=literal: replaced(json_notices.gbm(), f, text)
    return found


def _without_map() -> dict[str, Callable[[], bytes]]:
    return {
        "base64 of a gzip bomb": lambda: json_notices.as_bytes(
            json_notices.gbm(id=["882000001"], record_number=1, healpix_file=base64.b64encode(zeros(1024)).decode())
        ),
        "base64 that is none": lambda: json_notices.as_bytes(
            json_notices.gbm(id=["882000002"], record_number=1, healpix_file="@" * 4_000_000)
        ),
        "a list for a map": lambda: json_notices.as_bytes(
            json_notices.gbm(id=["882000003"], record_number=1, healpix_file=["x"] * 1_000)
        ),
    }


def bombs(*, every: int = 1) -> list[Bomb]:
    """Return the family, of the wrong values only every n-th."""
    return [
        *family("json", "dead", _refused()),
        *family("json", "stored", _without_map(), remark=True),
        *family("json", "either", dict(list(_odd().items())[::every])),
    ]
