"""A night as packets: the visits in order, each as bytes, with the truth beside."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - a type

import numpy as np
from numpy.typing import NDArray

from hub.demo.avro_rows import encode_bytes, encode_long
from hub.demo.published import flux_njy, kilonova_flux_njy
from hub.demo.survey import camera, packets, past, record_writing, schedule, slots, world
from hub.demo.survey.chance import state_of
from hub.demo.survey.counterparts import Counterpart, counterparts_of, target_of
from hub.demo.survey.light_curves import FIRST_NIGHT
from hub.demo.survey.settings import BANDS, Simulation, shipped
from hub.demo.survey.stamps import NO_CUTOUTS, VARIANTS, stamps_of, tails

ROOM_DETECTIONS = 60_000
"""Most alerts of one visit, several times the mean; a field with more is looked at again with more room."""

ROOM_BYTES = 48 << 20
"""Bytes of packets without their cutouts that are made at a time."""

_KILONOVA_DAYS = np.arange(0, 12, 1 / 20)
_VISIT = 301


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """What the packets of one visit say, in the order in which they are sent; columns of shape ``(n,)``."""

    visit: int
    """LSST's number of the visit."""

    mjd_tai: float
    band: str
    reason: str
    target: str
    source_id: NDArray[np.int64]
    object_id: NDArray[np.int64]
    """0 for a known asteroid."""

    solar_system_id: NDArray[np.int64]
    kind: NDArray[np.int64]
    detector: NDArray[np.int64]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    flux_njy: NDArray[np.float64]
    flux_err_njy: NDArray[np.float64]
    snr: NDArray[np.float64]
    reliability: NDArray[np.float64]
    n_history: NDArray[np.int64]
    n_forced: NDArray[np.int64]
    first_mjd_tai: NDArray[np.float64]
    is_dipole: NDArray[np.bool_]
    is_saturated: NDArray[np.bool_]
    arrival: NDArray[np.float64]
    """When it is sent, as a share of the time between two visits, ascending."""

    def __len__(self) -> int:
        return len(self.source_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitPackets:
    """The packets of one visit; `heads` may be gone through once."""

    alerts: Alerts
    """Its columns are complete once all packets were made."""

    heads: Iterator[tuple[memoryview, NDArray[np.int64], NDArray[np.int64]]]
    """Pieces of bytes that are used again for the next piece; where each packet ends in them; which tail it has."""

    tails: tuple[bytes, ...]

    def packets(self) -> Iterator[bytes]:
        """Yield the packets as a topic has them."""
        for data, ends, which in self.heads:
            begin = 0
            for end, tail in zip(ends.tolist(), which.tolist(), strict=True):
                yield b"".join((data[begin:end], self.tails[tail]))
                begin = end


class SurveyNight:
    """A night of the survey.

    Parameters
    ----------
    seed
        Of the world: nights of one seed share their objects.
    day
        Day of observation, as Rubin's `day_obs`: the night begins in its evening in Chile.
    fraction
        Share of all objects and artefacts that there are; what a smaller night has, a larger one has as well. Counterparts are
        always there.
    version
        Of the packets' schema.
    with_cutouts
        False for packets of a hundredth of the size.
    simulation
        The settings; those shipped where not given.
    room_bytes
        Bytes of packets without their cutouts that are made at a time; the packets do not depend on it.
    """

    def __init__(
        self,
        seed: int,
        day: Date,
        *,
        fraction: float = 1.0,
        version: str = "10.0",
        with_cutouts: bool = True,
        simulation: Simulation | None = None,
        room_bytes: int = ROOM_BYTES,
    ) -> None:
        self.simulation = simulation or shipped()
        self.seed = seed
        self.night = (day - Date(1858, 11, 17)).days
        self.fraction = fraction
        self.shift_days = 0.0
        """What is added to all times that are told: see `dated`."""
        self._room_bytes = room_bytes
        self._plans, self.schema, self.schema_id = slots.plans_of(version)
        self._lead = np.frombuffer(b"\0" + self.schema_id.to_bytes(4, "big"), dtype=np.uint8)
        self._tails = tails() if with_cutouts else (NO_CUTOUTS,)
        self._plan()

    def _plan(self) -> None:
        keep = self.simulation.counterparts.keep_nights
        targets = {night: target_of(self.seed, night, self.simulation) for night in self._nights()}
        known = {night: place for night, place in targets.items() if place is not None}
        self.visits = schedule.night_schedule(self.seed, self.night, self.simulation, known.get(self.night))
        past = schedule.past_schedule(self.seed, self.night, self.simulation, known)
        whole = self.visits if past is None else schedule.join([past, self.visits])
        self._first = len(whole) - len(self.visits)
        self._whole = whole
        self._seen = visits_of(self.seed, whole)
        self.counterparts: list[Counterpart] = []
        for night in range(self.night - keep, self.night + 1):
            if night == self.night or not schedule.is_lost(self.seed, night, self.simulation):
                here = schedule.night_schedule(self.seed, night, self.simulation, known.get(night))
                self.counterparts += counterparts_of(self.seed, night, self.simulation, here)
        self._world = world_of(self.seed, self.simulation, self.fraction, self.counterparts)

    def dated(self, visit: int, mjd_tai: float) -> "SurveyNight":
        """Return the same night with all times told as if the middle of a visit were at another time."""
        other = copy.copy(self)
        other.shift_days = mjd_tai - float(self.visits.mjd_tai[visit])
        other._seen = self._seen._replace(told=self._seen.mjd + other.shift_days)  # noqa: SLF001 - its own
        return other

    def thinned(self, fraction: float) -> "SurveyNight":
        """Return a smaller night that is a part of this one."""
        other = copy.copy(self)
        other.fraction = fraction
        other._world = self._world._replace(fraction=fraction)  # noqa: SLF001 - its own
        return other

    def _nights(self) -> range:
        return range(self.night - self.simulation.survey.deep_history_nights, self.night + 1)

    def __len__(self) -> int:
        """Return how many visits the night has."""
        return len(self.visits)

    def detections(self, visit: int) -> Alerts:
        """Return what a visit detects, without making packets: columns that only packets tell are zero."""
        return self._look(visit)[0]

    def visit(self, visit: int, most: int | None = None) -> VisitPackets:
        """Return the packets of a visit by its number within the night, from 0: all, or so many of those that leave first."""
        alerts, found, order, truth = self._look(visit, most)
        return VisitPackets(alerts=alerts, heads=self._heads(visit, found, order, truth, alerts), tails=self._tails)

    def _look(self, visit: int, most: int | None = None) -> tuple[Alerts, world.Found, NDArray[np.int64], packets.Truth]:
        v, room = self._first + visit, ROOM_DETECTIONS
        while True:
            found = world.room_for(room)
            n = world.find(self._world, self._seen, v, found)
            if n >= 0:
                break
            room *= 2
        found = world.Found._make(column[:n] for column in found)
        leaves = np.array([world.arrival_of(self._seen, v, detector) for detector in range(camera.N_DETECTORS)])
        order = np.lexsort((found.source_id, leaves[found.detector]))[:most]
        truth = packets.truth_of(len(order))
        numbers = found.numbers[order]
        reason, target = self._why(visit)
        alerts = Alerts(
            visit=int(self._seen.number[v]),
            mjd_tai=float(self._seen.told[v]),
            band=BANDS[int(self._seen.band[v])],
            reason=reason,
            target=target,
            source_id=found.source_id[order],
            object_id=truth.object_id,
            solar_system_id=truth.solar_system_id,
            kind=found.kind[order],
            detector=found.detector[order],
            ra_deg=numbers[:, 0],
            dec_deg=numbers[:, 1],
            flux_njy=numbers[:, 2],
            flux_err_njy=numbers[:, 3],
            snr=truth.snr,
            reliability=truth.reliability,
            n_history=truth.n_history,
            n_forced=truth.n_forced,
            first_mjd_tai=truth.first_mjd,
            is_dipole=truth.is_dipole,
            is_saturated=truth.is_saturated,
            arrival=leaves[found.detector[order]],
        )
        return alerts, found, order, truth

    def _heads(
        self, visit: int, found: world.Found, order: NDArray[np.int64], truth: packets.Truth, alerts: Alerts
    ) -> Iterator[tuple[memoryview, NDArray[np.int64], NDArray[np.int64]]]:
        v = self._first + visit
        earlier = past.before(self._world, self._seen, v)
        reason, target = (
            b"\x02" + encode_bytes(text.encode()) if text else encode_long(0) for text in (alerts.reason, alerts.target)
        )
        why = np.frombuffer(reason + target, dtype=np.uint8)
        out, ends = np.empty(self._room_bytes, dtype=np.uint8), np.zeros(len(order), dtype=np.int64)
        scratch, pens = past.scratch_of(len(earlier.visit)), record_writing.pen()
        done = 0
        while done < len(order):
            n = packets.write(
                self._world,
                self._seen,
                v,
                earlier,
                found,
                order,
                done,
                self._plans,
                self._lead,
                why,
                truth,
                scratch,
                pens,
                out,
                ends,
            )
            which = self._which(found, order[done : done + n], truth.is_dipole[done : done + n])
            yield out.data, ends[:n], which
            done += n

    def _which(self, found: world.Found, rows: NDArray[np.int64], is_dipole: NDArray[np.bool_]) -> NDArray[np.int64]:
        if len(self._tails) == 1:
            return np.zeros(len(rows), dtype=np.int64)
        return stamps_of(found.kind[rows], found.key[rows], found.numbers[rows, 2], is_dipole, VARIANTS)

    def _why(self, visit: int) -> tuple[str, str]:
        reasons = self.simulation.survey.reasons
        match int(self.visits.programme[visit]):
            case schedule.DEEP:
                return reasons.deep, self.simulation.deep[int(self.visits.target[visit])].name
            case schedule.TOO:
                return reasons.too, next(c.name for c in self.counterparts if c.is_target and c.night == self.night)
            case _:
                return reasons.wide, "lowdust"


def _nearest_band(band: str) -> str:
    """Return the band of the kilonova's table that stands for one of LSST's."""
    return {"u": "g", "y": "z"}.get(band, band)


def world_of(seed: int, simulation: Simulation, fraction: float, ours: Sequence[Counterpart]) -> world.World:
    """Return everything but the visits as kernels want it.

    Parameters
    ----------
    seed, simulation, fraction
        As `SurveyNight` takes them.
    ours
        Counterparts that are put into it.
    """
    survey, people = simulation.survey, simulation.population
    days = 64.0
    density = (
        people.stars_per_deg2,
        people.galaxies_per_deg2,
        people.supernovae_per_deg2_day * days,
        people.flares_per_deg2_night,
        people.fast_per_deg2_day * 8.0,
        people.ghosts_per_deg2_night,
        people.bad_sites_per_deg2,
        people.known_asteroids_per_deg2,
        people.unknown_asteroids_per_deg2,
        people.artefacts_per_deg2,
        0.0,
    )
    return world.World(
        state=state_of(seed),
        density=np.array(density, dtype=np.float64),
        templates=np.array([survey.templates[band] for band in BANDS]),
        unprocessed=survey.unprocessed,
        efficiency=survey.efficiency,
        fraction=fraction,
        kilonova=np.stack([kilonova_flux_njy(_KILONOVA_DAYS, _nearest_band(band)) for band in BANDS]),
        placed=np.array([[c.ra_deg, c.dec_deg, c.t0_mjd_tai, c.scale] for c in ours], dtype=np.float64).reshape(-1, 4),
        placed_key=np.array([c.key for c in ours], dtype=np.uint64),
        placed_night=np.array([c.night - FIRST_NIGHT for c in ours], dtype=np.int64),
        placed_index=np.array([c.index for c in ours], dtype=np.int64),
    )


def visits_of(seed: int, plan: schedule.Schedule) -> world.Visits:
    """Return visits of a schedule as kernels want them."""
    a, d, turn = (np.radians(values) for values in (plan.ra_deg, plan.dec_deg, plan.turn_deg))
    middle = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=1)
    east = np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)], axis=1)
    north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=1)
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    night = plan.night - FIRST_NIGHT
    packed = (night << 11) | plan.sequence
    base = state_of(seed, _VISIT)
    return world.Visits(
        state=packets.states_of(base, packed),
        number=plan.number,
        packed=packed,
        night=night,
        mjd=plan.mjd_tai,
        told=plan.mjd_tai,
        ra=plan.ra_deg,
        dec=plan.dec_deg,
        axes=np.ascontiguousarray(np.concatenate([middle, c * east + s * north, c * north - s * east], axis=1)),
        band=plan.band,
        programme=plan.programme,
        error=np.asarray(flux_njy(plan.depth_ab) / 5.0),
    )
