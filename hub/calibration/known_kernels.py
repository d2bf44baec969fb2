"""What earlier nights and catalogues of others know of the objects of `hub.demo.survey`, object by object."""
# ruff: noqa: PLR0917 - compiled functions are called by position

import math

import numpy as np
from numpy.typing import NDArray

from hub.calibration.nights_kernels import ByTile, TileVisits, noise_needed, with_template, would_detect
from hub.demo.survey import tiles
from hub.demo.survey.chance import gauss, mix, poisson, uniform
from hub.demo.survey.light_curves import ACTIVE_GALAXY, BAD_SITE, VARIABLE_STAR, parameters
from hub.demo.survey.packets import reliability_of
from hub.demo.survey.world import (
    FIRST_OBJECT_ID,
    MOST_OF_A_KIND,
    Visits,
    World,
    crowding,
    look_along,
    measured,
    object_id_of,
    place_of,
)
from hub.science.compiled import compiled

_THINNED = 103


@compiled
def parts_of(object_id: int) -> tuple[int, int, int, int, int]:
    """Return row and column of the tile, kind, block and index of an object, from its id."""
    number = object_id - FIRST_OBJECT_ID
    return number >> 39, (number >> 29) & 1023, (number >> 25) & 15, (number >> 12) & 8191, number & 4095


@compiled
def key_of(world: World, row: int, column: int, kind: int, block: int, index: int) -> np.uint64:
    """Return the key that all of an object is drawn with."""
    group = mix(mix(mix(world.state, row * 1024 + column), kind + 1), block)
    return mix(group, index + 1)


@compiled
def places_of(world: World, objects: NDArray[np.int64], place: NDArray[np.float64]) -> None:
    """Fill in where objects are, right ascension and declination in degrees, ``(n, 2)``."""
    for i in range(len(objects)):
        row, column, kind, block, index = parts_of(objects[i])
        place[i, 0], place[i, 1] = place_of(key_of(world, row, column, kind, block, index), row, column)


@compiled
def draw_public(
    world: World,
    objects: NDArray[np.int64],
    of: int,
    salt: int,
    faintest_njy: float,
    least_amplitude: float,
    share: float,
    amplitude: float,
    amplitude_dex: float,
    error_deg: float,
    holds: NDArray[np.bool_],
    place: NDArray[np.float64],
) -> None:
    """Fill in which objects a catalogue of others holds, and where it has them.

    Mean flux, whether it is listed, and errors come from numbers of their own; of the light curve only the amplitude enters, as
    the mean flux is that over a relative amplitude.

    Parameters
    ----------
    world, objects
        The objects.
    of
        Kind of object that it lists.
    salt
        Tells the numbers of one catalogue from those of another.
    faintest_njy, least_amplitude, share, amplitude, amplitude_dex, error_deg
        As `hub.calibration.known_rules.PublicCatalog`.
    holds, place
        ``(n,)`` and ``(n, 2)``, degrees.
    """
    for i in range(len(objects)):
        row, column, kind, block, index = parts_of(objects[i])
        holds[i] = False
        if kind != of:
            continue
        key = key_of(world, row, column, kind, block, index)
        own = mix(key, salt)
        relative = amplitude * 10.0 ** (amplitude_dex * gauss(mix(own, 1)))
        if relative < least_amplitude or parameters(kind, key, block)[0] / relative < faintest_njy:
            continue
        if uniform(mix(own, 2)) >= share:
            continue
        ra, dec = place_of(key, row, column)
        holds[i] = True
        place[i, 1] = dec + error_deg * gauss(mix(own, 3))
        place[i, 0] = (ra + error_deg * gauss(mix(own, 4)) / math.cos(math.radians(dec))) % 360.0


