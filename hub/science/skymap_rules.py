"""The rules that a sky map must keep, whoever made it and however it was read."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.errors import SkymapRefused
from hub.model.sky import Circle, Skymap, StatedPosition
from hub.science.healpix import MAX_UNIQ, MIN_UNIQ, Floats, area_sr, centres, ranges_of_uniq

MAX_ROWS = 5_000_000
"""Most pixels of a map."""

AREA_TOLERANCE = 1e-6
"""Relative error of the covered area below which a map counts as whole."""

KEPT_SUM_ERROR = 1e-3
"""A sum this close to 1 is kept as it is: levels then equal those that ligo.skymap finds in the same file."""

NOTED_SUM_ERROR = 1e-6
"""Beyond this error of the sum there is a remark."""

MAX_SUM_ERROR = 0.05
"""A sum farther from 1 than this refuses the map; up to it the map is renormalised and flagged."""

PEAK_TOLERANCE_DEG = 5.0
"""Slack of `peak_disagrees`, the coarsest pixels of common maps."""


def validate(columns: Mapping[str, NDArray[Any]]) -> tuple[Skymap, tuple[str, ...]]:
    """Return the map of a file's columns, and remarks on what was changed or is doubtful.

    Pixels in RING order under the label NESTED cannot be told from a true map by any rule here; `peak_disagrees` is the only
    check.

    Parameters
    ----------
    columns
        ``UNIQ`` and ``PROBDENSITY`` (1/sr), perhaps ``DISTMU``, ``DISTSIGMA`` (Mpc) and ``DISTNORM`` (1/Mpc^2); arrays of one
        length.

    Raises
    ------
    SkymapRefused
        A rule is broken, with the reason as one sentence.
    """
    remarks: list[str] = []
    uniq, density = _pixels(columns)
    lo, hi = ranges_of_uniq(uniq)
    ascending = np.argsort(lo, kind="stable")
    lo, hi, density = lo[ascending], hi[ascending], density[ascending]
    if (lo[1:] < hi[:-1]).any():
        raise SkymapRefused("pixels of the map overlap: the same sky is counted twice")
    area = area_sr(lo, hi)
    covered = float(area.sum()) / (4.0 * np.pi)
    if abs(covered - 1.0) > AREA_TOLERANCE:
        remarks.append(f"The map covers {covered:.4%} of the sky; nothing is known elsewhere.")
    total = float((density * area).sum())
    if total <= 0.0:
        raise SkymapRefused("the map is zero everywhere")
    if abs(total - 1.0) > MAX_SUM_ERROR:
        raise SkymapRefused(f"the probability of the map sums to {total:.6g}, not to 1")
    if abs(total - 1.0) > KEPT_SUM_ERROR:
        density = density / total
        remarks.append(f"The probability of the map sums to {total:.6g}, which is doubtful; it was renormalised.")
    elif abs(total - 1.0) > NOTED_SUM_ERROR:
        remarks.append(f"The probability of the map sums to {total:.6g}; its levels are kept as the file states them.")
    layers = _distance_layers(columns, ascending, density, remarks)
    return Skymap(lo=lo, hi=hi, probdensity=density, **layers), tuple(remarks)


def peak_disagrees(skymap: Skymap, position: StatedPosition) -> bool:
    """Return whether the densest pixel lies outside the notice's own circle by more than its size again and some slack.

    It is the one sign of a map whose pixels are in another order than it says; a map with several modes may show it innocently.
    """
    if not isinstance(position.region, Circle):
        return False
    peak = int(np.argmax(skymap.probdensity))
    ra, dec = (np.radians(value[0]) for value in centres(skymap.lo[peak : peak + 1], skymap.hi[peak : peak + 1]))
    ra0, dec0 = np.radians(position.ra_deg), np.radians(position.dec_deg)
    half = np.sin((dec - dec0) / 2) ** 2 + np.cos(dec) * np.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
    distance_deg = np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0, 1))))
    return bool(distance_deg > 2 * position.region.radius_deg + PEAK_TOLERANCE_DEG)


def _pixels(columns: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.int64], Floats]:
    """Return UNIQ numbers and densities, each by itself in order."""
    if "UNIQ" not in columns or "PROBDENSITY" not in columns:
        raise SkymapRefused("the table has no UNIQ and PROBDENSITY columns")
    uniq = np.asarray(columns["UNIQ"])
    density = np.asarray(columns["PROBDENSITY"], dtype=np.float64)
    if uniq.ndim != 1 or density.shape != uniq.shape or uniq.dtype.kind not in "iu":
        raise SkymapRefused("the columns of the map are not one number for each pixel")
    if len(uniq) == 0:
        raise SkymapRefused("the table of the map is empty")
    if len(uniq) > MAX_ROWS:
        raise SkymapRefused(f"the map has {len(uniq)} pixels, more than {MAX_ROWS}")
    if uniq.min() < MIN_UNIQ or uniq.max() > MAX_UNIQ:
        raise SkymapRefused("a UNIQ number of the map is no HEALPix pixel of order 0 to 29")
    if not np.isfinite(density).all():
        raise SkymapRefused("a probability density of the map is not a finite number")
    if (density < 0).any():
        raise SkymapRefused("a probability density of the map is negative")
    return uniq.astype(np.int64), density


def _distance_layers(
    columns: Mapping[str, NDArray[Any]], ascending: NDArray[np.intp], density: Floats, remarks: list[str]
) -> dict[str, Floats]:
    """Return the distance layers in the map's order; none of them where they are incomplete or make no sense."""
    names = ("DISTMU", "DISTSIGMA", "DISTNORM")
    present = [name for name in names if name in columns]
    if not present:
        return {}
    if len(present) < len(names) or any(np.shape(columns[name]) != np.shape(columns["UNIQ"]) for name in names):
        remarks.append("The distance layers are incomplete and were dropped.")
        return {}
    mu, sigma, scale = (np.asarray(columns[name], dtype=np.float64)[ascending] for name in names)
    # A line of sight without a distance has mu = inf (or NaN) and norm = 0; it is no fault.
    known = np.isfinite(mu)
    if not (known & (density > 0)).any():
        remarks.append("No line of sight of the map has a distance; the distance layers were dropped.")
        return {}
    sane = np.isfinite(sigma) & (sigma > 0) & np.isfinite(scale) & (scale >= 0)
    if not sane[known].all():
        remarks.append("The distance layers hold impossible values and were dropped.")
        return {}
    mu, sigma, scale = np.where(known, mu, np.inf), np.where(known, sigma, 1.0), np.where(known, scale, 0.0)
    return {"distmu": mu, "distsigma": sigma, "distnorm": scale}
