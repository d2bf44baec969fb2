"""``mmhub source list|show|join|split|undo``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import reading, start
from hub.cli.listing import AsJson, Limit, cell, collect, facts, present
from hub.cli.output import emit, say, table

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from hub.model.instant import Instant
    from hub.services.association import Association

group = typer.Typer(no_args_is_help=True, help="Look at bursts that several missions saw, join and split them.")
"""Verbs below ``mmhub source``."""

Id = Annotated[str, typer.Argument(metavar="ID", help="Any name of any event of it.")]
"""What names a source."""

One = Annotated[str, typer.Argument(metavar="A", help="Any name of an event.")]
"""The first of two events."""

Other = Annotated[str, typer.Argument(metavar="B", help="Any name of the other.")]
"""The second."""

By = Annotated[str, typer.Option("--by", help="Name of the person who says so; kept with it.")]
"""Who says it."""

Because = Annotated[str, typer.Option("--because", help="Why; kept with it.")]
"""Why."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="source")


@group.command("list")
def list_(context: typer.Context, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the bursts that several missions saw, the latest first."""
    from hub.services import sources

    with reading(context) as session:
        bodies = collect(lambda n, last: sources.page(session, limit=n, before=last), limit)
    if not as_json:
        bodies = [{**body, "events": [one["event_id"] for one in body["members"]]} for body in bodies]
    present(bodies, ("source_id", "t0", "missions", "events", "duration_s", "aliases"), as_json=as_json)


@group.command()
def show(
    context: typer.Context,
    source: Id,
    history: Annotated[bool, typer.Option("--history", help="All versions, the first one first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the burst that an event is part of: its events, what joins them, and what persons said."""
    from hub.services import sources

    with reading(context) as session:
        bodies = sources.history(session, source) if history else [sources.source_of(session, source)]
    for number, body in enumerate(bodies):
        if as_json:
            emit(body)
            continue
        if number:
            say("")
        _print(body)
    if not bodies:
        say(f"{source} was always a source by itself")


@group.command()
def join(context: typer.Context, one: One, other: Other, *, by: By, because: Because, as_json: AsJson = False) -> None:
    """Say that two events are one burst; it holds against every other reason until it is taken back."""
    from hub.services import sources

    _say(
        context, lambda session, with_: sources.join(session, with_[0], one, other, by=by, because=because, at=with_[1]), as_json
    )


@group.command()
def split(context: typer.Context, one: One, other: Other, *, by: By, because: Because, as_json: AsJson = False) -> None:
    """Say that two events are not one burst; it holds against every other reason until it is taken back."""
    from hub.services import sources

    _say(
        context, lambda session, with_: sources.split(session, with_[0], one, other, by=by, because=because, at=with_[1]), as_json
    )


@group.command()
def undo(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="WORD", min=1, help="Number of what was said, as `show` gives it.")],
    *,
    by: By,
    because: Because,
    as_json: AsJson = False,
) -> None:
    """Take back what somebody said about two events; it stays on record."""
    from hub.services import sources

    _say(
        context, lambda session, with_: sources.take_back(session, with_[0], number, by=by, because=because, at=with_[1]), as_json
    )


def _say(
    context: typer.Context,
    say_it: "Callable[[Session, tuple[Association, Instant]], dict[str, Any]]",
    as_json: bool,
) -> None:
    """Write down what a person says, and evaluate everything that follows from it."""
    settings = start(context)
    from hub.bootstrap import now, open_database, open_hub
    from hub.resources import read_text
    from hub.science.rules import load_rules
    from hub.services.association import Association

    with open_database(settings) as store, open_hub(settings, store, sinks={}) as hub:
        association = Association(
            policy=load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml")).association,
            maps=hub.maps,
            clock=now,
        )
        with store.transaction() as session:
            body = say_it(session, (association, now()))
        hub.flow.work()
    if as_json:
        emit(body)
        return
    facts(body, leave_out=("sources",))
    for source in body["sources"]:
        say("")
        _print(source)


def _print(body: dict[str, Any]) -> None:
    facts(body, leave_out=("members", "links", "words"))
    columns = ("event_id", "mission", "event_class", "t0", "duration_s", "localization_id")
    table(columns, [[cell(one[column]) for column in columns] for one in body["members"]])
    for link in body["links"]:
        say(f"  {link['kind']}: {link['reason']}")
    for word in body.get("words", ()):
        undone = "" if word["holds"] else f" - taken back by {word['undone_by']} on {word['undone_at']}: {word['undone_because']}"
        events = " and ".join(word["events"])
        say(f"  word {word['word']}: {word['by']} {word['kind']}s {events} on {word['at']}: {word['because']}{undone}")
