"""Mergers drawn from their own sky maps, and the levels at which the hub finds them."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from hub.calibration.result import Floats
from hub.calibration.rotations import random_rotations
from hub.calibration.shapes import map_of_banana
from hub.demo.skymap import Banana
from hub.model.sky import Skymap
from hub.science.healpix import area_sr, centres
from hub.science.levels import Levels2D, Levels3D

AREA90_DEG2 = (20.0, 5_000.0)
"""90 % areas, spread evenly in their logarithm."""

DISTANCE_MPC = (60.0, 600.0)
"""Mean distances, the same."""

_BEND_PER_DEG = 0.008


def merger_levels(rng: Generator, maps: int, per_map: int) -> tuple[Floats, Floats]:
    """Return the 2D and the 3D levels of mergers, each of shape ``(maps * per_map,)``."""
    flat, deep = [], []
    for _ in range(maps):
        skymap = random_map(rng)
        pixels, distance = draw(skymap, rng, per_map)
        flat.append(Levels2D.of(skymap).lookup(pixels).searched_prob)
        deep.append(Levels3D.of(skymap, farthest_mpc=float(distance.max())).lookup(pixels, distance).searched_prob_vol)
    return np.concatenate(flat), np.concatenate(deep)


def random_map(rng: Generator) -> Skymap:
    """Return a multi-order map of a bent region anywhere, with a distance that varies along it and outwards."""
    area = np.exp(rng.uniform(*np.log(AREA90_DEG2)))
    return merger_map(rng, float(area), lambda: float(np.exp(rng.uniform(*np.log(DISTANCE_MPC)))))


def merger_map(rng: Generator, area90_deg2: float, mean_mpc: Callable[[], float]) -> Skymap:
    """Return the map of a merger anywhere.

    Parameters
    ----------
    rng
        Draws place, direction and shape.
    area90_deg2
        About its 90 % area: regions that bend around the sky come out somewhat smaller.
    mean_mpc
        Gives the mean of the distance, asked for once.
    """
    product = area90_deg2 / (2.0 * np.pi * np.log(10.0))
    ratio = rng.uniform(1.0, 12.0)
    along = min(float(np.sqrt(product * ratio)), 45.0)
    banana = Banana(
        frame=random_rotations(rng, 1)[0],
        sigma_along_deg=along,
        sigma_across_deg=float(product / along),
        bend_per_deg=_BEND_PER_DEG / max(1.0, along / 10.0),
    )
    skymap = map_of_banana(banana)
    ra, dec = (np.radians(values) for values in centres(skymap.lo, skymap.hi))
    mean = mean_mpc()
    mu = mean * (1.0 + 0.3 * np.sin(2.0 * ra + rng.uniform(0.0, 2.0 * np.pi)) * np.cos(dec))
    sigma = mu * rng.uniform(0.12, 0.3) * (1.0 + 0.3 * np.sin(3.0 * dec))
    return Skymap(
        lo=skymap.lo, hi=skymap.hi, probdensity=skymap.probdensity, distmu=mu, distsigma=sigma, distnorm=_norm(mu, sigma)
    )


def draw(skymap: Skymap, rng: Generator, number: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats]:
    """Return order-29 pixels and distances in Mpc of mergers drawn from a map with distance layers."""
    assert skymap.distmu is not None
    assert skymap.distsigma is not None
    probability = skymap.probdensity * area_sr(skymap.lo, skymap.hi)
    row = rng.choice(len(probability), number, p=probability / probability.sum())
    pixels = rng.integers(skymap.lo[row], skymap.hi[row])
    mu, sigma = skymap.distmu[row], skymap.distsigma[row]
    distance = np.zeros(number)
    missing = np.arange(number)
    while len(missing):
        # The normal distribution, thinned by the square of the distance.
        farthest = mu[missing] + 8.0 * sigma[missing]
        tried = rng.normal(mu[missing], sigma[missing])
        taken = (tried > 0.0) & (rng.random(len(missing)) < np.square(tried / farthest))
        distance[missing[taken]] = tried[taken]
        missing = missing[~taken]
    return pixels, distance


def _norm(mu: Floats, sigma: Floats) -> Floats:
    """Return the normalization of ``N(r; mu, sigma) r^2`` over positive r (Singer et al. 2016, ApJL 829, L15), 1/Mpc^2."""
    from scipy.special import ndtr  # noqa: PLC0415 - a third of a second

    x = mu / sigma
    second = (mu**2 + sigma**2) * ndtr(x) + mu * sigma * np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi)
    return np.asarray(1.0 / second)
