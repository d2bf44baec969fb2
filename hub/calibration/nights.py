"""Simulated Rubin nights in which mergers can be searched for: visits, what they detect, and what a ledger of them would answer.

The nights are those of `mmhub simulate night` (`hub.demo.survey`): cadence, camera with its gaps, lost nights, failed detectors,
templates, efficiency and the populations of unrelated objects. Visits as targets of opportunity are laid beside them, each with
the number of the event that it is for: another event never sees what they found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.calibration import nights_kernels as kernels
from hub.calibration.nights_kernels import ByTile, Rows
from hub.demo.survey import packets, tiles
from hub.demo.survey.chance import state_of
from hub.demo.survey.light_curves import ARTEFACT, UNKNOWN_ASTEROID
from hub.demo.survey.night import visits_of, world_of
from hub.demo.survey.schedule import Schedule, join, night_schedule, past_schedule
from hub.demo.survey.settings import BANDS, Simulation, shipped
from hub.demo.survey.world import Visits, World
from hub.model.alert import COLUMN_DTYPES, NO_TIME, AlertBatch
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.science.healpix import Floats, Int64s, find, pixels29
from hub.science.levels import Levels2D
from hub.science.onset import FirstSeen, LastVisits, VisitsBefore

SURVEY = -1
"""Tag of the visits of the survey itself."""

HISTORY_NIGHTS = 60
"""Nights before the first event that objects may have been detected in, as packets know them."""

SAME_VISIT_D = 10.0 / 86_400.0
"""A visit so near to a first detection is the one that made it, as in `hub.archive.visits_lookup`."""

MJD_ZERO_US = Instant.from_mjd_tai(0.0).tai_us
"""`Instant.tai_us` of MJD(TAI) 0."""

_DAY_US = 86_400_000_000
_TOO_STATE = 302
_TOO_NUMBER = 10**15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looks:
    """The visits that point at a place, in order of time; shape ``(n,)``."""

    visit: Int64s
    """Row of `Nights.visits`."""

    what: Int64s
    """`NOT_ON_DETECTOR`, `NOT_PROCESSED`, `NO_TEMPLATE` or `SEARCHED` of `hub.calibration.nights_kernels`."""

    def take(self, rows: NDArray[np.bool_]) -> "Looks":
        """Return those of a mask."""
        return Looks(visit=self.visit[rows], what=self.what[rows])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Background:
    """Detections of unrelated objects, by object; all columns of shape ``(n,)``."""

    object: Int64s
    visit: Int64s
    """Row of `Nights.visits`."""

    kind: Int64s
    """As in `hub.demo.survey.light_curves`."""

    ra_deg: Floats
    dec_deg: Floats
    flux_njy: Floats
    flux_err_njy: Floats
    reliability: Floats
    hpx29: Int64s

    def __len__(self) -> int:
        return len(self.object)

    def take(self, rows: NDArray[np.bool_] | Int64s) -> "Background":
        """Return the rows of an index or mask."""
        return Background(**{name: getattr(self, name)[rows] for name in self.__slots__})

    @classmethod
    def of(cls, parts: Sequence[Rows]) -> "Background":
        """Return the detections of some parts of the sky."""
        numbers = np.concatenate([one.numbers for one in parts]) if parts else np.zeros((0, 5))
        columns = [np.concatenate([one[i] for one in parts]) if parts else np.zeros(0, dtype=np.int64) for i in range(3)]
        return cls(
            object=columns[0],
            visit=columns[1],
            kind=columns[2],
            ra_deg=numbers[:, 0],
            dec_deg=numbers[:, 1],
            flux_njy=numbers[:, 2],
            flux_err_njy=numbers[:, 3],
            reliability=numbers[:, 4],
            hpx29=pixels29(numbers[:, 0], numbers[:, 1]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nights:
    """All nights of one world."""

    simulation: Simulation
    plan: Schedule
    """Of all visits: first those of the survey in order of time, then those for events."""

    visits: Visits
    """The same for kernels."""

    tag: Int64s
    """`SURVEY`, or the number of the event that a visit is for."""

    world: World
    survey: ByTile
    extra: ByTile
    watch_mjd: float
    """What was detected before is of no interest: the evening of the first night in which there are events."""

    end_mjd: float
    """The last morning."""

    @property
    def n_survey(self) -> int:
        """How many of the visits are the survey's."""
        return int(np.searchsorted(self.tag >= 0, True))

    def mid_us(self, visit: Int64s) -> Int64s:
        """Return the middles of visits, `Instant.tai_us`."""
        return MJD_ZERO_US + np.rint(self.visits.mjd[visit] * _DAY_US).astype(np.int64)

    def looks(self, ra_deg: float, dec_deg: float, event: int = SURVEY) -> Looks:
        """Return the visits that point at a place, those for one event among them."""
        everywhere = self.world._replace(templates=np.ones_like(self.world.templates))
        found = []
        for visible in (self.survey, self.extra):
            number = kernels.tile_of(visible.offset, ra_deg, dec_deg)
            room = int(visible.first[number + 1] - visible.first[number])
            visit, what = np.zeros(room, dtype=np.int64), np.zeros(room, dtype=np.int64)
            n = kernels.looks_at(self.world, everywhere, self.visits, visible, ra_deg, dec_deg, visit, what)
            found.append((visit[:n], what[:n]))
        visit, what = np.concatenate([one for one, _ in found]), np.concatenate([one for _, one in found])
        own = (self.tag[visit] == SURVEY) | (self.tag[visit] == event)
        order = np.argsort(self.visits.mjd[visit[own]], kind="stable")
        return Looks(visit=visit[own][order], what=what[own][order])

    def background(self, wanted: NDArray[np.bool_]) -> Iterator[Rows]:
        """Yield the detections of each row of tiles: stars, nuclei, supernovae, flares, afterglows, ghosts and bad sites.

        Objects that were detected before `watch_mjd`, and those without a detection that any hypothesis would use, are left out.

        Parameters
        ----------
        wanted
            Which tiles are looked at, by their number.
        """
        room = 1 << 17
        for row in range(tiles.ROWS):
            begin = int(self.survey.offset[row])
            asked = np.flatnonzero(wanted[begin : int(self.survey.offset[row + 1])]).tolist()
            if not asked:
                continue
            n, done, out = 0, 0, kernels.room_for(room)
            while done < len(asked):
                more = kernels.detect_in_tile(
                    self.world, self.visits, self.survey, self.extra, row, asked[done], self.watch_mjd, out, n
                )
                if more < 0:
                    room *= 2
                    wider = kernels.room_for(room)
                    for old, new in zip(out, wider, strict=True):
                        new[:n] = old[:n]
                    out = wider
                    continue
                n, done = more, done + 1
            if n:
                yield Rows._make(one[:n].copy() for one in out)

    def tiles_in(self, skymap: Skymap, below: float = 0.9997) -> NDArray[np.bool_]:
        """Return the tiles with any part inside a credible level, by their number."""
        levels = Levels2D.of(skymap)
        numbers = np.arange(int(self.survey.offset[-1]))
        row = np.searchsorted(self.survey.offset, numbers, side="right") - 1
        dec = (row + 0.5) * tiles.HEIGHT_DEG - 90.0
        width = 360.0 / np.diff(self.survey.offset)[row]
        ra = (numbers - self.survey.offset[row] + 0.5) * width
        inside = np.zeros(len(numbers), dtype=np.bool_)
        for across in (-0.5, 0.0, 0.5):
            for along in (-0.5, 0.0, 0.5):
                at = (ra + across * width) % 360.0, np.clip(dec + along * tiles.HEIGHT_DEG, -89.999, 89.999)
                place = find(levels.lo, levels.hi, pixels29(*at))
                inside |= (place >= 0) & (levels.searched_prob[place] < below)
        return inside

    def visits_before(self, event: int = SURVEY) -> VisitsBefore:
        """Return what a ledger of all visits answers, those for one event among them."""

        def answer(first: FirstSeen, look_back_d: float) -> LastVisits:
            band = np.array([BANDS.find(one.decode()) for one in first.band.tolist()], dtype=np.int64)
            before = (first.time_us - MJD_ZERO_US) / _DAY_US - SAME_VISIT_D
            found = np.full(len(band), -np.inf)
            for visible in (self.survey, self.extra):
                kernels.last_deeper(
                    self.world,
                    self.visits,
                    visible,
                    self.tag,
                    event,
                    first.ra_deg,
                    first.dec_deg,
                    band,
                    before,
                    first.flux_njy,
                    look_back_d,
                    found,
                )
            is_there = np.isfinite(found)
            time = np.full(len(band), NO_TIME)
            time[is_there] = MJD_ZERO_US + np.rint(found[is_there] * _DAY_US).astype(np.int64)
            return LastVisits(time_us=time, is_known=np.ones(len(band), dtype=np.bool_))

        return answer

    def alerts(self, rows: Background, first_us: Int64s, n_history: Int64s) -> AlertBatch:
        """Return detections as the hub has alerts.

        Parameters
        ----------
        rows
            The detections.
        first_us, n_history
            First detection of the object of each, and how many there were before, as packets say.
        """
        n = len(rows)
        names = np.frombuffer(BANDS.encode(), dtype="S1")
        said: dict[str, NDArray[Any]] = {
            "source_id": np.arange(1, n + 1),
            "object_id": rows.object.astype("S32"),
            "ra_deg": rows.ra_deg,
            "dec_deg": rows.dec_deg,
            "mid_tai_us": self.mid_us(rows.visit),
            "first_tai_us": first_us,
            "n_history": n_history,
            "flux_njy": rows.flux_njy,
            "flux_err_njy": rows.flux_err_njy,
            "snr": np.abs(rows.flux_njy) / rows.flux_err_njy,
            "reliability": rows.reliability,
            "band": names[self.visits.band[rows.visit]],
            "is_negative": rows.flux_njy < 0.0,
            "hpx29": rows.hpx29,
        }
        unsaid = {
            name: np.full(n, NO_TIME) if name.endswith("_tai_us") else np.zeros(n, dtype=kind)
            for name, kind in COLUMN_DTYPES.items()
            if name not in said
        }
        return AlertBatch.from_columns("LSST", **said, **unsaid)


