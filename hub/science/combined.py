"""Where several localizations of one source together put it: the normalised product of their maps.

``p(n) = prod p_i(n) / Int prod p_i dOmega`` for independent measurements of one place (Ashton et al. 2018, ApJ 860, 6).
Distances are stated along lines of sight, so they are those of the one map that has them; their mean over the sky is not:
other lines of sight count now.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub.errors import SkymapRefused
from hub.model.sky import Skymap, SkymapSummary
from hub.science.healpix import area_sr, find
from hub.science.levels import Levels2D, summary
from hub.science.overlap import overlap_of_all, refinement, total_probability
from hub.science.skymap_rules import AREA_TOLERANCE, MAX_ROWS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Combined:
    """What several maps are together."""

    skymap: Skymap
    summary: SkymapSummary
    """Its areas, and mean and spread of the distance over its lines of sight."""

    overlap: float
    """Overlap integral of all maps at once, dimensionless; 0 where they all but exclude each other."""

    remarks: tuple[str, ...] = ()
    """What is not as one may think, each one sentence."""


def combined(maps: Sequence[Skymap]) -> Combined:
    """Return the normalised product of some maps; their order does not matter.

    A partial map is zero outside its pixels, so the product is known only where all of them are. Where several maps have
    distances, those of the one with the smallest area are kept.

    Parameters
    ----------
    maps
        At least two.

    Raises
    ------
    SkymapRefused
        There are fewer than two, nowhere do all of them have any probability, or the product has more pixels than a map may have.
    """
    if len(maps) < 2:
        raise SkymapRefused("a combined map needs at least two maps")
    ordered = sorted(maps, key=lambda one: one.digest())  # so that rounding does not depend on who comes first
    lo, hi = refinement(ordered)
    if len(lo) > MAX_ROWS:
        raise SkymapRefused(f"the combined map would have {len(lo)} pixels, more than {MAX_ROWS}")
    # In logs, for far out in the tails of several maps the product is less than the least double.
    log_density = np.zeros(len(lo))
    with np.errstate(divide="ignore"):
        for one in ordered:
            log_density += np.log(one.probdensity[find(one.lo, one.hi, lo)])
    highest = float(log_density.max(initial=-np.inf))
    if not np.isfinite(highest):
        raise SkymapRefused(
            "the maps exclude each other: nowhere do all of them have any probability, so there is no combined map"
        )
    density = np.exp(log_density - highest)
    density /= float((density * area_sr(lo, hi)).sum())
    remarks = _remarks(ordered)
    skymap = Skymap(lo=lo, hi=hi, probdensity=density)
    with_distance = [one for one in ordered if one.has_distance]
    if with_distance:
        skymap = _with_distance(skymap, min(with_distance, key=lambda one: Levels2D.of(one).area_of_level(0.9)))
        if len(with_distance) > 1:
            remarks += (f"{len(with_distance)} of the maps have distances; those of the one with the smallest area are kept.",)
    return Combined(skymap=skymap, summary=summary(skymap), overlap=overlap_of_all(ordered), remarks=remarks)


def _with_distance(skymap: Skymap, of: Skymap) -> Skymap:
    """Return a map, finer than another, with the distances of that; lines of sight without one have mu = inf and norm = 0."""
    assert of.distmu is not None
    assert of.distsigma is not None
    assert of.distnorm is not None
    row = find(of.lo, of.hi, skymap.lo)
    mu, sigma, scale = of.distmu[row], of.distsigma[row], of.distnorm[row]
    known = np.isfinite(mu) & np.isfinite(sigma) & (sigma > 0.0) & np.isfinite(scale)
    return Skymap(
        lo=skymap.lo,
        hi=skymap.hi,
        probdensity=skymap.probdensity,
        distmu=np.where(known, mu, np.inf),
        distsigma=np.where(known, sigma, 1.0),
        distnorm=np.where(known, scale, 0.0),
    )


def _remarks(maps: Sequence[Skymap]) -> tuple[str, ...]:
    covered = [float(area_sr(one.lo, one.hi).sum()) / (4.0 * np.pi) for one in maps]
    partial = [share for share in covered if abs(share - 1.0) > AREA_TOLERANCE]
    n_off = sum(abs(total_probability(one) - 1.0) > 1e-3 for one in maps)
    return tuple(
        sentence
        for applies, sentence in (
            (partial, f"{len(partial)} of the maps cover a part of the sky only, where they know nothing the product is zero."),
            (n_off, f"{n_off} of the maps do not sum to 1; the product was normalised."),
        )
        if applies
    )
