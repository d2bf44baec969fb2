"""What a visit detects: every object of the tiles in the field, looked at through camera, processing, templates and noise."""
# ruff: noqa: PLR0917 - compiled functions are called by position

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.demo.survey import camera, tiles
from hub.demo.survey.chance import gauss, mix, poisson, uniform
from hub.demo.survey.light_curves import (
    ARTEFACT,
    BAD_SITE,
    BAD_SITE_CHANCE,
    BLOCK_NIGHTS,
    BLOCKS_BEFORE,
    COUNTERPART,
    FIRST_NIGHT,
    GHOST,
    KNOWN_ASTEROID,
    UNKNOWN_ASTEROID,
    VARIABLE_STAR,
    Parameters,
    flux_at,
    parameters,
)
from hub.demo.survey.schedule import DEEP
from hub.science.compiled import compiled

DETECTION_SNR = 5.0
"""Signal to noise from which a source is detected, as in LSST's difference imaging."""

SEEING_DEG = 0.9 / 3600.0
"""Width of the point-spread function; a centroid is uncertain by this over the signal to noise."""

MARGIN_DEG = 0.65
"""Farthest that an asteroid strays from the tile it was drawn in."""

FIRST_SOURCE_ID = 170_000_000_000_000_000
"""Ids of sources are larger, beyond 2**53 as LSST's."""

FIRST_OBJECT_ID = 160_000_000_000_000_000
"""Ids of objects are larger."""

FIRST_SOLAR_SYSTEM_ID = 21_163_000_000_000_000
"""Ids of known asteroids are larger, the size of LSST's."""

MOST_OF_A_KIND = 4095
"""Objects of a kind in a tile and block; ids leave room for so many."""

COS_RADIUS = math.cos(math.radians(camera.RADIUS_DEG))
"""Of the farthest that a camera sees."""

_TILE_HALF_DEG = 0.37
_STEPS = 16
_LARGEST_U = np.exp(-0.5 * (np.arange(int(DETECTION_SNR) * _STEPS + 1) / _STEPS) ** 2)
_S32, _HALF = np.uint64(32), 1.0 / 4294967296.0
_PROCESSED, _TEMPLATE, _THINNED, _ARRIVES, _LOOK, _LOST = 101, 102, 103, 104, 1, 2


class Visits(NamedTuple):
    """Visits as kernels want them, in time order, columns of shape ``(n,)``."""

    state: NDArray[np.uint64]
    number: NDArray[np.int64]
    packed: NDArray[np.int64]
    """Night and sequence in 24 bits."""

    night: NDArray[np.int64]
    """Counted from `FIRST_NIGHT`."""

    mjd: NDArray[np.float64]
    told: NDArray[np.float64]
    """What packets give as the middle of the exposure, MJD TAI: `mjd`, but where a night is played as if it were now."""

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    axes: NDArray[np.float64]
    """Unit vectors of the middle, the camera's x and its y, shape ``(n, 9)``."""

    band: NDArray[np.int64]
    programme: NDArray[np.int64]
    error: NDArray[np.float64]
    """1-sigma error of a difference flux, nJy."""


class World(NamedTuple):
    """Everything but the visits."""

    state: np.uint64
    density: NDArray[np.float64]
    """Per square degree and block by kind, the artefacts' of a visit."""

    templates: NDArray[np.float64]
    """Share of the wide survey with a template, by band."""

    unprocessed: float
    efficiency: float
    """Share of the real sources above the limit that become alerts."""

    fraction: float
    """Share of the objects that there are."""

    kilonova: NDArray[np.float64]
    """As `light_curves.flux_at`."""

    placed: NDArray[np.float64]
    """Counterparts: right ascension, declination, time of the merger, flux in units of AT2017gfo; shape ``(n, 4)``."""

    placed_key: NDArray[np.uint64]
    placed_night: NDArray[np.int64]
    """Counted from `FIRST_NIGHT`."""

    placed_index: NDArray[np.int64]


