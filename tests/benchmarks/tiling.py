"""What planned pointings hold of recorded maps, rescored by one scorer: beside tilepy, a plain greedy, the area bound and the linear relaxation.

The relaxation of maximum coverage is over the same candidate pointings and cells that `mmhub plan` chooses from; what is printed is an upper bound
of it (`tests.benchmarks.coverage_bound`), so that a share of it is a share of the relaxation at least. A refined pointing may lie between candidates.
The plain greedy takes fields of one fixed grid on strips of declination, the most probable first; with visibility, in each slot the most probable of
those that are high enough.

tilepy (`tests.support.tilepy`) knows discs only. It is asked for discs as large as the squares, and what it plans is rescored as such discs and as
squares with their centres; the hub plans discs and squares. tilepy chooses slot by slot, in the order of time; the hub is given exactly the slots that
tilepy used, and the same needs: 30 deg high at the begin of an exposure, Sun below -18 deg, whatever the Moon does. Without visibility tilepy is told
that every altitude will do. Maps are those of MMHUB_RECORDED.
"""

import argparse
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from hub.cli.skymaps import read_map
from hub.config import load
from hub.errors import HubError
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.resources import read_text
from hub.science.planning import kernels
from hub.science.planning.candidates import all_strips
from hub.science.planning.cells import cells_of
from hub.science.planning.fields import Field, Shape, unit_vectors
from hub.science.planning.nights import least_sine, sky_over
from hub.science.planning.planner import Timing, places_in, plan
from hub.science.planning.scoring import area_bound, scores
from hub.science.planning.slots import NO_SLOTS, Slots
from hub.science.sites import Constraints, Site, load_sites
from tests.benchmarks.coverage_bound import relaxation_bound
from tests.benchmarks.figures import Figure, at_least, below, run
from tests.benchmarks.levels3d import quickest
from tests.support import tilepy

FIELD = Field(fov_deg=3.0)
DISC = Field(
    fov_deg=2.0 * math.degrees(math.acos(1.0 - math.radians(1.0) ** 2 * FIELD.area_deg2 / (2.0 * math.pi))), shape=Shape.CIRCLE
)
"""As large as the square: what tilepy can be asked for."""

COUNTS = (5, 10, 20, 40, 60)
LP_GOAL = 0.97
TIME_GOAL_S = 0.2
START = Instant.from_utc_iso("2026-03-20T00:00:00")
NIGHTS = (("CTIO", "2026-03-20T00:00:00"), ("CTIO", "2026-09-20T00:00:00"), ("La Palma", "2026-03-20T20:00:00"))
"""The first at which tilepy plans something is taken."""

PITCH_S = 150.0
"""From the begin of one exposure to that of the next."""

NEEDS = Constraints(max_airmass=2.0, min_moon_separation_deg=0.0)
LEVEL = 0.99
"""tilepy points at pixels of this credible region."""

REDUCED_NSIDE = 64
"""tilepy points at the centres of these pixels, 0.9 degrees apart."""

LONGEST_S = 300.0
"""tilepy is ended after this."""


def recorded_maps(only: str = "") -> Iterator[tuple[str, Skymap]]:
    """Yield the recorded maps that have probabilities and a text in their names."""
    settings = load().settings
    for path in sorted((Path(os.environ["MMHUB_RECORDED"]) / "skymaps").iterdir()):
        if only not in path.name:
            continue
        try:
            yield path.name, read_map(path, settings)
        except HubError:
            continue


def fixed_grid() -> NDArray[np.float64]:
    """Return places of fields side by side on strips of declination, shape ``(n, 2)``, degrees."""
    decs = np.arange(-90.0 + FIELD.fov_deg / 2.0, 90.0, FIELD.fov_deg)
    places = []
    for dec in decs.tolist():
        count = max(1, int(np.ceil(360.0 * np.cos(np.radians(dec)) / FIELD.fov_deg)))
        places += [(360.0 * k / count, dec) for k in range(count)]
    return np.array(places)


def plain_greedy(skymap: Skymap, most: int) -> list[float]:
    """Return what the most probable field of the fixed grid holds, the two most probable together, and so on."""
    grid = fixed_grid()
    alone, _ = scores(skymap, FIELD, grid)
    together: list[float] = scores(skymap, FIELD, grid[np.argsort(-alone, kind="stable")[:most]])[1].tolist()
    return together


