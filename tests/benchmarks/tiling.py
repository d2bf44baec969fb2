"""What planned pointings hold of recorded maps, rescored by one scorer: beside a plain greedy, the area bound and the linear relaxation.

The relaxation of maximum coverage is over the same candidate pointings and cells that `mmhub plan` chooses from; what is printed is an upper bound
of it (`tests.benchmarks.coverage_bound`), so that a share of it is a share of the relaxation at least. A refined pointing may lie between candidates.
The plain greedy takes non-overlapping fields of one fixed grid on strips of declination, the
most probable first. Maps are those of MMHUB_RECORDED.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.sparse import csc_array

from hub.cli.skymaps import read_map
from hub.config import load
from hub.errors import HubError
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.resources import read_text
from hub.science.planning import kernels
from hub.science.planning.candidates import all_strips
from hub.science.planning.cells import cells_of
from hub.science.planning.fields import Field, Shape
from hub.science.planning.planner import NoPlan, Timing, plan
from hub.science.planning.scoring import area_bound, scores
from hub.science.sites import Constraints, load_sites
from tests.benchmarks.coverage_bound import relaxation_bound
from tests.benchmarks.figures import Figure, at_least, below, run
from tests.benchmarks.levels3d import quickest

FIELD = Field(fov_deg=3.0)
COUNTS = (5, 10, 20, 40, 60)
LP_GOAL = 0.97
TIME_GOAL_S = 0.2
START = Instant.from_utc_iso("2026-03-20T00:00:00")
SITE = "CTIO"


def recorded_maps(only: str = "") -> Iterator[tuple[str, Skymap]]:
    """Yield the recorded maps that have probabilities and a text in their names."""
    settings = load().settings
    for path in sorted((Path(os.environ["MMHUB_RECORDED"]) / "skymaps").iterdir()):
        if only not in path.name:
            continue
        try:
            yield path.name, read_map(path, settings)
        except HubError:
            continue


def plain_greedy(skymap: Skymap, most: int) -> list[float]:
    """Return what the most probable field of one fixed grid holds, the two most probable together, and so on."""
    decs = np.arange(-90.0 + FIELD.fov_deg / 2.0, 90.0, FIELD.fov_deg)
    places = []
    for dec in decs.tolist():
        count = max(1, int(np.ceil(360.0 * np.cos(np.radians(dec)) / FIELD.fov_deg)))
        places += [(360.0 * k / count, dec) for k in range(count)]
    grid = np.array(places)
    alone, _ = scores(skymap, FIELD, grid)
    together: list[float] = scores(skymap, FIELD, grid[np.argsort(-alone, kind="stable")[:most]])[1].tolist()
    return together


def relaxation(skymap: Skymap, n: int, reached: float) -> tuple[float, int, int]:
    """Return what no fractional choice of the candidates holds more than, how many there are, and how many groups of cells."""
    cells = cells_of(skymap, FIELD, n)
    ground = kernels.Ground(
        FIELD.half_tan,
        FIELD.reach_deg,
        FIELD.shape is Shape.SQUARE,
        cells.ra_deg,
        cells.vectors,
        cells.prob,
        cells.band_starts,
        cells.band_deg,
    )
    offers = kernels.members(np.concatenate([one.places for one in all_strips(FIELD, cells)]), ground)
    m = len(offers.places)
    held = csc_array((np.ones(len(offers.cells)), offers.cells, offers.starts), shape=(len(cells), m))
    # Cells that the same candidates hold are one row: by a sum of random numbers of their candidates.
    key = held @ np.random.default_rng(0).random(m)
    _, first, group = np.unique(np.round(key, 9), return_index=True, return_inverse=True)
    prob = np.bincount(group, weights=cells.prob)
    rows = held.tocsr()[first]
    in_reach = np.flatnonzero(np.diff(rows.indptr))
    rows, prob = rows[in_reach], prob[in_reach]
    return (*relaxation_bound(rows, prob, n, reached)[:1], m, len(prob))


def measure(asked: argparse.Namespace) -> Iterator[Figure]:
    site = next(one for one in load_sites(read_text("conf/sites.toml")) if one.name == SITE)
    timing = Timing(start=START, hours=24.0, exposure_s=120.0, overhead_s=30.0)
    worst_lp, worst_s = 1.0, 0.0
    for name, skymap in recorded_maps(asked.only):
        greedy = plain_greedy(skymap, max(COUNTS))
        for n in COUNTS:
            found = plan(skymap, FIELD, n, timing)
            held = found[-1].cum_prob
            bound = area_bound(skymap, FIELD, n)
            note = f"plain greedy {greedy[n - 1]:.4f}, area bound {bound:.4f}"
            if n == COUNTS[-1] and not asked.no_lp:
                most, m, k = relaxation(skymap, n, 0.95 * held)
                worst_lp = min(worst_lp, held / most)
                note += f", linear relaxation below {most:.4f} ({m:,} candidates, {k:,} groups of cells), share {held / most:.4f}"
            try:
                seen = plan(skymap, FIELD, n, timing, site, Constraints())
                note += f"; with visibility at {SITE} {seen[-1].cum_prob:.4f} in {len(seen)}"
            except NoPlan as reason:
                note += f"; with visibility: {reason}"
            yield Figure(what=f"{name}, {n} squares of 3 deg", value=held, unit="", note=note)
        worst_s = max(worst_s, quickest(lambda skymap=skymap: plan(skymap, FIELD, COUNTS[-1], timing), 3))
    if not asked.no_lp:
        yield at_least("smallest share of the linear relaxation, 60 squares of 3 deg", worst_lp, "", LP_GOAL, "of all maps")
    yield below("slowest map, 60 squares of 3 deg", worst_s, "s", TIME_GOAL_S, "quickest of three; scoring included")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-lp", action="store_true", help="leave out the bound of the linear relaxation")
    parser.add_argument("--only", default="", metavar="TEXT", help="only maps with this in their names")
    run(measure, parser)


if __name__ == "__main__":
    main()
