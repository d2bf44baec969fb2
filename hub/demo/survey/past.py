"""What the visits before made of an object: its detections, and in deep fields forced photometry."""
# ruff: noqa: PLR0917 - compiled functions are called by position

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.demo.survey import camera
from hub.demo.survey.chance import mix
from hub.demo.survey.light_curves import ARTEFACT, COUNTERPART, KNOWN_ASTEROID, UNKNOWN_ASTEROID, Parameters, parameters
from hub.demo.survey.schedule import DEEP
from hub.demo.survey.world import COS_RADIUS, Found, Visits, World, glimpse, has_template, is_processed, on_camera
from hub.science.compiled import compiled


class Before(NamedTuple):
    """Visits before one that share some sky with it, in time order, columns of shape ``(n,)``."""

    visit: NDArray[np.int64]
    """Row in `Visits`."""

    axes: NDArray[np.float64]
    number: NDArray[np.int64]
    night: NDArray[np.int64]
    mjd: NDArray[np.float64]
    band: NDArray[np.int64]
    error: NDArray[np.float64]
    is_deep: NDArray[np.bool_]
    works: NDArray[np.bool_]
    """Whether a detector was processed, shape ``(n, 189)``."""


class Scratch(NamedTuple):
    """Room for the past of one object: what each visit made of it that told anything, in time order."""

    visit: NDArray[np.int64]
    """Row in `Visits`."""

    detector: NDArray[np.int64]
    is_detected: NDArray[np.bool_]
    numbers: NDArray[np.float64]
    """x, y, flux, error; shape ``(n, 4)``."""

    reals: NDArray[np.float64]
    integers: NDArray[np.int64]


def before(world: World, visits: Visits, v: int) -> Before:
    """Return the visits before one, as `look_back` wants them."""
    toward = visits.axes[:v, :3] @ visits.axes[v, :3]
    rows = np.flatnonzero(toward > np.cos(np.radians(2 * camera.RADIUS_DEG)))
    return Before(
        visit=rows,
        axes=visits.axes[rows],
        number=visits.number[rows],
        night=visits.night[rows],
        mjd=visits.mjd[rows],
        band=visits.band[rows],
        error=visits.error[rows],
        is_deep=visits.programme[rows] == DEEP,
        works=works_of(world.unprocessed, visits.state[rows]),
    )


@compiled
def works_of(unprocessed: float, states: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which detectors of visits with these states were processed, shape ``(n, 189)``."""
    works = np.empty((len(states), camera.N_DETECTORS), dtype=np.bool_)
    for i in range(len(states)):
        for detector in range(camera.N_DETECTORS):
            works[i, detector] = is_processed(unprocessed, states[i], detector)
    return works


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
def look_back(world: World, is_deep: bool, earlier: Before, found: Found, row: int, scratch: Scratch) -> tuple[int, int, int]:
    """Look at an object again in all visits before, for a visit that is of a deep field or not.

    Returns
    -------
    How many told something, how many of them detected it, and how many gave forced photometry: all of them or none.
    """
    kind = found.kind[row]
    if kind in (ARTEFACT, KNOWN_ASTEROID, UNKNOWN_ASTEROID):
        return 0, 0, 0
    key, block = found.key[row], found.block[row]
    par = _parameters(world, kind, key, block)
    a, d = math.radians(found.numbers[row, 6]), math.radians(found.numbers[row, 7])
    px, py, pz = math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)
    tile = found.row[row] * 1024 + found.column[row]
    has = np.empty(6, dtype=np.bool_)
    for band in range(6):
        has[band] = has_template(world.state, world.templates[band], 0, tile, band)
    n = n_seen = 0
    for i in range(len(earlier.visit)):
        if px * earlier.axes[i, 0] + py * earlier.axes[i, 1] + pz * earlier.axes[i, 2] < COS_RADIUS:
            continue
        band, is_forced = earlier.band[i], is_deep and earlier.is_deep[i]
        if not has[band] and not earlier.is_deep[i]:
            continue
        detector, x, y = on_camera(earlier.axes[i], px, py, pz)
        if detector < 0 or not earlier.works[i, detector]:
            continue
        own, is_tonight = mix(key, earlier.number[i]), block == earlier.night[i]
        is_detected, flux, error = glimpse(
            kind, par, is_tonight, earlier.mjd[i], band, earlier.error[i], own, world.efficiency, world.kilonova, is_forced
        )
        if not is_detected and not is_forced:
            continue
        scratch.visit[n], scratch.detector[n], scratch.is_detected[n] = earlier.visit[i], detector, is_detected
        scratch.numbers[n, 0], scratch.numbers[n, 1], scratch.numbers[n, 2], scratch.numbers[n, 3] = x, y, flux, error
        n += 1
        n_seen += is_detected
    return n, n_seen, n if is_deep and n_seen > 0 else 0


@compiled
def _parameters(world: World, kind: int, key: np.uint64, block: int) -> Parameters:
    if kind == COUNTERPART:
        for i in range(len(world.placed_key)):
            if world.placed_key[i] == key:
                return world.placed[i, 2], world.placed[i, 3], 0.0, 0.0, 0.0, 0.0, 0.0
    return parameters(kind, key, block)
