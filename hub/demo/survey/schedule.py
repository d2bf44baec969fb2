"""Which field is seen when, in which band and why: any night by itself, as a function of the seed and the date.

No night needs the one before it: a third of the fields is due in each, nearest to the meridian first. The past of a place is the
list of the visits of the nights before.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hub.demo.survey.chance import mix, state_of, uniform, uniforms
from hub.demo.survey.settings import BANDS, Simulation

STEP_DEG = 2.9
"""Distance of neighbouring fields: a little less than the field of view is wide."""

WIDE, DEEP, TOO = range(3)
"""Programmes."""

PAIRS = ("gr", "ri", "iz", "zy", "ug", "gi")
"""Bands of the two visits of a block."""

MAX_VISITS = 2048
"""More than a night has; ids leave room for so many."""

_POLE = (192.85948, 27.12825)  # north galactic pole, ICRS (Hipparcos catalogue, volume 1)
_EAST_LIMIT_DEG = 55.0
_LOST, _BLOCK, _DITHER = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Visits in time order, one row each, all of shape ``(n,)``."""

    night: NDArray[np.int64]
    """Integer part of MJD(TAI) - 0.5: noon to noon."""

    sequence: NDArray[np.int64]
    """Number within the night, from 0."""

    mjd_tai: NDArray[np.float64]
    """Middle of the exposure."""

    ra_deg: NDArray[np.float64]
    """Middle of the field, ICRS."""

    dec_deg: NDArray[np.float64]
    turn_deg: NDArray[np.float64]
    """Angle of the camera."""

    band: NDArray[np.int64]
    """Place in `BANDS`."""

    programme: NDArray[np.int64]
    target: NDArray[np.int64]
    """Number of the deep field; -1 elsewhere."""

    depth_ab: NDArray[np.float64]
    """5-sigma depth."""

    def __len__(self) -> int:
        return len(self.night)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "Schedule":
        """Return the visits of an index or mask."""
        return Schedule(**{name: getattr(self, name)[index] for name in _NAMES})

    @property
    def number(self) -> NDArray[np.int64]:
        """Visit numbers as LSST writes them: the day of observation, then five digits."""
        day = (np.datetime64("1858-11-17") + self.night).astype("datetime64[D]")
        dates = np.char.replace(np.datetime_as_string(day), "-", "").astype(np.int64)
        return np.asarray(dates * 100_000 + self.sequence + 1)


_NAMES = ("night", "sequence", "mjd_tai", "ra_deg", "dec_deg", "turn_deg", "band", "programme", "target", "depth_ab")


def join(parts: list[Schedule]) -> Schedule:
    """Return one schedule of several, at least one, in their order."""
    return Schedule(**{name: np.concatenate([getattr(one, name) for one in parts]) for name in _NAMES})


def fields_of(simulation: Simulation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return right ascensions and declinations of the fields of the wide survey."""
    low, high = simulation.survey.dec_deg
    return _fields(low, high, simulation.survey.galactic_gap_deg)


@lru_cache(maxsize=8)
def _fields(low: float, high: float, gap: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ra, dec = [], []
    for row in np.arange(low, high + 0.1, STEP_DEG).tolist():
        n = max(1, round(360.0 * np.cos(np.radians(row)) / STEP_DEG))
        ra.append(np.arange(n) * 360.0 / n)
        dec.append(np.full(n, row))
    all_ra, all_dec = np.concatenate(ra), np.concatenate(dec)
    keep = np.abs(galactic_latitude_deg(all_ra, all_dec)) >= gap
    kept = all_ra[keep], all_dec[keep]
    for column in kept:
        column.flags.writeable = False  # all nights share it
    return kept


def galactic_latitude_deg(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return galactic latitudes."""
    pole_ra, pole_dec = np.radians(_POLE)
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    sine = np.sin(dec) * np.sin(pole_dec) + np.cos(dec) * np.cos(pole_dec) * np.cos(ra - pole_ra)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))))


