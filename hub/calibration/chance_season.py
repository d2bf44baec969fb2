"""A season of the simulated survey in memory: its alerts as an archive holds them, and its visits as a ledger tells of them.

Nights, depths, camera, populations and light curves are those of `hub.calibration.nights`. Left out is what never passes a cut
(known asteroids); thinned is that of which a map has tens of thousands that all look alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hub.calibration.chance_kernel import reliabilities
from hub.calibration.nights import Nights, nights
from hub.calibration.nights_kernels import SEARCHED, Rows, by_tile, detect_in_tile, offsets, room_for
from hub.calibration.result import Floats
from hub.demo.survey import camera, schedule, tiles, world
from hub.demo.survey.light_curves import ARTEFACT, SUPERNOVA, UNKNOWN_ASTEROID
from hub.demo.survey.night import ROOM_DETECTIONS, world_of
from hub.demo.survey.settings import BANDS, Simulation, shipped
from hub.errors import StorageError
from hub.model.alert import COLUMN_DTYPES, AlertBatch, Words
from hub.model.coverage import Coverage
from hub.model.instant import Instant
from hub.model.visit import DEPTH_SIGMA, DetectorVisits, FootprintKind, Footprints
from hub.science.footprint import unit_vectors
from hub.science.healpix import MAX_ORDER, Int64s, pixels29
from hub.science.light_curves import rows_of
from hub.science.map_points import MapPoints

CELL_ORDER = 3
"""HEALPix order of the parts of the sky that are more or less crowded: 7 degrees."""

SURVEY = "LSST"
"""Whose alerts they are."""

RAFTS = tuple((x, y) for y in range(-2, 3) for x in range(-2, 3) if abs(x) + abs(y) < 4)
"""Places of the rafts in the focal plane: five by five without the corners."""

HALF_RAFT_DEG = 1.5 * camera.ACTIVE_DEG
"""Half the side of a square with the sensitive area of a raft: gaps between detectors are too narrow to matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which part of the survey is simulated, and how crowded it is."""

    nights: int = 42
    """That the hub has alerts and visits of."""

    history_nights: int = 60
    """Nights before them: what was detected then is known to packets, and is nothing new. Without them stars and nuclei near the
    limit of a visit would be detected for the first time all through the season, ever fewer of them, and what off maps hold of
    the weeks before an event would be more than what is new after it."""

    dec_deg: tuple[float, float] = (-44.0, -20.0)
    """Visits with their middle in this band."""

    stars_per_deg2: float = 20.0
    galaxies_per_deg2: float = 10.0
    artefacts_per_deg2: float = 0.4
    ghosts_per_deg2_night: float = 1.0
    bad_sites_per_deg2: float = 3.0
    unknown_asteroids_per_deg2: float = 0.4
    clustering: float = 0.1
    """Relative variance of the density of supernovae from one part of the sky to another, as of the galaxies that hold them."""

    def simulation(self) -> Simulation:
        """Return the settings that are shipped, with this plan's densities; supernovae and what is fast are as shipped."""
        whole = shipped()
        people = whole.population.model_copy(
            update={
                "stars_per_deg2": self.stars_per_deg2,
                "galaxies_per_deg2": self.galaxies_per_deg2,
                "artefacts_per_deg2": self.artefacts_per_deg2,
                "ghosts_per_deg2_night": self.ghosts_per_deg2_night,
                "bad_sites_per_deg2": self.bad_sites_per_deg2,
                "known_asteroids_per_deg2": 0.0,
                "unknown_asteroids_per_deg2": self.unknown_asteroids_per_deg2,
            }
        )
        nobody = whole.counterparts.model_copy(update={"per_night": 0})
        return whole.model_copy(update={"population": people, "counterparts": nobody})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Season:
    """Alerts and visits of some weeks."""

    sky: Nights
    alerts: AlertBatch
    """By `hpx29`."""

    kind: NDArray[np.int64]
    """What each alert is of: `hub.demo.survey.light_curves.KIND_NAMES`."""

    visits: DetectorVisits
    """A row a raft, `RAFTS` of each visit, by visit and so by time."""

    middles: Floats
    """Unit vector of the middle of each visit, shape ``(n, 3)``."""

    mid_us: Int64s
    """Middle of each exposure."""

    begin: Instant
    end: Instant

    def around(self, points: MapPoints, begin: Instant, end: Instant) -> DetectorVisits:
        """Return the visits of a window that looked at or near some points."""
        from scipy.spatial import cKDTree  # noqa: PLC0415 - takes a third of a second, and few need it

        rows = np.flatnonzero((self.mid_us >= begin.tai_us) & (self.mid_us <= end.tai_us))
        if not len(points) or not len(rows):
            return DetectorVisits.empty()
        apart = float(np.radians(2.0 * np.sqrt(points.area_deg2.max()) + camera.RADIUS_DEG))
        tree = cKDTree(unit_vectors(points.ra_deg, points.dec_deg))
        near = rows[tree.query(self.middles[rows], distance_upper_bound=apart)[0] < np.inf]
        return self.visits.take((near[:, None] * len(RAFTS) + np.arange(len(RAFTS))).ravel())

    def searches(self, ra_deg: float, dec_deg: float, begin: Instant, end: Instant) -> Int64s:
        """Return the visits, as rows of `sky`, that really searched a place in a window."""
        seen = self.sky.looks(ra_deg, dec_deg)
        at = self.sky.mid_us(seen.visit)
        own = (seen.what == SEARCHED) & (at > begin.tai_us) & (at <= end.tai_us) & np.isin(at, self.mid_us)
        return np.asarray(seen.visit[own])

    def visits_around(
        self, hears: Coverage, survey: str, window: tuple[Instant, Instant], points: MapPoints
    ) -> tuple[DetectorVisits | None, str]:
        """Return the same as the ledger answers: all was heard."""
        del hears, survey
        return self.around(points, *window), ""


