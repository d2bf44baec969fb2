"""``mmhub events`` and ``mmhub show``."""

from typing import Annotated, Any

import typer

from hub.cli.invocation import reading
from hub.cli.listing import AsJson, Limit, cell, collect, facts, present
from hub.cli.output import emit, say, table

N_CANDIDATES = 10
"""How many of the best candidates ``show`` prints."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(events)
    app.command()(show)


def events(  # noqa: PLR0917 - one for each option
    context: typer.Context,
    text: Annotated[str | None, typer.Option("--name", help="Only events whose id or other name contains this.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Only real events, no tests and mocks.")] = False,
    low: Annotated[bool, typer.Option("--low", help="Also those of low significance that no pair lifts.")] = False,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List events, the latest first; without those of low significance, unless --low or --name asks for them."""
    from hub.services import queries

    with reading(context) as session:
        bodies = collect(
            lambda n, last: queries.event_page(session, text=text, live_only=live, with_low=low, limit=n, before=last), limit
        )
    columns = ("event_id", "messenger", "significance", "stage", "state", "t0", "ra_deg", "dec_deg", "far_hz", "n_versions")
    present(bodies, columns, as_json=as_json)


def show(
    context: typer.Context,
    event: Annotated[str, typer.Argument(help="Id of an event, or another name of it.", metavar="EVENT")],
    as_json: AsJson = False,
) -> None:
    """Show one event: its facts, its versions, its coincidences and best candidates. With --json the event alone."""
    from hub.services import queries

    with reading(context) as session:
        body = queries.event(session, event)
        if as_json:
            emit(body)
            return
        versions = queries.event_versions(session, event)
        pairs = collect(lambda n, last: queries.coincidence_page(session, event_name=event, limit=n, before=last), N_CANDIDATES)
        candidates = queries.ranked_candidates(session, event, limit=N_CANDIDATES)
    facts(body, leave_out=("annotations", "burst", "not_searched"))
    if body["burst"]:
        say(f"one burst with {', '.join(body['burst']['others'])}: see mmhub source show {body['event_id']}")
    if body["annotations"]:
        _section("annotations", body["annotations"], ("kind", "value", "source", "source_ref", "stated_at", "decided_by"))
    _section("versions", versions, ("version", "stage", "issued_at", "stream", "far_hz", "localization_id"))
    _section(
        "coincidences", pairs, ("coincidence_id", "kind", "state", "version", "joint_far_hz", "random_association_hz", "score")
    )
    if body["not_searched"]:
        say("")
        say(f"candidates: {body['not_searched']}")
        return
    _section("best candidates", candidates, ("rank", "survey", "object_id", "hypothesis", "level", "score", "n_detections"))
    for candidate in candidates:
        say(f"  {candidate['rank']}: {'; '.join(candidate['reasons'])}")


def _section(name: str, bodies: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    say("")
    say(f"{name}: {len(bodies) or 'none'}")
    if bodies:
        table(columns, [[cell(body.get(column)) for column in columns] for body in bodies])
