"""Credible levels of positions in a sky map: how much of the probability, area and volume a search meets before it gets there.

The level of a position is the inclusive cumulative probability of its pixel (or voxel) when all are searched by falling density,
as `ligo.skymap.postprocess.crossmatch` defines it; it is small where the source is likely. A table is built once for each map
and then asked for any number of positions.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hub.model.sky import FULL_SKY_DEG2, Skymap, SkymapSummary
from hub.science.healpix import SR_TO_DEG2, Floats, Int64s, area_sr, centres, find, uniq_of_ranges

N_SHELLS = 1000
"""Distance shells are this many steps of six marginal mean distances, the first at one step (ligo.skymap's grid)."""

SHELL_REACH = 6.0
"""Farthest shell in marginal mean distances."""

N_DENSITY_BINS = 20_000
"""Bins of logarithmic voxel density."""

LOG_DENSITY_SPAN = 60.0
"""Natural logarithms of density below the peak that the bins cover; what is fainter holds less than 1e-15 of the probability."""

_BLOCK = 64
"""Lines of sight handled at once: 999 shells of them are half a megabyte, which a processor's cache holds; with 256 of them the
histogram took half as long again."""

_LOOKUP_BLOCK = 1 << 14
"""Positions looked up at once, for the same reason."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelHits:
    """Levels of positions in the plane of the sky, arrays of the shape of the question; NaN where the map has no pixel."""

    covered: NDArray[np.bool_]
    """Whether a pixel of the map holds the position."""

    searched_prob: Floats
    """Inclusive cumulative probability, 0 to the map's sum."""

    searched_area_deg2: Floats
    """Inclusive cumulative area, square degrees."""

    probdensity: Floats
    """Probability density of the pixel, 1/sr."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels2D:
    """The greedy ranking of a map's pixels."""

    lo: Int64s
    """First order-29 pixel of each row, shape ``(n,)``, ascending, as in the map."""

    hi: Int64s
    """One past the last order-29 pixel."""

    probdensity: Floats
    """Density of each row, 1/sr."""

    searched_prob: Floats
    """Inclusive cumulative probability of each row, in the map's order."""

    searched_area_deg2: Floats
    """Inclusive cumulative area of each row, square degrees, in the map's order."""

    cumulative_prob: Floats
    """The same probabilities by falling density, shape ``(n,)``."""

    cumulative_area_deg2: Floats
    """The same areas by falling density."""

    ranking: NDArray[np.intp]
    """Rows by falling density; among equal densities the larger UNIQ comes first, as in ligo.skymap."""

    @classmethod
    def of(cls, skymap: Skymap) -> Self:
        """Build the table; cost is one sort of the map's pixels."""
        ranking = np.lexsort((uniq_of_ranges(skymap.lo, skymap.hi), skymap.probdensity))[::-1]
        area = area_sr(skymap.lo, skymap.hi)
        cumulative_prob = np.cumsum((skymap.probdensity * area)[ranking])
        cumulative_area = np.cumsum(area[ranking]) * SR_TO_DEG2
        searched_prob, searched_area = np.empty_like(cumulative_prob), np.empty_like(cumulative_area)
        searched_prob[ranking], searched_area[ranking] = cumulative_prob, cumulative_area
        return cls(
            lo=skymap.lo,
            hi=skymap.hi,
            probdensity=skymap.probdensity,
            searched_prob=searched_prob,
            searched_area_deg2=searched_area,
            cumulative_prob=cumulative_prob,
            cumulative_area_deg2=cumulative_area,
            ranking=ranking,
        )

    def lookup(self, pixels: Int64s) -> LevelHits:
        """Return the levels of order-29 pixels."""
        index = find(self.lo, self.hi, pixels)
        covered = index >= 0
        return LevelHits(
            covered=covered,
            searched_prob=np.where(covered, self.searched_prob[index], np.nan),
            searched_area_deg2=np.where(covered, self.searched_area_deg2[index], np.nan),
            probdensity=np.where(covered, self.probdensity[index], np.nan),
        )

    def area_of_level(self, level: float) -> float:
        """Return the smallest area in square degrees that holds this probability, interpolated inside the last pixel.

        The whole sky where the map holds less than that (`ligo.skymap.postprocess.util.interp_greedy_credible_levels`).
        """
        return float(
            np.interp(level, np.pad(self.cumulative_prob, (1, 0)), np.pad(self.cumulative_area_deg2, (1, 0)), right=FULL_SKY_DEG2)
        )

    def region(self, level: float) -> NDArray[np.bool_]:
        """Return which rows form the smallest region that reaches a probability; the row that crosses it is in."""
        n_rows = min(int(np.searchsorted(self.cumulative_prob, level, side="left")) + 1, len(self.ranking))
        inside = np.zeros(len(self.ranking), dtype=np.bool_)
        inside[self.ranking[:n_rows]] = True
        return inside


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VolumeHits:
    """Levels of positions with a distance; NaN where the map has no pixel or no distance is given."""

    searched_prob_vol: Floats
    """Inclusive cumulative probability of the voxel."""

    searched_vol_mpc3: Floats
    """Inclusive cumulative volume, Mpc^3, Euclidean in luminosity distance."""

    probdensity_vol: Floats
    """Probability per Mpc^3 at the position."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels3D:
    """Cumulative probability and volume against voxel density, as a histogram of the density's logarithm.

    Voxels are pixels times 999 distance shells. ligo.skymap sorts all of them, which takes gigabytes; the histogram takes a
    megabyte and agrees to better than 2e-3. As there, a position counts as the voxel whose shell begins below its distance.
    """

    skymap: Skymap
    log_amplitude: Floats
    """Logarithm of ``probdensity * distnorm / (distsigma * sqrt(2 pi))``, -inf on lines of sight without a distance."""

    shells_mpc: Floats
    """Distances of the shells, shape ``(999,)``."""

    log_density_edges: Floats
    """Edges of the bins, ascending, shape ``(N_DENSITY_BINS + 1,)``."""

    prob_above: Floats
    """Probability of all voxels denser than each edge."""

    volume_above_mpc3: Floats
    """Volume of the same."""

    @classmethod
    def of(cls, skymap: Skymap, *, farthest_mpc: float = 0.0) -> Self:
        """Build the histogram; about 20 million voxels for 20,000 pixels, in blocks of a few megabytes.

        Parameters
        ----------
        skymap
            With distance layers.
        farthest_mpc
            Largest distance that will be asked for. As in ligo.skymap the shells reach at least that far, and become thicker
            where it lies beyond six mean distances.

        Raises
        ------
        ValueError
            The map has no distance layers, or not one line of sight with a distance.
        """
        if skymap.distmu is None or skymap.distsigma is None or skymap.distnorm is None:
            raise ValueError("the map has no distance layers")
        area = area_sr(skymap.lo, skymap.hi)
        mean, _ = marginal_distance(skymap)
        if mean is None:
            raise ValueError("no line of sight of the map has a distance")
        step = max(SHELL_REACH * mean, farthest_mpc) / N_SHELLS
        shells = np.asarray(step * np.arange(1, N_SHELLS), dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_amplitude = np.log(skymap.probdensity * skymap.distnorm / (skymap.distsigma * np.sqrt(2.0 * np.pi)))
        log_amplitude[~(np.isfinite(log_amplitude) & np.isfinite(skymap.distmu))] = -np.inf
        rows = np.flatnonzero(np.isfinite(log_amplitude))
        if len(rows) == 0:
            raise ValueError("no line of sight of the map has a distance")
        amplitude, mu, sigma = log_amplitude[rows], skymap.distmu[rows], skymap.distsigma[rows]
        nearest = np.clip(mu, shells[0], shells[-1])
        top = float(np.max(amplitude - 0.5 * np.square((nearest - mu) / sigma))) + 1e-9
        edges = np.linspace(top - LOG_DENSITY_SPAN, top, N_DENSITY_BINS + 1)
        prob, volume = _histogram(amplitude=amplitude, mu=mu, sigma=sigma, area=area[rows], shells=shells, step=step, top=top)
        return cls(
            skymap=skymap,
            log_amplitude=log_amplitude,
            shells_mpc=shells,
            log_density_edges=edges,
            prob_above=_sum_above(prob),
            volume_above_mpc3=_sum_above(volume),
        )

    def lookup(self, pixels: Int64s, distance_mpc: ArrayLike) -> VolumeHits:
        """Return the levels of order-29 pixels at luminosity distances in Mpc.

        Positions on a line of sight without a distance, beyond the last shell, or nearer than the first one have the level of
        zero density: all there is. (ligo.skymap gives the near ones the level of the farthest shell, which is the same to 1e-4.)
        """
        places, distances = np.broadcast_arrays(pixels, np.asarray(distance_mpc, dtype=np.float64))
        flat_places, flat_distances = places.ravel(), distances.ravel()
        hits = np.empty((3, places.size))
        for start in range(0, places.size, _LOOKUP_BLOCK):
            block = slice(start, start + _LOOKUP_BLOCK)
            hits[:, block] = self._lookup_block(flat_places[block], flat_distances[block])
        prob, volume, density = hits.reshape(3, *places.shape)
        return VolumeHits(searched_prob_vol=prob, searched_vol_mpc3=volume, probdensity_vol=density)

    def _lookup_block(self, pixels: Int64s, distance: Floats) -> Floats:
        """Return searched probability, searched volume and density, shape ``(3, n)``."""
        assert self.skymap.distmu is not None
        assert self.skymap.distsigma is not None
        index = find(self.skymap.lo, self.skymap.hi, pixels)
        known = (index >= 0) & np.isfinite(distance) & (distance > 0)
        step = self.shells_mpc[0]
        shell = np.clip(np.floor(np.where(known, distance, step) / step), 1, N_SHELLS - 1) * step
        with np.errstate(invalid="ignore"):
            log_density = self.log_amplitude[index] - 0.5 * np.square(
                (shell - self.skymap.distmu[index]) / self.skymap.distsigma[index]
            )
        log_density[np.isnan(log_density) | (distance > step * N_SHELLS) | (distance < step)] = -np.inf
        # The edges are evenly spaced, so the bin needs no search, which `numpy.interp` would make.
        at = np.clip((log_density - self.log_density_edges[0]) * (N_DENSITY_BINS / LOG_DENSITY_SPAN), 0.0, float(N_DENSITY_BINS))
        below = np.minimum(at.astype(np.int64), N_DENSITY_BINS - 1)
        share = at - below
        prob = self.prob_above[below] * (1.0 - share) + self.prob_above[below + 1] * share
        volume = self.volume_above_mpc3[below] * (1.0 - share) + self.volume_above_mpc3[below + 1] * share
        return np.where(known, np.stack((np.minimum(prob, 1.0), volume, np.exp(log_density))), np.nan)


def marginal_distance(skymap: Skymap) -> tuple[float | None, float | None]:
    """Return mean and standard deviation of the distance over the whole map, Mpc; None where it has no distance.

    The distance along a line of sight has the density ``norm / (sigma sqrt(2 pi)) exp(-(r - mu)^2 / 2 sigma^2) r^2`` (Singer et
    al. 2016, ApJL 829, L15, eq. 1). With x = mu / sigma its moments follow from J0 = Phi(x), J1 = mu J0 + sigma phi(x) and
    J(n+1) = mu J(n) + n sigma^2 J(n-1); far below x = 0 they are those of a gamma distribution of shape 3 and scale sigma / |x|.
    Lines of sight without a distance are left out, without renormalisation, as ligo.skymap does.
    """
    if skymap.distmu is None or skymap.distsigma is None:
        return None, None
    prob = skymap.probdensity * area_sr(skymap.lo, skymap.hi)
    good = np.isfinite(skymap.distmu) & np.isfinite(skymap.distsigma) & (skymap.distsigma > 0)
    if not good.any():
        return None, None
    mu, sigma, prob = skymap.distmu[good], skymap.distsigma[good], prob[good]
    from scipy.special import ndtr  # noqa: PLC0415 - a third of a second that only maps with distances pay

    x = mu / sigma
    safe = np.maximum(x, _GAMMA_BELOW)
    # In units of sigma, scaled by nothing: even phi(-20) is far from underflow.
    j0 = ndtr(safe)
    j1 = safe * j0 + np.exp(-0.5 * safe**2) / np.sqrt(2.0 * np.pi)
    j2 = safe * j1 + j0
    j3 = safe * j2 + 2.0 * j1
    j4 = safe * j3 + 3.0 * j2
    gamma = x < _GAMMA_BELOW
    mean = sigma * np.where(gamma, 3.0 / np.abs(np.where(gamma, x, 1.0)), j3 / j2)
    square = sigma**2 * np.where(gamma, 12.0 / np.square(np.where(gamma, x, 1.0)), j4 / j2)
    total_mean = float((prob * mean).sum())
    variance = float((prob * square).sum()) - total_mean**2
    return total_mean, float(np.sqrt(max(variance, 0.0)))


_GAMMA_BELOW = -20.0
"""Below this mu / sigma the recurrence loses its digits and the gamma limit is good to a few percent; such pixels hold next to
nothing."""


def summary(skymap: Skymap, levels: Levels2D | None = None) -> SkymapSummary:
    """Return the numbers of a map for a listing."""
    table = levels if levels is not None else Levels2D.of(skymap)
    peak = table.ranking[:1]
    ra, dec = centres(skymap.lo[peak], skymap.hi[peak])
    mean, std = marginal_distance(skymap)
    return SkymapSummary(
        n_tiles=len(skymap.lo),
        area50_deg2=table.area_of_level(0.5),
        area90_deg2=table.area_of_level(0.9),
        peak_ra_deg=float(ra[0]),
        peak_dec_deg=float(dec[0]),
        covered_fraction=float(area_sr(skymap.lo, skymap.hi).sum() / (4.0 * np.pi)),
        dist_mean_mpc=mean,
        dist_std_mpc=std,
    )


def _histogram(
    *, amplitude: Floats, mu: Floats, sigma: Floats, area: Floats, shells: Floats, step: float, top: float
) -> tuple[Floats, Floats]:
    """Return probability and volume of the voxels in each bin of log density."""
    prob, volume = np.zeros(N_DENSITY_BINS), np.zeros(N_DENSITY_BINS)
    shell_volume = (np.square(shells) + step**2 / 12.0) * step
    scale = N_DENSITY_BINS / LOG_DENSITY_SPAN
    for start in range(0, len(mu), _BLOCK):
        block = slice(start, start + _BLOCK)
        log_density = (shells[None, :] - mu[block, None]) / sigma[block, None]
        np.square(log_density, out=log_density)
        log_density *= -0.5
        log_density += amplitude[block, None]
        bins = ((log_density - (top - LOG_DENSITY_SPAN)) * scale).ravel()
        inside = bins >= 0
        voxel = np.outer(area[block], shell_volume).ravel()[inside]
        bins = bins[inside].astype(np.int32)
        volume += np.bincount(bins, weights=voxel, minlength=N_DENSITY_BINS)[:N_DENSITY_BINS]
        voxel *= np.exp(log_density.ravel()[inside])
        prob += np.bincount(bins, weights=voxel, minlength=N_DENSITY_BINS)[:N_DENSITY_BINS]
    return prob, volume


def _sum_above(bins: Floats) -> Floats:
    """Return for each edge the sum of the bins above it, ending in zero."""
    return np.concatenate((np.cumsum(bins[::-1])[::-1], [0.0]))
