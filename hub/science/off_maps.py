"""Off maps: where and when the background of an event's map is looked for, and how alerts there look as if they were in the map.

Nothing here turns a map: what lies in the turned map is turned back, and shifted in time, and judged by the same functions as
what lies in the map itself.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import COLUMN_DTYPES, NO_TIME, AlertBatch
from hub.model.visit import DetectorVisits, ab_mag
from hub.science.chance import ChancePolicy, Stratum, interval
from hub.science.healpix import MAX_ORDER, Floats, Int64s, at_order, centres, find, merge, neighbours, pixels29
from hub.science.map_points import MapPoints, latitudes_deg, shifted
from hub.science.point_visits import PointVisits

DAY_US = 86_400_000_000
"""Microseconds in a day."""

_TIMES = tuple(name for name in COLUMN_DTYPES if name.endswith("_tai_us"))
_US_PER_S = 1_000_000
_SAME_LOOK_US = 60 * _US_PER_S
"""A detection and the visit that made it differ by at most so much: the same exposure."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Shift:
    """How an off map is made from the map."""

    ra_deg: float
    """Added to right ascensions."""

    days: int
    """Taken from times; whole days, so that the same part of the sky is up."""


def place_shifts(points: MapPoints, policy: ChancePolicy, key: str) -> list[Shift]:
    """Return turns of the map that keep its latitudes, in an order that the seed and the key choose; all that are possible."""
    own = latitudes_deg(points)
    found = []
    for number in range(1, math.ceil(360.0 / policy.place_step_deg)):
        turn = number * policy.place_step_deg
        galactic, ecliptic = latitudes_deg(shifted(points, turn))
        if abs(galactic - own[0]) <= policy.max_galactic_change_deg and abs(ecliptic - own[1]) <= policy.max_ecliptic_change_deg:
            found.append(Shift(ra_deg=turn, days=0))
    random.Random(f"{policy.seed} {key}").shuffle(found)  # noqa: S311 - no secret
    return found


def time_shifts(begin_us: int, until_us: int, event_us: int, policy: ChancePolicy) -> list[Shift]:
    """Return shifts of a window that lie one before the other, all before the event and before the window."""
    reach = until_us - min(begin_us, event_us)
    step = max(1, math.ceil(reach / DAY_US))
    return [Shift(ra_deg=0.0, days=step * number) for number in range(1, policy.n_time_shifts + 1)]


def covering(lo: Int64s, hi: Int64s, ra_shift_deg: float, *, most: int = 20_000) -> tuple[Int64s, Int64s]:
    """Return ranges that hold all of a turned region, and some more around it: at most about ``most`` pixels of one order."""
    if ra_shift_deg == 0.0 or not len(lo):
        return lo, hi
    order = MAX_ORDER
    area = int((hi - lo).sum())
    while order > 3 and area / 4.0 ** (MAX_ORDER - order) > most / 9:
        order -= 1
    order = min(order, 10)
    shift = 2 * (MAX_ORDER - order)
    pixels = at_order(lo, hi, order)
    ra, dec = centres(pixels << shift, (pixels + 1) << shift)
    turned = np.unique(pixels29((ra + ra_shift_deg) % 360.0, dec) >> shift)
    around = np.unique(np.concatenate([turned, neighbours(turned, order).ravel()]))
    around = around[around >= 0]
    return merge(around << shift, (around + 1) << shift)


def moved_back(alerts: AlertBatch, shift: Shift) -> AlertBatch:
    """Return alerts of an off map as they would be inside the map after the event; their provenance is left out."""
    later = shift.days * DAY_US
    ra = (alerts.ra_deg - shift.ra_deg) % 360.0
    told = ((name, getattr(alerts, name)) for name in _TIMES)
    times: dict[str, Any] = {name: np.where(time == NO_TIME, NO_TIME, time + later) for name, time in told}
    return replace(
        alerts,
        ra_deg=ra,
        **times,
        hpx29=alerts.hpx29 if shift.ra_deg == 0.0 else pixels29(ra, alerts.dec_deg),
        provenance=None,
    )


