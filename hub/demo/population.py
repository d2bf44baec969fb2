"""What changes in the sky of one place, and what a difference-imaging survey makes of it.

Surface densities are per square degree. They add up to the design number of alerts of a visit and are otherwise round numbers
near what is known; each constant says from where. Nothing here knows wire formats.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.demo.published import flux_njy
from hub.demo.visits import Place, Visits

VARIABLE_STAR, ACTIVE_GALAXY, SUPERNOVA, FLARE, ARTEFACT, KNOWN_ASTEROID, UNKNOWN_ASTEROID, COUNTERPART, DECOY = range(9)
"""Kinds of source."""

KIND_NAMES = (
    "variable star",
    "active galaxy",
    "supernova",
    "flare",
    "artefact",
    "known asteroid",
    "unknown asteroid",
    "counterpart",
    "dwarf nova",
)
"""Names of the kinds, by number."""

DETECTION_SNR = 5.0
"""Signal to noise from which a source is detected, as in LSST's difference imaging."""

STARS_PER_DEG2 = 3300.0
"""Variable stars with an amplitude that the survey may notice; about an eighth of them is detected in a visit."""

GALAXIES_PER_DEG2 = 430.0
"""Variable active galaxies; LSST expects tens of millions in 18,000 square degrees (LSST Science Book, chapter 10)."""

SUPERNOVAE_PER_DEG2_DAY = 0.15
"""New supernovae that reach the single-visit depth: ten million in ten years over 18,000 square degrees (LSST Science Book,
chapter 8)."""

FLARES_PER_DEG2_NIGHT = 1.0
"""Stellar flares and dwarf novae without earlier detection: our choice, after fast-transient surveys (Berger et al. 2013, ApJ
779, 18)."""

ARTEFACTS_PER_DEG2 = 280.0
"""Single false detections of a visit: our choice; about a third of the alerts."""

GHOSTS_PER_DEG2_NIGHT = 12.0
"""Reflections of bright stars that stay in place for both visits of one night and so look like a new object: our choice."""

BAD_SITES_PER_DEG2 = 180.0
"""Places beside bright stars that give a false detection in a part of the visits."""

BAD_SITE_CHANCE = 0.35
"""Part of the visits in which a bad place gives a false detection."""

KNOWN_ASTEROIDS_PER_DEG2 = 55.0
"""Asteroids with an orbit, to magnitude 22.5, at 15 degrees from the ecliptic: our choice, after Jones et al. 2018, Icarus 303,
181."""

UNKNOWN_ASTEROIDS_PER_DEG2 = 75.0
"""Asteroids without an orbit, to magnitude 24, as `KNOWN_ASTEROIDS_PER_DEG2`."""

ASTEROID_DEG_PER_DAY = 0.2
"""Typical motion of a main-belt asteroid, 30 arcseconds an hour."""

SEEING_ARCSEC = 0.9
"""Width of the point-spread function; a centroid is uncertain by this over the signal to noise."""

SUPERNOVA_DAYS = (-160.0, 6.0)
"""Explosions that can matter, days from the first night."""

_FAINTEST_SUPERNOVA_PEAK = 23.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """Sources of one place, one row each, all of shape ``(n,)``."""

    thing: NDArray[np.int64]
    """Number of the object within the place; equal for the same object."""

    kind: NDArray[np.int64]
    visit: NDArray[np.int64]
    """Index into the place's visits."""

    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    flux_njy: NDArray[np.float64]
    error_njy: NDArray[np.float64]
    reliability: NDArray[np.float64]
    is_dipole: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.thing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sky:
    """The simulated square of a place."""

    place: Place
    visits: Visits
    side_deg: float
    """Side of the square."""

    @property
    def area_deg2(self) -> float:
        """Area of the square."""
        return self.side_deg**2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fluxes:
    """Difference fluxes of some objects in all visits of a place."""

    kind: int
    east_deg: NDArray[np.float64]
    """Offset from the place's centre towards east, shape ``(objects, visits)``."""

    north_deg: NDArray[np.float64]
    flux_njy: NDArray[np.float64]


