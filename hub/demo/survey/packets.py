"""Detections as LSST alert packets in Confluent framing: all but the cutouts, written by machine code straight into bytes."""
# ruff: noqa: PLR0917 - compiled functions are called by position

import json
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.demo.packet_layout import PROCESSING_DAYS, packet_layout
from hub.demo.survey.chance import low16, mix, uniform
from hub.demo.survey.light_curves import (
    ACTIVE_GALAXY,
    ARTEFACT,
    BAD_SITE,
    COUNTERPART,
    GHOST,
    KNOWN_ASTEROID,
    SUPERNOVA,
    UNKNOWN_ASTEROID,
    Parameters,
    parameters,
)
from hub.demo.survey.record_writing import Pen, Plan, plan_of, put_long, put_record
from hub.demo.survey.world import (
    FIRST_SOLAR_SYSTEM_ID,
    Found,
    Visits,
    World,
    look_along,
    measured,
    object_id_of,
    source_id_of,
)
from hub.errors import ConfigError
from hub.science.compiled import compiled

SCHEMAS = ("10.0", "11.0", "11.1")
"""Versions of the packets that can be written."""

RELIABILITY_VERSION = "simulated-1"
"""What packets of 11.1 say of the real-bogus score."""

REALS = (
    "midpointMjdTai",
    "ra",
    "dec",
    "raErr",
    "decErr",
    "ra_dec_Cov",
    "x",
    "y",
    "xErr",
    "yErr",
    "apFlux",
    "apFluxErr",
    "snr",
    "psfFlux",
    "psfFluxErr",
    "psfLnL",
    "psfChi2",
    "trailFlux",
    "trailRa",
    "trailDec",
    "trailLength",
    "trailAngle",
    "scienceFlux",
    "scienceFluxErr",
    "templateFlux",
    "templateFluxErr",
    "dipoleMeanFlux",
    "dipoleFluxDiff",
    "dipoleLength",
    "dipoleAngle",
    "ixx",
    "iyy",
    "ixy",
    "ixxPSF",
    "iyyPSF",
    "ixyPSF",
    "extendedness",
    "reliability",
    "timeProcessedMjdTai",
)
"""Slots of a diaSource that hold real numbers."""

INTEGERS = (
    "diaSourceId",
    "visit",
    "detector",
    "diaObjectId",
    "ssObjectId",
    "isNegative",
    "isDipole",
    "shape_flag",
    "band",
    "bboxSize",
    "pixelFlags_cr",
    "pixelFlags_streak",
    "pixelFlags_saturated",
    "pixelFlags_saturatedCenter",
)
"""Slots of a diaSource that hold whole numbers."""

FORCED_REALS = ("ra", "dec", "psfFlux", "psfFluxErr", "midpointMjdTai", "scienceFlux", "scienceFluxErr", "timeProcessedMjdTai")
"""Slots of a diaForcedSource that hold real numbers."""

FORCED_INTEGERS = ("diaForcedSourceId", "diaObjectId", "visit", "detector", "band")
"""Slots of a diaForcedSource that hold whole numbers."""

_BANDS = "ugrizy"
OBJECT_REALS = (
    "validityStartMjdTai",
    "ra",
    "dec",
    "raErr",
    "decErr",
    "firstDiaSourceMjdTai",
    "lastDiaSourceMjdTai",
    *(f"{band}_psfFluxMean" for band in _BANDS),
    *(f"{band}_psfFluxMeanErr" for band in _BANDS),
)
"""Slots of a diaObject that hold real numbers."""

OBJECT_INTEGERS = ("diaObjectId", "nDiaSources", *(f"{band}_psfFluxNdata" for band in _BANDS))
"""Slots of a diaObject that hold whole numbers."""

SOLAR_REALS = ("eclLambda", "eclBeta", "galLon", "galLat", "ephRa", "ephDec", "ephOffset")
"""Slots of an ssSource that hold real numbers."""

