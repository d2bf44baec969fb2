"""``mmhub status``: how a running hub is, from any machine that reaches its database."""

from typing import Annotated, Any

import typer

from hub.cli.invocation import EXIT_FAILED, reading, start
from hub.cli.listing import AsJson
from hub.cli.output import emit, say, table
from hub.errors import NotFound


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(status)


def status(
    context: typer.Context,
    forget: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Forget a loop that is silent for good, such as source/gcn, or all of a process."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show each source, destination and loop, what is wrong, and what waits. Exit code 1 where there is an alarm."""
    if forget is not None:
        _forget(context, forget, as_json=as_json)
        return
    with reading(context) as session:
        from hub.bootstrap import now
        from hub.services.status import health

        body = health(session, now())
    if as_json:
        emit(body)
    else:
        _show(body)
    if body["status"] != "ok":
        raise typer.Exit(EXIT_FAILED)


def _forget(context: typer.Context, name: str, *, as_json: bool) -> None:
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import status as services

    with open_database(settings) as store, store.transaction() as session:
        forgotten = services.forget(session, name, now())
    if not forgotten:
        raise NotFound(f"nothing that is silent is called {name!r}; `mmhub status` shows what is")
    for one in forgotten:
        emit({"forgotten": one}) if as_json else say(f"forgot {one}")


def _show(body: dict[str, Any]) -> None:
    say(f"status: {body['status']}")
    for alarm in body["alarms"]:
        say(f"  ! {alarm}")
    sources = [
        (
            one["source"],
            _state(one),
            *(one[name] for name in ("received", "stored", "duplicates", "dead_letters", "in_flight", "held")),
            _fact(one, "lag") if one["alerts"] is None else one["alerts"]["lag"],
            _fact(one, "heartbeat_age_s"),
            _fact(one, "last_taken_at"),
        )
        for one in body["sources"]
    ]
    head = ("source", "state", "received", "stored", "dupl.", "dead", "flying", "held", "lag", "heartbeat s", "last message")
    _section("sources", head, sources)
    alerts = [(one["source"], *_passing(one["alerts"])) for one in body["sources"] if one["alerts"] is not None]
    if alerts:
        columns = (
            "source",
            "workers",
            "alerts/s",
            "lag",
            "lag s",
            "p50 s",
            "p98 s",
            "in 60 s",
            "dated ahead",
            "packets not kept",
        )
        _section("alerts, from readout to matched", columns, alerts)
        say(_archived(body["sources"]))
    destinations = [
        (
            one["destination"],
            _state(one),
            one["waiting"],
            one["sent"],
            one["failed"],
            one["oldest_waiting_s"],
            one["error"] or None,
        )
        for one in body["destinations"]
    ]
    _section("destinations", ("destination", "state", "waiting", "sent", "failed", "oldest s", "last error"), destinations)
    loops = [(one["name"], one["state"], one["since"], _process(one["instance"])) for one in body["components"]]
    _section("other loops", ("loop", "state", "since", "process"), loops)
    incidents = [(one["at"], one["source"], one["kind"], one["text"]) for one in body["incidents"]]
    _section("incidents, the latest", ("at", "source", "kind", "what"), incidents)


def _passing(alerts: dict[str, Any]) -> tuple[Any, ...]:
    """Return the cells of the line about alerts."""
    share = alerts["within_60_s"]
    names = ("workers", "alerts_per_s", "lag", "lag_s", "matched_p50_s", "matched_p98_s")
    in_time = None if share is None else f"{100 * share:.1f} %"
    return (*(alerts[name] for name in names), in_time, alerts["dated_ahead"], alerts["packets_not_kept"])


def _archived(sources: list[dict[str, Any]]) -> str:
    """Return how many alerts the archive has, by the latest count of any worker, and when that was."""
    counts = [(one["alerts"]["archive_rows_at"], one["alerts"]["archive_rows"]) for one in sources if one["alerts"] is not None]
    at, rows = max((one for one in counts if one[0] is not None), default=(None, None))
    return "archived: not counted yet" if at is None else f"archived: {rows} alerts of all sources, counted at {at}"


def _section(title: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    say("")
    say(f"{title}: {len(rows) or 'none'}")
    if rows:
        table(head, rows)


def _process(instance: str) -> str:
    """Return host and number of a process, without what only tells it from later ones of the same number."""
    host, _, rest = instance.partition("/")
    return f"{host} {rest.split('/')[1]}" if rest.count("/") == 2 else instance


def _state(one: dict[str, Any]) -> str:
    return "not running" if one["component"] is None else str(one["component"]["state"])


def _fact(one: dict[str, Any], name: str) -> Any:
    return None if one["component"] is None else one["component"]["facts"].get(name)
