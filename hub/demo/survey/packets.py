"""Detections as LSST alert packets in Confluent framing: all but the cutouts, written by machine code straight into bytes."""
# ruff: noqa: PLR0917 - compiled functions are called by position

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.demo.packet_layout import PROCESSING_DAYS
from hub.demo.survey.chance import low16, mix, uniform
from hub.demo.survey.light_curves import ARTEFACT, BAD_SITE, GHOST, KNOWN_ASTEROID, UNKNOWN_ASTEROID
from hub.demo.survey.objects import fill_object, put_solar
from hub.demo.survey.past import Before, Scratch, look_back
from hub.demo.survey.record_writing import Pen, put_long, put_record
from hub.demo.survey.schedule import DEEP
from hub.demo.survey.slots import BANDS, Plans
from hub.demo.survey.world import FIRST_SOLAR_SYSTEM_ID, Found, Visits, World, measured, object_id_of, source_id_of
from hub.science.compiled import compiled

LONGEST_SOURCE, LONGEST_FORCED, LONGEST_REST = 560, 130, 8_192
"""More bytes than a diaSource, a forced source and all else of a packet but the cutouts take."""


class Truth(NamedTuple):
    """What the packets say, as columns of shape ``(n,)``: filled in as they are written."""

    object_id: NDArray[np.int64]
    solar_system_id: NDArray[np.int64]
    n_history: NDArray[np.int64]
    n_forced: NDArray[np.int64]
    first_mjd: NDArray[np.float64]
    snr: NDArray[np.float64]
    reliability: NDArray[np.float64]
    is_dipole: NDArray[np.bool_]
    is_saturated: NDArray[np.bool_]


def truth_of(n: int) -> Truth:
    """Return columns to be filled in."""
    object_id, solar_system_id, n_history, n_forced = (np.zeros(n, dtype=np.int64) for _ in range(4))
    first_mjd, snr, reliability = (np.zeros(n) for _ in range(3))
    is_dipole, is_saturated = (np.zeros(n, dtype=np.bool_) for _ in range(2))
    return Truth(object_id, solar_system_id, n_history, n_forced, first_mjd, snr, reliability, is_dipole, is_saturated)


@compiled
def write(
    world: World,
    visits: Visits,
    v: int,
    earlier: Before,
    found: Found,
    order: NDArray[np.int64],
    start: int,
    plans: Plans,
    lead: NDArray[np.uint8],
    reason: NDArray[np.uint8],
    truth: Truth,
    scratch: Scratch,
    pens: Pen,
    out: NDArray[np.uint8],
    ends: NDArray[np.int64],
) -> int:
    """Write packets without their cutouts until there is no room for the next; return how many.

    Parameters
    ----------
    world, visits, v
        The visit that saw them.
    earlier
        Visits before it that looked at the same part of the sky.
    found, order, start
        Detections, the order in which they are written, and the first that is due.
    plans, lead, reason
        How records are written, the frame, and the encoded observation_reason and target_name.
    truth, scratch, pens
        Filled in, and room to work.
    out, ends
        The bytes, and where each packet ends in them.
    """
    at = 0
    for place in range(start, len(order)):
        row = order[place]
        n, n_seen, n_forced = look_back(world, visits.programme[v] == DEEP, earlier, found, row, scratch)
        if at + LONGEST_REST + n_seen * LONGEST_SOURCE + n_forced * LONGEST_FORCED > len(out):
            return place - start
        at = _packet(visits, v, found, row, n, n_seen, n_forced, plans, lead, reason, truth, place, scratch, pens, out, at)
        ends[place - start] = at
    return len(order) - start


@compiled
def reliability_of(kind: int, own: np.uint64, snr: float) -> float:
    """Return the score of a learned judge: a twelfth of the false detections passes for real."""
    state = mix(own, 5)
    if kind in (ARTEFACT, BAD_SITE, GHOST):
        u = uniform(state)
        return 0.45 + 0.5 * low16(state) if u < 1 / 12 else 0.02 + 0.6 * low16(state) ** 1.5
    mean = 1.0 - 0.5 * math.exp(-(snr - 4.0) / 6.0)
    return min(0.999, max(0.01, mean + 0.25 * (uniform(state) + low16(state) - 1.0) * (1.1 - mean)))


