"""The mergers that are injected: areas and distances as in published simulations of the fourth run, each anywhere on the sky."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.calibration import injections_light
from hub.calibration.injections_light import Light
from hub.calibration.mergers import draw, merger_map
from hub.calibration.nights import Nights
from hub.demo.survey.schedule import TOO, Schedule, fields_of, hours_of, sidereal_deg
from hub.demo.survey.settings import BANDS, Simulation
from hub.model.sky import Skymap
from hub.science.healpix import Floats, area_sr, centres
from hub.science.levels import Levels2D

AREA_MEDIAN_DEG2, AREA_SPREAD = 1860.0, 1.6
"""Median 90 % area of binary neutron stars in the fourth run (Kiendrebeogo et al. 2023, ApJ 958, 158, summary table), and the
standard deviation of its logarithm, which we chose so that 90 % lie between some 130 and 20,000 square degrees."""

DISTANCE_MEDIAN_MPC, DISTANCE_SPREAD, DISTANCE_WITH_AREA = 398.0, 0.45, 0.6
"""Median luminosity distance (same table), standard deviation of its logarithm, and its correlation with the area's: near mergers
are loud and well localized. The last two are ours."""

AREA_RANGE_DEG2 = (20.0, 20_000.0)
"""Areas that are drawn."""

CLASSES = ((0.0, 100.0), (100.0, 1000.0), (1000.0, math.inf))
"""Areas in square degrees for which a share of good ranks is promised."""

OF_CLASS = (0.30, 0.40, 0.30)
"""Share of the injections in each of them. Small areas are rare among mergers, so more are drawn than nature has; every figure
for all classes together is weighted back (`weights`)."""

CLASSIFICATION = {"BNS": 0.95, "NSBH": 0.02, "BBH": 0.0, "Terrestrial": 0.03}
"""What the notice of each says."""

TOO_AREA_DEG2 = 500.0
"""Mergers with larger maps are no targets of opportunity: arXiv:2411.04793 scans up to some 500 square degrees."""

TOO_NIGHTS = (0, 1, 3)
"""Nights after the merger in which they are visited, the first one that begins after it, or that it lies in, being 0."""

TOO_LEVEL = 0.9
"""Probability that the fields are chosen to hold, where the survey has templates."""

TOO_REACTION_D = 0.02
"""From the merger to the first exposure, half an hour: notice, map, and a person who agrees."""

_TOO_REST_S = 2000.0
"""From the first visit of a field in a night to the second, at least, so that an asteroid moves."""

_FIELD_RADIUS_DEG = 1.75
_EAST_LIMIT_DEG = 55.0
_DRAWN = 400_000
"""Areas from which the shares of the classes in nature are counted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merger:
    """One injection."""

    number: int
    state: tuple[int, ...]
    """Seed of its map, which is drawn again whenever it is needed."""

    t0_mjd: float
    """TAI."""

    ra_deg: float
    dec_deg: float
    hpx29: int
    distance_mpc: float
    area90_deg2: float
    light: Light

    def skymap(self) -> Skymap:
        """Return its map."""
        return _map_of(self.state)[0]

    @property
    def area_class(self) -> int:
        """Place in `CLASSES`."""
        return next(number for number, (_, high) in enumerate(CLASSES) if self.area90_deg2 < high)


def drawn(  # noqa: PLR0917 - how many, when, and how wide
    rng: Generator, seed: int, number: int, begin_mjd: float, end_mjd: float, largest_deg2: float = math.inf
) -> list[Merger]:
    """Return mergers at random times between two.

    Parameters
    ----------
    rng
        Where times come from.
    seed
        That each merger is drawn from, together with its number.
    number
        How many.
    begin_mjd, end_mjd
        TAI.
    largest_deg2
        Those with larger areas are not drawn.
    """
    times = rng.uniform(begin_mjd, end_mjd, number)
    made = []
    for one in range(number):
        state = (seed, 40, one, int(min(largest_deg2, AREA_RANGE_DEG2[1])), _class_of(one, number, largest_deg2))
        skymap, own = _map_of(state)
        pixel, distance = draw(skymap, own, 1)
        ra, dec = centres(pixel, pixel + 1)
        made.append(
            Merger(
                number=one,
                state=state,
                t0_mjd=float(times[one]),
                ra_deg=float(ra[0]),
                dec_deg=float(dec[0]),
                hpx29=int(pixel[0]),
                distance_mpc=float(distance[0]),
                area90_deg2=Levels2D.of(skymap).area_of_level(0.9),
                light=injections_light.draw(own),
            )
        )
    return made


def weights(mergers: Sequence[Merger]) -> Floats:
    """Return how often nature makes such an area, relative to how often it was drawn; the mean is 1."""
    log_area = np.random.default_rng(0).normal(math.log(AREA_MEDIAN_DEG2), AREA_SPREAD, _DRAWN)
    area = np.exp(log_area)
    area = area[(area >= AREA_RANGE_DEG2[0]) & (area <= AREA_RANGE_DEG2[1])]
    nature = np.array([np.mean((area >= low) & (area < high)) for low, high in CLASSES])
    own = np.array([one.area_class for one in mergers])
    share = np.bincount(own, minlength=len(CLASSES)) / len(own)
    found = (nature / np.maximum(share, 1e-9))[own]
    return np.asarray(found / found.mean())


