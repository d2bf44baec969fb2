"""Stated positions as sky maps: circles, ellipses, asymmetric errors, rings, polygons, and Fermi's systematic errors.

Each model is one or two densities on the sphere. The pixels adapt: they are split where a density varies over them, down to a
fraction of its width, and each holds the mean density of sub-pixels, so that overlaps with maps of any resolution come out right.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from hub.model.sky import (
    Annulus,
    Asymmetric,
    Circle,
    Ellipse,
    Localization,
    LocalizationSource,
    Polygon,
    Region,
    Skymap,
    StatedPosition,
)
from hub.science.healpix import MAX_ORDER, Floats, Int64s, area_sr
from hub.science.levels import summary
from hub.science.subpixels import centre_vectors

ONE_SIGMA = 0.683
"""Probability inside the radii of systematic models, and inside a region that states none where nothing else is said."""

MIN_RADIUS_DEG = 0.1 / 3600.0
"""Smaller stated radii become this one: no survey places its sources better than 0.1 arcsec, and order 29 must resolve it."""

MAX_TILES = 25_000
"""Pixels of a map at most; long narrow rings get coarser pixels instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystematicModel:
    """A core and a tail of systematic error that is added to the statistical one (radii of 68 % containment)."""

    core_weight: float
    core_deg: float
    tail_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What is made of a stated position beyond what it says itself; `hub.science.localization_table` chooses it."""

    model: SystematicModel | None = None
    """Systematic error that is added to circles."""

    model_name: str = ""
    containment: float = ONE_SIGMA
    """Probability inside a region that states none."""

    systematic_included: bool | None = None
    """Whether systematic errors are in a region that does not say so."""

    scale: float = 1.0
    """Factor on stated errors."""

    least_sigma_deg: float = 0.0
    """Standard deviations are at least this."""


AS_STATED = Treatment()
"""Nothing beyond what the position says."""

_SIGMA_OF_R68 = 0.66
"""Standard deviation over radius of 68 % containment, so that kappa = 1 / (0.66 r68)^2 (Briggs et al. 1999, ApJS 122, 503)."""

_DOUBTFUL_COARSENESS = 5.0
"""Beyond this factor a pixel's side is about one standard deviation."""

_START_ORDER = 3
_REACH_SIGMA = 6.0
"""Pixels are refined out to this many standard deviations, where the density is 1e-8 of the peak."""

_LEAST_REACH_SIGMA = 2.5
"""The same for regions so long and narrow that their pixels are scarce."""

_PIXEL_OVER_SIGMA = 0.18
"""Radius of a refined pixel in standard deviations."""

_RADIUS_OVER_SIDE = 1.1
"""Upper bound on the distance from a pixel's centre to its corners, over the root of its area."""

_SUBDIVISION = 2
"""Each pixel's density is the mean over 4**2 sub-pixels."""

