"""The simulated nights object by object: every visit of a place, where packets are made visit by visit.

The objects, their light curves, the camera, templates and noise are those of `hub.demo.survey`, drawn from the same numbers: an
object is detected here where the packets of `hub.demo.survey.night` have it. Only the order of the loops is another, because of
an object that was detected before a time nothing more is asked.
"""
# ruff: noqa: PLR0917 - compiled functions are called by position

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.demo.survey import camera, tiles
from hub.demo.survey.chance import gauss, mix, poisson, uniform
from hub.demo.survey.light_curves import (
    ACTIVE_GALAXY,
    BAD_SITE,
    BAD_SITE_CHANCE,
    BLOCK_NIGHTS,
    BLOCKS_BEFORE,
    GHOST,
    KNOWN_ASTEROID,
    VARIABLE_STAR,
    Parameters,
    flux_at,
    parameters,
)
from hub.demo.survey.packets import reliability_of
from hub.demo.survey.schedule import DEEP
from hub.demo.survey.world import (
    DETECTION_SNR,
    MOST_OF_A_KIND,
    Visits,
    World,
    crowding,
    is_searched,
    look_along,
    measured,
    object_id_of,
    place_of,
)
from hub.science.compiled import compiled

TILE_REACH_DEG = camera.RADIUS_DEG + 0.37
"""A visit sees nothing of tiles whose middle is farther than this from its own: half a diagonal of a tile is added."""

NOT_ON_DETECTOR, NOT_PROCESSED, NO_TEMPLATE, SEARCHED = range(4)
"""What a visit that points at a place does there."""

# Subjects of the random numbers of hub.demo.survey.world, and the halves of them that its normal numbers are made of: what is
# decided here by them alone is decided there so too (tests compare both).
_TEMPLATE, _THINNED, _LOOK, _LOST = 102, 103, 1, 2
_AT_ONCE = 8
_S32, _HALF = np.uint64(32), 1.0 / 4294967296.0
_COS_RADIUS = math.cos(math.radians(camera.RADIUS_DEG))


class ByTile(NamedTuple):
    """The visits that may see each tile, in order of time: those of tile i are ``visit[first[i]:first[i + 1]]``."""

    offset: NDArray[np.int64]
    """Number of the first tile of each row of tiles, shape ``(361,)``."""

    first: NDArray[np.int64]
    visit: NDArray[np.int64]


class Rows(NamedTuple):
    """Detections, columns with room for many."""

    object: NDArray[np.int64]
    visit: NDArray[np.int64]
    kind: NDArray[np.int64]
    numbers: NDArray[np.float64]
    """Right ascension and declination as measured, flux and error in nJy, reliability; shape ``(n, 5)``."""


def room_for(n: int) -> Rows:
    """Return empty columns."""
    object_id, visit, kind = (np.zeros(n, dtype=np.int64) for _ in range(3))
    return Rows(object_id, visit, kind, np.zeros((n, 5)))


def offsets() -> NDArray[np.int64]:
    """Return the number of the first tile of each row, and at the end how many there are."""
    counts = [tiles.columns_of(row) for row in range(tiles.ROWS)]
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


@compiled
def tile_of(offset: NDArray[np.int64], ra: float, dec: float) -> int:
    """Return the number of the tile of a place."""
    row = tiles.row_of(dec)
    return int(offset[row] + int(ra % 360.0 / 360.0 * tiles.columns_of(row)))


