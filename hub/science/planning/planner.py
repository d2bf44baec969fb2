"""Pointings for a sky map: those fields that together hold the most probability, each in a slot of its own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.science.healpix import centres
from hub.science.planning.candidates import all_strips, tiling
from hub.science.planning.cells import Cells, cells_of
from hub.science.planning.fields import Field, Floats, Shape, unit_vectors
from hub.science.planning.nights import least_sine, most_cosine
from hub.science.planning.scoring import scores
from hub.science.planning.slots import NO_SLOTS, Slots, slots_of
from hub.science.sites import Constraints, Site

if TYPE_CHECKING:
    from hub.science.planning.kernels import Offers

MAX_POINTINGS = 2_000
"""More pointings than that are no plan of one telescope for one map."""

ROUNDS = 12
"""How often each pointing is moved at most."""

STARTS = 3
"""So many of the best first choices are refined."""


class NoPlan(Exception):
    """Nothing can be planned; the text is the reason as one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """One field of a plan."""

    ra_deg: float
    """Centre, ICRS, [0, 360)."""

    dec_deg: float
    start: Instant
    """Begin of the exposure."""

    exposure_s: float
    prob: float
    """Probability inside this field alone."""

    cum_prob: float
    """Probability inside the union of this field and those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When, and how long."""

    start: Instant
    """Nothing begins before."""

    hours: float = 24.0
    """Nothing ends later than so long after it; without a site it does not matter."""

    exposure_s: float = 30.0
    overhead_s: float = 10.0
    """Slewing, settling and readout before the next exposure."""


def plan(  # noqa: PLR0917 - a map, what with, how often, when and where, in the order one says them
    skymap: Skymap,
    field: Field,
    n: int,
    timing: Timing,
    site: Site | None = None,
    constraints: Constraints | None = None,
) -> list[Pointing]:
    """Return at most so many pointings, by time.

    Parameters
    ----------
    skymap
        The map.
    field, n
        Footprint, and how many pointings at most.
    timing
        Begin, span, exposure and overhead.
    site, constraints
        Where the telescope stands and what it needs (`Constraints()` if not given). Without a site fields follow each other
        in the order in which each adds most.

    Raises
    ------
    NoPlan
        Nothing can be observed, with the reason.
    ValueError
        A number makes no sense.
    """
    if not 1 <= n <= MAX_POINTINGS:
        raise ValueError(f"a plan has 1 to {MAX_POINTINGS} pointings, not {n}")
    if timing.exposure_s <= 0.0 or timing.overhead_s < 0.0 or timing.hours <= 0.0:
        raise ValueError("exposure and span must be above 0, and the overhead not below")
    needs = constraints or Constraints()
    slots = NO_SLOTS
    if site is not None:
        slots = slots_of(site, timing.start, timing.hours, timing.exposure_s, timing.overhead_s, needs)
        if not len(slots):
            raise NoPlan(
                f"the Sun at {site.name} is never below {needs.max_sun_altitude_deg:g} deg for one exposure in this span"
            )
    places, numbers = places_in(skymap, field, n, slots, needs)
    if not len(places):
        raise NoPlan("the map holds no probability" if site is None else _why_not(skymap, field, slots, needs, site))
    if site is not None:
        order = np.argsort(numbers, kind="stable")
        places, starts_s = places[order], slots.starts_s[numbers[order]]
    else:
        starts_s = (timing.exposure_s + timing.overhead_s) * np.arange(len(places), dtype=np.float64)
    alone, union = scores(skymap, field, places)
    return [
        Pointing(
            ra_deg=ra,
            dec_deg=dec,
            start=timing.start.plus_s(begin),
            exposure_s=timing.exposure_s,
            prob=prob,
            cum_prob=together,
        )
        for (ra, dec), begin, prob, together in zip(
            places.tolist(), starts_s.tolist(), alone.tolist(), union.tolist(), strict=True
        )
    ]


def places_in(skymap: Skymap, field: Field, n: int, slots: Slots, constraints: Constraints) -> tuple[Floats, NDArray[np.int64]]:
    """Return at most so many places that together hold the most, and the slot of each; none where nothing can be observed.

    Parameters
    ----------
    skymap, field, n
        The map, what it is to be covered with, and how many of them at most.
    slots
        When exposures can be made, one in each; `NO_SLOTS` where time does not matter.
    constraints
        What an observation needs in its slot, beside the dark.

    Returns
    -------
    places
        Right ascension and declination, shape ``(k, 2)``, degrees; without slots each adds most to those before it.
    numbers
        Slot of each, shape ``(k,)``, -1 without slots.
    """
    if not len(slots):
        return _chosen(cells_of(skymap, field, n), field, n, slots, constraints)
    within = _near_observable(skymap, field, slots, constraints)
    if not (within & (skymap.probdensity > 0.0)).any():
        return np.empty((0, 2)), np.empty(0, dtype=np.int64)
    return _chosen(cells_of(skymap, field, n, within), field, min(n, len(slots)), slots, constraints)