_BLOCK = 1024
"""Pixels whose sub-pixels are handled at once: arrays of a hundred kilobytes, which a processor's cache holds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Component:
    """One density on the sphere, of any normalisation, with its share of the probability."""

    weight: float
    density: Callable[[Floats], Floats]
    """Unit vectors, shape ``(3, ...)``, to densities of the shape behind it."""

    split: Callable[[Floats, Floats, float], NDArray[np.bool_]]
    """Unit vectors of centres, shape ``(3, n)``, pixel radii in radians and a coarseness to: which pixels are too large."""


def localize(position: StatedPosition, treatment: Treatment = AS_STATED) -> Localization | None:
    """Return the map of a stated position, None where it has no error region that can be drawn.

    Parameters
    ----------
    position
        What the notice says.
    treatment
        What is added. Where systematic errors are in the region already, only its containment counts.
    """
    region = position.region
    if region is None:
        return None
    remarks: list[str] = []
    containment = position.containment
    if containment is None:
        containment = treatment.containment
        remarks.append(f"The notice states no containment; {containment:.1%} is assumed.")
    elif not 0.0 < containment < 1.0:
        percent = ", and a percentage is not taken for one" if 1.0 < containment < 100.0 else ""
        odd, containment = containment, treatment.containment
        remarks.append(
            f"The notice states a containment of {odd:g}, which is no probability between 0 and 1{percent}; "
            f"{containment:.1%} is assumed."
        )
    stated = position.systematic_included
    included = treatment.systematic_included if stated is None else stated
    if included is not True:
        region = _widened(region, containment, treatment, remarks)
    if isinstance(region, Circle) and treatment.model is not None and included is not True:
        components = _with_systematics(position, region.radius_deg, containment, treatment.model)
        source = LocalizationSource.SYSTEMATIC
        remarks.append(f"The systematic error model {treatment.model_name} is added to the statistical error.")
    else:
        drawn = _components(position, region, containment, remarks)
        if drawn is None:
            return None
        components, source = drawn
        if included is False:
            remarks.append("The region holds statistical errors only.")
    skymap, coarseness = _skymap(components)
    if coarseness > _DOUBTFUL_COARSENESS:
        remarks.append("The region is so long and narrow that the pixels of its map are wider than its error.")
    return localization_from_skymap(skymap, tuple(remarks), source=source)


def localization_from_skymap(
    skymap: Skymap, remarks: tuple[str, ...] = (), *, source: LocalizationSource = LocalizationSource.SKYMAP
) -> Localization:
    """Return a localization around a map, with its content address and summary."""
    return Localization(localization_id=skymap.digest(), source=source, skymap=skymap, summary=summary(skymap), remarks=remarks)


def _components(
    position: StatedPosition, region: Region, containment: float, remarks: list[str]
) -> tuple[list[_Component], LocalizationSource] | None:
    """Return the densities of a region; None where it cannot be drawn."""
    # In two dimensions a fraction c lies within sqrt(-2 ln(1 - c)) standard deviations.
    sigmas = math.sqrt(-2.0 * math.log1p(-containment))
    match region:
        case Circle(radius_deg=radius):
            kappa = _kappa_of_containment(_floored(radius, remarks), containment)
            return [_fisher(position, kappa, 1.0)], LocalizationSource.CIRCLE
        case Ellipse(semi_major_deg=major, semi_minor_deg=minor, position_angle_deg=angle):
            axes = [_floored(a, remarks) / sigmas for a in (major, major, minor, minor)]
            return [_two_piece(position, axes, angle)], LocalizationSource.ELLIPSE
        case Asymmetric() as errors:
            sides = (errors.dec_plus_deg, errors.dec_minus_deg, errors.ra_plus_deg, errors.ra_minus_deg)
            return [_two_piece(position, [_floored(s, remarks) / sigmas for s in sides], 0.0)], LocalizationSource.ASYMMETRIC
        case Annulus(radius_deg=radius, half_width_deg=half_width):
            from scipy.special import ndtri  # noqa: PLC0415 - a third of a second that only annuli pay

            sigma = _floored(half_width, remarks) / float(ndtri(0.5 * (1.0 + containment)))
            return [_ring(position, radius, sigma)], LocalizationSource.ANNULUS
        case Polygon(corners=corners):
            inside = _polygon(corners, containment)
            return None if inside is None else ([inside, _everywhere(1.0 - containment)], LocalizationSource.POLYGON)
    assert_never(region)


def _widened(region: Region, containment: float, treatment: Treatment, remarks: list[str]) -> Region:
    """Return a region with a treatment's scale and least error; rings and polygons stay: theirs are no errors of a point."""
    least_deg = treatment.least_sigma_deg * math.sqrt(-2.0 * math.log1p(-containment))
    if treatment.scale == 1.0 and least_deg == 0.0:
        return region

    def wider(error_deg: float) -> float:
        return max(error_deg * treatment.scale, least_deg)

    match region:
        case Circle(radius_deg=radius):
            found: Region = Circle(radius_deg=wider(radius))
        case Ellipse(semi_major_deg=major, semi_minor_deg=minor, position_angle_deg=angle):
            found = Ellipse(semi_major_deg=wider(major), semi_minor_deg=wider(minor), position_angle_deg=angle)
        case Asymmetric() as errors:
            found = Asymmetric(
                ra_plus_deg=wider(errors.ra_plus_deg),
                ra_minus_deg=wider(errors.ra_minus_deg),
                dec_plus_deg=wider(errors.dec_plus_deg),
                dec_minus_deg=wider(errors.dec_minus_deg),
            )
        case _:
            return region
    if treatment.scale != 1.0:
        remarks.append(f"Stated errors are statistical only and are multiplied by {treatment.scale:g}.")
    if treatment.least_sigma_deg > 0.0 and found != region:
        remarks.append(f"Statistical errors below a standard deviation of {treatment.least_sigma_deg:g} deg are widened to that.")
    return found