def detect(sky: Sky, rng: np.random.Generator) -> Detections:
    """Return everything that is detected at a place in all its visits, the counterpart apart."""
    blocks = [
        _observe(sky, fluxes, rng)
        for fluxes in (
            _stars(sky, rng),
            _galaxies(sky, rng),
            _supernovae(sky, rng),
            _flares(sky, rng),
            _asteroids(sky, KNOWN_ASTEROID, rng),
            _asteroids(sky, UNKNOWN_ASTEROID, rng),
        )
    ]
    return concatenate([*blocks, _artefacts(sky, rng), _ghosts(sky, rng), _bad_sites(sky, rng)])


def detect_object(
    sky: Sky, kind: int, *, ra_deg: float, dec_deg: float, flux: NDArray[np.float64], rng: np.random.Generator
) -> Detections:
    """Return the detections of one object with a given flux in each visit of the place, nJy."""
    east = (ra_deg - sky.place.ra_deg) * np.cos(np.radians(sky.place.dec_deg))
    shape = (1, len(sky.visits))
    fluxes = _Fluxes(
        kind=kind,
        east_deg=np.full(shape, east),
        north_deg=np.full(shape, dec_deg - sky.place.dec_deg),
        flux_njy=flux[None, :],
    )
    return _observe(sky, fluxes, rng)


def concatenate(blocks: list[Detections]) -> Detections:
    """Return all rows of some blocks of one place; their objects stay different ones."""
    offset = 0
    things = []
    for block in blocks:
        things.append(block.thing + offset)
        offset += int(block.thing.max()) + 1 if len(block) else 0
    names = ("kind", "visit", "ra_deg", "dec_deg", "flux_njy", "error_njy", "reliability", "is_dipole")
    return Detections(
        thing=np.concatenate(things), **{name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}
    )


def _observe(sky: Sky, fluxes: _Fluxes, rng: np.random.Generator) -> Detections:
    error = sky.visits.error_njy
    # Bright sources leave subtraction residuals: 1 % of their flux adds to the error.
    total_error = np.hypot(error, 0.01 * fluxes.flux_njy)
    measured = fluxes.flux_njy + total_error * rng.standard_normal(fluxes.flux_njy.shape)
    inside = np.maximum(np.abs(fluxes.east_deg), np.abs(fluxes.north_deg)) <= sky.side_deg / 2
    thing, visit = np.nonzero(inside & (np.abs(measured) >= DETECTION_SNR * total_error))
    flux, flux_error = measured[thing, visit], total_error[thing, visit]
    snr = np.abs(flux) / flux_error
    blur_deg = SEEING_ARCSEC / 3600 / snr
    east = fluxes.east_deg[thing, visit] + blur_deg * rng.standard_normal(len(thing))
    north = fluxes.north_deg[thing, visit] + blur_deg * rng.standard_normal(len(thing))
    ra, dec = _sky_position(sky.place, east, north)
    return Detections(
        thing=thing.astype(np.int64),
        kind=np.full(len(thing), fluxes.kind),
        visit=visit.astype(np.int64),
        ra_deg=ra,
        dec_deg=dec,
        flux_njy=flux,
        error_njy=flux_error,
        reliability=_true_reliability(snr, rng),
        is_dipole=np.zeros(len(thing), dtype=np.bool_),
    )


