"""The overlap integral of two maps of 21,504 tiles, beside ligo-raven's on the same maps in the same run, and how far both are off.

Three pairs: two maps of equal width, a broad one around a fine one, which raven reads at the centres of the broad one's tiles, and two
that hardly touch. What is true is the integral on the finest grid of both: every tile of either cut to it.
"""

import argparse
import gc
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
from ligo.raven.search import skymap_overlap_integral

from hub.model.sky import Skymap
from hub.science import healpix
from hub.science.overlap import overlap_integral
from tests.benchmarks.bench import quickest
from tests.benchmarks.figures import Figure, below, run
from tests.support.skymaps import adaptive_map, gaussian_density

GOAL_S = 5e-3
RAVEN_TIMES = 3
"""Runs of raven, of which the quickest counts; of ours there are more."""

PAIRS = (
    ("two maps 9 deg wide, 10 deg apart", (197.0, -23.0, 9.0), (190.0, -30.0, 9.0)),
    ("one 20 deg wide around one of 0.5 deg", (190.0, -30.0, 20.0), (197.0, -23.0, 0.5)),
    ("two maps 3 deg wide, 18 deg apart", (197.0, -23.0, 3.0), (180.0, -35.0, 3.0)),
)
"""What is compared: right ascension, declination and width of each, degrees."""


def flattened(one: Skymap, other: Skymap) -> float:
    """Return the overlap integral from the definition: both maps read at the middle of every piece that any border cuts out."""
    edges = np.unique(np.concatenate([one.lo, one.hi, other.lo, other.hi]))
    lo, hi = edges[:-1], edges[1:]
    product = (hi - lo).astype(float)
    for skymap in (one, other):
        rows = np.clip(np.searchsorted(skymap.lo, lo, side="right") - 1, 0, None)
        product *= np.where(lo < skymap.hi[rows], skymap.probdensity[rows], 0.0)
    sums = [float((skymap.probdensity * (skymap.hi - skymap.lo).astype(float)).sum()) for skymap in (one, other)]
    return float(product.sum() * 12.0 * 4.0**29 / (sums[0] * sums[1]))


def measure(_: argparse.Namespace) -> Iterator[Figure]:
    """Yield times, ratios and errors."""
    theirs = f"ligo-raven {version('ligo-raven')}"
    for name, *places in PAIRS:
        one, other = (adaptive_map(gaussian_density(*place)) for place in places)
        uniq = [healpix.uniq_of_ranges(skymap.lo, skymap.hi) for skymap in (one, other)]

        def raven(one: Skymap = one, other: Skymap = other, uniq: list[np.ndarray] = uniq) -> float:
            return float(skymap_overlap_integral(one.probdensity, other.probdensity, *uniq))

        truth, found, sampled = flattened(one, other), overlap_integral(one, other), raven()
        gc.collect()
        ours_s = quickest(lambda one=one, other=other: overlap_integral(one, other), times=20)
        raven_s = quickest(raven, times=RAVEN_TIMES)
        tiles = f"{len(one.lo):,} and {len(other.lo):,} tiles"
        yield below(f"overlap of {name}", ours_s, "s", GOAL_S, f"{tiles}; integral {truth:.3g}")
        yield below(f"its error, {name}", abs(found / truth - 1.0), "", 1e-6, "relative")
        yield Figure(what=f"ligo-raven, {name}", value=raven_s, unit="s", note=f"{theirs}; {raven_s / ours_s:.0f} x ours")
        yield Figure(what=f"error of ligo-raven, {name}", value=abs(sampled / truth - 1.0), unit="", note="relative")


def main() -> None:
    run(measure, argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]))


if __name__ == "__main__":
    main()
