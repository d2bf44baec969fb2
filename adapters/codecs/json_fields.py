"""Typed reading of a JSON object's members, with a memory of what was read: the rest is kept, never lost."""

import math
from collections.abc import Mapping
from typing import Any

from hub.errors import DecodeError
from hub.model.instant import Instant

MAX_TEXT = 2_000
"""Longest text that a field may have to be read as one, characters; longer ones stay in the rest."""

MAX_MEMBERS = 100
"""Most members that a table of probabilities may have to be read as one."""

LATEST = Instant.from_utc_iso("2200-01-01")
"""Times from here on are taken as unreadable; they could not be written out again at the end of the calendar."""


class Fields:
    """Members of one object; each reader takes what has the right type, `rest` returns what nobody took.

    A reader returns None where the member is missing, null or of another type: notices in the wild break their schemas, and one
    odd field must not cost the event. Where a wrong value would be worse than none, `demand_number` and `demand_instant` refuse.
    """

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) is not None

    def take(self, name: str) -> Any:
        """Return the member as it stands, None where there is none."""
        self._taken.add(name)
        return self._members.get(name)

    def peek(self, name: str) -> Any:
        """Return the member without taking it."""
        return self._members.get(name)

    def text(self, name: str) -> str | None:
        """Return a text that is not blank, stripped."""
        value = self._members.get(name)
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            return None
        self._taken.add(name)
        return value.strip() or None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a member that is one text or a list of them; whole numbers count as texts."""
        value = self._members.get(name)
        items = value if isinstance(value, list) else [value]
        found = [str(item).strip() for item in items if isinstance(item, str | int) and not isinstance(item, bool)]
        if len(found) == len(items):
            self._taken.add(name)
        return tuple(item for item in dict.fromkeys(found) if item)

    def number(self, name: str) -> float | None:
        """Return a finite number."""
        value = finite(self._members.get(name))
        if value is not None:
            self._taken.add(name)
        return value

    def numbers(self, name: str) -> tuple[float, ...] | None:
        """Return the finite numbers of a list that holds nothing else, or of one number."""
        value = self._members.get(name)
        items = value if isinstance(value, list) else [value]
        found = [number for item in items if (number := finite(item)) is not None]
        if not found or len(found) != len(items):
            return None
        self._taken.add(name)
        return tuple(found)

    def flag(self, name: str) -> bool | None:
        """Return a truth value."""
        value = self._members.get(name)
        if not isinstance(value, bool):
            return None
        self._taken.add(name)
        return value

    def probabilities(self, name: str) -> dict[str, float | None]:
        """Return a nested object's members as probabilities, None for one that is none; empty where it is no small object."""
        value = self._members.get(name)
        if not isinstance(value, dict) or len(value) > MAX_MEMBERS or any(len(key) > MAX_TEXT for key in value):
            return {}
        self._taken.add(name)
        return {key: probability(item) for key, item in value.items() if key}

    def object(self, name: str) -> Mapping[str, Any] | None:
        """Return a nested object."""
        value = self._members.get(name)
        if not isinstance(value, dict):
            return None
        self._taken.add(name)
        return value

    def instant(self, name: str) -> Instant | None:
        """Return a time given as ISO 8601 UTC text."""
        value = instant_of(self._members.get(name))
        if value is not None:
            self._taken.add(name)
        return value

    def demand_number(self, name: str) -> float | None:
        """Return a finite number, None where there is none.

        Raises
        ------
        DecodeError
            The member is there and is something else.
        """
        if name not in self:
            return None
        value = self.number(name)
        if value is None:
            raise DecodeError(f"the field {name!r} is not a finite number")
        return value

    def demand_instant(self, name: str) -> Instant | None:
        """Return a time, None where there is none.

        Raises
        ------
        DecodeError
            The member is there and is no ISO 8601 time.
        """
        if name not in self:
            return None
        value = self.instant(name)
        if value is None:
            raise DecodeError(f"the field {name!r} is not an ISO 8601 time")
        return value

    def rest(self) -> dict[str, Any]:
        """Return what no reader took, as JSON values; nulls are left out."""
        return {name: json_value(value) for name, value in self._members.items() if name not in self._taken and value is not None}


def finite(value: Any) -> float | None:
    """Return a finite float of a JSON number, None of anything else (truth values and texts included)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)  # whole numbers have at most 100 digits, see `json_text`
    return number if math.isfinite(number) else None


def probability(value: Any) -> float | None:
    """Return a number in [0, 1], None of anything else."""
    number = finite(value)
    return number if number is not None and 0.0 <= number <= 1.0 else None


def instant_of(value: Any) -> Instant | None:
    """Return the time of an ISO 8601 text, None of anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = Instant.from_utc_iso(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment < LATEST else None


def json_value(value: Any) -> Any:
    """Return the same value as JSON and databases can hold it.

    NaN and infinity become null; what only Avro has (bytes, dates, decimals) becomes text, bytes by their number alone.
    """
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [json_value(item) for item in value]
        case dict():
            return {str(key): json_value(item) for key, item in value.items()}
        case None | bool() | int() | str():
            return value
        case bytes():
            return f"{len(value)} bytes"
        case _:
            return str(value)
