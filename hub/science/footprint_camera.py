"""Where a camera pointed, from the alerts of its detectors: their outlines on the sky.

An alert says on which detector it was seen, not where the telescope looked. But the middle of a detector's alerts lies near the
middle of the detector, and many detectors together tell pointing, turn and mirroring of the focal plane better than any of
them shows its own edges: the hull of fifty alerts misses a fifth of the detector, the outline laid through all of them next to
nothing.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.errors import ConfigError
from hub.science.healpix import Floats

MIN_DETECTORS = 6
"""Fewer detectors with alerts do not tell how a camera is turned."""

MARGIN_RAD = np.radians(15.0 / 3600.0)
"""Alerts may lie this far outside the outline of their detector: distortion, misalignment, and the fit; 15 arcsec."""

MAX_OUTSIDE = 0.002
"""If more than this part of a visit's alerts lies further outside, the camera is another one than the table says."""

SCALE_RANGE = (0.98, 1.02)
"""Scale of the focal plane over the table's within which it is the same camera."""

MOST_WEIGHT = 100
"""More alerts of a detector make it count no more."""

_ROUNDS = 4
_RADIANS_PER_ARCSEC = float(np.radians(1.0 / 3600.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """A focal plane in the units of the sky: radians in the plane that touches it where the camera points."""

    name: str
    centres: NDArray[np.complex128]
    """Middle of each detector by its number, ``x + i y``, shape ``(n,)``, read-only."""

    half_sizes: NDArray[np.complex128]
    """Half the width and half the height of each, as real and imaginary part, shape ``(n,)``, read-only."""

    bands: tuple[str, ...] = ()
    """Its filters, as the packets name them."""

    def __len__(self) -> int:
        return len(self.centres)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """How a focal plane lies on the sky: a position of it is at ``turn * q``, or ``turn * conj(q)`` where mirrored."""

    towards: Floats
    """Unit vector of the middle of the focal plane, shape ``(3,)``."""

    turn: complex
    """Rotation and scale."""

    is_mirrored: bool


def load_cameras(text: str) -> Mapping[str, Camera]:
    """Return the cameras of ``conf/cameras.toml`` by survey.

    Raises
    ------
    ConfigError
        The text is no such table.
    """
    try:
        tables = tomllib.loads(text)
        if tables.pop("version") != 1:
            raise ConfigError("conf/cameras.toml: its version is not 1")
        return MappingProxyType({survey: _camera(table) for survey, table in tables.items()})
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"conf/cameras.toml: {error!r}") from error


def point(camera: Camera, detectors: NDArray[np.int64], middles: Floats, n_alerts: NDArray[np.int64]) -> Pointing | None:
    """Return how the focal plane lay on the sky in a visit; None where its alerts do not tell.

    Parameters
    ----------
    camera
        With detectors by number.
    detectors
        Numbers of those with alerts, all in the camera, shape ``(n,)``.
    middles
        Unit vector of the middle of each one's alerts, shape ``(n, 3)``.
    n_alerts
        How many they are.
    """
    if len(detectors) < MIN_DETECTORS:
        return None
    weights = n_alerts / n_alerts.sum()
    towards = weights @ middles
    if np.linalg.norm(towards) < 0.5:
        return None
    towards /= np.linalg.norm(towards)
    planned = camera.centres[detectors]
    fits = [_fit(towards, middles, weights, planned), _fit(towards, middles, weights, np.conj(planned))]
    mirrored = fits[1][2] < fits[0][2]
    if mirrored:
        planned = np.conj(planned)
    turn, shift, _ = fits[mirrored]
    for _ in range(_ROUNDS):
        towards = from_plane(towards, np.array([shift]))[0]
        turn, shift, _ = _fit(towards, middles, weights, planned)
    spread = np.average(np.abs(planned - np.average(planned, weights=weights)) ** 2, weights=weights)
    if not (SCALE_RANGE[0] <= abs(turn) <= SCALE_RANGE[1]) or spread < np.abs(camera.half_sizes[0]) ** 2:
        return None
    return Pointing(towards=towards, turn=complex(turn / abs(turn)), is_mirrored=bool(mirrored))


def sharpen(  # noqa: PLR0917 - a pointing, the detectors as `point` takes them, and the corners of their hulls
    camera: Camera,
    pointing: Pointing,
    detectors: NDArray[np.int64],
    n_alerts: NDArray[np.int64],
    corners: Floats,
    first: NDArray[np.int64],
) -> Pointing:
    """Return a better pointing from the outermost alerts of each detector; the same where they are too few.

    Halfway between them lies the middle of a detector whose alerts are not spread evenly, as where a bright star or a trail makes
    many, and more closely: within a side over the number of alerts instead of over its root.

    Parameters
    ----------
    camera, pointing, detectors, n_alerts
        As `point` takes and gives them.
    corners
        Unit vectors of the corners of all hulls, shape ``(m, 3)``.
    first
        Index of the first corner of each detector's hull, shape ``(n + 1,)``.
    """
    counts = np.diff(first)
    hulls = np.flatnonzero(counts >= 3)
    if not len(hulls):
        return pointing
    own = np.arange(first[0], first[-1])[np.repeat(counts >= 3, counts)]
    begins = np.cumsum(counts[hulls]) - counts[hulls]
    here = to_plane(pointing.towards, corners[own]) / pointing.turn
    offset = (np.conj(here) if pointing.is_mirrored else here) - np.repeat(camera.centres[detectors[hulls]], counts[hulls])
    left, right = np.minimum.reduceat(offset.real, begins), np.maximum.reduceat(offset.real, begins)
    bottom, top = np.minimum.reduceat(offset.imag, begins), np.maximum.reduceat(offset.imag, begins)
    half = camera.half_sizes[detectors[hulls]]
    wide = (right - left >= half.real) & (top - bottom >= half.imag)  # neither is so beyond the hemisphere
    if not wide.any():
        return pointing
    kept = hulls[wide]
    middles = camera.centres[detectors[kept]] + ((left + right) / 2 + 1j * (bottom + top) / 2)[wide]
    places = pointing.turn * (np.conj(middles) if pointing.is_mirrored else middles)
    found = point(camera, detectors[kept], from_plane(pointing.towards, places), np.minimum(n_alerts[kept], MOST_WEIGHT))
    return found or pointing


def outlines(camera: Camera, pointing: Pointing, detectors: NDArray[np.int64]) -> Floats:
    """Return the corners of detectors as unit vectors, counter-clockwise, shape ``(n, 4, 3)``."""
    signs = np.array([-1 - 1j, 1 - 1j, 1 + 1j, -1 + 1j])
    half = camera.half_sizes[detectors, None]
    corners = camera.centres[detectors, None] + signs.real * half.real + 1j * signs.imag * half.imag
    placed = pointing.turn * (np.conj(corners) if pointing.is_mirrored else corners)
    if pointing.is_mirrored:
        placed = placed[:, ::-1]
    return from_plane(pointing.towards, placed.ravel()).reshape(*placed.shape, 3)


def outside(camera: Camera, pointing: Pointing, detectors: NDArray[np.int64], vectors: Floats) -> Floats:
    """Return how far positions lie outside the outlines of their detectors, radians in the plane, <= 0 inside, shape ``(n,)``."""
    here = to_plane(pointing.towards, vectors) / pointing.turn
    offset = (np.conj(here) if pointing.is_mirrored else here) - camera.centres[detectors]
    half = camera.half_sizes[detectors]
    return np.maximum(np.abs(offset.real) - half.real, np.abs(offset.imag) - half.imag)


def to_plane(towards: Floats, vectors: Floats) -> NDArray[np.complex128]:
    """Return positions in the plane that touches the sphere, ``east + i north`` in radians; NaN beyond a hemisphere."""
    east, north = _tangents(towards)
    depth = vectors @ towards
    depth = np.where(depth > 1e-3, depth, np.nan)
    return np.asarray((vectors @ east + 1j * (vectors @ north)) / depth)


def from_plane(towards: Floats, places: NDArray[np.complex128]) -> Floats:
    """Return unit vectors of positions in the plane that touches the sphere, shape ``(n, 3)``."""
    east, north = _tangents(towards)
    vectors = towards + places.real[:, None] * east + places.imag[:, None] * north
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _tangents(towards: Floats) -> tuple[Floats, Floats]:
    away = np.hypot(towards[0], towards[1])
    east = np.array([-towards[1] / away, towards[0] / away, 0.0]) if away > 1e-9 else np.array([0.0, 1.0, 0.0])
    return east, np.cross(towards, east)


def _fit(towards: Floats, middles: Floats, weights: Floats, planned: NDArray[np.complex128]) -> tuple[complex, complex, float]:
    """Return turn and shift of the plane by least squares, and the weighted mean square of what is left."""
    seen = to_plane(towards, middles)
    if not np.isfinite(seen).all():
        return 0j, 0j, np.inf
    seen_mean, planned_mean = weights @ seen, weights @ planned
    a, b = planned - planned_mean, seen - seen_mean
    spread = float(weights @ np.abs(a) ** 2)
    turn = complex((weights * np.conj(a)) @ b / spread) if spread > 0 else 0j
    left = b - turn * a
    return turn, complex(seen_mean - turn * planned_mean), float(weights @ np.abs(left) ** 2)


def _camera(table: Mapping[str, Any]) -> Camera:
    scale = float(table["arcsec_per_mm"]) * _RADIANS_PER_ARCSEC
    raft, sensor = float(table["raft_pitch_mm"]), float(table["sensor_pitch_mm"])
    centres, halves = [], []
    for column, row, make in table["rafts"]:
        width, height = table["sensor_mm"][make]
        for number in range(9):
            centres.append(complex(raft * column + sensor * (number % 3 - 1), raft * row + sensor * (number // 3 - 1)) * scale)
            halves.append(complex(width, height) * scale / 2)
    bands = tuple(str(band) for band in table["bands"])
    camera = Camera(name=str(table["camera"]), centres=np.array(centres), half_sizes=np.array(halves), bands=bands)
    camera.centres.setflags(write=False)
    camera.half_sizes.setflags(write=False)
    return camera
