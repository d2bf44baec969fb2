"""``mmhub counterparts``, ``mmhub chance`` and ``mmhub pointings``: what candidates are worth, and what was searched for them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import registers
from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson, cell, present
from hub.cli.output import complain, emit, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = ("rank", "survey", "object_id", "probability", "mu", "chance", "confirmed", "level", "score", "n_live_maps")
"""Columns of the candidates."""

POINTING_COLUMNS = ("at", "instrument", "status", "band", "depth_ab", "name", "reported_by")
"""Columns of reported pointings."""

Hypothesis = Annotated[str | None, typer.Option("--hypothesis", help="Only this one of conf/coincidence.toml.")]
Event = Annotated[str, typer.Argument(help="Id of an event, or another name of it.", metavar="EVENT")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(counterparts)
    app.command()(chance)
    inner = typer.Typer(no_args_is_help=True, help="Pointings that observers report.")
    inner.command("add")(add)
    inner.command("list")(list_pointings)
    registers.add_to(inner)
    app.add_typer(inner, name="pointings")


def counterparts(
    context: typer.Context,
    event: Event,
    *,
    hypothesis: Hypothesis = None,
    limit: Annotated[int, typer.Option(min=1, help="Candidates that are shown of each hypothesis; all count.")] = 10,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw what was searched by when; needs matplotlib."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how probable each candidate of an event is, and why it may be none of them.

    Of each candidate: its probability, the expected number of unrelated objects that are as good, the chance of at least one, and
    the reasons. Then the probability that it is none of them, by its parts, and what was searched by when.
    """
    settings = start(context)
    from hub.bootstrap import now, open_database, ranking_for
    from hub.services import counterparts as answers
    from hub.services import coverage_curve

    book = answers.book_of(ranking_for(settings))
    with open_database(settings) as store, store.reading() as session:
        body = answers.of_event(session, settings.archive_folder, event, now=now(), hypothesis=hypothesis, limit=limit, book=book)
        single = body["hypotheses"][0]["hypothesis"] if body["hypotheses"] else None
        curve = coverage_curve.of_event(session, settings.archive_folder, event, now=now(), hypothesis=hypothesis or single)
    if as_json:
        emit({**body, "coverage": curve})
    else:
        _tell(body, curve)
    if plot is not None:
        _draw(plot, curve)
    if not body["hypotheses"]:
        raise typer.Exit(EXIT_NOTHING_FOUND)


def chance(context: typer.Context, event: Event, *, hypothesis: Hypothesis = None, as_json: AsJson = False) -> None:
    """Measure the background of an event in the archive: unrelated objects at other places and times.

    It reads much of the archive and takes seconds to minutes. `mmhub run` does it by itself for open live events. What follows
    for the candidates is stored with them; announced ones have it with the next `mmhub run` or `mmhub ingest`. Exit code 3
    where nothing is new.
    """
    settings = start(context)
    from hub.bootstrap import create_database, now, open_history, ranking_for
    from hub.services import counterparts as answers
    from hub.services.worths import Worths

    book = answers.book_of(ranking_for(settings))
    with create_database(settings) as store:
        found = answers.measuring(store, open_history(settings), settings.archive_folder, now, book).measure(
            event, hypothesis=hypothesis, tell=complain if not as_json else lambda _: None
        )
        Worths(store=store, archive=settings.archive_folder, book=book, clock=now).measure(event)
    for one in found:
        told = answers.background_body(one.survey, one, answers.background_of(one))
        if as_json:
            emit({"event_id": one.event_id, "hypothesis": one.hypothesis, **told})
            continue
        say(f"{one.hypothesis} in {one.survey}, version {one.version}: {told['reason'] or _expectation(told)}")
        if told["off_maps"]:
            _table(told["off_maps"])
        for remark in told["remarks"]:
            complain(remark)
    if not found:
        complain(f"nothing new: the background of {event} is what it was")
        raise typer.Exit(EXIT_NOTHING_FOUND)


