"""When many targets can be observed from several sites: bulk numpy on a grid of times, with ends found between its steps.

What an observation needs is a margin that changes slowly: sine of the altitude, cosine of the distance to the Moon, altitude of
the Sun. Between two steps of the grid each is taken as a straight line, which puts the ends of a span right to a few seconds on
steps of five minutes. A span that begins and ends between two steps is not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.instant import Instant
from hub.science.planning.fields import Floats, unit_vectors
from hub.science.planning.nights import Sky, least_sine, moments, most_cosine, sky_over
from hub.science.sites import Constraints, Site

GRID_S = 300.0
"""Step of the grid, seconds: what is up for less is of no use to most telescopes."""

MAX_SPAN_S = 40 * 86_400.0
"""Longest span that is looked at, seconds."""

BLOCK = 2_000_000
"""Targets times moments that are looked at together: some 100 MB."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Spans ``[start, end)`` in which targets can be observed, by target, then site, then time."""

    target: NDArray[np.int64]
    """Number of the target, shape ``(k,)``."""

    site: NDArray[np.int64]
    """Number of the site, shape ``(k,)``."""

    starts_s: Floats
    """First moment, seconds after the begin that was asked for, shape ``(k,)``."""

    ends_s: Floats
    """One past the last, likewise."""

    best_airmass: Floats
    """Smallest at the steps of the grid within, secant of the zenith distance, shape ``(k,)``."""

    def __len__(self) -> int:
        return len(self.target)