@compiled
def _fill_source(
    visits: Visits,
    v: int,
    kind: int,
    key: np.uint64,
    source_id: int,
    object_id: int,
    solar_id: int,
    detector: int,
    x: float,
    y: float,
    ra: float,
    dec: float,
    flux: float,
    error: float,
    reals: NDArray[np.float64],
    integers: NDArray[np.int64],
) -> None:
    own = mix(key, visits.number[v])
    detail, shape = mix(own, 6), mix(own, 7)
    one, two, three, four = uniform(detail), low16(detail), uniform(shape), low16(shape)
    snr = abs(flux) / error
    is_false = kind in (ARTEFACT, BAD_SITE, GHOST)
    is_dipole = is_false and one < 0.25
    is_shapeless = three < 0.2 / (1.0 + math.exp(min(50.0, snr - 6.0)))
    template = 10.0 ** (2.0 + 3.0 * uniform(mix(key, 8)))
    blur = 0.9 / 3600.0 / snr
    mjd = visits.told[v]
    reals[0], reals[1], reals[2] = mjd, ra, dec
    reals[3], reals[4], reals[5] = blur, blur, blur * blur * (one - 0.5)
    reals[6], reals[7], reals[8], reals[9] = x, y, 4.5 / snr, 4.5 / snr
    reals[10], reals[11], reals[12] = flux * (0.9 + 0.2 * one), 2.5 * error, snr
    reals[13], reals[14], reals[15], reals[16] = flux, error, -800.0 - 100.0 * two, 1500.0 + 300.0 * two
    reals[17], reals[18], reals[19], reals[20], reals[21] = flux * 1.01, ra, dec, 0.2 * three, 360.0 * four
    reals[22], reals[23], reals[24], reals[25] = template + flux, error, template, error / 4.0
    reals[26] = abs(flux) if is_dipole else math.nan
    reals[27] = 0.1 * flux if is_dipole else math.nan
    reals[28] = 0.3 + 0.7 * two if is_dipole else math.nan
    reals[29] = 360.0 * two if is_dipole else math.nan
    reals[30] = math.nan if is_shapeless else 0.16 + 0.02 * three
    reals[31] = math.nan if is_shapeless else 0.16 + 0.02 * four
    reals[32] = math.nan if is_shapeless else 0.01 * (three - 0.5)
    reals[33], reals[34], reals[35] = 0.16, 0.16, 0.001
    reals[36] = math.nan if is_shapeless else (four if is_false else 0.2 * four * four)
    reals[37] = reliability_of(kind, own, snr)
    reals[38] = mjd + PROCESSING_DAYS
    integers[0], integers[1], integers[2], integers[3], integers[4] = source_id, visits.number[v], detector, object_id, solar_id
    integers[5], integers[6], integers[7] = flux < 0.0, is_dipole, is_shapeless
    integers[8] = ord(BANDS[visits.band[v]])
    integers[9] = 10 + int(50.0 * four)
    integers[10], integers[11] = is_false and 0.3 < one < 0.4, is_false and 0.4 < one < 0.45
    integers[12] = is_false and two < 0.15
    integers[13] = is_false and two < 0.02