def _true_reliability(snr: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return scores of real sources: near 0.6 at the detection limit, near 1 from a signal to noise of 20 on."""
    mean = 1.0 - 0.5 * np.exp(-(snr - 4.0) / 6.0)
    return rng.beta(8.0 * mean, 8.0 * (1.0 - mean) + 0.02)


def _sky_position(
    place: Place, east: NDArray[np.float64], north: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return (place.ra_deg + east / np.cos(np.radians(place.dec_deg))) % 360.0, place.dec_deg + north


def _scatter(sky: Sky, per_deg2: float, rng: np.random.Generator, margin_deg: float = 0.0) -> NDArray[np.float64]:
    """Return random offsets east and north, shape ``(2, n, 1)``, with n drawn for the density."""
    side = sky.side_deg + 2 * margin_deg
    n = int(rng.poisson(per_deg2 * side**2))
    return rng.uniform(-side / 2, side / 2, (2, n, 1))


def _resting(sky: Sky, kind: int, offsets: NDArray[np.float64], flux: NDArray[np.float64]) -> _Fluxes:
    shape = (offsets.shape[1], len(sky.visits))
    return _Fluxes(
        kind=kind, east_deg=np.broadcast_to(offsets[0], shape), north_deg=np.broadcast_to(offsets[1], shape), flux_njy=flux
    )


def _colours(sky: Sky, blue: float) -> NDArray[np.float64]:
    """Return factors by visit for sources whose flux falls with wavelength (blue > 1) or rises."""
    factor = {"g": blue, "r": 1.0, "i": 1 / blue, "z": 1 / blue}
    return np.array([factor[band] for band in sky.visits.band.tolist()])[None, :]


def _stars(sky: Sky, rng: np.random.Generator) -> _Fluxes:
    """Four of five pulsate with a period of hours to months, one of five is eclipsed."""
    offsets = _scatter(sky, STARS_PER_DEG2, rng)
    n = offsets.shape[1]
    amplitude = 10.0 ** rng.normal(2.55, 0.55, (n, 1))
    period = 10.0 ** rng.uniform(-0.7, 2.0, (n, 1))
    cycle = (sky.visits.mjd_tai[None, :] / period + rng.random((n, 1))) % 1.0
    pulsating = amplitude * np.sin(2 * np.pi * cycle)
    eclipsed = np.where(cycle < 0.12, -3.0 * amplitude, 0.0)
    flux = np.where(rng.random((n, 1)) < 0.2, eclipsed, pulsating) * _colours(sky, 1.2)
    return _resting(sky, VARIABLE_STAR, offsets, flux)


def _galaxies(sky: Sky, rng: np.random.Generator) -> _Fluxes:
    """Slow random variation: three sines of 20 to 600 days."""
    offsets = _scatter(sky, GALAXIES_PER_DEG2, rng)
    n = offsets.shape[1]
    flux = np.zeros((n, len(sky.visits)))
    amplitude = 10.0 ** rng.normal(2.7, 0.4, (n, 1))
    for _ in range(3):
        period = 10.0 ** rng.uniform(1.3, 2.8, (n, 1))
        flux += amplitude * np.sin(2 * np.pi * (sky.visits.mjd_tai[None, :] / period + rng.random((n, 1))))
    return _resting(sky, ACTIVE_GALAXY, offsets, flux * _colours(sky, 1.3))


def _supernovae(sky: Sky, rng: np.random.Generator) -> _Fluxes:
    """Quadratic rise in 18 days, then a decline of 0.06 (g) to 0.03 mag (i) a day; counts of peaks rise by 10^(0.45 m)."""
    first, last = SUPERNOVA_DAYS
    offsets = _scatter(sky, SUPERNOVAE_PER_DEG2_DAY * (last - first), rng)
    n = offsets.shape[1]
    peak = np.clip(_FAINTEST_SUPERNOVA_PEAK + np.log10(rng.random((n, 1))) / 0.45, 17.0, None)
    opening = sky.visits.mjd_tai[sky.visits.night == 0][0]
    age = sky.visits.mjd_tai[None, :] - (opening + rng.uniform(first, last, (n, 1)))
    decline = np.array([{"g": 0.06, "r": 0.045}.get(band, 0.03) for band in sky.visits.band.tolist()])[None, :]
    rise = np.clip(age / 18.0, 0.0, 1.0) ** 2
    flux = flux_njy(peak) * rise * 10.0 ** (-0.4 * decline * np.clip(age - 18.0, 0.0, None))
    return _resting(sky, SUPERNOVA, offsets, flux)


def _flares(sky: Sky, rng: np.random.Generator) -> _Fluxes:
    """Seen once or twice within an hour, in one night of the demo."""
    nights = int(sky.visits.night.max()) + 1
    offsets = _scatter(sky, FLARES_PER_DEG2_NIGHT * nights, rng)
    n = offsets.shape[1]
    begins = np.array([sky.visits.mjd_tai[sky.visits.night == night][0] for night in range(nights)])
    peak = begins[rng.integers(0, nights, (n, 1))] - rng.uniform(0.0, 0.02, (n, 1))
    age = sky.visits.mjd_tai[None, :] - peak
    flux = np.where(age < 0, 0.0, 10.0 ** rng.uniform(3.4, 4.6, (n, 1)) * np.exp(-np.clip(age, 0, None) / 0.015))
    return _resting(sky, FLARE, offsets, flux * _colours(sky, 1.5))


def _asteroids(sky: Sky, kind: int, rng: np.random.Generator) -> _Fluxes:
    """Straight motion along the ecliptic, give or take; not followed into the seasons before."""
    present = np.where(sky.visits.night >= 0, sky.visits.mjd_tai, np.nan)
    days = present - np.nanmin(present)
    density = KNOWN_ASTEROIDS_PER_DEG2 if kind == KNOWN_ASTEROID else UNKNOWN_ASTEROIDS_PER_DEG2
    offsets = _scatter(sky, density, rng, margin_deg=1.5 * ASTEROID_DEG_PER_DAY * float(np.nanmax(days)))
    n = offsets.shape[1]
    speed = ASTEROID_DEG_PER_DAY * rng.uniform(0.6, 1.4, (n, 1))
    angle = np.radians(rng.normal(250.0, 15.0, (n, 1)))
    brightest, faintest = (17.5, 22.5) if kind == KNOWN_ASTEROID else (21.0, 24.0)
    magnitude = np.clip(faintest + np.log10(rng.random((n, 1))) / 0.35, brightest, None)
    known = ~np.isnan(days)[None, :]
    moved = np.nan_to_num(days)[None, :] * speed
    flux = np.where(known, flux_njy(magnitude), 0.0) * _colours(sky, 0.85)
    return _Fluxes(
        kind=kind, east_deg=offsets[0] + moved * np.sin(angle), north_deg=offsets[1] + moved * np.cos(angle), flux_njy=flux
    )


def _artefacts(sky: Sky, rng: np.random.Generator) -> Detections:
    """Cosmic rays, streaks and noise peaks of the demo's own visits: each seen once."""
    visits = np.flatnonzero(sky.visits.night >= 0)
    counts = rng.poisson(ARTEFACTS_PER_DEG2 * sky.area_deg2, len(visits))
    visit = np.repeat(visits, counts)
    east, north = rng.uniform(-sky.side_deg / 2, sky.side_deg / 2, (2, len(visit)))
    return _false_detections(sky, np.arange(len(visit)), visit, np.stack([east, north]), rng)


def _ghosts(sky: Sky, rng: np.random.Generator) -> Detections:
    """Reflections of bright stars: in both visits of one night at the same place, never again."""
    nights = int(sky.visits.night.max()) + 1
    offsets = _scatter(sky, GHOSTS_PER_DEG2_NIGHT * nights, rng)[:, :, 0]
    night = rng.integers(0, nights, (offsets.shape[1],))
    thing, visit = np.nonzero(sky.visits.night[None, :] == night[:, None])
    return _false_detections(sky, thing, visit, offsets[:, thing], rng)


def _bad_sites(sky: Sky, rng: np.random.Generator) -> Detections:
    """Residuals of bright stars: now and then, always at the same place."""
    offsets = _scatter(sky, BAD_SITES_PER_DEG2, rng)[:, :, 0]
    thing, visit = np.nonzero(rng.random((offsets.shape[1], len(sky.visits))) < BAD_SITE_CHANCE)
    return _false_detections(sky, thing, visit, offsets[:, thing], rng)


def _false_detections(
    sky: Sky,
    thing: NDArray[np.int64],
    visit: NDArray[np.int64],
    offsets: NDArray[np.float64],
    rng: np.random.Generator,
) -> Detections:
    n = len(thing)
    # Counts fall steeply with the signal to noise: a power law from the detection limit on.
    snr = DETECTION_SNR * (1.0 - rng.random(n)) ** (-1 / 2.5)
    error = sky.visits.error_njy[visit]
    sign = np.where(rng.random(n) < 0.4, -1.0, 1.0)
    # The score is a learned one: a twelfth of the false detections passes for real.
    reliability = np.where(rng.random(n) < 1 / 12, rng.beta(5.0, 2.0, n), rng.beta(1.5, 4.5, n))
    ra, dec = _sky_position(sky.place, offsets[0], offsets[1])
    return Detections(
        thing=thing.astype(np.int64),
        kind=np.full(n, ARTEFACT),
        visit=visit.astype(np.int64),
        ra_deg=ra,
        dec_deg=dec,
        flux_njy=sign * snr * error,
        error_njy=error,
        reliability=reliability,
        is_dipole=rng.random(n) < 0.25,
    )