def nights(
    seed: int, *, n_watch: int, n_history: int = HISTORY_NIGHTS, last: date = date(2026, 5, 20), fraction: float = 1.0
) -> Nights:
    """Return nights of the survey alone.

    Parameters
    ----------
    seed
        Of the world.
    n_watch
        Nights in which events may lie and be searched for.
    n_history
        Nights before them.
    last
        Day of observation of the last one.
    fraction
        Share of all unrelated objects that there are.
    """
    told, before = shipped(), n_history + n_watch - 1
    survey = told.survey.model_copy(update={"wide_history_nights": before, "deep_history_nights": before})
    simulation = told.model_copy(update={"survey": survey})
    night = (last - date(1858, 11, 17)).days
    past = past_schedule(seed, night, simulation, {})
    own = night_schedule(seed, night, simulation)
    plan = own if past is None else join([past, own])
    visits, world = visits_of(seed, plan), world_of(seed, simulation, fraction, ())
    offset = kernels.offsets()
    return Nights(
        simulation=simulation,
        plan=plan,
        visits=visits,
        tag=np.full(len(plan), SURVEY, dtype=np.int64),
        world=world,
        survey=kernels.by_tile(visits, 0, len(plan), offset),
        extra=kernels.by_tile(visits, 0, 0, offset),
        watch_mjd=night - n_watch + 1.7,
        end_mjd=float(plan.mjd_tai[-1]) + 1e-3,
    )