@compiled
def pairs_of_tiles(
    visits: Visits, begin: int, end: int, offset: NDArray[np.int64], tile: NDArray[np.int64], visit: NDArray[np.int64]
) -> int:
    """Fill in the pairs of a tile and a visit that may see it, visit by visit; return how many, which may be more than fit."""
    n, room = 0, len(tile)
    least = math.cos(math.radians(TILE_REACH_DEG))
    for v in range(begin, end):
        ra0, dec0, axes = visits.ra[v], visits.dec[v], visits.axes[v]
        ratio = math.sin(math.radians(TILE_REACH_DEG)) / max(1e-6, math.cos(math.radians(dec0)))
        half = 180.0 if ratio >= 1.0 else math.degrees(math.asin(ratio))
        for row in range(tiles.row_of(dec0 - TILE_REACH_DEG), tiles.row_of(dec0 + TILE_REACH_DEG) + 1):
            columns = tiles.columns_of(row)
            middle = int(ra0 / 360.0 * columns)
            span = min(columns // 2, int(half / 360.0 * columns) + 1)
            for step in range(-span, span + 1):
                column = (middle + step) % columns
                ra_t, dec_t = tiles.place_in(row, column, 0.5, 0.5)
                a, d = math.radians(ra_t), math.radians(dec_t)
                if math.cos(d) * math.cos(a) * axes[0] + math.cos(d) * math.sin(a) * axes[1] + math.sin(d) * axes[2] < least:
                    continue
                if n < room:
                    tile[n], visit[n] = offset[row] + column, v
                n += 1
    return n


def by_tile(visits: Visits, begin: int, end: int, offset: NDArray[np.int64]) -> ByTile:
    """Return which of some visits may see each tile."""
    room = 100 * (end - begin) + 1000
    while True:
        tile, visit = np.zeros(room, dtype=np.int64), np.zeros(room, dtype=np.int64)
        n = pairs_of_tiles(visits, begin, end, offset, tile, visit)
        if n <= room:
            break
        room = n
    tile, visit = tile[:n], visit[:n]
    order = np.argsort(tile, kind="stable")
    first = np.searchsorted(tile[order], np.arange(offset[-1] + 1))
    return ByTile(offset, first.astype(np.int64), visit[order])


class TileVisits(NamedTuple):
    """The visits of a tile that have a template there: first those of the survey in order of time, then those for events."""

    visit: NDArray[np.int64]
    number: NDArray[np.int64]
    night: NDArray[np.int64]
    mjd: NDArray[np.float64]
    band: NDArray[np.int64]
    error: NDArray[np.float64]


@compiled
def detect_in_tile(  # noqa: C901 - the loops of one sum, from kinds to objects
    world: World, visits: Visits, survey: ByTile, extra: ByTile, row: int, column: int, watch_mjd: float, out: Rows, n: int
) -> int:
    """Add the detections of the objects of a tile that were never detected before a time; return how many there are then.

    Asteroids and artefacts of one visit are left out: they are new objects in each. Returns -1 where there is not enough room.
    """
    number, tile = survey.offset[row] + column, row * 1024 + column
    ours = with_template(world, visits, survey.visit[survey.first[number] : survey.first[number + 1]], tile)
    more = with_template(world, visits, extra.visit[extra.first[number] : extra.first[number + 1]], tile)
    both = np.concatenate((ours, more))
    if not len(both):
        return n
    of_tile = TileVisits(both, visits.number[both], visits.night[both], visits.mjd[both], visits.band[both], visits.error[both])
    earliest, latest = of_tile.night.min(), of_tile.night.max()
    at_most, least_error = np.empty(6), np.full(6, 1e30)
    for i in range(len(both)):
        least_error[of_tile.band[i]] = min(least_error[of_tile.band[i]], of_tile.error[i])
    ra_t, dec_t = tiles.place_in(row, column, 0.5, 0.5)
    area = tiles.area_deg2(row)
    tile_state = mix(world.state, tile)
    chosen = np.empty(len(both), dtype=np.int64)
    n_past = 0
    while n_past < len(ours) and visits.mjd[ours[n_past]] < watch_mjd:
        n_past += 1
    for kind in range(KNOWN_ASTEROID):
        length, before = BLOCK_NIGHTS[kind], BLOCKS_BEFORE[kind]
        low = earliest // length - before if length > 0 else 0
        high = latest // length if length > 0 else 0
        mean = world.density[kind] * area * crowding(kind, ra_t, dec_t)
        for block in range(low, high + 1):
            group = mix(mix(tile_state, kind + 1), block)
            for index in range(min(MOST_OF_A_KIND, poisson(group, mean))):
                key = mix(group, index + 1)
                if world.fraction < 1.0 and uniform(mix(key, _THINNED)) >= world.fraction:
                    continue
                par = parameters(kind, key, block)
                noise_needed(kind, par, least_error, at_most)
                is_old, n_chosen = False, 0
                for begin in range(0, n_past, _AT_ONCE):
                    end = min(n_past, begin + _AT_ONCE)
                    n_chosen = would_detect(
                        of_tile, begin, end, kind, block, key, par, at_most, world.efficiency, world.kilonova, chosen
                    )
                    if n_chosen and _detects(world, visits, chosen[:n_chosen], kind, key, par, row, column, block):
                        is_old = True
                        break
                if is_old:
                    continue
                n_chosen = would_detect(
                    of_tile, n_past, len(both), kind, block, key, par, at_most, world.efficiency, world.kilonova, chosen
                )
                if n_chosen:
                    n = _detect(world, visits, chosen[:n_chosen], kind, key, par, row, column, block, index, out, n)
                if n < 0:
                    return -1
    return n


@compiled
def with_template(world: World, visits: Visits, listed: NDArray[np.int64], tile: int) -> NDArray[np.int64]:
    """Return those of some visits that have a template in a tile: detectors that failed are told apart later."""
    chosen, n = np.empty(len(listed), dtype=np.int64), 0
    for v in listed:
        if (
            visits.programme[v] == DEEP
            or uniform(mix(mix(mix(world.state, _TEMPLATE), tile), visits.band[v])) < (world.templates[visits.band[v]])
        ):
            chosen[n] = v
            n += 1
    return chosen[:n]


@compiled
def _largest(kind: int, par: Parameters) -> float:
    """Return a bound on how bright an object ever is, either sign, nJy: no less than `flux_at` gives."""
    if kind == VARIABLE_STAR:
        return 3.6 * par[0] if par[3] > 0.0 else 1.2 * par[0]
    if kind == ACTIVE_GALAXY:
        return 3.9 * par[0]
    return 1.5 * par[1]


@compiled
def noise_needed(kind: int, par: Parameters, least_error: NDArray[np.float64], at_most: NDArray[np.float64]) -> None:
    """Fill in, by band, the largest first number of a normal draw with which noise could still make an object a detection.

    The normal number is ``sqrt(-2 ln u)`` times a cosine, so its size is bounded by u alone: nearly all looks at faint stars are
    decided by that, without the light curve.
    """
    largest = _largest(kind, par)
    for band in range(len(at_most)):
        needed = 5.0 - largest / least_error[band] - 1e-6
        at_most[band] = math.exp(-0.5 * needed * needed) if needed > 0.0 else 2.0


@compiled
def would_detect(
    of_tile: TileVisits,
    begin: int,
    end: int,
    kind: int,
    block: int,
    key: np.uint64,
    par: Parameters,
    at_most: NDArray[np.float64],
    efficiency: float,
    kilonova: NDArray[np.float64],
    chosen: NDArray[np.int64],
) -> int:
    """Fill in the visits that detect an object if it falls on a detector that was processed; what costs least is asked first."""
    visit, number, night, mjd, band, errors = of_tile
    length, before, n = BLOCK_NIGHTS[kind], BLOCKS_BEFORE[kind], 0
    for i in range(begin, end):
        if length > 0:
            newest = night[i] // length
            if block > newest or block < newest - before:
                continue
        own = mix(key, number[i])
        if kind == BAD_SITE:
            if uniform(own) >= BAD_SITE_CHANCE:
                continue
        elif kind != GHOST:
            noise = mix(own, _LOOK)
            if (float(noise >> _S32) + 0.5) * _HALF > at_most[band[i]]:
                continue
            if uniform(mix(own, _LOST)) >= efficiency:
                continue
            flux = flux_at(kind, par, mjd[i], band[i], kilonova)
            error = math.sqrt(errors[i] * errors[i] + 1e-4 * flux * flux)
            if abs(flux + error * gauss(noise)) < DETECTION_SNR * error:
                continue
        chosen[n] = visit[i]
        n += 1
    return n


@compiled
def _detects(
    world: World,
    visits: Visits,
    chosen: NDArray[np.int64],
    kind: int,
    key: np.uint64,
    par: Parameters,
    row: int,
    column: int,
    block: int,
) -> bool:
    """Return whether any of some visits detects an object."""
    ra, dec = place_of(key, row, column)
    a, d = math.radians(ra), math.radians(dec)
    px, py, pz = math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)
    for v in chosen:  # noqa: SIM110 - generators do not compile
        if look_along(world, visits, v, kind, key, par, row * 1024 + column, block, px, py, pz)[1]:
            return True
    return False