@compiled
def _put_past(
    visits: Visits,
    found: Found,
    row: int,
    object_id: int,
    n: int,
    n_seen: int,
    n_forced: int,
    plans: Plans,
    scratch: Scratch,
    pens: Pen,
    out: NDArray[np.uint8],
    at: int,
) -> int:
    """Write prvDiaSources and prvDiaForcedSources; an object without a past has nulls, not empty lists."""
    reals, integers = scratch.reals, scratch.integers
    kind, key, block = found.kind[row], found.key[row], found.block[row]
    ra, dec = found.numbers[row, 6], found.numbers[row, 7]
    out[at] = 2 if n_seen else 0
    at += 1
    if n_seen:
        at = put_long(out, at, n_seen)
        for i in range(n):
            if not scratch.is_detected[i]:
                continue
            u, flux, error = scratch.visit[i], scratch.numbers[i, 2], scratch.numbers[i, 3]
            seen_ra, seen_dec = measured(mix(key, visits.number[u]), ra, dec, abs(flux) / error)
            source_id = source_id_of(visits, u, kind, found.row[row], found.column[row], block, found.member[row])
            x, y = scratch.numbers[i, 0], scratch.numbers[i, 1]
            _fill_source(
                visits,
                u,
                kind,
                key,
                source_id,
                object_id,
                0,
                scratch.detector[i],
                x,
                y,
                seen_ra,
                seen_dec,
                flux,
                error,
                reals,
                integers,
            )
            at = put_record(out, at, plans.source, reals, integers, pens)
        out[at] = 0
        at += 1
    out[at] = 2 if n_forced else 0
    at += 1
    if n_forced:
        at = put_long(out, at, n_forced)
        for i in range(n):
            u = scratch.visit[i]
            reals[0], reals[1], reals[2], reals[3] = ra, dec, scratch.numbers[i, 2], scratch.numbers[i, 3]
            reals[4], reals[5], reals[6] = visits.told[u], 1000.0 + reals[2], reals[3]
            reals[7] = visits.told[u] + 1.0
            integers[0] = source_id_of(visits, u, kind, found.row[row], found.column[row], block, found.member[row])
            integers[1], integers[2], integers[3] = object_id, visits.number[u], scratch.detector[i]
            integers[4] = ord(BANDS[visits.band[u]])
            at = put_record(out, at, plans.forced, reals, integers, pens)
        out[at] = 0
        at += 1
    return at


@compiled
def _packet(
    visits: Visits,
    v: int,
    found: Found,
    row: int,
    n: int,
    n_seen: int,
    n_forced: int,
    plans: Plans,
    lead: NDArray[np.uint8],
    reason: NDArray[np.uint8],
    truth: Truth,
    place: int,
    scratch: Scratch,
    pens: Pen,
    out: NDArray[np.uint8],
    at: int,
) -> int:
    reals, integers = scratch.reals, scratch.integers
    kind, key, source_id = found.kind[row], found.key[row], found.source_id[row]
    numbers = found.numbers[row]
    is_known = kind == KNOWN_ASTEROID
    object_id = object_id_of(kind, found.row[row], found.column[row], found.block[row], found.member[row])
    solar_id = FIRST_SOLAR_SYSTEM_ID + (object_id & 0xFFFFFFFFFFFF) if is_known else 0
    if is_known:
        object_id = 0
    elif kind in (ARTEFACT, UNKNOWN_ASTEROID):  # seen once, or moved away by the next visit: a new object each time
        object_id = source_id
    for i in range(len(lead)):
        out[at + i] = lead[i]
    at = put_long(out, at + len(lead), source_id)
    for i in range(len(reason)):
        out[at + i] = reason[i]
    at += len(reason)
    ra, dec, flux, error = numbers[0], numbers[1], numbers[2], numbers[3]
    _fill_source(
        visits,
        v,
        kind,
        key,
        source_id,
        object_id,
        solar_id,
        found.detector[row],
        numbers[4],
        numbers[5],
        ra,
        dec,
        flux,
        error,
        reals,
        integers,
    )
    truth.object_id[place], truth.solar_system_id[place], truth.n_history[place] = object_id, solar_id, n_seen
    truth.n_forced[place] = n_forced
    truth.snr[place], truth.reliability[place], truth.is_dipole[place] = reals[12], reals[37], integers[6] != 0
    truth.is_saturated[place] = integers[13] != 0
    at = put_record(out, at, plans.source, reals, integers, pens)
    if is_known:
        truth.first_mjd[place] = visits.told[v]
        out[at], out[at + 1], out[at + 2] = 0, 0, 0
        return put_solar(out, at + 3, plans, ra, dec, source_id, solar_id, reals, integers, pens)
    at = _put_past(visits, found, row, object_id, n, n_seen, n_forced, plans, scratch, pens, out, at)
    first = fill_object(visits, v, object_id, ra, dec, flux, error, n, n_seen, scratch)
    truth.first_mjd[place] = first
    out[at] = 2
    at = put_record(out, at + 1, plans.object, reals, integers, pens)
    out[at], out[at + 1] = 0, 0
    return at + 2


@compiled
def states_of(base: np.uint64, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the states of things told apart by a number."""
    states = np.empty(len(numbers), dtype=np.uint64)
    for i in range(len(numbers)):
        states[i] = mix(base, numbers[i])
    return states
