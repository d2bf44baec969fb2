"""``mmhub what``: what was coincident with a position, and perhaps a time."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit, say, table

if TYPE_CHECKING:
    from hub.model.instant import Instant

COLUMNS = {
    "event": ("event_id", "messenger", "event_class", "level", "dt_s", "t0", "state"),
    "candidate": ("object_id", "event_id", "separation_deg", "hypothesis", "level", "score", "state"),
    "object": ("object_id", "separation_deg", "n_alerts", "last_alert"),
}
"""Columns of each table."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command(context_settings={"ignore_unknown_options": True})(what)  # a negative declination is no option


def what(
    context: typer.Context,
    ra_deg: Annotated[float, typer.Argument(min=0, max=360, metavar="RA", help="Right ascension, ICRS, degrees.")],
    dec_deg: Annotated[float, typer.Argument(min=-90, max=90, metavar="DEC", help="Declination, ICRS, degrees.")],
    time: Annotated[str | None, typer.Argument(metavar="[TIME]", help="ISO 8601, UTC; any time where it is left out.")] = None,
    *,
    radius_deg: Annotated[
        float, typer.Option("--radius", min=0, max=180, help="Degrees around, for candidates and alerts.")
    ] = 1.0,
    window_d: Annotated[float, typer.Option("--window", min=0, help="Days before and after TIME.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """List events whose localization holds a position, and candidates and alerts around it."""
    settings = start(context)
    from hub.bootstrap import open_database, open_history
    from hub.services import coverage
    from hub.services.coincident import Question, alerts_at, candidates_at, events_at
    from hub.services.maps import MapCache

    question = Question(
        ra_deg=ra_deg % 360.0, dec_deg=dec_deg, time=_instant(time) if time else None, window_d=window_d, radius_deg=radius_deg
    )
    with open_database(settings) as store:
        with store.reading() as session:
            found = events_at(session, MapCache(), question) + candidates_at(session, question)
            hears = coverage.heard(session)
        found += alerts_at(open_history(settings), question)
    for survey in hears.surveys():
        for remark in hears.remarks(survey):
            complain(remark)
    if not found:
        raise typer.Exit(EXIT_NOTHING_FOUND)
    if as_json:
        for row in found:
            emit(row)
    else:
        _tables(found)


def _tables(found: list[dict[str, Any]]) -> None:
    for kind, columns in COLUMNS.items():
        rows = [row for row in found if row["kind"] == kind]
        say(f"{kind}s: {len(rows) or 'none'}")
        if rows:
            table(columns, [[row[column] for column in columns] for row in rows])


def _instant(text: str) -> "Instant":
    from hub.model.instant import Instant

    try:
        return Instant.from_utc_iso(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="TIME") from error
