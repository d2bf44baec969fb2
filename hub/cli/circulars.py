"""``mmhub circulars search|show``."""

from typing import Annotated

import typer

from hub.cli.invocation import reading
from hub.cli.listing import AsJson, Limit, collect, facts, present
from hub.cli.moments import read_moment
from hub.cli.output import emit, say

group = typer.Typer(no_args_is_help=True, help="Search and read circulars.")
"""Verbs below ``mmhub circulars``."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="circulars")


@group.command()
def search(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD...", help="All must stand in subject or body.")] = None,
    *,
    event: Annotated[str | None, typer.Option(help="Any name of an event, in any spelling.")] = None,
    since: Annotated[str | None, typer.Option(help="Published at this time (UTC) or later.")] = None,
    until: Annotated[str | None, typer.Option(help="Published at this time (UTC) or before.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Find circulars, the highest number first."""
    from hub.services import circulars

    first, last_moment = read_moment("--since", since), read_moment("--until", until)
    with reading(context) as session:
        bodies = collect(
            lambda n, last: circulars.page(
                session,
                text=" ".join(words or ()) or None,
                event_name=event,
                since=first,
                until=last_moment,
                limit=n,
                before=last,
            ),
            limit,
        )
    present(bodies, ("circular_id", "version", "created_at", "event_ids", "subject", "submitter"), as_json=as_json)


@group.command()
def show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=0, max=2**31 - 1, help="Number in the archive.")],
    as_json: AsJson = False,
) -> None:
    """Show one circular with its text; control characters in it are made visible."""
    from hub.services import circulars

    with reading(context) as session:
        body = circulars.one(session, number)
    if as_json:
        emit(body)
        return
    facts(body, leave_out=("body", "n_characters", "raw_sha256"))
    say("")
    for line in body["body"].splitlines():
        say(line)