def relaxation(skymap: Skymap, n: int, reached: float) -> tuple[float, int, int]:
    """Return what no fractional choice of the candidates holds more than, how many there are, and how many groups of cells."""
    cells = cells_of(skymap, FIELD, n)
    ground = kernels.Ground(
        FIELD.half_tan,
        FIELD.reach_deg,
        FIELD.shape is Shape.SQUARE,
        cells.ra_deg,
        cells.vectors,
        cells.prob,
        cells.band_starts,
        cells.band_deg,
    )
    offers = kernels.members(np.concatenate([one.places for one in all_strips(FIELD, cells)]), ground)
    m = len(offers.places)
    held = csc_array((np.ones(len(offers.cells)), offers.cells, offers.starts), shape=(len(cells), m))
    # Cells that the same candidates hold are one row: by a sum of random numbers of their candidates.
    key = held @ np.random.default_rng(0).random(m)
    _, first, group = np.unique(np.round(key, 9), return_index=True, return_inverse=True)
    prob = np.bincount(group, weights=cells.prob)
    rows = held.tocsr()[first]
    in_reach = np.flatnonzero(np.diff(rows.indptr))
    rows, prob = rows[in_reach], prob[in_reach]
    return (*relaxation_bound(rows, prob, n, reached)[:1], m, len(prob))


@dataclass(frozen=True, kw_only=True)
class Night:
    """Slots at a site, and how far tilepy came in them."""

    name: str
    slots: Slots
    theirs: NDArray[np.float64]
    """Where tilepy points in each, shape ``(n_slots, 2)``."""

    seconds: float


def asked_of_tilepy(path: Path, site: Site | None, start: Instant) -> dict[str, Any]:
    """Return the question that the driver of tilepy reads."""
    return {
        "map": str(path),
        "site": None if site is None else {"lon_deg": site.lon_deg, "lat_deg": site.lat_deg, "height_m": site.height_m},
        "start": start.to_utc_iso()[:19],
        "n": max(COUNTS),
        "pitch_s": PITCH_S,
        "radius_deg": DISC.fov_deg / 2.0,
        "max_zenith_deg": 60.0,
        "max_sun_altitude_deg": -18,
        "level": LEVEL,
        "nside": 512,
        "reduced_nside": REDUCED_NSIDE,
    }


def tilepys(path: Path, site: Site | None, start: Instant, name: str) -> Night | str:
    """Return what tilepy plans, or as a sentence why it does not."""
    try:
        found, seconds = tilepy.plan(asked_of_tilepy(path, site, start), LONGEST_S)
    except tilepy.TilepyFailed as reason:
        return f"tilepy: {reason}"
    if not found:
        return "tilepy plans nothing"
    places = np.array([(one.ra_deg, one.dec_deg) for one in found])
    if site is None:
        return Night(name=name, slots=NO_SLOTS, theirs=places, seconds=seconds)
    begins = [Instant.from_utc_iso(one.start_utc.replace(" ", "T")) for one in found]
    sky = sky_over(site, np.array([one.mjd_utc for one in begins]))
    # It asks of the begin only, and so is the hub told of the begin twice.
    twice = Slots(
        starts_s=np.array([one.minus(start) for one in begins]),
        zenith=np.stack((sky.zenith, sky.zenith), axis=1),
        moon=np.stack((sky.moon, sky.moon), axis=1),
    )
    return Night(name=name, slots=twice, theirs=places, seconds=seconds)


def first(slots: Slots, n: int) -> Slots:
    """Return the first slots."""
    return Slots(starts_s=slots.starts_s[:n], zenith=slots.zenith[:n], moon=slots.moon[:n])


def greedy_in(skymap: Skymap, slots: Slots) -> list[float]:
    """Return what is held after each slot when each takes the field of the fixed grid that is up and the most probable of those left."""
    grid = fixed_grid()
    left, _ = scores(skymap, FIELD, grid)
    vectors = unit_vectors(grid[:, 0], grid[:, 1])
    chosen = []
    for zenith in slots.zenith[:, 0]:
        value = np.where(vectors @ zenith >= least_sine(NEEDS), left, -1.0)
        chosen.append(int(np.argmax(value)))
        left[chosen[-1]] = 0.0
    together: list[float] = scores(skymap, FIELD, grid[chosen])[1].tolist()
    return together