SOLAR_INTEGERS = ("diaSourceId", "ssObjectId", "designation")
"""Slots of an ssSource that hold whole numbers; the designation is made of the id."""

ORBIT_REALS = ("a", "q", "e", "i", "node", "argperi", "peri_time", "epoch_mjd", "h", "g")
"""Slots of an mpc_orbits record that hold real numbers."""

ORBIT_INTEGERS = (
    "designation",
    "packed_primary_provisional_designation",
    "unpacked_primary_provisional_designation",
)
"""Slots of an mpc_orbits record; all are made of the id."""

ORBIT_TEXT_BYTES = 5_600
"""Length of the orbit's own JSON: real packets of known asteroids have 6.6 kB without cutouts, nearly all of it this text."""

LONGEST_SOURCE, LONGEST_FORCED, LONGEST_REST = 560, 130, 8_192
"""More bytes than a diaSource, a forced source and all else of a packet but the cutouts take."""


class Plans(NamedTuple):
    """How each record of a packet is written."""

    source: Plan
    forced: Plan
    object: Plan
    solar: Plan
    orbit: Plan


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


class Scratch(NamedTuple):
    """Room for the past of one object."""

    visit: NDArray[np.int64]
    detector: NDArray[np.int64]
    is_detected: NDArray[np.bool_]
    numbers: NDArray[np.float64]
    """x, y, flux, error; shape ``(n, 4)``."""

    reals: NDArray[np.float64]
    integers: NDArray[np.int64]


def plans_of(version: str) -> tuple[Plans, dict[str, Any], int]:
    """Return the plans of a schema version, the schema, and its id in the framing.

    Raises
    ------
    ConfigError
        The simulation does not write this version.
    """
    if version not in SCHEMAS:
        raise ConfigError(f"packets are written as {', '.join(SCHEMAS)}, not as {version}")
    schema, records = packet_layout(version)
    source = records["diaSource"]
    flags = {field["name"]: False for field in source if "boolean" in field["type"]}
    constants = flags | {
        "parentDiaSourceId": 0,
        "psfNdata": 1681,
        "trailNdata": 0,
        "dipoleNdata": 0,
        "exposureTime": 30.0,
        "reliabilityVersion": RELIABILITY_VERSION,
    }
    counts = {f"{band}_psfFluxNdata": 0 for band in _BANDS}
    orbit_text = json.dumps({"simulated": True, "padding": "0" * ORBIT_TEXT_BYTES})
    plans = Plans(
        source=plan_of(source, REALS, INTEGERS, constants, letters=("band",)),
        forced=plan_of(records["prvDiaForcedSources"], FORCED_REALS, FORCED_INTEGERS, {}, letters=("band",)),
        object=plan_of(records["diaObject"], OBJECT_REALS, OBJECT_INTEGERS, counts),
        solar=plan_of(records["ssSource"], SOLAR_REALS, SOLAR_INTEGERS, {"diaDistanceRank": 1}, names=("designation",)),
        orbit=plan_of(records["mpc_orbits"], ORBIT_REALS, ORBIT_INTEGERS, {"mpc_orb_jsonb": orbit_text}, names=ORBIT_INTEGERS),
    )
    major, minor = (int(part) for part in version.split("."))
    return plans, schema, 100 * major + minor


def truth_of(n: int) -> Truth:
    """Return columns to be filled in."""
    object_id, solar_system_id, n_history, n_forced = (np.zeros(n, dtype=np.int64) for _ in range(4))
    first_mjd, snr, reliability = (np.zeros(n) for _ in range(3))
    is_dipole, is_saturated = (np.zeros(n, dtype=np.bool_) for _ in range(2))
    return Truth(object_id, solar_system_id, n_history, n_forced, first_mjd, snr, reliability, is_dipole, is_saturated)


