"""``mmhub coinc list|show|explain``."""

from typing import Annotated

import typer

from hub.cli.invocation import EXIT_FAILED, reading
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
    held_back: Annotated[
        bool | None,
        typer.Option("--held-back/--not-held-back", help="Only those that are open and not announced, with the reason."),
    ] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the latest version of each coincidence, the latest found first."""
    from hub.services import queries

    with reading(context) as session:
        bodies = collect(
            lambda n, last: queries.coincidence_page(
                session, event_name=event, kind=kind, max_level=max_level, held_back=held_back, limit=n, before=last
            ),
            limit,
        )
    columns = (
        *("coincidence_id", "kind", "members", "state", "held_back", "version"),
        *("joint_far_hz", "random_association_hz", "level", "score"),
        *(("expected_unrelated", "held_back_reason") if held_back else ()),
    )
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


@group.command()
def explain(
    context: typer.Context,
    coincidence_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a coincidence.")],
    version: Annotated[int | None, typer.Option(min=1, help="This version; the latest where not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the arithmetic of each number, computed again from the inputs that are stored with it.

    The code is 1 where a stored number is not what its inputs give.
    """
    from hub.services import queries

    with reading(context) as session:
        one, lines = queries.explained_coincidence(session, coincidence_id, version)
    if not as_json:
        say(f"{one.kind} {' + '.join(member.id for member in one.members)}, version {one.version}, {one.state.value}")
    for line in lines:
        if as_json:
            emit(
                {
                    "statistic": line.score.statistic,
                    "value": line.score.value,
                    "unit": line.score.unit,
                    "arithmetic": line.arithmetic,
                    "again": line.again,
                    "agrees": line.agrees,
                    "inputs": dict(line.score.inputs),
                }
            )
            continue
        value = "-" if line.score.value is None else f"{line.score.value:.6g} {line.score.unit}"
        mark = {True: "", False: f"   NOT WHAT ITS INPUTS GIVE: {line.again}", None: ""}[line.agrees]
        say(f"  {line.score.statistic:20} {value:18} = {line.arithmetic}{mark}")
    if any(line.agrees is False for line in lines):
        raise typer.Exit(EXIT_FAILED)
