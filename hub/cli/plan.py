"""``mmhub plan``: where a telescope should point for a sky map, without a database."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.output import complain, emit
from hub.errors import InvalidRequest

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.model.instant import Instant
    from hub.model.sky import Skymap
    from hub.science.planning.fields import Field
    from hub.science.planning.planner import Pointing


class Format(StrEnum):
    """What is printed."""

    JSON = "json"
    CSV = "csv"
    REG = "reg"
    MOC = "moc"
    ICS = "ics"


class Outline(StrEnum):
    """Outline of a field."""

    SQUARE = "square"
    CIRCLE = "circle"


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(plan)


def plan(  # noqa: PLR0917 - typer passes them by name
    context: typer.Context,
    skymap: Annotated[Path, typer.Argument(help="Sky map (FITS), or a notice with one or with a position.", metavar="MAP")],
    fov: Annotated[float, typer.Option("--fov", help="Side of the square or diameter of the circle, degrees.")],
    n: Annotated[int, typer.Option("-n", help="Most pointings.")],
    site: Annotated[str | None, typer.Option("--site", help="Site of conf/sites.toml.")] = None,
    no_visibility: Annotated[
        bool, typer.Option("--no-visibility", help="As if the whole sky could be seen at any time.")
    ] = False,
    shape: Annotated[
        Outline, typer.Option("--shape", help="Outline of a field; squares have position angle 0.")
    ] = Outline.SQUARE,
    after: Annotated[str | None, typer.Option("--after", help="UTC time before which nothing begins. [default: now]")] = None,
    hours: Annotated[float, typer.Option("--hours", help="Span in which everything has to end, with a site.")] = 24.0,
    exposure: Annotated[float, typer.Option("--exposure", help="Length of an exposure, seconds.")] = 30.0,
    overhead: Annotated[float, typer.Option("--overhead", help="From the end of one to the begin of the next, seconds.")] = 10.0,
    max_airmass: Annotated[float, typer.Option("--max-airmass", help="Largest airmass.")] = 2.0,
    moon: Annotated[float, typer.Option("--moon", help="Smallest distance to the Moon, degrees.")] = 15.0,
    sun: Annotated[float, typer.Option("--sun", help="Highest altitude of the Sun, degrees.")] = -18.0,
    without: Annotated[
        str | None, typer.Option("--without", metavar="EVENT", help="Leave out what is reported to be observed because of it.")
    ] = None,
    and_planned: Annotated[bool, typer.Option("--and-planned", help="With --without: also what others still plan.")] = False,
    output: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.JSON,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, as --format json.")] = False,
) -> None:
    """Print the pointings that together hold the most probability of a map, by time.

    Each has its own probability (prob) and that of the union with all before it (cum_prob). With a site each pointing has a
    slot in which it is dark and the field's centre is high enough and away from the Moon. With --without both are of what is left
    of the map. Code 3 where nothing can be planned.
    """
    settings = start(context)
    from hub.cli.moments import read_moment
    from hub.cli.skymaps import read_map
    from hub.model.instant import Instant
    from hub.resources import read_text
    from hub.science.planning import exports
    from hub.science.planning.fields import MAX_FOV_DEG, Field, Shape
    from hub.science.planning.planner import MAX_POINTINGS, NoPlan, Timing
    from hub.science.planning.planner import plan as planned
    from hub.science.planning.slots import MAX_HOURS
    from hub.science.sites import Constraints, load_sites

    if (site is None) is not no_visibility:
        raise InvalidRequest("give either --site NAME or --no-visibility")
    if as_json and output is not Format.JSON:
        raise InvalidRequest(f"--json and --format {output.value} exclude each other")
    _between("--fov", fov, 0.0, MAX_FOV_DEG)
    _between("--hours", hours, 0.0, MAX_HOURS)
    _between("--exposure", exposure, 0.0, 3600.0 * MAX_HOURS)
    _between("--overhead", overhead, -1e-9, 86_400.0)
    _between("--max-airmass", max_airmass, 1.0, 100.0)
    _between("--moon", moon, -1e-9, 180.0)
    _between("--sun", sun, -90.0, 90.0)
    if not 1 <= n <= MAX_POINTINGS:
        raise InvalidRequest(f"-n is a number of pointings from 1 to {MAX_POINTINGS}, not {n}")
    sites = {one.name.casefold(): one for one in load_sites(read_text("conf/sites.toml"))}
    if site is not None and site.casefold() not in sites:
        raise InvalidRequest(f"there is no site {site!r}; the table has {', '.join(one.name for one in sites.values())}")
    field = Field(fov_deg=fov, shape=Shape(shape.value))
    timing = Timing(
        start=read_moment("--after", after) or Instant.from_datetime(datetime.now(UTC)),
        hours=hours,
        exposure_s=exposure,
        overhead_s=overhead,
    )
    needs = Constraints(max_airmass=max_airmass, min_moon_separation_deg=moon, max_sun_altitude_deg=sun)
    where = sites[site.casefold()] if site is not None else None
    whole = read_map(skymap, settings)
    try:
        found = planned(_left(settings, whole, without, timing.start, and_planned=and_planned), field, n, timing, where, needs)
    except NoPlan as reason:
        complain(f"nothing can be planned: {reason}")
        raise typer.Exit(EXIT_NOTHING_FOUND) from None
    if output is Format.JSON:
        for one in found:
            emit(exports.record(one))
    else:
        typer.echo(_text(output, found, field, skymap.name), nl=False)


def _left(settings: "Settings", skymap: "Skymap", event: str | None, start: "Instant", *, and_planned: bool) -> "Skymap":
    """Return what of a map is not reported to be observed because of an event; all of it where none is named."""
    if event is None:
        if and_planned:
            raise InvalidRequest("--and-planned says more of --without EVENT")
        return skymap
    from hub.bootstrap import open_database
    from hub.science.planning.observed import left
    from hub.services.pointings import footprints

    with open_database(settings) as store, store.reading() as session:
        return left(skymap, footprints(session, event, planned_from=start if and_planned else None))


def _text(output: Format, found: "Sequence[Pointing]", field: "Field", title: str) -> str:
    from hub.science.planning import exports

    match output:
        case Format.CSV:
            return exports.to_csv(found)
        case Format.REG:
            return exports.to_regions(found, field)
        case Format.MOC:
            return json.dumps(exports.to_moc(found, field), separators=(",", ":")) + "\n"
        case _:
            return exports.to_calendar(found, title)


def _between(option: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low < value <= high):
        raise InvalidRequest(
            f"{option} is a number above {max(low, 0.0) if low > -1.0 else low:g} and at most {high:g}, not {value:g}"
        )
