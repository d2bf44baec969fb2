"""Densities: the simulated sky, looked at as others looked at the real one, holds as many new transients as they found."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.calibration.nights_kernels import by_tile, detect_in_tile, offsets, room_for
from hub.calibration.result import Check, Result, Size, Table, Tell
from hub.demo.survey import schedule, tiles
from hub.demo.survey.light_curves import FAST_TRANSIENT, SUPERNOVA
from hub.demo.survey.night import visits_of, world_of
from hub.demo.survey.settings import BANDS, Simulation, shipped

FACTOR = 2.0
"""So far from the published density the simulated one may be, either way."""

CONFIRM_D = 20.0 / 1440.0
"""Two detections so far apart are of no asteroid, days: as `conf/coincidence.toml` has it."""

NIGHT = 61_180
"""Integer part of MJD(TAI) of the first night: 2026-05-20."""

DEC_DEG = -30.0
"""Middle of the part of the sky that is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A search that found unrelated new transients, and how it looked."""

    name: str
    source: str
    area_deg2: float
    found: int
    nights: tuple[int, ...]
    """Nights in which each place was visited, 0 the first one."""

    bands: str
    """Of the visits of a place in a night, one after the other."""

    depth_ab: float
    """5 sigma in each of them."""

    pause_min: float
    """Between two visits of a place."""


SEARCHES = (
    Published(
        name="Pan-STARRS, 318 deg2 in 7 days",
        source="as `conf/coincidence.toml`: after Smartt et al. 2016, MNRAS 462, 4094; depth: Pan-STARRS1 3Pi, ATel 5850",
        area_deg2=318.0,
        found=47,
        nights=(0, 2, 4, 6),
        bands="iii",
        depth_ab=20.7,
        pause_min=20.0,
    ),
    Published(
        name="DECam, 54 deg2 in the first night",
        source="S190814bv, GCN Circular 25336: 20.2 mag at 10 sigma, two detections",
        area_deg2=54.0,
        found=2,
        nights=(0,),
        bands="iz",
        depth_ab=20.2,  # the limit of what counts as detected, whatever its S/N
        pause_min=30.0,
    ),
)
"""Those that tell area, time, depth and number."""

NEW = (SUPERNOVA, FAST_TRANSIENT)
"""Kinds that such searches count: variable stars, nuclei, flares of stars and false detections are known or vetted away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Densities:
    """The part `densities`."""

    simulation: Simulation | None = None
    """The sky; what is shipped where None."""

    searches: tuple[Published, ...] = SEARCHES
    repeats: int = 12
    """Each search is made so often elsewhere, and one that found few more often: the simulated number has little noise."""

    name: str = "densities"
    title: str = "Unrelated new transients"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Look at the simulated sky as others did at the real one."""
        del size
        simulation = self.simulation or shipped()
        checks, rows = [], []
        for search in self.searches:
            tell(search.name)
            n = self.repeats * max(1, 10 // search.found)
            numbers = [confirmed(int(rng.integers(2**31)), search, simulation) for _ in range(n)]
            mean, published = float(np.mean(numbers)), search.found / search.area_deg2
            simulated = mean / search.area_deg2
            low, high = _poisson_range(search.found)
            checks.append(
                Check(
                    name=f"{search.name}: the simulated density is the published one within a factor of {FACTOR:g}",
                    passed=1.0 / FACTOR <= simulated / published <= FACTOR,
                    found=f"{simulated:.3f} per deg2, published {published:.3f}: {simulated / published:.2f} times as many",
                )
            )
            rows.append(
                (
                    search.name,
                    str(search.found),
                    f"{low:.1f} to {high:.1f}",
                    f"{mean:.1f} +- {np.std(numbers) / math.sqrt(len(numbers)):.1f}",
                    f"{published:.3f}",
                    f"{simulated:.3f}",
                    search.source,
                )
            )
        return Result(
            checks=tuple(checks),
            notes=(_NOTE,),
            tables=(
                Table(
                    title="New transients that have nothing to do with an event",
                    columns=(
                        "search",
                        "published",
                        "Poisson range of that (68 %)",
                        "simulated",
                        "published per deg2",
                        "simulated per deg2",
                        "source",
                    ),
                    rows=tuple(rows),
                ),
            ),
        )


def confirmed(seed: int, search: Published, simulation: Simulation) -> int:
    """Return how many new transients a search finds in one part of a simulated sky, each detected twice at least."""
    plan, area = _visits(search, simulation)
    everywhere = simulation.survey.model_copy(update={"templates": dict.fromkeys(BANDS, 1.0), "unprocessed": 0.0})
    seen = visits_of(seed, plan)
    world = world_of(seed, simulation.model_copy(update={"survey": everywhere}), 1.0, ())
    density = np.zeros_like(world.density)
    density[list(NEW)] = world.density[list(NEW)]
    world = world._replace(density=density)
    offset = offsets()
    ours, nobody = by_tile(seen, 0, len(plan), offset), by_tile(seen, 0, 0, offset)
    out, n = room_for(200_000), 0
    low, high = float(plan.dec_deg.min()) - 3.0, float(plan.dec_deg.max()) + 3.0
    for row in range(tiles.row_of(low), tiles.row_of(high) + 1):
        for column in range(tiles.columns_of(row)):
            n = detect_in_tile(world, seen, ours, nobody, row, column, float(seen.mjd[0]) - 1.0, out, n)
    names, at = out.object[:n], seen.mjd[out.visit[:n]]
    first, last = np.full(n, np.inf), np.full(n, -np.inf)
    _, which = np.unique(names, return_inverse=True)
    np.minimum.at(first, which, at)
    np.maximum.at(last, which, at)
    found = int((last - first >= CONFIRM_D).sum())
    return round(found * search.area_deg2 / area)


def _visits(search: Published, simulation: Simulation) -> tuple[schedule.Schedule, float]:
    """Return visits of fields side by side at the depth of a search, and the area that the camera sees of them."""
    from hub.demo.survey.camera import AREA_DEG2  # noqa: PLC0415 - named where it is used

    n_fields = math.ceil(search.area_deg2 / AREA_DEG2)
    step = schedule.STEP_DEG * 1.5  # apart, so that no place is seen by two fields
    ra = (180.0 + step / math.cos(math.radians(DEC_DEG)) * np.arange(n_fields)) % 360.0
    times, bands, fields = [], [], []
    for night in search.nights:
        for number, band in enumerate(search.bands):
            at = NIGHT + night + 1.1 + number * search.pause_min / 1440.0
            times += [at] * n_fields
            bands += [BANDS.index(band)] * n_fields
            fields += list(range(n_fields))
    n = len(times)
    mjd, place = np.array(times), np.array(fields)
    nights = np.floor(mjd - 0.5).astype(np.int64)
    whole = schedule.Schedule(
        night=nights,
        sequence=np.arange(n, dtype=np.int64),
        mjd_tai=mjd,
        ra_deg=ra[place],
        dec_deg=np.full(n, DEC_DEG),
        turn_deg=np.zeros(n),
        band=np.array(bands, dtype=np.int64),
        programme=np.full(n, schedule.WIDE, dtype=np.int64),
        target=np.full(n, -1, dtype=np.int64),
        depth_ab=np.full(n, search.depth_ab),
    )
    return whole, n_fields * AREA_DEG2


def _poisson_range(n: int) -> tuple[float, float]:
    """Return the central 68 % interval of the mean of a Poisson number (Garwood 1936, Biometrika 28, 437)."""
    from scipy.special import gammaincinv  # noqa: PLC0415 - a third of a second

    return float(gammaincinv(n, 0.16)) if n else 0.0, float(gammaincinv(n + 1, 0.84))


_NOTE = """\
The fields of each search are laid side by side on the simulated sky and visited when and as deep as it did; counted are
supernovae and afterglows with two detections at least twenty minutes apart. Variable stars, nuclei, flares and false detections
are left out, for such searches vet them away by catalogues and by eye; so DECam's did with transients in hosts at a wrong
distance, which is not modelled. The 15 candidates that ZTF was left with of 338,646 alerts on 8,000 square degrees (Coughlin et
al. 2019, ApJL 885, L19) are no such density: they are what vetting as counterparts left, and what it took away is not stated."""
