"""Words and numbers on the terminal: NDJSON without NaN, tables without foreign control characters."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from hub.text import printable


def emit(record: Mapping[str, Any]) -> None:
    """Print one JSON object on one line; a number that is not finite becomes null."""
    typer.echo(json.dumps(finite(record), ensure_ascii=True, allow_nan=False, separators=(", ", ": ")))


def finite(value: Any) -> Any:
    """Return a JSON value with every NaN and infinity replaced by None.

    >>> finite({"a": [1.0, float("nan")], "b": float("inf")})
    {'a': [1.0, None], 'b': None}
    """
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): finite(entry) for key, entry in value.items()}
        case list() | tuple():
            return [finite(entry) for entry in value]
        case _:
            return value


def say(text: str) -> None:
    """Print one line of text, foreign control characters made visible."""
    typer.echo(printable(text))


def complain(text: str) -> None:
    """Print one line to standard error."""
    typer.echo(printable(text), err=True)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under their column names, as wide as their content; numbers to the right."""
    cells = [[cell_text(cell) for cell in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(head)]
    numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(head))]

    def line(texts: Sequence[str]) -> str:
        columns = zip(texts, widths, numeric, strict=True)
        return "  ".join(text.rjust(width) if number else text.ljust(width) for text, width, number in columns).rstrip()

    typer.echo(line(head))
    for row in cells:
        typer.echo(line(row))


def cell_text(value: Any) -> str:
    """Return how a value looks in a table: five significant digits, ``-`` for nothing."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.5g}" if math.isfinite(value) else "-"
        case _:
            return printable(str(value))
