"""What the distances of plausible hosts say of an object as the counterpart of an event with a distance.

``L_3D = p(n) * Integral p(r|n) p_host(r) / prior(r) dr``: p(n) is the term ``sky``, the rest the term ``distance_3d``. Its
p_host is a mixture. "The host is in no catalogue" has the weight 1 - C, with C the probability that the host of something at the
event's distance is in one (mean of the completeness over p(r|n)), and the prior for its p_host, so that its integral is 1. The
rest, C, is shared by the galaxies and "all of them are there by chance", in the proportion ``(1 - P_i) / P_i`` to 1, with P_i the
probability of chance alignment; the latter says nothing of the distance either. So the term is never less than ln(1 - C), and 0
where no galaxy is near or nothing is catalogued: a missing entry is never a penalty.

A galaxy's ``p_host(r)`` is ``prior(r) N(z(r); z, sigma_z)``, normalised: the integral is that of p(r|n) with the likelihood over
that of the prior with it. Beyond the redshift of its limit the prior stays as it is there: so a far host is never neutral.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hub.model.catalog import Completeness, DistanceKind, Entries
from hub.science.cosmology import C_KM_S, Cosmology
from hub.science.healpix import Floats
from hub.science.host_rules import HostRules

_NODES = np.linspace(-6.0, 6.0, 121)
"""Where integrands are evaluated, in standard deviations around the host and around the map's distance."""

_QUANTILES = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A galaxy that may be the host of an object."""

    name: str
    catalogue: str
    """Name of the catalogue that it is from."""

    separation_arcsec: float
    mag_r: float
    """Stated, or from another band."""

    chance: float
    """Probability that such a galaxy lies so near by chance."""

    redshift: float | None
    """That the distance is taken from; a stated distance turned into one. None where nothing is known of it."""

    redshift_err: float | None
    """With the galaxy's own motion."""

    distance_mpc: float | None
    distance_kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOfSight:
    """The distance that a map gives in one direction (Singer et al. 2016, ApJL 829, L15)."""

    distmu: float
    """Mpc."""

    distsigma: float
    """Mpc."""

    distnorm: float
    """1/Mpc^2."""


def redshifts(entries: Entries, rules: HostRules) -> tuple[Floats, Floats]:
    """Return the redshifts that the distances of entries are taken from, and their errors with the galaxies' own motions.

    A stated distance goes before the redshift: it may be better, and is what the catalogue stands for. NaN: nothing is known.
    """
    known = np.array([kind != DistanceKind.NONE.value for kind in entries.distance_kind.tolist()], dtype=bool)
    is_photometric = entries.distance_kind == DistanceKind.PHOTOMETRIC.value
    is_independent = entries.distance_kind == DistanceKind.REDSHIFT_INDEPENDENT.value
    stated = np.isfinite(entries.distance_mpc)
    z = np.where(stated, rules.cosmology.redshift(np.where(stated, entries.distance_mpc, 1.0)), entries.redshift)
    own_motion = rules.peculiar_velocity_km_s / C_KM_S * (1.0 + z)
    relative = np.where(np.isnan(entries.distance_err_mpc), rules.relative_error, entries.distance_err_mpc / entries.distance_mpc)
    photometric = np.where(np.isnan(entries.redshift_err), rules.photometric_error * (1.0 + z), entries.redshift_err)
    spectroscopic = np.nan_to_num(entries.redshift_err)
    measured = np.where(is_photometric, photometric, np.where(is_independent & stated, relative * z, spectroscopic))
    return np.where(known, z, np.nan), np.where(known, np.hypot(measured, own_motion), np.nan)


def weights_of(inputs: Mapping[str, Any], *, version: int = 2) -> Floats:
    """Return how likely each host is the true one by its place, that all are there by chance, and that it is in no catalogue.

    Their sum is 1. ``version``: of the term that the inputs were stored with; the first one is computed again as it was.
    """
    if not inputs["hosts"]:
        return np.array([0.0, 1.0])
    chance = np.array([one["chance"] for one in inputs["hosts"]], dtype=np.float64)
    odds = (1.0 - chance) / np.maximum(chance, 1e-12)
    unseen = max(1.0 - inputs["completeness"], inputs["least_unseen"])
    if version == 1:
        weights = np.append(max(1.0 - unseen, inputs["least_seen"]) * odds, [0.0, unseen])
        return np.asarray(weights / weights.sum())
    return np.append((1.0 - unseen) * np.append(odds, 1.0) / (1.0 + odds.sum()), unseen)