@compiled
def _detect(
    world: World,
    visits: Visits,
    chosen: NDArray[np.int64],
    kind: int,
    key: np.uint64,
    par: Parameters,
    row: int,
    column: int,
    block: int,
    index: int,
    out: Rows,
    n: int,
) -> int:
    """Add the detections of one object by some visits, unless none is good enough."""
    begin, tile, is_usable = n, row * 1024 + column, False
    ra, dec = place_of(key, row, column)
    a, d = math.radians(ra), math.radians(dec)
    px, py, pz = math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)
    name = object_id_of(kind, row, column, block, index)
    for v in chosen:
        _, is_detected, _, _, flux, error = look_along(world, visits, v, kind, key, par, tile, block, px, py, pz)
        if not is_detected:
            continue
        if n >= len(out.object):
            return -1
        snr, own = abs(flux) / error, mix(key, visits.number[v])
        numbers = out.numbers[n]
        numbers[0], numbers[1] = measured(own, ra, dec, snr)
        numbers[2], numbers[3], numbers[4] = flux, error, reliability_of(kind, own, snr)
        out.object[n], out.visit[n], out.kind[n] = name, v, kind
        is_usable = is_usable or (flux > 0.0 and numbers[4] >= 0.5)
        n += 1
    return n if is_usable else begin