class Found(NamedTuple):
    """Detections of a visit, columns with room for many."""

    kind: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    block: NDArray[np.int64]
    member: NDArray[np.int64]
    key: NDArray[np.uint64]
    source_id: NDArray[np.int64]
    detector: NDArray[np.int64]
    numbers: NDArray[np.float64]
    """Right ascension and declination as measured, flux, error, x, y, true right ascension and declination; shape ``(n, 8)``."""


def room_for(n: int) -> Found:
    """Return empty columns."""
    integers = [np.zeros(n, dtype=np.int64) for _ in range(7)]
    kind, row, column, block, member, source_id, detector = integers
    return Found(kind, row, column, block, member, np.zeros(n, dtype=np.uint64), source_id, detector, np.zeros((n, 8)))


@compiled
def look(
    world: World, visits: Visits, v: int, kind: int, key: np.uint64, par: Parameters, tile: int, block: int, ra: float, dec: float
) -> tuple[int, bool, float, float, float, float]:
    """Return what a visit makes of a place: detector (-1 where none looked), whether it detects, x, y, flux and error."""
    a, d = math.radians(ra), math.radians(dec)
    cos_dec = math.cos(d)
    return look_along(world, visits, v, kind, key, par, tile, block, cos_dec * math.cos(a), cos_dec * math.sin(a), math.sin(d))


@compiled
def look_along(
    world: World,
    visits: Visits,
    v: int,
    kind: int,
    key: np.uint64,
    par: Parameters,
    tile: int,
    block: int,
    px: float,
    py: float,
    pz: float,
) -> tuple[int, bool, float, float, float, float]:
    """Return as `look` for a unit vector."""
    detector, x, y = on_camera(visits.axes[v], px, py, pz)
    if detector < 0 or not is_searched(world, visits, v, detector, tile):
        return -1, False, 0.0, 0.0, 0.0, 0.0
    own = mix(key, visits.number[v])
    is_tonight = block == visits.night[v]
    is_detected, flux, error = glimpse(
        kind, par, is_tonight, visits.mjd[v], visits.band[v], visits.error[v], own, world.efficiency, world.kilonova, True
    )
    return detector, is_detected, x, y, flux, error


@compiled
def on_camera(axes: NDArray[np.float64], px: float, py: float, pz: float) -> tuple[int, float, float]:
    """Return the detector and the pixel that a unit vector falls on, for the axes of a visit; detector -1 where it is on none."""
    toward = px * axes[0] + py * axes[1] + pz * axes[2]
    if toward < COS_RADIUS:
        return -1, 0.0, 0.0
    east = math.degrees((px * axes[3] + py * axes[4] + pz * axes[5]) / toward)
    north = math.degrees((px * axes[6] + py * axes[7] + pz * axes[8]) / toward)
    return camera.locate(east, north)


@compiled
def glimpse(
    kind: int,
    par: Parameters,
    is_tonight: bool,
    mjd: float,
    band: int,
    error: float,
    own: np.uint64,
    efficiency: float,
    kilonova: NDArray[np.float64],
    is_measured: bool,
) -> tuple[bool, float, float]:
    """Return whether a processed place with a template gives a detection, its flux and error in nJy.

    Parameters
    ----------
    kind, par, is_tonight
        Of the object; whether it is of the block of this very night.
    mjd, band, error
        Of the visit; the error is that of an empty place, nJy.
    own
        State of this object in this visit.
    efficiency, kilonova
        Of the world.
    is_measured
        Whether flux and error are wanted of what is not detected: else they may be 0 there.
    """
    if kind in (BAD_SITE, GHOST):
        if (kind == BAD_SITE and uniform(own) >= BAD_SITE_CHANCE) or (kind == GHOST and not is_tonight):
            return False, 0.0, error
        return True, false_flux(own, error), error
    flux = flux_at(kind, par, mjd, band, kilonova)
    # Bright sources leave subtraction residuals: 1 % of their flux adds to the error.
    error = math.sqrt(error * error + 1e-4 * flux * flux)
    noise = mix(own, _LOOK)
    if not is_measured and _is_hopeless(noise, abs(flux) / error):
        return False, 0.0, 0.0
    flux += error * gauss(noise)
    is_detected = abs(flux) >= DETECTION_SNR * error and uniform(mix(own, _LOST)) < efficiency
    return is_detected, flux, error