def _floored(radius_deg: float, remarks: list[str]) -> float:
    if radius_deg >= MIN_RADIUS_DEG:
        return radius_deg
    sentence = "An error below 0.1 arcsec is widened to that."
    if sentence not in remarks:
        remarks.append(sentence)
    return MIN_RADIUS_DEG


def _kappa_of_containment(radius_deg: float, containment: float) -> float:
    """Return the concentration of the Fisher density that holds a probability inside a radius; 0 (uniform) where none can.

    The content of a cap is ``(1 - exp(-kappa (1 - cos r))) / (1 - exp(-2 kappa))``; for small radii kappa becomes 1 / sigma^2.
    """
    if radius_deg >= 180.0:
        return 0.0
    versine = 2.0 * math.sin(0.5 * math.radians(radius_deg)) ** 2
    if containment <= 0.5 * versine:  # the uniform density already holds more
        return 0.0
    kappa = -math.log1p(-containment) / versine
    for _ in range(200):
        kappa = -math.log1p(containment * math.expm1(-2.0 * kappa)) / versine
    return kappa


def _with_systematics(
    position: StatedPosition, radius_deg: float, containment: float, model: SystematicModel
) -> list[_Component]:
    """Return core and tail: Fisher densities whose 68 % radii are the quadratic sums of statistical and systematic ones."""
    r68 = radius_deg * math.sqrt(math.log1p(-ONE_SIGMA) / math.log1p(-containment))

    def component(systematic_deg: float, weight: float) -> _Component:
        kappa = 1.0 / (_SIGMA_OF_R68 * math.radians(math.hypot(r68, systematic_deg))) ** 2
        return _fisher(position, kappa, weight)

    return [component(model.core_deg, model.core_weight), component(model.tail_deg, 1.0 - model.core_weight)]


def _fisher(position: StatedPosition, kappa: float, weight: float) -> _Component:
    """Return ``exp(kappa (cos d - 1))``, written with the chord because the cosine of an arcsecond has no digits left."""
    if kappa <= 0.0:
        return _everywhere(weight)
    centre = _vector(position.ra_deg, position.dec_deg)
    return _gaussian_in(lambda v: math.sqrt(kappa) * _chord(v, centre), 1.0 / math.sqrt(kappa), weight)


def _two_piece(position: StatedPosition, sigmas_deg: list[float], angle_deg: float) -> _Component:
    """Return a Gaussian with its own width on each side of two axes: along the angle, against it, to its left (east), right."""
    centre, (north, east) = _vector(position.ra_deg, position.dec_deg), _tangent(position.ra_deg, position.dec_deg)
    angle = math.radians(angle_deg)
    along, across = math.cos(angle) * north + math.sin(angle) * east, math.cos(angle) * east - math.sin(angle) * north
    ahead, behind, left, right = np.radians(sigmas_deg)

    def z(vectors: Floats) -> Floats:
        offset = _away(vectors, centre)
        u, w = _dot(along, offset), _dot(across, offset)
        # Stretched from the projected to the true chord, so that the far side of the sphere is far.
        plane = np.hypot(u, w)
        stretch = _length(offset) / np.where(plane > 0, plane, 1.0)
        u, w = u * stretch, w * stretch
        # The antipode has no direction: as far as the narrowest side says.
        far = np.where((plane == 0) & (_dot(centre, offset) < -1), 2.0 / min(ahead, behind, left, right), 0.0)
        return np.asarray(np.hypot(u / np.where(u >= 0, ahead, behind), w / np.where(w >= 0, left, right)) + far)

    return _gaussian_in(z, float(min(ahead, behind, left, right)), 1.0)