def _chosen(cells: Cells, field: Field, n: int, slots: Slots, needs: Constraints) -> tuple[Floats, NDArray[np.int64]]:
    """Return the places and slots of the best of several choices, each refined; slots are -1 where there are none."""
    from hub.science.planning import kernels  # noqa: PLC0415 - numba takes half a second

    ground = kernels.Ground(
        field.half_tan,
        field.reach_deg,
        field.shape is Shape.SQUARE,
        cells.ra_deg,
        cells.vectors,
        cells.prob,
        cells.band_starts,
        cells.band_deg,
    )
    sight = kernels.Sight(slots.zenith, slots.moon, least_sine(needs), most_cosine(needs))
    sets = all_strips(field, cells)
    if not sets:
        return np.empty((0, 2)), np.empty(0, dtype=np.int64)
    offers = kernels.members(np.concatenate([one.places for one in sets]), ground)
    sees = _sees(offers.places, slots, needs)
    value = np.where(sees.any(axis=1), offers.total, 0.0) if len(slots) else offers.total
    choices = [kernels.greedy(n, offers, value, cells.prob, sees)]
    begin = 0
    for one in sets:
        end = begin + len(one.places)
        only = np.zeros_like(value)
        # More fields than are wanted, since some cannot be observed when others are.
        tiles = begin + tiling(one, value[begin:end], 2 * n if len(slots) else n)
        only[tiles] = value[tiles]
        choices.append(kernels.greedy(n, offers, only, cells.prob, sees))
        begin = end
    held = [_union(chosen, offers, cells.prob) for chosen, _ in choices]
    best, places, numbers = -1.0, np.empty((0, 2)), np.empty(0, dtype=np.int64)
    for number in sorted(range(len(choices)), key=lambda k: -held[k])[:STARTS]:
        chosen, slot = choices[number]
        moved = offers.places[chosen].copy()
        together = kernels.refine(moved, slot, offers, ground, sight, field.fov_deg, ROUNDS)
        if together > best:
            best, places, numbers = together, moved, slot
    if len(slots):
        return places, numbers
    # Each adds most to those before it.
    offers = kernels.members(places, ground)
    order, numbers = kernels.greedy(len(places), offers, offers.total, cells.prob, _sees(places, slots, needs))
    return places[order], numbers


def _union(chosen: NDArray[np.int64], offers: "Offers", prob: Floats) -> float:
    covered = np.zeros(len(prob), dtype=np.bool_)
    for k in chosen.tolist():
        covered[offers.cells[offers.starts[k] : offers.starts[k + 1]]] = True
    return float(prob[covered].sum())


def _sees(places: Floats, slots: Slots, needs: Constraints) -> NDArray[np.bool_]:
    """Return in which slots each place can be observed from the begin to the end; shape ``(m, n_slots)``."""
    vectors = unit_vectors(places[:, 0], places[:, 1])
    holds = np.ones((len(places), len(slots)), dtype=np.bool_)
    for end in range(2):
        holds &= vectors @ slots.zenith[:, end].T >= least_sine(needs)
        holds &= vectors @ slots.moon[:, end].T <= most_cosine(needs)
    return holds


def _near_observable(skymap: Skymap, field: Field, slots: Slots, needs: Constraints) -> NDArray[np.bool_]:
    """Return which pixels of the map a field may hold whose centre is high enough in some slot."""
    ra, dec = centres(skymap.lo, skymap.hi)
    size_deg = np.degrees(np.sqrt((skymap.hi - skymap.lo).astype(np.float64) * (4.0 * np.pi / (12 << 58))))
    vectors = unit_vectors(ra, dec)
    altitude = np.full(len(ra), -1.0)
    for zenith in slots.zenith[:: max(1, len(slots) // 48), 0]:
        altitude = np.maximum(altitude, vectors @ zenith)
    slack_deg = field.reach_deg + size_deg + 2.0  # the sky turns by up to so much between the slots that are looked at
    return np.asarray(np.degrees(np.arcsin(np.clip(altitude, -1.0, 1.0))) >= np.degrees(np.arcsin(least_sine(needs))) - slack_deg)


def _why_not(skymap: Skymap, field: Field, slots: Slots, needs: Constraints, site: Site) -> str:
    if (_near_observable(skymap, field, slots, needs) & (skymap.probdensity > 0.0)).any():
        return "no field holds any probability while it can be observed"
    ra, dec = centres(skymap.lo, skymap.hi)
    densest = int(np.argmax(skymap.probdensity))
    highest = float(np.degrees(np.arcsin((unit_vectors(ra[densest], dec[densest]) @ slots.zenith[:, 0].T).max())))
    least = float(np.degrees(np.arcsin(least_sine(needs))))
    return (
        f"no part of the map rises above {least:.0f} deg (airmass {needs.max_airmass:g}) at {site.name} in the dark: its densest"
        f" place at RA {ra[densest]:.1f}, dec {dec[densest]:.1f} comes to {highest:.0f} deg at most"
    )
