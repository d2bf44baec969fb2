"""Bodies of resources on the terminal: lists in pages, one in full."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND
from hub.cli.output import cell_text, emit, say, table

if TYPE_CHECKING:
    from hub.services.queries import Page

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, as the HTTP API gives it.")]
"""The option of every verb that prints results."""

Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
"""The option of every verb that lists."""

PAGE = 200
"""Bodies that are read at once."""


def collect(page: "Callable[[int, Any], Page]", limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` bodies, asking for page after page with (size, key of the last body)."""
    bodies: list[dict[str, Any]] = []
    last: Any = None
    while len(bodies) < limit:
        found = page(min(PAGE, limit - len(bodies)), last)
        bodies += found.bodies
        last = found.last
        if last is None:
            break
    return bodies


def present(bodies: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print bodies as JSON lines or as a table of some of their keys; exit code 3 where there are none."""
    if not bodies:
        raise typer.Exit(EXIT_NOTHING_FOUND)
    if as_json:
        for body in bodies:
            emit(body)
    else:
        table(columns, [[cell(body[column]) for column in columns] for body in bodies])


def facts(body: Mapping[str, Any], *, leave_out: Sequence[str] = ()) -> None:
    """Print one body for a person: a line for each key that says something."""
    shown = {key: value for key, value in body.items() if value not in (None, [], {}, "") and key not in leave_out}
    width = max((len(key) for key in shown), default=0)
    for key, value in shown.items():
        say(f"{key.ljust(width)}  {_short(value)}")


def cell(value: Any) -> Any:
    """Return a number as it is, so that it is set to the right, and anything compound as text."""
    return value if isinstance(value, bool | int | float | str | None) else _short(value)


def _short(value: Any) -> str:
    match value:
        case Mapping() if set(value) == {"kind", "id"}:  # a member of a coincidence
            return cell_text(value["id"])
        case Mapping():
            return ", ".join(f"{key} {_short(entry)}" for key, entry in value.items())
        case list() | tuple():
            return ", ".join(_short(entry) for entry in value)
        case _:
            return cell_text(value)