def windows(  # noqa: PLR0917 - what, from where, when and how, in the order one says them
    ra_deg: Floats,
    dec_deg: Floats,
    sites: Sequence[Site],
    start: Instant,
    end: Instant,
    constraints: Constraints,
    grid_s: float = GRID_S,
) -> Windows:
    """Return the spans in which each target can be observed from each site.

    Parameters
    ----------
    ra_deg, dec_deg
        Targets, ICRS, degrees, shape ``(n,)``.
    sites
        In any order; the answer counts them in this one.
    start, end
        The span that is looked at.
    constraints
        All must hold at once.
    grid_s
        Step of the grid, seconds.

    Raises
    ------
    ValueError
        The span ends before it begins, is longer than `MAX_SPAN_S`, the step is not above 0, or a position is none.

    Notes
    -----
    1,000 targets, 5 sites and a day on steps of five minutes take some 0.3 s of one core.
    """
    offsets_s = _grid(start, end, grid_s)
    if not (np.isfinite(ra_deg).all() and (np.abs(dec_deg) <= 90.0).all()):
        raise ValueError("a target has a finite right ascension and a declination between -90 and 90 deg")
    vectors = unit_vectors(ra_deg, dec_deg)
    block = max(1, BLOCK // len(offsets_s))
    found = []
    for number, site in enumerate(sites):
        sky = sky_over(site, moments(start, offsets_s))
        for begin in range(0, len(vectors), block):
            target, *spans = _spans(sky, vectors[begin : begin + block], offsets_s, constraints)
            found.append((target + begin, np.full(len(target), number, dtype=np.int64), *spans))
    if not found:
        none = np.empty(0)
        return Windows(target=none.astype(np.int64), site=none.astype(np.int64), starts_s=none, ends_s=none, best_airmass=none)
    target, at, starts_s, ends_s, best = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((starts_s, at, target))
    return Windows(target=target[order], site=at[order], starts_s=starts_s[order], ends_s=ends_s[order], best_airmass=best[order])


def why_never(ra_deg: float, dec_deg: float, site: Site, start: Instant, end: Instant, constraints: Constraints) -> str:  # noqa: PLR0917 - as `windows`
    """Return as one sentence why a target can never be observed in a span, in which `windows` found nothing."""
    sky = sky_over(site, moments(start, _grid(start, end, GRID_S)))
    vector = unit_vectors(np.array([ra_deg]), np.array([dec_deg]))[0]
    sine = sky.zenith @ vector
    is_dark = sky.sun_altitude_deg <= constraints.max_sun_altitude_deg
    is_high = sine >= least_sine(constraints)
    least_deg = float(np.degrees(np.arcsin(least_sine(constraints))))
    need = f"{least_deg:.0f} deg (airmass {constraints.max_airmass:g})"
    if not is_dark.any():
        return (
            f"the Sun at {site.name} is never below {constraints.max_sun_altitude_deg:g} deg in this span;"
            f" its lowest is {sky.sun_altitude_deg.min():.0f} deg"
        )
    if not is_high.any():
        return f"it comes to {_degrees(sine.max()):.0f} deg at most at {site.name} in this span, below {need}"
    if not (is_high & is_dark).any():
        return f"it is above {need} at {site.name} by day only; in the dark it comes to {_degrees(sine[is_dark].max()):.0f} deg"
    apart = np.degrees(np.arccos(np.clip((sky.moon @ vector)[is_high & is_dark], -1.0, 1.0)))
    return (
        f"while it is up at {site.name} in the dark the Moon is at most {apart.max():.0f} deg away, nearer than"
        f" {constraints.min_moon_separation_deg:g} deg"
    )


def _grid(start: Instant, end: Instant, grid_s: float) -> Floats:
    """Return the moments that are looked at, the end included, seconds after the start."""
    span_s = end.minus(start)
    if not 0.0 < span_s <= MAX_SPAN_S:
        raise ValueError(
            f"a span ends after it begins and is no longer than {MAX_SPAN_S / 86_400.0:.0f} days; this one is {span_s:.0f} s"
        )
    if not grid_s > 0.0:
        raise ValueError(f"the step of a grid of times is above 0 s, not {grid_s:g}")
    return np.append(np.arange(0.0, span_s, grid_s), span_s)


def _spans(
    sky: Sky, vectors: Floats, offsets_s: Floats, constraints: Constraints
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Return number of the target, start, end and smallest airmass of each span over one site."""
    sine = vectors @ sky.zenith.T
    near = vectors @ sky.moon.T
    sun = constraints.max_sun_altitude_deg - sky.sun_altitude_deg
    least, most = least_sine(constraints), most_cosine(constraints)
    holds = (sine >= least) & (near <= most)
    holds &= sun >= 0.0
    changes = np.zeros((len(vectors), len(offsets_s) + 1), dtype=np.bool_)
    changes[:, 0], changes[:, -1] = holds[:, 0], holds[:, -1]
    np.not_equal(holds[:, 1:], holds[:, :-1], out=changes[:, 1:-1])
    target, step = np.nonzero(changes)
    # They alternate: the step at which a span begins, and the one after its last.
    target, first, past = target[::2], step[::2], step[1::2]

    def between(bad: NDArray[np.int64], good: NDArray[np.int64]) -> Floats:
        """Return when the last of the needs comes to hold on the way from one step to another, or the other if both are one."""
        share = np.zeros(len(bad))
        for margin_bad, margin_good in (
            (sine[target, bad] - least, sine[target, good] - least),
            (most - near[target, bad], most - near[target, good]),
            (sun[bad], sun[good]),
        ):
            fails = margin_bad < 0.0
            share[fails] = np.maximum(share[fails], margin_bad[fails] / (margin_bad[fails] - margin_good[fails]))
        return np.where(bad == good, offsets_s[good], offsets_s[bad] + share * (offsets_s[good] - offsets_s[bad]))

    starts_s = between(np.maximum(first - 1, 0), first)
    ends_s = between(np.minimum(past, len(offsets_s) - 1), past - 1)
    if not len(target):
        return target, starts_s, ends_s, np.empty(0)
    bounds = np.stack((target * sine.shape[1] + first, target * sine.shape[1] + past), axis=1).ravel()
    # One value more, so that a span may end with the last of all.
    highest = np.maximum.reduceat(np.append(sine.ravel(), -1.0), bounds)[::2]
    return target, starts_s, ends_s, 1.0 / highest


def _degrees(sine: float) -> float:
    return float(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))))
