"""``mmhub coinc list|show``."""

from typing import Annotated

import typer

from hub.cli.invocation import reading
from hub.cli.listing import AsJson, Limit, collect, facts, present
from hub.cli.output import emit, say, table

group = typer.Typer(no_args_is_help=True, help="Look at pairs that belong together.")
"""Verbs below ``mmhub coinc``."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="coinc")


@group.command("list")
def list_(
    context: typer.Context,
    *,
    event: Annotated[str | None, typer.Option(help="Only those of this event.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind, e.g. gw-grb.")] = None,
    max_level: Annotated[float | None, typer.Option(min=0, max=1, help="Only those inside this credible level.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the latest version of each coincidence, the latest found first."""
    from hub.services import queries

    with reading(context) as session:
        bodies = collect(
            lambda n, last: queries.coincidence_page(
                session, event_name=event, kind=kind, max_level=max_level, limit=n, before=last
            ),
            limit,
        )
    columns = ("coincidence_id", "kind", "members", "state", "version", "joint_far_hz", "random_association_hz", "level", "score")
    present(bodies, columns, as_json=as_json)


@group.command()
def show(
    context: typer.Context,
    coincidence_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a coincidence.")],
    history: Annotated[bool, typer.Option("--history", help="All versions, the first one first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one coincidence with its numbers and reasons."""
    from hub.services import queries

    with reading(context) as session:
        if history:
            bodies = queries.coincidence_history(session, coincidence_id)
        else:
            bodies = [queries.coincidence(session, coincidence_id)]
    for number, body in enumerate(bodies):
        if as_json:
            emit(body)
            continue
        if number:
            say("")
        facts(body, leave_out=("scores", "reasons"))
        table(("statistic", "value", "unit"), [(score["statistic"], score["value"], score["unit"]) for score in body["scores"]])
        for reason in body["reasons"]:
            say(f"  {reason}")
