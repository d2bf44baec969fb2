"""Which share of a map's probability was searched so deep, where and when, that a counterpart of a stated light curve would show.

At a point the looks so far reach some brightness; at each distance along the line of sight the counterpart is brighter than that
with the probability that its spread of magnitudes gives. Looks at one point see one counterpart, so the deepest one counts,
relative to what is expected at its time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.sky import Skymap
from hub.model.visit import DetectorVisits, ab_mag
from hub.science.healpix import Floats
from hub.science.map_points import MapPoints
from hub.science.point_visits import PointVisits

AbsoluteMagnitude = Callable[[float, str], float | None]
"""Days since the event and a band to the expected absolute AB magnitude; None where it is not seen then or not known."""

N_DISTANCES = 40
"""Distances along a line of sight, each with the same probability."""

_GRID = 400
_REACH = 8.0
_DAY_US = 86_400e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthCurve:
    """Probability searched against time, steps of shape ``(n,)``; the last values are the whole."""

    mid_us: NDArray[np.int64]
    """Middle of each exposure that added anything, ascending."""

    looked: Floats
    """Probability of the places that were looked at at all by then."""

    detectable: Floats
    """Probability that the counterpart lies there and is bright enough to be seen by then."""

    @property
    def total_looked(self) -> float:
        """What was looked at in the end."""
        return float(self.looked[-1]) if len(self.looked) else 0.0

    @property
    def total_detectable(self) -> float:
        """What would have been seen in the end."""
        return float(self.detectable[-1]) if len(self.detectable) else 0.0


def moduli_of(skymap: Skymap, points: MapPoints) -> Floats | None:
    """Return distance moduli of equal probability at each point, magnitudes, shape ``(n, N_DISTANCES)``; None without distances.

    Along a line of sight the density is ``r^2`` times a normal one (Singer et al. 2016, ApJL 829, L15). NaN where the map has no
    distance there.
    """
    if skymap.distmu is None or skymap.distsigma is None:
        return None
    found = np.full((len(points), N_DISTANCES), np.nan)
    rows, place = np.unique(points.row, return_inverse=True)
    for number, row in enumerate(rows.tolist()):
        mu, sigma = float(skymap.distmu[row]), float(skymap.distsigma[row])
        if not (np.isfinite(mu) and np.isfinite(sigma) and sigma > 0.0 and mu > -10.0 * sigma):
            continue
        distance = np.linspace(max(mu - _REACH * sigma, sigma * 1e-3), max(mu, 0.0) + _REACH * sigma, _GRID)
        log = 2.0 * np.log(distance) - 0.5 * ((distance - mu) / sigma) ** 2
        whole = np.cumsum(np.exp(log - log.max()))
        at = np.interp((np.arange(N_DISTANCES) + 0.5) / N_DISTANCES * whole[-1], whole, distance)
        found[place == number] = 5.0 * np.log10(at) + 25.0
    return found


def depth_curve(
    points: MapPoints,
    looks: PointVisits,
    visits: DetectorVisits,
    t0_us: int,
    *,
    moduli: Floats | None,
    magnitude: AbsoluteMagnitude | None,
    spread_mag: float = 0.0,
    extinction: Callable[[str], Floats] | None = None,
) -> DepthCurve:
    """Return how much was searched by when, of looks at any time that are given.

    Parameters
    ----------
    points
        Of equal probability.
    looks, visits
        Looks at the points, and what they are rows of.
    t0_us
        Time of the event, `Instant.tai_us`.
    moduli
        As `moduli_of` gives them; None or NaN where there is no distance: there nothing is said to be detectable.
    magnitude, spread_mag
        What is expected and how much counterparts differ; None where there is no model, so that nothing is said to be detectable.
    extinction
        Of each point in a band by the Milky Way, magnitudes.
    """
    order = np.argsort(looks.mid_us, kind="stable")
    point, row, mid = looks.point[order], looks.visit[order], looks.mid_us[order]
    reach = _reach(point, row, mid, visits, t0_us, magnitude, extinction)
    best, chance, looked = np.full(len(points), -np.inf), np.zeros(len(points)), np.zeros(len(points), dtype=bool)
    edges = np.flatnonzero(np.concatenate(([True], mid[1:] != mid[:-1]))) if len(mid) else np.zeros(0, dtype=np.intp)
    times, shares, seen = [], [], []
    for begin, end in zip(edges.tolist(), [*edges[1:].tolist(), len(mid)], strict=True):
        own = point[begin:end]
        better = reach[begin:end] > best[own]
        if looked[own].all() and not better.any():
            continue
        looked[own] = True
        np.maximum.at(best, own, reach[begin:end])
        if moduli is not None:
            chance[own] = _bright(best[own], moduli[own], spread_mag)
        times.append(int(mid[begin]))
        shares.append(float(points.prob[looked].sum()))
        seen.append(float((points.prob * chance).sum()))
    return DepthCurve(mid_us=np.array(times, dtype=np.int64), looked=np.array(shares), detectable=np.array(seen))


def _reach(  # noqa: PLR0917 - looks, and what is expected of them
    point: NDArray[np.int64],
    row: NDArray[np.int64],
    mid: NDArray[np.int64],
    visits: DetectorVisits,
    t0_us: int,
    magnitude: AbsoluteMagnitude | None,
    extinction: Callable[[str], Floats] | None,
) -> Floats:
    """Return the distance modulus at which each look still sees the expected counterpart; -inf where it sees none."""
    reach = np.full(len(row), -np.inf)
    if magnitude is None:
        return reach
    depth = ab_mag(visits.depth_njy[row])
    code = visits.band.codes[row]
    groups, which = np.unique(np.stack([code.astype(np.int64), mid]), axis=1, return_inverse=True)
    expected = []
    for of_band, at in groups.T.tolist():
        band = visits.band.values[of_band].split(",")[0]
        told = magnitude((at - t0_us) / _DAY_US, band)
        expected.append(np.inf if told is None else told)
    reach = depth - np.array(expected, dtype=np.float64)[which.reshape(-1)] if expected else reach
    if extinction is not None:
        for number, band in enumerate(visits.band.values):
            own = code == number
            reach[own] -= extinction(band.split(",")[0])[point[own]]
    return np.where(np.isnan(reach), -np.inf, reach)


def _bright(reach: Floats, moduli: Floats, spread_mag: float) -> Floats:
    """Return the probability that a counterpart is closer than the looks reach, its spread counted in."""
    from scipy.special import ndtr  # noqa: PLC0415 - a third of a second that only this pays

    away = reach[:, None] - moduli
    chance = ndtr(away / spread_mag) if spread_mag > 0.0 else (away >= 0.0).astype(np.float64)
    return np.asarray(np.nanmean(np.where(np.isnan(moduli), 0.0, chance), axis=1))
