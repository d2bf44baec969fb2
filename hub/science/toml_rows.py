"""Tables of a TOML file read strictly: each mistake is a `ValueError` whose sentence says which key of which table."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

E = TypeVar("E", bound=StrEnum)


class Row:
    """One table, and how a sentence calls it."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise ValueError(f"{where} must be a table")  # noqa: TRY004 - all mistakes of a file are one kind
        self._data = data
        self.where = where

    def __contains__(self, key: str) -> bool:
        """Tell whether the table has a key."""
        return key in self._data

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, in the order of the file."""
        return tuple(self._data)

    def only(self, *known: str) -> None:
        """Refuse any other key."""
        if unknown := sorted(set(self._data) - set(known)):
            raise ValueError(f"{self.where} has the unknown key {unknown[0]!r}")

    def table(self, key: str) -> "Row":
        """Return an inner table."""
        return Row(self._value(key), f"[{key}] of {self.where}")

    def tables(self, key: str) -> "list[Row]":
        """Return the inner tables of a list; none where it is missing."""
        rows = self._data.get(key, [])
        if not isinstance(rows, list):
            raise ValueError(f"{key} of {self.where} must be a list of tables")  # noqa: TRY004 - as above
        found = []
        for number, one in enumerate(rows, start=1):
            name = one.get("name") if isinstance(one, Mapping) else None
            label = f"the {key} {name!r}" if isinstance(name, str) else f"{key} number {number}"
            found.append(Row(one, f"{label} of {self.where}"))
        return found

    def word(self, key: str) -> str:
        """Return a text that is not empty."""
        value = self._value(key)
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{key} of {self.where} must be a text that is not empty, not {value!r}")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._value(key)
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            raise ValueError(f"{key} of {self.where} must be a list of texts, not {value!r}")
        return tuple(value)

    def flag(self, key: str) -> bool:
        """Return true or false."""
        value = self._value(key)
        if not isinstance(value, bool):
            raise ValueError(f"{key} of {self.where} must be true or false, not {value!r}")  # noqa: TRY004 - as above
        return value

    def whole(self, key: str, *, least: int) -> int:
        """Return a whole number of at least so much."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{key} of {self.where} must be a whole number of at least {least}, not {value!r}")
        return value

    def number(self, key: str, *, most: float, least: float | None = None, above: float | None = None) -> float:
        """Return a finite number in a range, of which `above` is no part and both other ends are."""
        value = self._value(key)
        low = least if above is None else above
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        fits = is_number and value <= most and (low is None or (value > low if above is not None else value >= low))
        if not fits:
            start = "" if low is None else f" {'above' if above is not None else 'of at least'} {low:g} and"
            raise ValueError(f"{key} of {self.where} must be a number{start} of at most {most:g}, not {value!r}")
        return float(value)

    def numbers(self, key: str, *, most: float, above: float) -> tuple[float, ...]:
        """Return a list of finite numbers above one end and at most the other."""
        value = self._value(key)
        if not isinstance(value, list):
            raise ValueError(f"{key} of {self.where} must be a list of numbers, not {value!r}")  # noqa: TRY004 - as above
        return tuple(Row({key: one}, self.where).number(key, most=most, above=above) for one in value)

    def one_of(self, key: str, kind: type[E]) -> E:
        """Return one of the words of an enumeration."""
        value = self._value(key)
        try:
            return kind(value)
        except ValueError as error:
            raise ValueError(f"{key} of {self.where} must be one of {', '.join(kind)}, not {value!r}") from error

    def _value(self, key: str) -> Any:
        if key not in self._data:
            raise ValueError(f"{self.where} lacks {key!r}")
        return self._data[key]