def add(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON in the words of the Treasure Map, or CSV.")],
    *,
    event: Annotated[str | None, typer.Option("--event", help="That it is of, where the report names none (graceid).")] = None,
    by: Annotated[str, typer.Option("--by", help="Who says so.")] = "command line",
    as_json: AsJson = False,
) -> None:
    """Take in where others pointed because of an event: all of the report or nothing."""
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import pointings

    try:
        content = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is no text in UTF-8: {error}") from error
    with open_database(settings) as store, store.transaction() as session:
        body = pointings.add(session, content, event=event, reported_by=by, now=now())
    if as_json:
        emit(body)
    else:
        say(f"{body['n_pointings']} pointings of {', '.join(body['events'])} taken in")


def list_pointings(context: typer.Context, event: Event, *, as_json: AsJson = False) -> None:
    """List the pointings that are reported of an event, the earliest first."""
    settings = start(context)
    from hub.bootstrap import open_database
    from hub.services import pointings

    with open_database(settings) as store, store.reading() as session:
        found = pointings.of_event(session, event)
    present(found, POINTING_COLUMNS, as_json=as_json)


def _tell(body: dict[str, Any], curve: dict[str, Any]) -> None:
    if body["not_searched"]:
        say(f"{body['event_id']}: {body['not_searched']}")
    for one in body["hypotheses"]:
        say(f"{one['hypothesis']}: {one['n_candidates'] or 'no'} candidates, {one['n_confirmed']} confirmed")
        if one["candidates"]:
            table(COLUMNS, [[_rounded(row[name]) for name in COLUMNS] for row in one["candidates"]])
            for row in one["candidates"]:
                say(f"  {row['rank']}: {'; '.join([*row['reasons'], *([row['mu_reason']] if row['mu_reason'] else [])])}")
        if one["reason"]:
            say(f"  no probabilities: {one['reason']}")
        else:
            parts = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in one["none"].items())
            say(f"  none of them {one['p_none']:.3g}: {parts}")
        for remark in one["remarks"]:
            say(f"  {remark}")
        say("")
    _tell_curve(curve)


def _tell_curve(curve: dict[str, Any]) -> None:
    for one in curve["unknown"]:
        say(f"coverage of {one['by']} unknown: {one['reason']}")
    for one in curve["series"]:
        bright = one["detectable_prob"]
        deep = "" if bright is None else f", {100 * bright:.1f} % where a {curve['hypothesis']} would have been seen"
        say(f"searched by {one['by']}: {100 * one['searched_prob']:.1f} % of the map{deep}, {one['n_exposures']} exposures")
    if not curve["series"] and not curve["unknown"]:
        say("coverage unknown: no source of this hub listens to the alerts of a survey")
    if curve["nothing_found"]:
        say("nothing found")


def _draw(file: Path, curve: dict[str, Any]) -> None:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise typer.BadParameter("a plot needs matplotlib: `pip install matplotlib`", param_hint="--plot") from error
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for one in curve["series"]:
        days = [step["days"] for step in one["steps"]]
        axes.step(days, [step["searched_prob"] for step in one["steps"]], where="post", label=f"{one['by']}, map")
        if one["detectable_prob"] is not None:
            seen = [step["detectable_prob"] for step in one["steps"]]
            axes.step(days, seen, where="post", linestyle="--", label=f"{one['by']}, {curve['hypothesis']}")
    axes.set(xlabel=f"days after {curve['event_id']}", ylabel="probability searched", ylim=(0, 1))
    if curve["series"]:
        axes.legend()
    try:
        figure.savefig(file)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file} cannot be written: {error}", param_hint="--plot") from error


def _expectation(told: dict[str, Any]) -> str:
    expected = told["expected_in_all"]
    return f"{expected:.3g} unrelated objects expected on {told['on_area_deg2']:.1f} deg2, from {told['n_off_maps']} off maps"


def _table(rows: "Sequence[dict[str, Any]]") -> None:
    names = tuple(rows[0])
    table(names, [[_rounded(row[name]) for name in names] for row in rows])


def _rounded(value: Any) -> Any:
    return float(f"{value:.3g}") if isinstance(value, float) else cell(value)