@compiled
def looks_at(
    world: World,
    with_templates: World,
    visits: Visits,
    visible: ByTile,
    ra: float,
    dec: float,
    visit: NDArray[np.int64],
    what: NDArray[np.int64],
) -> int:
    """Fill in the visits that point at a place and what each does there; return how many.

    Parameters
    ----------
    world, with_templates
        The world, and the same with templates everywhere.
    visits, visible
        All visits, and those by tile that are asked about.
    ra, dec
        The place, degrees.
    visit, what
        Columns with room for all visits of the tile.
    """
    a, d = math.radians(ra), math.radians(dec)
    px, py, pz = math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)
    row = tiles.row_of(dec)
    column = int(ra % 360.0 / 360.0 * tiles.columns_of(row))
    number, tile, n = visible.offset[row] + column, row * 1024 + column, 0
    for place in range(visible.first[number], visible.first[number + 1]):
        v = visible.visit[place]
        detector = _detector(visits, v, px, py, pz)
        if detector == _OUTSIDE:
            continue
        visit[n] = v
        if detector < 0:
            what[n] = NOT_ON_DETECTOR
        elif is_searched(world, visits, v, detector, tile):
            what[n] = SEARCHED
        else:
            what[n] = NO_TEMPLATE if is_searched(with_templates, visits, v, detector, tile) else NOT_PROCESSED
        n += 1
    return n


_OUTSIDE = -2


@compiled
def _detector(visits: Visits, v: int, px: float, py: float, pz: float) -> int:
    """Return the detector of a visit that a place falls on, -1 in a gap or a corner, -2 outside of the camera."""
    axes = visits.axes[v]
    toward = px * axes[0] + py * axes[1] + pz * axes[2]
    if toward < _COS_RADIUS:
        return _OUTSIDE
    east = math.degrees((px * axes[3] + py * axes[4] + pz * axes[5]) / toward)
    north = math.degrees((px * axes[6] + py * axes[7] + pz * axes[8]) / toward)
    detector, _, _ = camera.locate(east, north)
    return int(detector)


@compiled
def last_deeper(
    world: World,
    visits: Visits,
    visible: ByTile,
    tag: NDArray[np.int64],
    wanted: int,
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    band: NDArray[np.int64],
    before_mjd: NDArray[np.float64],
    flux: NDArray[np.float64],
    look_back_d: float,
    found: NDArray[np.float64],
) -> None:
    """Raise each time found to that of the last visit of a place and band before a time whose 5-sigma depth was below a flux.

    What a ledger of visits answers (`hub.archive.visits_lookup`), from the true list of what was searched. Of visits with a tag
    those count that have the wanted one.
    """
    for i in range(len(ra)):
        a, d = math.radians(ra[i]), math.radians(dec[i])
        px, py, pz = math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)
        row = tiles.row_of(dec[i])
        column = int(ra[i] % 360.0 / 360.0 * tiles.columns_of(row))
        number, tile = visible.offset[row] + column, row * 1024 + column
        for place in range(visible.first[number], visible.first[number + 1]):
            v = visible.visit[place]
            mjd = visits.mjd[v]
            if mjd >= before_mjd[i] or mjd < before_mjd[i] - look_back_d or mjd <= found[i]:
                continue
            if visits.band[v] != band[i] or (tag[v] >= 0 and tag[v] != wanted) or not 5.0 * visits.error[v] < flux[i]:
                continue
            detector = _detector(visits, v, px, py, pz)
            if detector >= 0 and is_searched(world, visits, v, detector, tile):
                found[i] = mjd
