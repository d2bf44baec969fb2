"""``mmhub inside``: where positions lie in a sky map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.output import emit, table

if TYPE_CHECKING:
    from hub.cli.positions import Position
    from hub.model.sky import Skymap

COLUMNS = ("searched_prob", "searched_area_deg2", "probdensity_per_sr", "searched_prob_vol", "covered")
"""What is said of each position; all null for a row that cannot be read."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(inside)


def inside(
    context: typer.Context,
    skymap: Annotated[Path, typer.Argument(help="Sky map (FITS), or a notice with one or with a position.", metavar="SKYMAP")],
    positions: Annotated[
        Path, typer.Argument(help="CSV with columns ra, dec (degrees, ICRS) and perhaps distance_mpc.", metavar="POSITIONS.csv")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say for each position how much probability and area a search of the map would meet before reaching it.

    Columns: searched_prob (2D credible level), searched_area_deg2, probdensity_per_sr, searched_prob_vol (3D level, where the row
    has a distance and the map has distances), covered (no: outside a partial map). A row that cannot be read says why.
    """
    settings = start(context)
    from hub.cli.positions import read_positions
    from hub.cli.skymaps import read_map

    rows = read_positions(positions)
    if not rows:
        raise typer.Exit(EXIT_NOTHING_FOUND)
    records = locate(read_map(skymap, settings), rows)
    if as_json:
        for record in records:
            emit(record)
    else:
        head = ("row", "ra", "dec", *COLUMNS, "reason")
        table(head, [[record.get(name) for name in head] for record in records])


def locate(skymap: "Skymap", rows: "list[Position]") -> list[dict[str, Any]]:
    """Return one record for each row, in order."""
    import numpy as np

    from hub.science.healpix import pixels29
    from hub.science.levels import Levels2D, Levels3D

    good = [row for row in rows if row.reason is None]
    pixels = pixels29(np.array([row.ra_deg for row in good], dtype=float), np.array([row.dec_deg for row in good], dtype=float))
    hits = Levels2D.of(skymap).lookup(pixels)
    distances = np.array([np.nan if row.distance_mpc is None else row.distance_mpc for row in good])
    volume = np.full(len(good), np.nan)
    if skymap.has_distance and np.isfinite(distances).any():
        table = Levels3D.of(skymap, farthest_mpc=float(np.nanmax(distances)))
        volume = table.lookup(pixels, distances).searched_prob_vol
    columns = [hits.searched_prob, hits.searched_area_deg2, hits.probdensity, volume, hits.covered]
    found = iter(zip(*(column.tolist() for column in columns), strict=True))
    nothing = (None,) * len(COLUMNS)
    records = []
    for row in rows:
        values = next(found) if row.reason is None else nothing
        record = {"row": row.row, "ra": row.ra_deg, "dec": row.dec_deg} | dict(zip(COLUMNS, values, strict=True))
        records.append(record if row.reason is None else record | {"reason": row.reason})
    return records