class SeasonHistory:
    """A season as the memory of past alerts; nothing is added to it."""

    def __init__(self, season: Season) -> None:
        self._alerts = season.alerts
        self._by_object = np.argsort(season.alerts.object_id, kind="stable")
        self._names = season.alerts.object_id[self._by_object]

    def append(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Refuse."""
        raise StorageError(f"a season that is over takes no more alerts, {len(batch)} came")

    def in_region(self, lo: Int64s, hi: Int64s, start: Instant, end: Instant) -> list[AlertBatch]:
        """Return all alerts inside ascending disjoint ranges and a time window."""
        first = np.searchsorted(self._alerts.hpx29, lo)
        counts = np.searchsorted(self._alerts.hpx29, hi) - first
        rows = np.arange(int(counts.sum())) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        times = self._alerts.mid_tai_us[rows]
        return [rows_of(self._alerts, rows[(times >= start.tai_us) & (times < end.tai_us)])]

    def of_objects(self, survey: str, object_ids: Sequence[str], hpx29: Int64s) -> AlertBatch:
        """Return all alerts of some objects, by time."""
        del survey, hpx29
        names = np.array(object_ids, dtype=COLUMN_DTYPES["object_id"])
        first = np.searchsorted(self._names, names, side="left")
        counts = np.searchsorted(self._names, names, side="right") - first
        rows = self._by_object[np.arange(int(counts.sum())) + np.repeat(first - (np.cumsum(counts) - counts), counts)]
        return rows_of(self._alerts, rows[np.argsort(self._alerts.mid_tai_us[rows], kind="stable")])

    def count(self) -> int:
        """Return how many alerts there are."""
        return len(self._alerts)


def season(seed: int, plan: Plan) -> Season:
    """Return the season of a seed; the same plan and seed give the same one."""
    simulation = plan.simulation()
    whole = nights(seed, n_watch=plan.nights, n_history=plan.history_nights)
    sky = replace(whole, world=world_of(seed, simulation, 1.0, ()))
    every = np.flatnonzero((sky.plan.dec_deg >= plan.dec_deg[0]) & (sky.plan.dec_deg <= plan.dec_deg[1]))
    rows = every[sky.visits.mjd[every] >= sky.watch_mjd]
    ever, seen = (world.Visits._make(column[chosen] for column in sky.visits) for chosen in (every, rows))
    mid_us = sky.mid_us(rows)
    alerts, kind = _alerts(sky, ever, seen, mid_us, _crowding(seed, plan.clustering))
    return Season(
        sky=sky,
        alerts=alerts,
        kind=kind,
        visits=visits_of_rafts(seen, mid_us, sky.plan.take(rows), simulation),
        middles=seen.axes[:, :3],
        mid_us=mid_us,
        begin=Instant(int(mid_us[0])),
        end=Instant(int(mid_us[-1])),
    )


def visits_of_rafts(seen: world.Visits, mid_us: Int64s, looked: schedule.Schedule, simulation: Simulation) -> DetectorVisits:
    """Return visits as a ledger has them, a row a raft."""
    n, per = len(mid_us), len(RAFTS)
    middle, across, up = (seen.axes[:, None, None, 3 * i : 3 * i + 3] for i in range(3))
    centre = camera.RAFT_DEG * np.array(RAFTS, dtype=np.float64)
    corner = HALF_RAFT_DEG * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=np.float64)
    plane = np.radians(centre[:, None] + corner)
    vectors = middle + plane[..., :1] * across + plane[..., 1:] * up
    ra, dec = _positions(vectors.reshape(-1, 3))
    ra_deg, dec_deg = _positions(
        (middle + np.radians(centre)[:, None, :1] * across + np.radians(centre)[:, None, 1:] * up).reshape(-1, 3)
    )
    reasons = simulation.survey.reasons
    return DetectorVisits(
        survey=Words.constant(SURVEY, n * per),
        visit=np.repeat(seen.number, per),
        detector=np.tile(np.arange(per, dtype=np.int32), n),
        mid_tai_us=np.repeat(mid_us, per),
        band=Words(np.repeat(seen.band, per).astype(np.int32), tuple(BANDS)),
        n_alerts=np.full(n * per, 1000, dtype=np.int64),
        depth_njy=np.repeat(DEPTH_SIGMA * seen.error, per),
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        footprint=Words.constant(FootprintKind.OUTLINE.value, n * per),
        polygons=Footprints(first=4 * np.arange(n * per + 1, dtype=np.int64), ra_deg=ra, dec_deg=dec),
        reason=Words(np.repeat(looked.programme, per).astype(np.int32), (reasons.wide, reasons.deep, reasons.too)),
        target=Words.constant("", n * per),
        schema=Words.constant("", n * per),
        reliability_version=Words.constant("", n * per),
    )


def _alerts(
    sky: Nights, ever: world.Visits, seen: world.Visits, mid_us: Int64s, crowding: Floats
) -> tuple[AlertBatch, NDArray[np.int64]]:
    """Return the alerts of all visits by place, and what each is of."""
    columns = [_of_objects(sky, ever, len(seen.number), crowding), *_of_single_visits(sky.world, seen)]
    whole = {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
    pixel = pixels29(whole["ra_deg"], whole["dec_deg"])
    order = np.argsort(pixel, kind="stable")
    whole = {name: column[order] for name, column in whole.items()}
    at = mid_us[whole["visit"]]
    first, n_before = _past(whole["object"], at)
    flux, error = whole["flux_njy"], whole["flux_err_njy"]
    batch = AlertBatch.from_columns(
        SURVEY,
        source_id=whole["source_id"],
        object_id=whole["object"].astype(COLUMN_DTYPES["object_id"]),
        ra_deg=whole["ra_deg"],
        dec_deg=whole["dec_deg"],
        mid_tai_us=at,
        first_tai_us=first,
        n_history=n_before,
        flux_njy=flux,
        flux_err_njy=error,
        snr=np.abs(flux) / error,
        reliability=whole["reliability"],
        band=np.array([one.encode() for one in BANDS], dtype=COLUMN_DTYPES["band"])[seen.band[whole["visit"]]],
        is_solar_system=np.zeros(len(at), dtype=np.bool_),
        is_negative=flux < 0.0,
        is_saturated=np.zeros(len(at), dtype=np.bool_),
        hpx29=pixel[order],
    )
    return batch, whole["kind"]


def _of_objects(sky: Nights, ever: world.Visits, n_seen: int, crowding: Floats) -> dict[str, NDArray[np.generic]]:
    """Return the detections, by the last of some visits, of what stays where it is and was not detected before them.

    Tile by tile: each has its own share of supernovae.
    """
    offset, parts = offsets(), []
    ours, nobody = by_tile(ever, 0, len(ever.number), offset), by_tile(ever, 0, 0, offset)
    low, high = float(ever.dec.min()) - camera.RADIUS_DEG, float(ever.dec.max()) + camera.RADIUS_DEG
    for row in range(tiles.row_of(low), tiles.row_of(high) + 1):
        out, n, column = room_for(1 << 16), 0, 0
        n_columns = tiles.columns_of(row)
        cells = _cells(
            *(np.array(values) for values in zip(*(tiles.place_in(row, i, 0.5, 0.5) for i in range(n_columns)), strict=True))
        )
        worlds = {cell: _crowded(sky.world, float(crowding[cell])) for cell in np.unique(cells).tolist()}
        while column < n_columns:
            more = detect_in_tile(worlds[int(cells[column])], ever, ours, nobody, row, column, sky.watch_mjd, out, n)
            if more < 0:
                out = Rows._make(np.concatenate([old[:n], np.zeros_like(old)]) for old in out)
                continue
            n, column = more, column + 1
        parts.append(Rows._make(one[:n].copy() for one in out))
    numbers = np.concatenate([one.numbers for one in parts])
    visit = np.concatenate([one.visit for one in parts]) - (len(ever.number) - n_seen)
    return {
        "source_id": world.FIRST_SOURCE_ID + np.arange(len(visit)),
        "object": np.concatenate([one.object for one in parts]),
        "ra_deg": numbers[:, 0],
        "dec_deg": numbers[:, 1],
        "visit": visit,
        "flux_njy": numbers[:, 2],
        "flux_err_njy": numbers[:, 3],
        "reliability": numbers[:, 4],
        "kind": np.concatenate([one.kind for one in parts]),
    }


def _of_single_visits(here: world.World, seen: world.Visits) -> Iterator[dict[str, NDArray[np.generic]]]:
    """Yield the detections of each visit that are no other's: false ones, and what moves."""
    density = np.zeros_like(here.density)
    density[[UNKNOWN_ASTEROID, ARTEFACT]] = here.density[[UNKNOWN_ASTEROID, ARTEFACT]]
    alone, room = here._replace(density=density), world.room_for(ROOM_DETECTIONS)
    for v in range(len(seen.number)):
        n = world.find(alone, seen, v, room)
        found = world.Found._make(column[:n] for column in room)
        numbers = found.numbers
        yield {
            "source_id": found.source_id.copy(),
            "object": found.source_id.copy(),
            "ra_deg": numbers[:, 0].copy(),
            "dec_deg": numbers[:, 1].copy(),
            "visit": np.full(n, v),
            "flux_njy": numbers[:, 2].copy(),
            "flux_err_njy": numbers[:, 3].copy(),
            "reliability": reliabilities(seen, v, found),
            "kind": found.kind.copy(),
        }


def _crowded(here: world.World, factor: float) -> world.World:
    density = here.density.copy()
    density[SUPERNOVA] *= factor
    return here._replace(density=density)


def _cells(ra_deg: Floats, dec_deg: Floats) -> Int64s:
    return np.asarray(pixels29(ra_deg, dec_deg) >> 2 * (MAX_ORDER - CELL_ORDER))


def _crowding(seed: int, variance: float) -> Floats:
    """Return the density of supernovae in each part of the sky over the mean."""
    n = 12 * 4**CELL_ORDER
    rng = np.random.default_rng([seed, SUPERNOVA])
    return rng.gamma(1.0 / variance, variance, n) if variance > 0.0 else np.ones(n)


def _past(objects: NDArray[np.int64], at: Int64s) -> tuple[Int64s, NDArray[np.int32]]:
    """Return for each alert when its object was first detected, and how often before."""
    order = np.lexsort((at, objects))
    ordered = objects[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    counts = np.diff(np.append(starts, len(ordered)))
    first, before = np.empty_like(at), np.empty(len(at), dtype=np.int32)
    first[order] = np.repeat(at[order][starts], counts)
    before[order] = np.arange(len(ordered)) - np.repeat(starts, counts)
    return first, before


def _positions(vectors: Floats) -> tuple[Floats, Floats]:
    x, y, z = vectors.T
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))
