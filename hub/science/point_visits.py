"""Which detectors of which visits looked at which points, in order of time, and how long after the look before."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.visit import DetectorVisits
from hub.science.footprint import ON_EDGE, Halves, unit_vectors
from hub.science.healpix import Floats, Int64s

_US_PER_DAY = 86_400e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointVisits:
    """Pairs of a point and a detector's visit, by point and then by time; all columns of shape ``(n,)``."""

    point: NDArray[np.int64]
    visit: NDArray[np.int64]
    """Row of the visits."""

    mid_us: Int64s
    """Middle of the exposure, `Instant.tai_us`."""

    gap_d: Floats
    """Since the point was last looked at, in any band, days; NaN where it never was before."""

    def __len__(self) -> int:
        return len(self.point)


def looks(ra_deg: Floats, dec_deg: Floats, visits: DetectorVisits) -> PointVisits:
    """Return every look at each point. Cost grows with the looks, not with points times visits."""
    point, row = _inside(unit_vectors(ra_deg, dec_deg), Halves.of(visits.polygons))
    mid = visits.mid_tai_us[row]
    order = np.lexsort((row, mid, point))
    point, row, mid = point[order], row[order], mid[order]
    gap = np.full(len(point), np.nan)
    again = np.flatnonzero(point[1:] == point[:-1]) + 1
    gap[again] = (mid[again] - mid[again - 1]) / _US_PER_DAY
    return PointVisits(point=point, visit=row, mid_us=mid, gap_d=gap)


def _inside(points: Floats, halves: Halves) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    from scipy.spatial import cKDTree  # noqa: PLC0415 - takes a third of a second, and few need it

    filled = np.flatnonzero(halves.radius >= 0)
    if not len(points) or not len(filled):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    chord = 2.0 * np.sin(np.minimum(halves.radius[filled], np.pi) / 2.0) + 1e-9
    near = cKDTree(points).query_ball_point(halves.centre[filled], chord)
    counts = np.array([len(one) for one in near], dtype=np.int64)
    point = np.array([index for one in near for index in one], dtype=np.int64)
    row = np.repeat(filled, counts)
    n_edges = np.diff(halves.first)[row]
    pair = np.repeat(np.arange(len(row)), n_edges)
    edge = np.arange(len(pair)) + np.repeat(halves.first[row] - (np.cumsum(n_edges) - n_edges), n_edges)
    outside = np.einsum("ij,ij->i", halves.normals[edge], points[point[pair]]) < -ON_EDGE
    keep = np.bincount(pair[outside], minlength=len(row)) == 0
    return point[keep], row[keep].astype(np.int64)
