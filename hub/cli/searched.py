"""``mmhub searched``: when a position was searched and how deep, or what share of an event's map."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson, cell, facts
from hub.cli.output import complain, emit, say, table

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

AT_POSITION = ("mid_at", "visit", "detector", "band", "depth_ab", "footprint", "n_alerts", "observation_reason", "target_name")
"""Columns of the visits of a position."""

OF_MAP = ("mid_at", "visit", "band", "depth_ab", "gain", "searched_prob", "n_detectors", "n_expected", "observation_reason")
"""Columns of the visits of a map."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(searched)


def searched(
    context: typer.Context,
    event: Annotated[str | None, typer.Argument(help="Id of an event, or another name of it.", metavar="[EVENT]")] = None,
    *,
    ra_deg: Annotated[float | None, typer.Option("--ra", min=0, max=360, help="Right ascension, ICRS, degrees.")] = None,
    dec_deg: Annotated[float | None, typer.Option("--dec", min=-90, max=90, help="Declination, ICRS, degrees.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="UTC; the event's time, or 30 days before the end, where left out.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="UTC; now where left out (of an event 14 days at most).")] = None,
    depth_ab: Annotated[float | None, typer.Option("--depth", help="Of an event: least AB magnitude at 5 sigma.")] = None,
    band: Annotated[str | None, typer.Option("--band", help="Only this band.")] = None,
    survey: Annotated[str | None, typer.Option("--survey", help="Only this survey.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="List at most so many visits; all count.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Say when a position was last searched, how deep and in which bands, or what share of an event's map was.

    The answer comes from the visits of surveys that are heard in full. Of others the coverage is unknown: exit code 3, with the
    reason.
    """
    is_position = ra_deg is not None and dec_deg is not None
    if (event is None and not is_position) or (event is not None and (ra_deg is not None or dec_deg is not None)):
        raise typer.BadParameter("give either an event, or --ra and --dec")
    if depth_ab is not None and event is None:
        raise typer.BadParameter(
            "a depth is asked of an event's map: a position's answer shows every visit's", param_hint="--depth"
        )
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.cli.moments import read_moment
    from hub.services import searched as answers

    begin, end = read_moment("--from", since), read_moment("--until", until)

    def ask(session: "Session", archive: "Path") -> dict[str, Any]:
        if event is not None:
            return answers.of_event(
                session,
                archive,
                event,
                start=begin,
                end=end,
                now=now(),
                depth_ab=depth_ab,
                band=band,
                survey=survey,
                limit=limit,
            )
        assert ra_deg is not None
        assert dec_deg is not None
        return answers.at_position(
            session,
            archive,
            ra_deg=ra_deg % 360.0,
            dec_deg=dec_deg,
            start=begin,
            end=end or now(),
            band=band,
            survey=survey,
            limit=limit,
        )

    with open_database(settings) as store, store.reading() as session:
        body = ask(session, settings.archive_folder)
    if as_json:
        emit(body)
    else:
        _tell(body, OF_MAP if event is not None else AT_POSITION)
    if body["coverage"] == "unknown":
        raise typer.Exit(EXIT_NOTHING_FOUND)


def _tell(body: dict[str, Any], columns: tuple[str, ...]) -> None:
    if body["coverage"] == "unknown":
        complain(f"coverage unknown: {body['reason']}")
        return
    for remark in body["remarks"]:
        complain(remark)
    facts(body, leave_out=("visits", "last", "bands", "programmes", "surveys", "remarks", "silent"))
    for name in ("bands", "programmes", "silent"):
        rows = body.get(name)
        if rows:
            say("")
            say(f"{name}: {len(rows)}")
            table(tuple(rows[0]), [[cell(row[key]) for key in rows[0]] for row in rows])
    say("")
    say(f"visits: {body['n_visits'] or 'none'}")
    if body["visits"]:
        table(columns, [[cell(one[key]) for key in columns] for one in body["visits"]])