def sidereal_deg(mjd: NDArray[np.float64] | float, longitude_deg: float) -> NDArray[np.float64]:
    """Return the local sidereal time (Meeus 1998, equation 12.4, without the small terms)."""
    return np.asarray((280.46061837 + 360.98564736629 * (np.asarray(mjd) - 51544.5) + longitude_deg) % 360.0)


def hours_of(night: int, longitude_deg: float) -> tuple[float, float]:
    """Return begin and end of a night as MJD: ten hours on average, 1.5 more in June at this southern place."""
    middle = night + 1.0 - longitude_deg / 360.0
    length = 10.0 - 1.5 * np.cos(2 * np.pi * (night - 60_295.0 + 10.0) / 365.25)  # MJD 60295 is 2023-12-17
    return middle - length / 48.0, middle + length / 48.0


def last_night(mjd: float, longitude_deg: float) -> int:
    """Return the latest night that is over at a time."""
    night = int(mjd - 0.5)
    while hours_of(night, longitude_deg)[1] > mjd:
        night -= 1
    return night


def is_lost(seed: int, night: int, simulation: Simulation) -> bool:
    """Return whether the weather took a night."""
    return bool(uniform(state_of(seed, _LOST, night)) < simulation.survey.lost_nights)


def night_schedule(seed: int, night: int, simulation: Simulation, too: tuple[float, float] | None = None) -> Schedule:
    """Return all visits of a night.

    Parameters
    ----------
    seed
        Of the world.
    night
        Integer part of MJD(TAI) - 0.5.
    simulation
        The settings.
    too
        Position of the target of opportunity in degrees, where the night has one.
    """
    survey = simulation.survey
    begin, end = hours_of(night, survey.longitude_deg)
    step = survey.cadence_s / 86_400
    n = min(MAX_VISITS, int((end - begin) / step))
    times = begin + step * np.arange(n, dtype=np.float64)
    slots = _fixed(night, simulation, times, too, seed)
    planned = [*_filled(seed, night, simulation, times, slots)]
    ra, dec, band, programme, target = (np.array(column) for column in zip(*planned, strict=True))
    draws = uniforms(state_of(seed, _DITHER, night), n, 4)
    dither = 0.5 * np.sqrt(draws[:, 0]) * np.where(programme == TOO, 0.3, 1.0)
    new_dec = np.clip(dec + dither * np.cos(2 * np.pi * draws[:, 1]), -80.0, 30.0)
    shift = dither * np.sin(2 * np.pi * draws[:, 1]) / np.cos(np.radians(new_dec))
    depth = np.array([survey.depth_ab[BANDS[int(one)]] for one in band])
    return Schedule(
        night=np.full(n, night, dtype=np.int64),
        sequence=np.arange(n, dtype=np.int64),
        mjd_tai=times + survey.exposure_s / 2 / 86_400,
        ra_deg=(ra + shift) % 360.0,
        dec_deg=new_dec,
        turn_deg=360.0 * draws[:, 2],
        band=band.astype(np.int64),
        programme=programme.astype(np.int64),
        target=target.astype(np.int64),
        depth_ab=depth - 0.4 * draws[:, 3] + 0.1,
    )


Planned = tuple[float, float, int, int, int]
"""Right ascension, declination, band, programme, number of the deep field."""