@compiled
def _is_hopeless(noise: np.uint64, snr: float) -> bool:
    """Return whether the noise of a look is certainly too small to make a detection of so faint a source.

    Its normal number is ``sqrt(-2 ln u)`` times a cosine: u alone, which costs nothing, bounds it, and decides nearly all looks.
    """
    needed = DETECTION_SNR - 1e-6 - snr
    if needed <= 0.0:
        return False
    return bool((float(noise >> _S32) + 0.5) * _HALF > _LARGEST_U[int(needed * _STEPS)])


@compiled
def is_searched(world: World, visits: Visits, v: int, detector: int, tile: int) -> bool:
    """Return whether a detector of a visit was processed, and a template was there for the tile."""
    if not is_processed(world.unprocessed, visits.state[v], detector):
        return False
    band = visits.band[v]
    return has_template(world.state, world.templates[band], visits.programme[v], tile, band)


@compiled
def is_processed(unprocessed: float, visit_state: np.uint64, detector: int) -> bool:
    """Return whether a detector of a visit with this state was processed."""
    return uniform(mix(mix(visit_state, _PROCESSED), detector)) >= unprocessed


@compiled
def has_template(state: np.uint64, share: float, programme: int, tile: int, band: int) -> bool:
    """Return whether the world of this state has a template of a tile, where a band has this share of them; deep fields have."""
    return programme == DEEP or uniform(mix(mix(mix(state, _TEMPLATE), tile), band)) < share


@compiled
def false_flux(own: np.uint64, error: float) -> float:
    """Return the flux of a false detection: numbers fall steeply with the signal to noise; two of five are negative."""
    snr = DETECTION_SNR * float((1.0 - uniform(mix(own, 21))) ** -0.4)
    return -snr * error if uniform(mix(own, 22)) < 0.4 else snr * error


@compiled
def source_id_of(visits: Visits, v: int, kind: int, row: int, column: int, block: int, index: int) -> int:
    """Return the id of a detection: the visit, the tile as seen from its middle, and which object of the tile."""
    n = tiles.columns_of(row)
    away = (column - int(visits.ra[v] / 360.0 * n) + n // 2) % n - n // 2
    local = (row - tiles.row_of(visits.dec[v]) + 8) * 32 + away + 16
    return FIRST_SOURCE_ID + int((((((visits.packed[v] << 9) | local) << 7) | (kind << 3) | (block & 7)) << 12) + index)


@compiled
def object_id_of(kind: int, row: int, column: int, block: int, index: int) -> int:
    """Return the id of an object."""
    return FIRST_OBJECT_ID + (((((((row << 10) | column) << 4) | kind) << 13) | block) << 12) + index


@compiled
def place_of(key: np.uint64, row: int, column: int) -> tuple[float, float]:
    """Return where an object of a tile is, degrees."""
    return tiles.place_in(row, column, uniform(mix(key, 1)), uniform(mix(key, 2)))


@compiled
def crowding(kind: int, ra: float, dec: float) -> float:
    """Return the density of a kind at a place over its mean: stars by galactic, asteroids by ecliptic latitude."""
    a, d = math.radians(ra), math.radians(dec)
    if kind == VARIABLE_STAR:
        sine = math.sin(d) * 0.4559838 + math.cos(d) * 0.8899881 * math.cos(a - 3.3660332)
        return 0.6 + 1.4 * math.exp(-abs(math.degrees(math.asin(min(1.0, max(-1.0, sine))))) / 20.0)
    if kind in (KNOWN_ASTEROID, UNKNOWN_ASTEROID):
        sine = math.sin(d) * 0.9174821 - math.cos(d) * 0.3977772 * math.sin(a)
        return 0.05 + 2.0 * math.exp(-abs(math.degrees(math.asin(min(1.0, max(-1.0, sine))))) / 20.0)
    return 1.0


@compiled
def measured(own: np.uint64, ra: float, dec: float, snr: float) -> tuple[float, float]:
    """Return a position with the error of its centroid."""
    blur = SEEING_DEG / snr
    new_dec = dec + blur * gauss(mix(own, 3))
    return (ra + blur * gauss(mix(own, 4)) / math.cos(math.radians(dec))) % 360.0, new_dec


@compiled
def find(world: World, visits: Visits, v: int, out: Found) -> int:
    """Fill in the detections of a visit; return how many.

    Returns -1 where there is not enough room.
    """
    n = _find_in_tiles(world, visits, v, out)
    if n >= 0:
        n = _find_placed(world, visits, v, out, n)
    return _find_artefacts(world, visits, v, out, n) if n >= 0 else n


@compiled
def _note(
    visits: Visits,
    v: int,
    out: Found,
    n: int,
    kind: int,
    row: int,
    column: int,
    block: int,
    index: int,
    key: np.uint64,
    detector: int,
    ra: float,
    dec: float,
    flux: float,
    error: float,
    x: float,
    y: float,
) -> None:
    out.kind[n], out.row[n], out.column[n], out.block[n], out.member[n], out.key[n] = kind, row, column, block, index, key
    out.detector[n] = detector
    if kind == ARTEFACT:
        out.source_id[n] = FIRST_SOURCE_ID + (((((visits.packed[v] << 9) | detector) << 7) | (kind << 3)) << 12) + index
    else:
        out.source_id[n] = source_id_of(visits, v, kind, row, column, block, index)
    seen_ra, seen_dec = measured(mix(key, visits.number[v]), ra, dec, abs(flux) / error)
    numbers = out.numbers[n]
    numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5] = seen_ra, seen_dec, flux, error, x, y
    numbers[6], numbers[7] = ra, dec


