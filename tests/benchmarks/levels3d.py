"""Credible volumes: the table of a map of 19,200 tiles, a million look-ups, and ligo.skymap's 3D crossmatch in the same run."""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from ligo.skymap.postprocess import crossmatch

from hub.science.healpix import centres, pixels29
from hub.science.levels import Levels3D
from tests.benchmarks.figures import Figure, below, run
from tests.support import skymaps

N_LOOKUPS = 1_000_000
N_COMPARED = 1000
"""Positions that ligo.skymap is asked for; most of its time does not depend on their number."""

BUILD_GOAL_S = 0.5
LOOKUP_GOAL_S = 0.2


def quickest(action: Callable[[], Any], times: int = 5) -> float:
    """Return the shortest of some runs, seconds: the one that other work disturbed least."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def measure(_: argparse.Namespace) -> Sequence[Figure]:
    flat = skymaps.adaptive_map(skymaps.gaussian_density(130.0, 20.0, 8.0), rounds=7)
    skymap = skymaps.with_distance(flat, 100.0 + 40.0 * np.sin(3.0 * np.radians(centres(flat.lo, flat.hi)[0])), 30.0)
    rng = np.random.default_rng(1)
    ra, dec, distance = rng.uniform(100, 160, N_LOOKUPS), rng.uniform(-10, 50, N_LOOKUPS), rng.uniform(5, 400, N_LOOKUPS)
    pixels = pixels29(ra, dec)
    levels = Levels3D.of(skymap)
    build = quickest(lambda: Levels3D.of(skymap))
    lookup = quickest(lambda: levels.lookup(pixels, distance))
    few = slice(N_COMPARED)
    places = SkyCoord(ra[few] * u.deg, dec[few] * u.deg, distance[few] * u.Mpc)
    table = skymaps.to_table(skymap)
    begun = time.perf_counter()
    peer = crossmatch(table, places)
    peer_s = time.perf_counter() - begun
    worst = float(np.nanmax(np.abs(levels.lookup(pixels[few], distance[few]).searched_prob_vol - peer.searched_prob_vol)))
    tiles = f"{len(skymap.lo):,} tiles"
    return [
        below("building the levels of a map with distances", build, "s", BUILD_GOAL_S, tiles),
        below("a million look-ups", lookup, "s", LOOKUP_GOAL_S, "places and distances at random"),
        Figure(
            what="ligo.skymap's 3D crossmatch of 1,000 positions",
            value=peer_s,
            unit="s",
            note=f"{peer_s / build:.0f} x the building",
        ),
        below("largest difference of the level from it", worst, "", 2e-3, "the bins of our table"),
    ]


def main() -> None:
    run(measure, argparse.ArgumentParser(description=__doc__))


if __name__ == "__main__":
    main()