def scratch_of(n_visits: int) -> Scratch:
    """Return room for an object that was looked at so often."""
    return Scratch(
        np.zeros(n_visits, dtype=np.int64),
        np.zeros(n_visits, dtype=np.int64),
        np.zeros(n_visits, dtype=np.bool_),
        np.zeros((n_visits, 4)),
        np.zeros(64),
        np.zeros(32, dtype=np.int64),
    )


@compiled
def write(
    world: World,
    visits: Visits,
    v: int,
    earlier: NDArray[np.int64],
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
        Visits before it that looked at the same part of the sky, in time order.
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
        n_seen, n_forced = _past(world, visits, v, earlier, found, row, scratch)
        if at + LONGEST_REST + n_seen * LONGEST_SOURCE + n_forced * LONGEST_FORCED > len(out):
            return place - start
        at = _packet(visits, v, found, row, n_seen, n_forced, plans, lead, reason, truth, place, scratch, pens, out, at)
        ends[place - start] = at
    return len(order) - start


@compiled
def _past(
    world: World, visits: Visits, v: int, earlier: NDArray[np.int64], found: Found, row: int, scratch: Scratch
) -> tuple[int, int]:
    """Look at an object again in all visits before; return how many detected it, and how many of them gave forced photometry."""
    kind = found.kind[row]
    if kind in (ARTEFACT, KNOWN_ASTEROID, UNKNOWN_ASTEROID):
        return 0, 0
    key, block = found.key[row], found.block[row]
    par = _parameters(world, kind, key, block)
    a, d = math.radians(found.numbers[row, 6]), math.radians(found.numbers[row, 7])
    px, py, pz = math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)
    tile = found.row[row] * 1024 + found.column[row]
    n = n_seen = 0
    is_deep = visits.programme[v] == 1
    for u in earlier:
        detector, is_detected, x, y, flux, error = look_along(world, visits, u, kind, key, par, tile, block, px, py, pz)
        if detector < 0 or not (is_detected or (is_deep and visits.programme[u] == 1)):
            continue
        scratch.visit[n], scratch.detector[n], scratch.is_detected[n] = u, detector, is_detected
        scratch.numbers[n, 0], scratch.numbers[n, 1], scratch.numbers[n, 2], scratch.numbers[n, 3] = x, y, flux, error
        n += 1
        n_seen += is_detected
    scratch.visit[len(scratch.visit) - 1] = n  # how many there are, beyond what any object needs
    return n_seen, n if is_deep and n_seen > 0 else 0


@compiled
def _parameters(world: World, kind: int, key: np.uint64, block: int) -> Parameters:
    if kind == COUNTERPART:
        for i in range(len(world.placed_key)):
            if world.placed_key[i] == key:
                return world.placed[i, 2], world.placed[i, 3], 0.0, 0.0, 0.0, 0.0, 0.0
    return parameters(kind, key, block)


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
    integers[8] = ord(_BANDS[visits.band[v]])
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
    n = scratch.visit[len(scratch.visit) - 1]
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
            integers[4] = ord(_BANDS[visits.band[u]])
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
        return _put_solar(out, at + 3, plans, ra, dec, source_id, solar_id, reals, integers, pens)
    at = _put_past(visits, found, row, object_id, n_seen, n_forced, plans, scratch, pens, out, at)
    first = _fill_object(visits, v, object_id, ra, dec, flux, error, n_seen, scratch)
    truth.first_mjd[place] = first
    out[at] = 2
    at = put_record(out, at + 1, plans.object, reals, integers, pens)
    out[at], out[at + 1] = 0, 0
    return at + 2


