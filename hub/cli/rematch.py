"""``mmhub rematch``: changed rules applied to the past."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_FAILED, EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit, say
from hub.errors import InvalidRequest

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.model.instant import Instant
    from hub.services.rematch import Rematched

DAY_S = 86_400.0


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(rematch)


def rematch(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Events with a time at or after this (UTC, ISO 8601).")
    ] = None,
    event: Annotated[str | None, typer.Option(metavar="ID", help="Only this event.")] = None,
    *,
    announce: Annotated[
        bool, typer.Option("--announce", help="Announce what is new or different, as if it were found now.")
    ] = False,
    followup: Annotated[
        bool, typer.Option("--followup", help="With --announce: also ask telescopes, and stop what was asked.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate past events again with the rules of this version, and write what differs as new versions.

    Nothing is announced, and no telescope is asked or stopped, unless wanted. A hub that runs beside it must know the new rules
    already: restart it first. It lets out what it would have let out without this: what comes next about a pair finds it as news.
    What is written does not depend on how often this is done; it can be stopped at any time.
    """
    from hub.cli.moments import read_moment

    if since is None and event is None:
        raise InvalidRequest("say which events: --since TIME, --event ID or both")
    moment, leaves = read_moment("--since", since), what_leaves(announce=announce, followup=followup)
    settings = start(context)
    from hub.bootstrap import now, open_database, open_hub
    from hub.cli.progress import Progress
    from hub.services.rematch import Rematch

    if moment is not None and moment > now():
        raise InvalidRequest(f"--since {since} lies in the future", field="--since")
    _warn_of_retention(settings, moment)
    n_done, n_candidates, n_versions = 0, 0, 0
    broken: list[str] = []
    with open_database(settings) as store, open_hub(settings, store, sinks={}, leaves=leaves) as hub:
        work = Rematch(store=store, correlation=hub.correlation)
        event_ids = work.chosen(moment, event)
        if not event_ids:
            raise typer.Exit(EXIT_NOTHING_FOUND)
        last: Rematched | None = None
        try:
            with Progress("events", total=len(event_ids)) as progress:
                for done in work.run(event_ids):
                    last, n_done = done, n_done + 1
                    broken += done.report.broken
                    n_candidates += done.report.candidates
                    n_versions += done.report.versions
                    if as_json:
                        emit(_line(done))
                    progress.advance(1, done.event_id)
        except KeyboardInterrupt:
            complain(f"mmhub: stopped after {n_done} of {len(event_ids)} events{_go_on(last)}")
            raise typer.Exit(EXIT_FAILED) from None
    if not as_json:
        say(f"events: {n_done}, candidates written: {n_candidates}, coincidence versions written or let out: {n_versions}")
    for name in broken:
        complain(f"mmhub: the event {name} could not be evaluated; the log says why")
    if broken:
        raise typer.Exit(EXIT_FAILED)


def what_leaves(*, announce: bool, followup: bool) -> "Any":
    """Return what may leave the hub.

    Raises
    ------
    InvalidRequest
        Telescopes are to be asked for what nobody is told.
    """
    from hub.model.outgoing import Leaves

    if followup and not announce:
        raise InvalidRequest("--followup needs --announce: telescopes are asked for what was announced only", field="--followup")
    if not announce:
        return Leaves.NOTHING
    return Leaves.ALL if followup else Leaves.MESSAGES


def _line(done: "Rematched") -> dict[str, Any]:
    return {
        "event_id": done.event_id,
        "t0": done.last_t0.to_utc_iso() if done.last_t0 else None,
        "candidates": done.report.candidates,
        "versions": done.report.versions,
        "broken": bool(done.report.broken),
    }


def _go_on(last: "Rematched | None") -> str:
    """Return how to go on."""
    return "" if last is None or last.last_t0 is None else f"; go on with --since {last.last_t0.to_utc_iso()}"


def _warn_of_retention(settings: "Settings", since: "Instant | None") -> None:
    from hub.bootstrap import now

    kept_from = now().plus_s(-settings.archive.keep_days * DAY_S)
    if since is not None and since < kept_from:
        complain(
            f"alerts are kept for {settings.archive.keep_days:g} days (archive.keep_days): what older ones led to stays as it is"
        )