def forbidden(alerts: AlertBatch, lo: Int64s, hi: Int64s, event_us: int) -> NDArray[np.bool_]:
    """Tell which alerts lie inside the map's own region after the event: they may hold the counterpart."""
    return np.asarray((find(lo, hi, alerts.hpx29) >= 0) & (alerts.mid_tai_us >= event_us))


def exposure(  # noqa: PLR0917 - what was searched, when, and how it is divided
    points: MapPoints, looks: PointVisits, visits: DetectorVisits, begin_us: int, until_us: int, policy: ChancePolicy
) -> tuple[dict[Stratum, float], float]:
    """Return square degrees times looks of each stratum in ``[begin, until]``, and the area that was looked at at all, deg2."""
    rows = np.flatnonzero((looks.mid_us >= begin_us) & (looks.mid_us <= until_us))
    names = strata(looks, rows, points.level[looks.point[rows]], visits, policy)
    areas = points.area_deg2[looks.point[rows]]
    found: dict[Stratum, list[float]] = {}
    for name, area in zip(names, areas.tolist(), strict=True):
        found.setdefault(name, []).append(area)
    seen = np.unique(looks.point[rows])
    return {name: math.fsum(some) for name, some in found.items()}, float(points.area_deg2[seen].sum())


def strata(
    looks: PointVisits, rows: NDArray[np.intp], level: Floats, visits: DetectorVisits, policy: ChancePolicy
) -> list[Stratum]:
    """Return the stratum of each of some looks, at places of some levels."""
    reasons, bands = visits.reason.values, visits.band.values
    of_visit = looks.visit[rows]
    gap = np.where(looks.gap_d[rows] <= policy.look_back_d, looks.gap_d[rows], np.nan)
    codes = (
        visits.reason.codes[of_visit],
        visits.band.codes[of_visit],
        _place(gap, policy.gap_edges_d),
        _place(ab_mag(visits.depth_njy[of_visit]), policy.depth_edges_ab),
        _place(level, policy.level_edges),
    )
    gaps, depths, levels = (_words(edges) for edges in (policy.gap_edges_d, policy.depth_edges_ab, policy.level_edges))
    return [
        Stratum(programme=reasons[a] or "not stated", band=bands[b], gap=gaps[c], depth=depths[d], level=levels[e])
        for a, b, c, d, e in zip(*(column.tolist() for column in codes), strict=True)
    ]


def first_looks(looks: PointVisits, n_points: int, first_us: Int64s, until_us: int) -> NDArray[np.int64]:
    """Return for each point the look at or after a time, within the exposure; -1 where there is none until the end."""
    found = np.full(n_points, -1, dtype=np.int64)
    fits = np.flatnonzero((looks.mid_us >= first_us[looks.point] - _SAME_LOOK_US) & (looks.mid_us <= until_us))
    found[looks.point[fits][::-1]] = fits[::-1]  # they ascend in time, so the first one is written last
    return found


def sample(names: Sequence[str], most: int, key: str) -> tuple[set[str], float]:
    """Return at most so many of some names, chosen by the key alone, and which share of them that is."""
    if len(names) <= most:
        return set(names), 1.0
    import hashlib  # noqa: PLC0415 - rarely needed

    ordered = sorted(names, key=lambda name: hashlib.sha256(f"{key} {name}".encode()).digest())
    return set(ordered[:most]), most / len(names)


def _place(values: Floats, edges: Sequence[float]) -> NDArray[np.int64]:
    place = np.searchsorted(np.asarray(edges), values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, place).astype(np.int64)


def _words(edges: Sequence[float]) -> list[str]:
    inside = [edges[0] - 1.0, *edges] if edges else [0.0]
    return [*(interval(value, edges) for value in inside), interval(None, edges)]
