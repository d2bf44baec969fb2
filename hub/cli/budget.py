"""``mmhub budget``: false announcements, promised against announced and taken back."""

from typing import Annotated

import typer

from hub.cli.invocation import reading
from hub.cli.listing import AsJson
from hub.cli.output import emit, say, table

COLUMNS = ("rule", "search", "share_per_month", "promised_per_month", "spent_per_month", "announced", "taken_back")
"""Columns of the shares."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(budget)


def budget(
    context: typer.Context,
    days: Annotated[float, typer.Option(min=0.01, max=3650.0, help="Count what left first in so many days until now.")] = 30.0,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the budget of false announcements: each rule's share, and what was announced and taken back."""
    with reading(context) as session:
        from hub import resources
        from hub.bootstrap import now
        from hub.errors import NotFound
        from hub.science.rules import load_rules
        from hub.services.budget import budget_body

        shares = load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml")).budget
        if shares is None:
            raise NotFound("conf/coincidence.toml has no [budget]: everything leaves")
        body = budget_body(session, shares, now(), days=days)
    if as_json:
        emit(body)
        return
    say(shares.sentence)
    say(
        f"in the last {days:g} days {body['announced']} announced, {body['taken_back']} of them taken back; the thresholds "
        f"promise at most {body['promised_in_days']:.4g} false ones in that time"
    )
    table(COLUMNS, [[row[column] for column in COLUMNS] for row in body["shares"]])