def _ring(position: StatedPosition, radius_deg: float, sigma_deg: float) -> _Component:
    centre = _vector(position.ra_deg, position.dec_deg)
    radius, sigma = math.radians(radius_deg), math.radians(sigma_deg)

    def z(vectors: Floats) -> Floats:
        distance = 2.0 * np.arcsin(np.minimum(0.5 * _chord(vectors, centre), 1.0))
        return np.asarray(np.abs(distance - radius) / sigma)

    return _gaussian_in(z, sigma, 1.0)


def _gaussian_in(z: Callable[[Floats], Floats], scale: float, weight: float) -> _Component:
    """Return ``exp(-z^2 / 2)`` of a distance z in standard deviations that changes by at most 1 over `scale` radians."""

    def split(vectors: Floats, radii: Floats, coarseness: float) -> NDArray[np.bool_]:
        nearest = z(vectors) - radii / scale
        # Where pixels are scarce the far tail gives way first.
        reach = max(_REACH_SIGMA / coarseness, _LEAST_REACH_SIGMA)
        return np.asarray((radii > coarseness * _PIXEL_OVER_SIGMA * scale) & (nearest < reach))

    return _Component(weight=weight, density=lambda vectors: np.exp(-0.5 * np.square(z(vectors))), split=split)


def _everywhere(weight: float) -> _Component:
    return _Component(
        weight=weight,
        density=lambda vectors: np.ones(vectors.shape[1:]),
        split=lambda vectors, *_: np.zeros(vectors.shape[1], dtype=np.bool_),
    )


def _polygon(corners: tuple[tuple[float, float], ...], weight: float) -> _Component | None:
    """Return a uniform density inside a polygon of great circles; None where it is none or no hemisphere holds it.

    In the gnomonic projection about the mean corner, great circles are straight lines, and crossings of a ray tell inside from
    outside.
    """
    vectors = np.array([_vector(ra, dec) for ra, dec in corners])
    mean = vectors.mean(axis=0) if len(vectors) >= 3 else np.zeros(3)
    if np.linalg.norm(mean) < 1e-9:
        return None
    centre = mean / np.linalg.norm(mean)
    if (vectors @ centre < 0.05).any():
        return None
    ra, dec = math.degrees(math.atan2(centre[1], centre[0])), math.degrees(math.asin(float(np.clip(centre[2], -1, 1))))
    north, east = _tangent(ra, dec)
    x, y = vectors @ east / (vectors @ centre), vectors @ north / (vectors @ centre)
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    # The border as points a hundredth of the polygon apart: only pixels near it need splitting.
    steps = np.linspace(0.0, 1.0, 200, endpoint=False)[:, None, None]
    border = (vectors * (1 - steps) + np.roll(vectors, -1, axis=0) * steps).reshape(-1, 3)
    border /= np.linalg.norm(border, axis=1, keepdims=True)
    from scipy.spatial import cKDTree  # noqa: PLC0415 - a third of a second that only polygons pay

    tree = cKDTree(border)
    size = float(np.linalg.norm(vectors - centre, axis=1).max())
    if size <= 0.0:
        return None

    def density(points: Floats) -> Floats:
        depth = _dot(centre, points)
        front = depth > 0.01
        scaled = np.where(front, depth, 1.0)
        px, py = (_dot(east, points) / scaled)[..., None], (_dot(north, points) / scaled)[..., None]
        crosses = (y > py) != (next_y > py)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = x + (py - y) * (next_x - x) / (next_y - y)
        inside = (crosses & (px < at)).sum(axis=-1) % 2 == 1
        return np.asarray((inside & front).astype(np.float64))

    def split(points: Floats, radii: Floats, coarseness: float) -> NDArray[np.bool_]:
        distance, _ = tree.query(points.T)
        return np.asarray((distance < radii + size / 100.0) & (radii > coarseness * size / 40.0))

    return _Component(weight=weight, density=density, split=split)