@compiled
def _fill_object(
    visits: Visits, v: int, object_id: int, ra: float, dec: float, flux: float, error: float, n_seen: int, scratch: Scratch
) -> float:
    """Fill in the diaObject as it stands with this source; return its first detection."""
    reals, integers = scratch.reals, scratch.integers
    for i in range(19):
        reals[i] = 0.0
    for i in range(8):
        integers[i] = 0
    first = visits.told[v]
    n = scratch.visit[len(scratch.visit) - 1] if n_seen else 0
    for i in range(n - 1, -1, -1):
        if scratch.is_detected[i]:
            u = scratch.visit[i]
            band = visits.band[u]
            first = visits.told[u]
            reals[7 + band] += scratch.numbers[i, 2]
            reals[13 + band] += scratch.numbers[i, 3] ** 2
            integers[2 + band] += 1
    band = visits.band[v]
    reals[7 + band] += flux
    reals[13 + band] += error**2
    integers[2 + band] += 1
    for band in range(6):
        count = integers[2 + band]
        reals[7 + band] = reals[7 + band] / count if count else math.nan
        reals[13 + band] = math.sqrt(reals[13 + band]) / count if count else math.nan
    reals[0], reals[1], reals[2], reals[3], reals[4] = visits.told[v] + PROCESSING_DAYS, ra, dec, 2e-5, 2e-5
    reals[5], reals[6] = first, visits.told[v]
    integers[0], integers[1] = object_id, n_seen + 1
    return float(first)


@compiled
def _put_solar(
    out: NDArray[np.uint8],
    at: int,
    plans: Plans,
    ra: float,
    dec: float,
    source_id: int,
    solar_id: int,
    reals: NDArray[np.float64],
    integers: NDArray[np.int64],
    pens: Pen,
) -> int:
    state = mix(np.uint64(solar_id), 1)
    reals[0], reals[1], reals[2], reals[3], reals[4], reals[5], reals[6] = ra, 0.0, 0.0, 0.0, ra + 1e-5, dec + 1e-5, 0.07
    integers[0], integers[1], integers[2] = source_id, solar_id, solar_id - FIRST_SOLAR_SYSTEM_ID
    out[at] = 2
    at = put_record(out, at + 1, plans.solar, reals, integers, pens)
    a, e = 2.0 + 1.2 * uniform(state), 0.3 * low16(state)
    reals[0], reals[1], reals[2], reals[3], reals[4], reals[5] = a, a * (1.0 - e), e, 12.0 * uniform(mix(state, 2)), 100.0, 50.0
    reals[6], reals[7], reals[8], reals[9] = 60_000.0, 61_000.0, 17.0, 0.15
    integers[0] = integers[1] = integers[2] = solar_id - FIRST_SOLAR_SYSTEM_ID
    out[at] = 2
    return put_record(out, at + 1, plans.orbit, reals, integers, pens)


@compiled
def stamp_of(kind: int, key: np.uint64, flux: float, is_dipole: bool, variants: int) -> int:
    """Return which of the ready-made cutouts a packet gets: kinds as `hub.demo.stamps` numbers them."""
    what = 1 if flux < 0.0 else 0
    if is_dipole:
        what = 2
    elif kind in (SUPERNOVA, ACTIVE_GALAXY, COUNTERPART):
        what = 3
    elif kind in (KNOWN_ASTEROID, UNKNOWN_ASTEROID):
        what = 4
    elif kind in (ARTEFACT, BAD_SITE, GHOST):
        what = 5
    return what * variants + int(uniform(mix(key, 9)) * variants)


@compiled
def stamps_of(
    kind: NDArray[np.int64], key: NDArray[np.uint64], flux: NDArray[np.float64], is_dipole: NDArray[np.bool_], variants: int
) -> NDArray[np.int64]:
    """Return `stamp_of` for many."""
    which = np.empty(len(kind), dtype=np.int64)
    for i in range(len(kind)):
        which[i] = stamp_of(kind[i], key[i], flux[i], is_dipole[i], variants)
    return which


@compiled
def states_of(base: np.uint64, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the states of things told apart by a number."""
    states = np.empty(len(numbers), dtype=np.uint64)
    for i in range(len(numbers)):
        states[i] = mix(base, numbers[i])
    return states