def hub_holds(skymap: Skymap, field: Field, n: int, slots: Slots) -> float:
    """Return what the hub's pointings hold together."""
    places, _ = places_in(skymap, field, n, first(slots, n), NEEDS)
    return float(scores(skymap, field, places)[1][-1]) if len(places) else 0.0


def compared(
    name: str, skymap: Skymap, night: Night | str, what: str, asked: argparse.Namespace
) -> Iterator[tuple[Figure, float, float]]:
    """Give a figure for each number of fields, with the hub's lead over tilepy and its share of the relaxation; nan where there is none."""
    slots = NO_SLOTS if isinstance(night, str) else night.slots
    with_slots = bool(len(slots))
    greedy = greedy_in(skymap, slots) if with_slots else plain_greedy(skymap, max(COUNTS))
    for n in COUNTS:
        held, disc = hub_holds(skymap, FIELD, n, slots), hub_holds(skymap, DISC, n, slots)
        lead, share = np.nan, np.nan
        note = ""
        if isinstance(night, str):
            note += f"{night}; "
        else:
            square_of, disc_of = (float(scores(skymap, field, night.theirs[:n])[1][-1]) for field in (FIELD, DISC))
            lead = min(held - square_of, disc - disc_of)
            note += f"tilepy {square_of:.4f}; as discs {disc:.4f}, tilepy {disc_of:.4f}"
            note += f" ({len(night.theirs)} in {night.seconds:.0f} s); " if n == COUNTS[-1] else "; "
        note += f"plain greedy {greedy[min(n, len(greedy)) - 1]:.4f}, area bound {area_bound(skymap, FIELD, n):.4f}"
        if n == COUNTS[-1] and not with_slots and not asked.no_lp:
            most, m, k = relaxation(skymap, n, 0.95 * held)
            share = held / most
            note += f", linear relaxation below {most:.4f} ({m:,} candidates, {k:,} groups of cells), share {share:.4f}"
        yield Figure(what=f"{name}, {n} squares, {what}", value=held, unit="", note=note), lead, share


def measure(asked: argparse.Namespace) -> Iterator[Figure]:
    sites = {one.name: one for one in load_sites(read_text("conf/sites.toml"))}
    timing = Timing(start=START, exposure_s=PITCH_S - 30.0, overhead_s=30.0)
    leads, shares, times = {"free": [], "night": []}, [], []
    folder = Path(os.environ["MMHUB_RECORDED"]) / "skymaps"
    for name, skymap in recorded_maps(asked.only):
        free = "not asked" if asked.no_tilepy else tilepys(folder / name, None, START, "")
        nights = [(free, "any time", "free")]
        for site, start in () if asked.no_tilepy else NIGHTS:
            night = tilepys(folder / name, sites[site], Instant.from_utc_iso(start), f"{site}, {start[:10]}")
            if not isinstance(night, str) or site == NIGHTS[-1][0]:
                nights.append((night, night if isinstance(night, str) else night.name, "night"))
                break
        for night, what, kind in nights:
            if kind == "night" and isinstance(night, str):
                yield Figure(what=f"{name}, with visibility", value=np.nan, unit="", note=night)
                continue
            for figure, lead, share in compared(name, skymap, night, what, asked):
                yield figure
                leads[kind] += [lead] if np.isfinite(lead) else []
                shares += [share] if np.isfinite(share) else []
        times.append(quickest(lambda skymap=skymap: plan(skymap, FIELD, COUNTS[-1], timing), 3))
    for kind, what in (("free", "without visibility"), ("night", "in tilepy's slots")):
        if leads[kind]:
            note = f"of {len(leads[kind])} comparisons, each as squares and as discs; mean {np.mean(leads[kind]):.4f}"
            yield at_least(f"smallest lead over tilepy, {what}", min(leads[kind]), "", 0.0, note)
    if shares:
        yield at_least("smallest share of the linear relaxation, 60 squares", min(shares), "", LP_GOAL, f"of {len(shares)} maps")
    note = f"quickest of three; scoring included; median {np.median(times):.3f} s"
    yield below("slowest map, 60 squares", max(times), "s", TIME_GOAL_S, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-lp", action="store_true", help="leave out the bound of the linear relaxation")
    parser.add_argument("--no-tilepy", action="store_true", help="leave out tilepy, whose environment the first run builds")
    parser.add_argument("--only", default="", metavar="TEXT", help="only maps with this in their names")
    run(measure, parser)


if __name__ == "__main__":
    main()