def _class_of(one: int, number: int, largest_deg2: float) -> int:
    shares = np.where([low < largest_deg2 for low, _ in CLASSES], OF_CLASS, 0.0)
    edges = np.cumsum(shares / shares.sum()) * number
    return int(np.searchsorted(edges, one + 0.5))


def _map_of(state: tuple[int, ...]) -> tuple[Skymap, Generator]:
    """Return a map, and the generator that drew it for what is drawn next."""
    rng = np.random.default_rng(state)
    low, high = CLASSES[state[-1]]
    low, high = max(low, AREA_RANGE_DEG2[0]), min(high, float(state[-2]))
    while True:
        z = rng.normal()
        area = AREA_MEDIAN_DEG2 * math.exp(AREA_SPREAD * z)
        if low <= area < high:
            break
    own = rng.normal()
    mixed = DISTANCE_WITH_AREA * z + math.sqrt(1.0 - DISTANCE_WITH_AREA**2) * own
    mean = DISTANCE_MEDIAN_MPC * math.exp(DISTANCE_SPREAD * mixed)
    return merger_map(rng, area, lambda: mean), rng


def too_visits(merger: Merger, sky: Nights) -> Schedule | None:
    """Return the visits of a target of opportunity, in order of time; None where the merger is none.

    Fields of the survey by the probability in them, up to 90 %; in each night a pass in one band and, after half an hour at
    least, one in the next, while a field is within 55 degrees of the meridian.
    """
    simulation = sky.simulation
    if merger.area90_deg2 > TOO_AREA_DEG2:
        return None
    ra, dec = _fields(merger.skymap(), simulation)
    rows: list[tuple[int, float, float, float, int]] = []
    night = int(merger.t0_mjd - 0.5)
    while hours_of(night, simulation.survey.longitude_deg)[1] <= merger.t0_mjd + TOO_REACTION_D:
        night += 1
    for after in TOO_NIGHTS:
        rows += _night(ra, dec, night + after, merger.t0_mjd + TOO_REACTION_D, simulation)
    rows = [row for row in rows if row[1] < sky.end_mjd]
    if not rows:
        return None
    nights, times, at_ra, at_dec, bands = (np.array(column) for column in zip(*rows, strict=True))
    own = np.random.default_rng((*merger.state, 7))
    n = len(rows)
    depth = np.array([simulation.survey.depth_ab[BANDS[int(one)]] for one in bands])
    return Schedule(
        night=nights.astype(np.int64),
        sequence=np.arange(n, dtype=np.int64),
        mjd_tai=times,
        ra_deg=at_ra,
        dec_deg=at_dec,
        turn_deg=own.uniform(0.0, 360.0, n),
        band=bands.astype(np.int64),
        programme=np.full(n, TOO, dtype=np.int64),
        target=np.full(n, -1, dtype=np.int64),
        depth_ab=depth - 0.4 * own.random(n) + 0.1,
    )


def _fields(skymap: Skymap, simulation: Simulation) -> tuple[Floats, Floats]:
    """Return the fields that hold most of the probability, one after the other."""
    from scipy.spatial import KDTree  # noqa: PLC0415 - a third of a second

    ra, dec = fields_of(simulation)
    probability = skymap.probdensity * area_sr(skymap.lo, skymap.hi)
    rows = np.argsort(-skymap.probdensity)
    rows = rows[: int(np.searchsorted(np.cumsum(probability[rows]), 0.99)) + 1]
    chord = 2.0 * math.sin(math.radians(_FIELD_RADIUS_DEG) / 2.0)
    near = KDTree(_vectors(*centres(skymap.lo[rows], skymap.hi[rows]))).query_ball_point(_vectors(ra, dec), chord)
    inside = {number: np.array(one) for number, one in enumerate(near) if one}
    left, chosen, held = probability[rows].copy(), [], 0.0
    while held < TOO_LEVEL and inside:
        gain = {number: float(left[one].sum()) for number, one in inside.items()}
        best = max(gain, key=lambda number: (gain[number], -number))
        if gain[best] < 1e-3:
            break
        chosen.append(best)
        held += gain[best]
        left[inside.pop(best)] = 0.0
    return ra[chosen], dec[chosen]


def _night(
    ra: Floats, dec: Floats, night: int, earliest_mjd: float, simulation: Simulation
) -> list[tuple[int, float, float, float, int]]:
    """Return night, time, place and band of the visits of one night."""
    survey = simulation.survey
    begin, end = hours_of(night, survey.longitude_deg)
    begin = max(begin, earliest_mjd)
    if begin >= end or not len(ra):
        return []
    step = survey.cadence_s / 86_400.0
    starts = np.arange(begin, end, 600.0 / 86_400.0)
    angle = np.abs((sidereal_deg(starts, survey.longitude_deg)[:, None] - ra[None, :] + 180.0) % 360.0 - 180.0)
    visible = angle < _EAST_LIMIT_DEG
    first = int(np.argmax(visible.sum(axis=1) - 1e-3 * angle.mean(axis=1)))
    open_ones = np.flatnonzero(visible[first])
    rows, at = [], float(starts[first])
    for band in simulation.too_programme.bands:
        pass_begin = at
        for one in open_ones.tolist():
            if at < end:
                rows.append((night, at, float(ra[one]), float(dec[one]), BANDS.index(band)))
            at += step
        at = max(at, pass_begin + _TOO_REST_S / 86_400.0)
    return rows


def _vectors(ra_deg: Floats, dec_deg: Floats) -> Floats:
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