def with_events(sky: Nights, seed: int, visits: Sequence[tuple[int, Schedule]]) -> Nights:
    """Return nights with visits for events, each under the number of its own."""
    chosen = [(number, one) for number, one in visits if len(one)]
    if not chosen:
        return sky
    added = join([one for _, one in chosen])
    own = visits_of(seed, added)
    count = np.arange(len(added), dtype=np.int64)
    own = own._replace(state=packets.states_of(state_of(seed, _TOO_STATE), count), number=_TOO_NUMBER + count)
    n = len(sky.plan)
    both = Visits._make(np.concatenate(pair) for pair in zip(sky.visits, own, strict=True))
    return Nights(
        simulation=sky.simulation,
        plan=join([sky.plan, added]),
        visits=both,
        tag=np.concatenate([sky.tag, np.repeat([number for number, _ in chosen], [len(one) for _, one in chosen])]),
        world=sky.world,
        survey=sky.survey,
        extra=kernels.by_tile(both, n, n + len(added), sky.survey.offset),
        watch_mjd=sky.watch_mjd,
        end_mjd=sky.end_mjd,
    )


def moving_and_false(sky: Nights) -> World:
    """Return the world with unknown asteroids and artefacts alone, whose every detection is an object of its own."""
    density = np.zeros_like(sky.world.density)
    density[[UNKNOWN_ASTEROID, ARTEFACT]] = sky.world.density[[UNKNOWN_ASTEROID, ARTEFACT]]
    return sky.world._replace(density=density)
