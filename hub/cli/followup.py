"""``mmhub followup list|show``."""

from typing import Annotated

import typer

from hub.cli.invocation import reading
from hub.cli.listing import AsJson, Limit, collect, facts, present
from hub.cli.output import emit, table

group = typer.Typer(no_args_is_help=True, help="Look at requests to telescopes.")
"""Verbs below ``mmhub followup``."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="followup")


@group.command("list")
def list_(
    context: typer.Context,
    event: Annotated[str | None, typer.Option(help="Only those because of this event.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List follow-up requests, the newest first."""
    from hub.services import queries

    with reading(context) as session:
        bodies = collect(lambda n, last: queries.followup_page(session, event_name=event, limit=n, before=last), limit)
    present(bodies, ("intent_id", "event_id", "target", "network", "instrument", "state", "updated_at"), as_json=as_json)


@group.command()
def show(
    context: typer.Context,
    intent_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a request.")],
    as_json: AsJson = False,
) -> None:
    """Show one follow-up request with the visibility of its target and every step."""
    from hub.services import queries

    with reading(context) as session:
        body = queries.followup_request(session, intent_id)
    if as_json:
        emit(body)
        return
    facts(body, leave_out=("visibility", "transitions"))
    for name, columns in (
        ("visibility", ("site", "is_observable", "window_start", "window_end", "best_airmass", "reason")),
        ("transitions", ("number", "state", "at", "remote_id", "remote_state", "reason")),
    ):
        if body[name]:
            table(columns, [[row[column] for column in columns] for row in body[name]])
