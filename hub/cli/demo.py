"""``mmhub demo``: a synthetic night through the real hub."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.invocation import start
from hub.cli.output import complain, finite, say, table

SHOWN = 10
"""Candidates and messages that are printed; all are in the report and the database."""


class Scene(StrEnum):
    """Nights that can be played."""

    GW170817 = "gw170817"


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(demo)


def demo(
    context: typer.Context,
    scene: Annotated[Scene, typer.Argument(help="Which night.")] = Scene.GW170817,
    *,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another night.")] = 170817,
    alerts: Annotated[int, typer.Option(min=1, max=200_000, help="At least so many unrelated alerts.")] = 20_000,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as JSON.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the demo's database, as the option before the verb.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON line instead of tables.")] = False,
) -> None:
    """Play the night of GW170817, rebuilt from published numbers, through intake, matching, announcement and follow-up.

    The sky maps, packets and notices are synthesised; the database is left for `mmhub serve`.
    """
    if report is not None:
        _must_be_writable(report)
    settings = start(context, hub__data_dir=str(data_dir) if data_dir else None, logging__level="warning")
    from hub.bootstrap import create_database
    from hub.cli.progress import Progress
    from hub.demo.night import build_night
    from hub.demo.stage import clear
    from hub.demo.story import play

    clear(settings)
    complain(f"building a night with {alerts} unrelated alerts, seed {seed}")
    night = build_night(seed, alerts)
    complain(f"playing {len(night)} messages through the hub")
    with create_database(settings) as store, Progress("messages", total=len(night)) as progress:
        told = finite(play(settings, store, night, tell=progress.advance))
    if report is not None:
        report.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(told))
        return
    _tell(told)
    say("")
    say(f"the database is in {settings.hub.data_dir}: `mmhub serve` answers from it (with the same --data-dir, if one was given)")


def _must_be_writable(report: Path) -> None:
    """Refuse a report that could not be written in the end, before a minute is spent on it."""
    try:
        report.open("a").close()
    except OSError as error:
        raise typer.BadParameter(f"cannot write {report}: {error.strerror}", param_hint="--report") from error


def _tell(told: dict[str, Any]) -> None:
    truth = told["truth"]
    unrelated = truth["n_unrelated_alerts"]
    say(f"{told['n_alerts']} alerts, {unrelated} of them unrelated, and {told['n_notices']} notices, seed {told['seed']}")
    say("numbers of GW170817, GRB 170817A and AT2017gfo as published; maps, packets and all else synthesised")
    say("")
    say(f"{truth['superevent_id']} with {truth['burst_event_id']}:")
    say(f"  joint false-alarm rate, time only       {_rate(told['joint_far_time_only_hz'])}")
    say(f"  joint false-alarm rate, time and sky    {_rate(told['joint_far_hz'])}")
    say(f"  the same by unrelated real events       {_rate(told['random_association_hz'])}")
    say("")
    say(f"candidates of {truth['superevent_id']}: {len(told['candidates'])}, confirmed ones first")
    for one in told["candidates"][:SHOWN]:
        mark = "  <- AT2017gfo" if one["is_true_counterpart"] else ""
        kind = "" if one["confirmed"] else " (unconfirmed)"
        say(f"  {one['rank']:>3}. LSST:{one['object_id']}  score {one['score']:+.2f}{kind}{mark}")
        for reason in one["reasons"]:
            say(f"         {reason}")
    say("")
    rank = told["counterpart_rank"]
    say(f"the true counterpart ranks {rank} of {len(told['candidates'])}" if rank else "the true counterpart was not found")
    say("")
    say(f"VOEvents issued: {len(told['voevents'])}, of them retractions: {len(told['retractions'])}; the last ones:")
    for message in told["voevents"][-SHOWN:]:
        say(f"  {message['ivorn']} ({message['role']})")
        for cite in message["cites"]:
            say(f"         {cite['kind']} {cite['ivorn']}")
    say("")
    say(f"follow-up requests: {len(told['followups'])}")
    if told["followups"]:
        table(
            ("target", "network", "states"),
            [(one["target"], one["network"], " > ".join(one["states"])) for one in told["followups"]],
        )
    for books in told["sources"]:
        say("")
        say(
            f"source {books['source']}: received {books['received']} = stored {books['stored']}"
            f" + duplicates {books['duplicates']} + dead letters {books['dead_letters']} + in flight {books['in_flight']}"
        )


def _rate(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.3g} Hz, once in {1 / value / (365.25 * 86_400):.3g} years" if value > 0 else "0 Hz"