@compiled
def _find_in_tiles(  # noqa: C901, PLR0912 - the loops of one sum, from tiles to objects
    world: World, visits: Visits, v: int, out: Found
) -> int:
    n, room = 0, len(out.kind)
    ra0, dec0, night, mjd, band, error = (
        visits.ra[v],
        visits.dec[v],
        visits.night[v],
        visits.mjd[v],
        visits.band[v],
        visits.error[v],
    )
    reach = camera.RADIUS_DEG + MARGIN_DEG + _TILE_HALF_DEG
    half = math.degrees(math.asin(min(1.0, math.sin(math.radians(reach)) / math.cos(math.radians(dec0)))))
    axes, number = visits.axes[v], visits.number[v]
    works = np.array([is_processed(world.unprocessed, visits.state[v], detector) for detector in range(camera.N_DETECTORS)])
    for row in range(tiles.row_of(dec0 - reach), tiles.row_of(dec0 + reach) + 1):
        columns = tiles.columns_of(row)
        middle = int(ra0 / 360.0 * columns)
        span = min(columns // 2, int(half / 360.0 * columns) + 1)
        area = tiles.area_deg2(row)
        low, high = tiles.edges_of(row)
        for step in range(-span, span + 1):
            column = (middle + step) % columns
            tile = row * 1024 + column
            ra_t, dec_t = tiles.place_between(column, columns, low, high, 0.5, 0.5)
            a, d = math.radians(ra_t), math.radians(dec_t)
            toward = math.cos(d) * math.cos(a) * axes[0] + math.cos(d) * math.sin(a) * axes[1] + math.sin(d) * axes[2]
            away = math.degrees(math.acos(min(1.0, toward)))
            if away > reach or not has_template(world.state, world.templates[band], visits.programme[v], tile, band):
                continue
            tile_state = mix(world.state, tile)
            for kind in range(ARTEFACT):
                is_moving = kind in (KNOWN_ASTEROID, UNKNOWN_ASTEROID)
                if not is_moving and away > reach - MARGIN_DEG:
                    continue
                length = BLOCK_NIGHTS[kind]
                newest = night // length if length > 0 else 0
                for block in range(newest - BLOCKS_BEFORE[kind], newest + 1):
                    group = mix(mix(tile_state, kind + 1), block)
                    mean = world.density[kind] * area * crowding(kind, ra_t, dec_t)
                    for index in range(min(MOST_OF_A_KIND, poisson(group, mean))):
                        key = mix(group, index + 1)
                        if world.fraction < 1.0 and uniform(mix(key, _THINNED)) >= world.fraction:
                            continue
                        ra, dec = tiles.place_between(column, columns, low, high, uniform(mix(key, 1)), uniform(mix(key, 2)))
                        if is_moving:
                            par = parameters(kind, key, block)
                            days = mjd - (FIRST_NIGHT + (block + 0.5) * length + 0.5)
                            ra += par[1] * days / math.cos(math.radians(dec))
                            dec += par[2] * days
                        a, d = math.radians(ra), math.radians(dec)
                        cos_dec = math.cos(d)
                        detector, x, y = on_camera(axes, cos_dec * math.cos(a), cos_dec * math.sin(a), math.sin(d))
                        if detector < 0 or not works[detector]:
                            continue
                        if not is_moving:  # what it is like costs most, and is asked of few only
                            par = parameters(kind, key, block)
                        is_detected, flux, its_error = glimpse(
                            kind, par, block == night, mjd, band, error, mix(key, number), world.efficiency, world.kilonova, False
                        )
                        if not is_detected:
                            continue
                        if n >= room:
                            return -1
                        ra %= 360.0
                        _note(visits, v, out, n, kind, row, column, block, index, key, detector, ra, dec, flux, its_error, x, y)
                        n += 1
    return n


@compiled
def _find_placed(world: World, visits: Visits, v: int, out: Found, n: int) -> int:
    for i in range(len(world.placed_key)):
        ra, dec = world.placed[i, 0], world.placed[i, 1]
        par = (world.placed[i, 2], world.placed[i, 3], 0.0, 0.0, 0.0, 0.0, 0.0)
        row = tiles.row_of(dec)
        column = int(ra / 360.0 * tiles.columns_of(row))
        key, block = world.placed_key[i], world.placed_night[i]
        detector, is_detected, x, y, flux, error = look(
            world, visits, v, COUNTERPART, key, par, row * 1024 + column, block, ra, dec
        )
        if not is_detected:
            continue
        if n >= len(out.kind):
            return -1
        index = world.placed_index[i]
        _note(visits, v, out, n, COUNTERPART, row, column, block, index, key, detector, ra, dec, flux, error, x, y)
        n += 1
    return n


@compiled
def _find_artefacts(world: World, visits: Visits, v: int, out: Found, n: int) -> int:
    axes = visits.axes[v]
    for detector in range(camera.N_DETECTORS):
        group = mix(mix(visits.state[v], ARTEFACT + 1), detector)
        x0, y0 = camera.middle_of(detector)
        for index in range(min(MOST_OF_A_KIND, poisson(group, world.density[ARTEFACT] * camera.ACTIVE_DEG**2))):
            key = mix(group, index + 1)
            if uniform(mix(key, _THINNED)) >= world.fraction:
                continue
            x, y = uniform(mix(key, 1)), uniform(mix(key, 2))
            east = math.radians(x0 + (x - 0.5) * camera.ACTIVE_DEG)
            north = math.radians(y0 + (y - 0.5) * camera.ACTIVE_DEG)
            px = axes[0] + east * axes[3] + north * axes[6]
            py = axes[1] + east * axes[4] + north * axes[7]
            pz = axes[2] + east * axes[5] + north * axes[8]
            dec = math.degrees(math.atan2(pz, math.sqrt(px * px + py * py)))
            ra = math.degrees(math.atan2(py, px)) % 360.0
            row = tiles.row_of(dec)
            column = int(ra / 360.0 * tiles.columns_of(row))
            if not is_searched(world, visits, v, detector, row * 1024 + column):
                continue
            if n >= len(out.kind):
                return -1
            flux = false_flux(mix(key, visits.number[v]), visits.error[v])
            side = camera.ACTIVE_DEG / camera.PIXEL_DEG
            _note(
                visits,
                v,
                out,
                n,
                ARTEFACT,
                row,
                column,
                0,
                index,
                key,
                detector,
                ra,
                dec,
                flux,
                visits.error[v],
                x * side,
                y * side,
            )
            n += 1
    return n


@compiled
def arrival_of(visits: Visits, v: int, detector: int) -> float:
    """Return when a detector's packets leave, as a share of the visit: detectors are processed side by side."""
    return uniform(mix(mix(visits.state[v], _ARRIVES), detector))
