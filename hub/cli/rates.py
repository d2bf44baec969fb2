"""``mmhub rates``: how often unrelated triggers come, as pairs are computed with."""

from typing import Annotated

import typer

from hub.cli.invocation import reading
from hub.cli.listing import AsJson
from hub.cli.moments import read_moment
from hub.cli.output import emit, say, table


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(rates)


def rates(
    context: typer.Context,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Of a pair, UTC; now where not given.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the rates that a pair at a time is computed with: configured, measured with its error, and storms.

    All are per year of 365 days.
    """
    moment = read_moment("--at", at)
    with reading(context) as session:
        from hub import resources
        from hub.bootstrap import now
        from hub.science.rules import load_rules
        from hub.services import rates as services

        rows = services.table(
            session,
            load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml")),
            moment or now(),
        )
    if as_json:
        for row in rows:
            emit(row)
        return
    columns = ("what", "classes", "missions", "configured", "measured", "error", "used", "n", "days", "storm")
    table(
        columns,
        [
            (
                row["what"],
                ", ".join(row["classes"]),
                ", ".join(row["missions"]) or "all",
                row["configured_per_yr"],
                row["measured_per_yr"],
                row["error_per_yr"],
                row["used_per_yr"],
                row["n"],
                row["span_d"],
                ", ".join(row["storm_missions"]) if row["is_storm"] else "no",
            )
            for row in rows
        ],
    )
    for row in rows:
        say(f"  {row['what']} {', '.join(row['classes'])}: {row['reason']}")
