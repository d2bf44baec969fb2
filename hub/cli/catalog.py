"""``mmhub catalog add|list|info|remove|cone``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson, facts, present
from hub.cli.output import emit, say
from hub.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from hub.model.catalog import CatalogInfo

group = typer.Typer(no_args_is_help=True, help="Catalogues of galaxies, AGN and other known sources on this hub's disk.")
"""Verbs below ``mmhub catalog``."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a catalogue, as the listing gives it.")]
"""What names a catalogue."""

NAME = r"[a-z0-9][a-z0-9+_-]{0,39}"
"""Names of catalogues."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="catalog")


@group.command()
def add(  # noqa: PLR0917 - the framework passes them by name
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Public file: text, FITS, VOTable or HDF5.")],
    recipe: Annotated[str, typer.Option("--as", help="How it is read: glade+, clu, 4lac, 4fgl or generic.")],
    name: Annotated[str | None, typer.Option(help="Name of the catalogue; that of the recipe where not given.")] = None,
    columns: Annotated[str, typer.Option(help="Columns of the file: ra=RAJ2000,dec=DEJ2000,redshift=z,...")] = "",
    kind: Annotated[str | None, typer.Option(help="What the entries are: galaxy, agn, blazar, variable, ...")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from, for people.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read a public file into the hub's own format; a catalogue of the same name is replaced.

    Rows without a usable position are set aside and counted. A hub that runs takes it up within half a minute, and evaluates the
    candidates of events of the last 400 days again; `mmhub rematch` applies it to events before that.
    """
    import re
    from dataclasses import replace

    settings = start(context)
    from hub.catalogs.recipes import recipes, with_columns
    from hub.catalogs.writing import add as write

    known = recipes()
    if recipe not in known:
        raise InvalidRequest(f"--as {recipe}: expected one of {', '.join(sorted(known))}")
    called = name if name is not None else recipe
    if not re.fullmatch(NAME, called):
        raise InvalidRequest(f"--name {called}: small letters, digits, + and dashes, at most 40")
    wanted = with_columns(known[recipe], columns, kind)
    info = write(file, replace(wanted, source=source) if source is not None else wanted, settings.catalogs_folder, called)
    if as_json:
        emit(_body(info))
        return
    say(f"catalogue {info.name}: {info.n_rows} entries ({', '.join(info.kinds)})")
    for sentence in info.refused:
        say(sentence)


@group.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the catalogues."""
    present([_body(one) for one in _infos(context)], ("name", "kinds", "n_rows", "digest", "source"), as_json=as_json)


@group.command()
def info(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show what a catalogue says of itself, the completeness that is assumed of it among that."""
    for one in _infos(context):
        if one.name == name:
            emit(_body(one)) if as_json else facts(_body(one))
            return
    raise NotFound(f"there is no catalogue {name}")


@group.command()
def remove(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Take a catalogue away; what was computed with it stays readable."""
    settings = start(context)
    from hub.catalogs.searching import remove as take_away

    take_away(settings.catalogs_folder, name)
    emit({"name": name, "state": "removed"}) if as_json else say(f"catalogue {name} is removed")


@group.command()
def cone(
    context: typer.Context,
    ra: Annotated[float, typer.Option(help="Right ascension, degrees, ICRS.")],
    dec: Annotated[float, typer.Option(help="Declination, degrees, ICRS.")],
    radius: Annotated[float, typer.Option(min=0.0, max=36_000.0, help="Radius, arcseconds.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """List the entries around a place, nearest first; also those that reach so far by themselves."""
    import math

    import numpy as np

    if not (math.isfinite(ra) and math.isfinite(dec) and abs(dec) <= 90.0):
        raise InvalidRequest(f"--ra {ra:g} --dec {dec:g} is no position on the sky")
    settings = start(context)
    from hub.catalogs.searching import Catalogs
    from hub.services.catalog_bodies import entry_bodies

    opened = Catalogs(settings.catalogs_folder, settings.catalogs.use)
    bodies = [
        body for one in opened.all for body in entry_bodies(one.info.name, one.near(np.array([ra]), np.array([dec]), radius))
    ]
    bodies.sort(key=lambda body: (body["separation_arcsec"], body["catalogue"], body["name"]))
    if not bodies:
        raise typer.Exit(EXIT_NOTHING_FOUND)
    present(
        bodies, ("separation_arcsec", "catalogue", "name", "kind", "redshift", "distance_mpc", "distance_kind"), as_json=as_json
    )


def _infos(context: typer.Context) -> "list[CatalogInfo]":
    settings = start(context)
    from hub.catalogs.searching import Catalogs

    return Catalogs(settings.catalogs_folder).infos


def _body(info: "CatalogInfo") -> dict[str, Any]:
    from hub.services.catalog_bodies import catalog_body

    return catalog_body(info)