def _skymap(components: list[_Component]) -> tuple[Skymap, float]:
    """Return the normalised map of a sum of densities on pixels that resolve them, and how much coarser than wanted they are."""
    coarseness = 1.0
    pixels = _refined(components, coarseness)
    while pixels is None:
        coarseness *= 1.4
        pixels = _refined(components, coarseness)
    lo, hi = pixels
    area = area_sr(lo, hi)
    density = np.zeros(len(lo))
    for component in components:
        share = _mean_density(component, lo, hi)
        total = float((share * area).sum())
        if total > 0.0:
            density += component.weight / total * share
    return Skymap(lo=lo, hi=hi, probdensity=density / float((density * area).sum())), coarseness


def _refined(components: list[_Component], coarseness: float) -> tuple[Int64s, Int64s] | None:
    """Return ascending pixels of the whole sphere, split where a component asks for it; None where they become too many."""
    size = np.int64(1) << (2 * (MAX_ORDER - _START_ORDER))
    lo = np.arange(12 << (2 * _START_ORDER), dtype=np.int64) * size
    done: list[tuple[Int64s, Int64s]] = []
    n_done = 0
    deepest = MAX_ORDER - _SUBDIVISION
    for order in range(_START_ORDER, deepest + 1):
        size = np.int64(1) << (2 * (MAX_ORDER - order))
        radii = np.full(len(lo), _RADIUS_OVER_SIDE * math.sqrt(4.0 * math.pi / (12 << (2 * order))))
        vectors = centre_vectors(lo, lo + size)[:, 0]
        split = np.zeros(len(lo), dtype=np.bool_)
        if order < deepest:
            for component in components:
                split |= component.split(vectors, radii, coarseness)
        done.append((lo[~split], lo[~split] + size))
        n_done += int((~split).sum())
        lo = (lo[split, None] + (size // 4) * np.arange(4)).ravel()
        if n_done + len(lo) > MAX_TILES:
            return None
        if len(lo) == 0:
            break
    all_lo, all_hi = (np.concatenate(parts) for parts in zip(*done, strict=True))
    ascending = np.argsort(all_lo)
    return all_lo[ascending], all_hi[ascending]


def _mean_density(component: _Component, lo: Int64s, hi: Int64s) -> Floats:
    mean = np.empty(len(lo))
    for start in range(0, len(lo), _BLOCK):
        some = slice(start, start + _BLOCK)
        mean[some] = component.density(centre_vectors(lo[some], hi[some], 2**_SUBDIVISION)).mean(axis=0)
    return mean


def _away(vectors: Floats, centre: Floats) -> Floats:
    return vectors - centre.reshape(3, *(1,) * (vectors.ndim - 1))


def _dot(direction: Floats, vectors: Floats) -> Floats:
    return np.asarray(direction[0] * vectors[0] + direction[1] * vectors[1] + direction[2] * vectors[2])


def _length(vectors: Floats) -> Floats:
    return np.sqrt(_dot(vectors, vectors))


def _chord(vectors: Floats, centre: Floats) -> Floats:
    """Return the straight distance of unit vectors from one of them."""
    return _length(_away(vectors, centre))


def _vector(ra_deg: float, dec_deg: float) -> Floats:
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    return np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])


def _tangent(ra_deg: float, dec_deg: float) -> tuple[Floats, Floats]:
    """Return the unit vectors to north and east at a position."""
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    north = np.array([-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec)])
    return north, np.array([-math.sin(ra), math.cos(ra), 0.0])
