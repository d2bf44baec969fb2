"""Listings in pages: what comes after a key in a given order."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, and_, literal, or_
from sqlalchemy.orm import Mapped

Order = Sequence[tuple[Mapped[Any], bool]]
"""Columns that together are unique, each with whether it descends. None of them is ever NULL."""


def ordering(order: Order) -> list[UnaryExpression[Any]]:
    """Return the ``ORDER BY`` of an order."""
    return [column.desc() if descends else column.asc() for column, descends in order]


def after(order: Order, key: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a row comes after the row with this key (one value for each column of the order)."""
    steps = []
    for index, (column, descends) in enumerate(order):
        same = [earlier == value for (earlier, _), value in zip(order[:index], key, strict=False)]
        value = literal(key[index])  # a bare True cannot be compared by size
        steps.append(and_(*same, column < value if descends else column > value))
    return or_(*steps)


def contains(text: str) -> str:
    r"""Return a ``LIKE`` pattern (escape character ``\``) for texts that contain this one."""
    escaped = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