def _fixed(
    night: int, simulation: Simulation, times: NDArray[np.float64], too: tuple[float, float] | None, seed: int
) -> dict[int, list[Planned]]:
    """Return what comes at its own time: slot to the visits of a sequence."""
    slots: dict[int, list[Planned]] = {}
    lst = sidereal_deg(times, simulation.survey.longitude_deg)
    programme = simulation.deep_programme
    for number, field in enumerate(simulation.deep):
        if (night + number) % programme.every_nights:
            continue
        ra, dec = field.position_deg
        from_meridian = np.abs((lst - ra + 180.0) % 360.0 - 180.0)
        slot = int(np.argmin(from_meridian))
        if from_meridian[slot] < _EAST_LIMIT_DEG and slot + programme.visits < len(times):
            bands = [BANDS.index("grizy"[(night // programme.every_nights + i // 3) % 5]) for i in range(programme.visits)]
            slots.setdefault(slot, []).extend((ra, dec, band, DEEP, number) for band in bands)
    if too is not None:
        ra0, dec0 = too
        slot = int(np.argmin(np.abs((lst - ra0 + 180.0) % 360.0 - 180.0)))
        for band in simulation.too_programme.bands:
            for i in range(simulation.too_programme.fields):
                turn = 2 * np.pi * i / max(1, simulation.too_programme.fields - 1)
                away = 0.0 if i == 0 else 2.6
                dec = dec0 + away * np.sin(turn)
                ra = (ra0 + away * np.cos(turn) / np.cos(np.radians(dec))) % 360.0
                slots.setdefault(min(slot, len(times) - 1), []).append((ra, dec, BANDS.index(band), TOO, -1))
    return slots


def _filled(
    seed: int, night: int, simulation: Simulation, times: NDArray[np.float64], slots: dict[int, list[Planned]]
) -> list[Planned]:
    """Return the plan of the whole night: blocks of the wide survey, each twice, with the sequences between them."""
    ra, dec = fields_of(simulation)
    due = np.flatnonzero((np.arange(len(ra)) + night) % 3 == 0)
    is_left = np.zeros(len(ra), dtype=np.bool_)
    is_left[due] = True
    is_new = np.ones(len(ra), dtype=np.bool_)
    plan: list[Planned] = []
    waiting = sorted(slots)
    block = 0
    while len(plan) < len(times):
        while waiting and waiting[0] <= len(plan):
            plan.extend(slots[waiting.pop(0)])
        if len(plan) >= len(times):
            break
        lst = float(sidereal_deg(times[len(plan)], simulation.survey.longitude_deg))
        state = state_of(seed, _BLOCK, night, block)
        aim = -60.0 + 60.0 * uniform(state)
        bands = PAIRS[int(uniform(np.uint64(mix(state, 1))) * len(PAIRS))]
        angle = np.abs((ra - lst - 10.0 + 180.0) % 360.0 - 180.0)  # east of the meridian: the second pass comes later
        for open_ones in (is_left, is_new, np.ones_like(is_new)):
            eligible = open_ones & (angle < _EAST_LIMIT_DEG)
            if eligible.sum() >= simulation.survey.block_visits:
                break
        away = np.where(eligible, angle * np.cos(np.radians(dec)) + 0.5 * np.abs(dec - aim), np.inf)
        chosen = np.argsort(away, kind="stable")[: min(simulation.survey.block_visits, int(eligible.sum()))]
        is_left[chosen] = is_new[chosen] = False
        chosen = chosen[np.lexsort((ra[chosen], dec[chosen]))]
        for band in bands:
            plan.extend((float(ra[i]), float(dec[i]), BANDS.index(band), WIDE, -1) for i in chosen.tolist())
        block += 1
    return plan[: len(times)]


def past_schedule(seed: int, night: int, simulation: Simulation, targets: dict[int, tuple[float, float]]) -> Schedule | None:
    """Return the visits of the nights before that histories know; None where there are none.

    Parameters
    ----------
    seed, night, simulation
        As `night_schedule`.
    targets
        Night to the position of its target of opportunity.
    """
    survey = simulation.survey
    parts = []
    for earlier in range(night - survey.deep_history_nights, night):
        if is_lost(seed, earlier, simulation):
            continue
        is_recent = night - earlier <= survey.wide_history_nights
        if not is_recent and not any(
            (earlier + i) % simulation.deep_programme.every_nights == 0 for i in range(len(simulation.deep))
        ):
            continue
        visits = night_schedule(seed, earlier, simulation, targets.get(earlier))
        parts.append(visits if is_recent else visits.take(visits.programme == DEEP))
    return join(parts) if parts else None
