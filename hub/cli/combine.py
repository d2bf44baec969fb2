"""``mmhub combine``: where several localizations of one source together put it, as a file, without a database."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.invocation import start
from hub.cli.output import emit, say
from hub.errors import InvalidRequest


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(combine)


def combine(
    context: typer.Context,
    maps: Annotated[
        list[Path],
        typer.Argument(help="Sky maps (FITS), or notices with one or with a position; at least two.", metavar="A B ..."),
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write: multi-order FITS. One that is there is written over.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Write the map that several localizations of one source together give: their product, normalised.

    Distances are those of the map that has them. Maps that exclude each other have no combined map.
    """
    settings = start(context)
    from hub.cli.skymaps import read_map
    from hub.science.combined import combined
    from hub.science.skymap_fits import to_fits

    if len(maps) < 2:
        raise InvalidRequest("a combined map needs at least two maps")
    if any(out.resolve() == one.resolve() for one in maps):
        raise InvalidRequest(f"{out} is one of the maps to combine; give --out another name")
    found = combined([read_map(one, settings) for one in maps])
    try:
        out.write_bytes(to_fits(found.skymap))
    except OSError as error:
        raise InvalidRequest(f"the combined map cannot be written to {out}: {error.strerror}") from error
    if as_json:
        emit({"file": str(out), "overlap": found.overlap, **asdict(found.summary), "remarks": list(found.remarks)})
        return
    numbers = found.summary
    say(f"{out}: {numbers.n_tiles} pixels, 50 % in {numbers.area50_deg2:.4g} deg2, 90 % in {numbers.area90_deg2:.4g} deg2")
    if numbers.dist_mean_mpc is not None:
        say(f"  distance {numbers.dist_mean_mpc:.4g} +- {numbers.dist_std_mpc:.3g} Mpc")
    say(f"  overlap integral of the maps {found.overlap:.6g}")
    for remark in found.remarks:
        say(f"  {remark}")
