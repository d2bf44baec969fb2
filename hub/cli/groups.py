"""``mmhub group list|show|explain``."""

from typing import Annotated, Any

import typer

from hub.cli.invocation import EXIT_FAILED, reading
from hub.cli.listing import AsJson, Limit, cell, collect, facts, present
from hub.cli.output import emit, say, table

group = typer.Typer(no_args_is_help=True, help="Look at groups: events of several messengers and objects that may be one.")
"""Verbs below ``mmhub group``."""

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a group, or any name of an event in it.")]
"""What names a group."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="group")


@group.command("list")
def list_(
    context: typer.Context,
    *,
    event: Annotated[str | None, typer.Option(help="Only the one that this event is in.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Only of real events, no tests and mocks.")] = False,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the latest version of each group, the latest found first."""
    from hub.services import group_bodies

    with reading(context) as session:
        bodies = collect(
            lambda n, last: group_bodies.page(session, event_name=event, live_only=live, limit=n, before=last), limit
        )
    columns = ("group_id", "kind", "events", "objects", "state", "version", "overlap", "bayes_factor", "group_far_hz")
    present(bodies, columns, as_json=as_json)


@group.command()
def show(
    context: typer.Context,
    group_name: Id,
    history: Annotated[bool, typer.Option("--history", help="All versions, the first one first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one group: its members, the pairs that tie them, those that went to another group, and its account."""
    from hub.services import group_bodies

    with reading(context) as session:
        bodies = group_bodies.history(session, group_name) if history else [group_bodies.group(session, group_name)]
    for number, body in enumerate(bodies):
        if as_json:
            emit(body)
            continue
        if number:
            say("")
        _print(body)


@group.command()
def explain(
    context: typer.Context,
    group_name: Id,
    version: Annotated[int | None, typer.Option(min=1, help="This version; the latest where not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the arithmetic of each number of a group, computed again from what is stored with it.

    The code is 1 where a stored number is not what its inputs give.
    """
    from hub.services import group_bodies

    with reading(context) as session:
        one, lines = group_bodies.explained_group(session, group_name, version)
    if not as_json:
        say(f"{one.kind} around {one.centre}, version {one.version}, {one.state.value}")
    for line in lines:
        if as_json:
            emit(group_bodies.explained_body(line))
            continue
        value = "-" if line.score.value is None else f"{line.score.value:.6g} {line.score.unit}"
        mark = "" if line.agrees is not False else f"   NOT WHAT ITS INPUTS GIVE: {line.again}"
        say(f"  {line.score.statistic:26} {value:18} = {line.arithmetic}{mark}")
    if any(line.agrees is False for line in lines):
        raise typer.Exit(EXIT_FAILED)


def _print(body: dict[str, Any]) -> None:
    facts(body, leave_out=("members", "pairs", "scores", "reasons", "events", "objects"))
    columns = ("kind", "id", "what", "part", "via", "t0")
    table(columns, [[cell(one[column]) for column in columns] for one in body["members"]])
    numbers = (
        "coincidence_id",
        "kind",
        "members",
        "joint_far_hz",
        "joint_far_time_only_hz",
        "random_association_hz",
        "held_back",
    )
    table(numbers, [[cell(one[column]) for column in numbers] for one in body["pairs"]])
    for one in body["pairs"]:
        if one["elsewhere"]:
            say(f"  {one['coincidence_id']} does not count here: {one['elsewhere']}")
    for reason in body["reasons"]:
        say(f"  {reason}")
