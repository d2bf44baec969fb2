"""How much of a map's probability some polygons search, and which of them searches what first.

The union counts each place once. The map's pixels and the polygons are taken down the HEALPix tree together, until a cell lies
inside a polygon or outside of all: there the probability is exact. Cells on an edge are halved until each holds less than
`TOLERANCE`, and then belong to where their centre lies; as many fall to the one side as to the other.
"""

from dataclasses import dataclass

import numpy as np

from hub.model.sky import Skymap
from hub.science.footprint import Halves
from hub.science.healpix import PIXEL29_SR, Floats, area_sr

TOLERANCE = 1e-6
"""Probability of a cell below which its centre decides: with 38,000 detectors on a map of 1,000 square degrees the share changes
by 2e-5 when it is made a hundred times smaller, and takes ten times longer."""

DEEPEST = 20
"""HEALPix order of the smallest cells, 0.2 arcsec."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """What polygons search of a map, in their order."""

    gain: Floats
    """Probability of the places that each polygon searches and none before it, shape ``(n,)``; the sum is what all search."""

    on_edges: float
    """Probability in cells on the edges, which their centres decided: a bound of the error that is never met."""

    @property
    def total(self) -> float:
        """Probability that all polygons together search."""
        return float(self.gain.sum())


def share_of(skymap: Skymap, halves: Halves, tolerance: float = TOLERANCE) -> Share:
    """Return what polygons search of a map; probability outside of the map's pixels is none.

    Parameters
    ----------
    skymap
        Divided by its sum.
    halves
        The polygons, the first searched first.
    tolerance
        As `TOLERANCE`.
    """
    from hub.science.footprint_share_kernel import first_searched  # noqa: PLC0415 - numba takes half a second to import

    mass = skymap.probdensity * area_sr(skymap.lo, skymap.hi)
    total = float(mass.sum())
    if len(halves.radius) == 0 or not total > 0.0:
        return Share(gain=np.zeros(len(halves.radius)), on_edges=0.0)
    filled = np.flatnonzero(halves.radius >= 0)
    counts = np.diff(halves.first)[filled]
    gain, on_edges = first_searched(
        skymap.lo,
        skymap.hi,
        skymap.probdensity / total,
        np.concatenate(([0.0], np.cumsum(mass / total))),
        PIXEL29_SR,
        np.concatenate(([0], np.cumsum(counts))),
        halves.normals,  # polygons without corners have no edges, so what is left is numbered through
        np.ascontiguousarray(halves.centre[filled]),
        halves.radius[filled],
        tolerance,
        DEEPEST,
    )
    found = np.zeros(len(halves.radius))
    found[filled] = gain
    return Share(gain=found, on_edges=on_edges)