@compiled
def note_detections(
    world: World,
    visits: Visits,
    visible: ByTile,
    objects: NDArray[np.int64],
    least_reliability: float,
    nights: NDArray[np.int64],
    latest: NDArray[np.int64],
    place: NDArray[np.float64],
) -> None:
    """Add to each object the nights in which some visits detected it, of either sign, and the places measured then.

    Parameters
    ----------
    world, visits, visible
        As `hub.calibration.nights_kernels` has them.
    objects
        Ids, shape ``(n,)``; those of one tile stand together.
    least_reliability
        Of a detection that counts.
    nights, latest
        Nights with a detection, and the last of them; ``(n,)``. Visits come in order of time.
    place
        Number of detections, and the sums of right ascension and declination relative to the true place, degrees; ``(n, 3)``.
    """
    last_tile = -1
    listed = np.empty(0, dtype=np.int64)
    chosen = np.empty(0, dtype=np.int64)
    least_error, at_most = np.empty(6), np.empty(6)
    of_tile = TileVisits(listed, visits.number[:0], visits.night[:0], visits.mjd[:0], visits.band[:0], visits.error[:0])
    for i in range(len(objects)):
        row, column, kind, block, index = parts_of(objects[i])
        tile = row * 1024 + column
        if tile != last_tile:
            last_tile = tile
            number = visible.offset[row] + column
            listed = with_template(world, visits, visible.visit[visible.first[number] : visible.first[number + 1]], tile)
            chosen = np.empty(len(listed), dtype=np.int64)
            of_tile = TileVisits(
                listed,
                visits.number[listed],
                visits.night[listed],
                visits.mjd[listed],
                visits.band[listed],
                visits.error[listed],
            )
            least_error[:] = 1e30
            for j in range(len(listed)):
                least_error[of_tile.band[j]] = min(least_error[of_tile.band[j]], of_tile.error[j])
        if not len(listed):
            continue
        key = key_of(world, row, column, kind, block, index)
        par = parameters(kind, key, block)
        noise_needed(kind, par, least_error, at_most)
        n = would_detect(of_tile, 0, len(listed), kind, block, key, par, at_most, world.efficiency, world.kilonova, chosen)
        if not n:
            continue
        ra, dec = place_of(key, row, column)
        a, d = math.radians(ra), math.radians(dec)
        px, py, pz = math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)
        for v in chosen[:n]:
            _, is_detected, _, _, flux, error = look_along(world, visits, v, kind, key, par, tile, block, px, py, pz)
            if not is_detected:
                continue
            own, snr = mix(key, visits.number[v]), abs(flux) / error
            if reliability_of(kind, own, snr) < least_reliability:
                continue
            if visits.night[v] != latest[i]:
                nights[i] += 1
                latest[i] = visits.night[v]
            seen_ra, seen_dec = measured(own, ra, dec, snr)
            place[i, 0] += 1.0
            place[i, 1] += (seen_ra - ra + 180.0) % 360.0 - 180.0
            place[i, 2] += seen_dec - dec


@compiled
def lasting_near(world: World, ra: float, dec: float, radius_deg: float, out: NDArray[np.int64]) -> int:
    """Fill in the ids of objects of the kinds that are always there, near a place and in its tile; return how many."""
    row = tiles.row_of(dec)
    column = int(ra % 360.0 / 360.0 * tiles.columns_of(row))
    ra_t, dec_t = tiles.place_in(row, column, 0.5, 0.5)
    area, n = tiles.area_deg2(row), 0
    across = math.cos(math.radians(dec))
    for kind in (VARIABLE_STAR, ACTIVE_GALAXY, BAD_SITE):
        group = mix(mix(mix(world.state, row * 1024 + column), kind + 1), 0)
        mean = world.density[kind] * area * crowding(kind, ra_t, dec_t)
        for index in range(min(MOST_OF_A_KIND, poisson(group, mean))):
            key = mix(group, index + 1)
            if world.fraction < 1.0 and uniform(mix(key, _THINNED)) >= world.fraction:
                continue
            its_ra, its_dec = place_of(key, row, column)
            east = ((its_ra - ra + 180.0) % 360.0 - 180.0) * across
            if east * east + (its_dec - dec) ** 2 <= radius_deg * radius_deg and n < len(out):
                out[n] = object_id_of(kind, row, column, 0, index)
                n += 1
    return n
