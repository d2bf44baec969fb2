"""Hostile JSON text to plain Python values; the one reader that every JSON codec stands on.

``json.loads`` alone takes NaN and 1e999, keeps the last of two equal keys without a word, and leaves by RecursionError on deep
nesting and by ValueError on a 5,000-digit number. Here size, depth and number of values are checked on the text before the parser
sees it, equal keys are refused (two readers that each pick another one would disagree about the event), and every failure is a
`DecodeError`. Numbers that are not finite stay as float NaN or infinity; `adapters.codecs.json_fields` treats them as missing, or
refuses them.
"""

import json
import re
from typing import Any

from hub.errors import DecodeError

MAX_BYTES = 8 * 1024 * 1024
"""Longest text, as long as a message of Kafka or of the API may be. The largest real notice, an alert with two embedded maps, has
2.1 MB."""

MAX_DEPTH = 64
"""Deepest nesting; real notices have 6."""

MAX_VALUES = 200_000
"""Most members and items; bounds memory, as an empty list of 3 bytes costs 56."""

MAX_DIGITS = 100
"""Most characters of a whole number; ids have 18."""

_TOKEN = re.compile(r'"(?>[^"\\]|\\.)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
_SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def read(payload: bytes) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    DecodeError
        It is no JSON, or breaks one of the limits of this module.
    """
    if len(payload) > MAX_BYTES:
        raise DecodeError(f"the JSON text has {len(payload)} bytes, more than the {MAX_BYTES} allowed", format="json")
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError("the JSON text is not UTF-8", format="json") from error
    _check_shape(text)
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_int=_whole_number)
    except json.JSONDecodeError as error:
        raise DecodeError(f"not valid JSON: {error.msg} at character {error.pos}", format="json") from error
    except (ValueError, RecursionError) as error:  # not reached while the checks above hold
        raise DecodeError("not valid JSON", format="json") from error
    if _SUSPECT_ESCAPE.search(text) or "\x00" in text:
        check_texts(value)
    return value


def read_object(payload: bytes) -> dict[str, Any]:
    """Return the members of a JSON object.

    Raises
    ------
    DecodeError
        As `read`, or the text is another value than an object.
    """
    value = read(payload)
    if not isinstance(value, dict):
        raise DecodeError("the JSON text is no object", format="json")
    return value


def check_texts(value: Any) -> None:
    """Refuse texts that no database column and no XML can hold.

    Raises
    ------
    DecodeError
        A text somewhere in the value holds U+0000 or half a surrogate pair.
    """
    match value:
        case str():
            if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
                raise DecodeError("a text in the message holds a character that is none (U+0000 or half a surrogate pair)")
        case list():
            for item in value:
                check_texts(item)
        case dict():
            for key, item in value.items():
                check_texts(key)
                check_texts(item)
        case _:
            pass


def _check_shape(text: str) -> None:
    depth = values = 0
    for match in _TOKEN.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            values += 1
            if depth > MAX_DEPTH:
                raise DecodeError(f"the JSON text is nested deeper than {MAX_DEPTH} levels", format="json")
        elif mark in "]}":
            depth -= 1
        elif mark == ",":
            values += 1
        if values > MAX_VALUES:
            raise DecodeError(f"the JSON text has more than {MAX_VALUES} values", format="json")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add returns None
        raise DecodeError(f"the key {twice[:40]!r} stands twice in one JSON object", format="json")
    return members


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise DecodeError(f"the JSON text holds a whole number of {len(digits)} digits", format="json")
    return int(digits)