def ratios_of(inputs: Mapping[str, Any], *, version: int = 2) -> Floats:
    """Return of each host ``Integral p(r|n) p_host(r) / prior(r) dr``; 1 for one of unknown distance."""
    found = []
    for one in inputs["hosts"]:
        limit = inputs["prior_z_max"] if version == 1 else np.inf
        if one["redshift"] is None or one["redshift"] >= limit:
            found.append(1.0)
            continue
        z, r, own, of_map, prior = _integrands(inputs, one["redshift"], one["redshift_err"], limit)
        found.append(float(np.trapezoid(of_map * own, r)) / float(np.trapezoid(prior * own, z)))
    return np.array(found)


def best_distances_mpc(inputs: Mapping[str, Any]) -> tuple[float, tuple[float, ...]] | None:
    """Return the distance of the most likely host that has one, and the distances between its 5 and 95 % points, Mpc."""
    known = [number for number, one in enumerate(inputs["hosts"]) if one["redshift"] is not None]
    if not known:
        return None
    weights = weights_of(inputs)
    best = inputs["hosts"][max(known, key=lambda number: (weights[number], -number))]
    cosmology = Cosmology(inputs["h0_km_s_mpc"], inputs["omega_m"])
    z = np.maximum(best["redshift"] + best["redshift_err"] * _NODES, 1e-6)
    density = cosmology.rate_density(z, 1e9) * np.exp(-0.5 * ((z - best["redshift"]) / best["redshift_err"]) ** 2)
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(z))])
    points = np.interp(_QUANTILES, cumulative / cumulative[-1], z)
    distances = cosmology.distance_mpc(points)
    return float(distances[len(_QUANTILES) // 2]), tuple(distances.tolist())


def mean_completeness(line: LineOfSight, at: "Completenesses") -> float:
    """Return the probability that the host of something at the map's distance is in a catalogue: the mean of a completeness."""
    r = _distances(line)
    density = r**2 * np.exp(-0.5 * ((r - line.distmu) / line.distsigma) ** 2)
    return float(np.trapezoid(density * at(r), r) / np.trapezoid(density, r))


class Completenesses:
    """The completeness of some catalogues together in one direction: that of the most complete one at each distance."""

    def __init__(self, of: Sequence[Completeness | None], latitude_deg: float, rules: HostRules) -> None:
        self._of, self._latitude, self._unknown = of, latitude_deg, rules.unknown_completeness

    def __call__(self, distance_mpc: Floats) -> Floats:
        """Return it at luminosity distances, Mpc."""
        latitude = np.full(len(distance_mpc), self._latitude)
        each = [
            one.at(distance_mpc, latitude) if one is not None else np.full(len(distance_mpc), self._unknown) for one in self._of
        ]
        return np.asarray(np.max(each, axis=0)) if each else np.zeros(len(distance_mpc))


def _distances(line: LineOfSight) -> Floats:
    """Return distances at which a map's density can be summed: around the maximum of ``r^2 N(r; mu, sigma)``."""
    peak = 0.5 * (line.distmu + np.sqrt(line.distmu**2 + 8.0 * line.distsigma**2))
    width = 1.0 / np.sqrt(1.0 / line.distsigma**2 + 2.0 / peak**2)
    return np.asarray(np.maximum(peak + 1.5 * width * _NODES, 1e-3), dtype=np.float64)


def _integrands(
    inputs: Mapping[str, Any], redshift: float, redshift_err: float, z_max: float
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return redshifts and their distances, and there the host's likelihood, the map's density (1/Mpc) and the prior's (1)."""
    cosmology = Cosmology(inputs["h0_km_s_mpc"], inputs["omega_m"])
    line = LineOfSight(distmu=inputs["distmu_mpc"], distsigma=inputs["distsigma_mpc"], distnorm=inputs["distnorm"])
    around = redshift + redshift_err * _NODES
    z = np.unique(np.concatenate([around, cosmology.redshift(_distances(line))]))
    z = z[(z > 1e-6) & (z <= z_max)]
    own = np.exp(-0.5 * ((z - redshift) / redshift_err) ** 2)
    r = cosmology.distance_mpc(z)
    of_map = line.distnorm * r**2 * np.exp(-0.5 * ((r - line.distmu) / line.distsigma) ** 2)
    end = inputs["prior_z_max"]
    prior = cosmology.rate_density(np.minimum(z, end), end)
    return z, r, own, of_map / (line.distsigma * np.sqrt(2.0 * np.pi)), prior
