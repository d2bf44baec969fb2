"""Whether and when sites see a target: astroplan for the chosen few, on a five-minute grid, without the internet.

astroplan's own default grid of 30 minutes misses short windows, `EarthLocation.of_site` needs a download, and astropy refuses to
work when its Earth-rotation table is more than 30 days old unless it is told otherwise: hence the grid, the table of sites in
``conf/sites.toml`` and `work_offline`. Altitudes are without refraction.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astroplan import AirmassConstraint, AtNightConstraint, FixedTarget, MoonSeparationConstraint, Observer
from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from astropy.utils.exceptions import AstropyWarning
from erfa import ErfaWarning  # type: ignore[import-untyped]  # pyerfa has no types
from numpy.typing import NDArray

from hub.model.followup import Visibility
from hub.model.instant import Instant
from hub.science.sites import Constraints, Site

GRID_S = 300.0
"""Step of the time grid in seconds; a 30 minute grid loses up to one target in 17 at a site."""

MAX_WINDOW_S = 40 * 86_400.0
"""Longest window that is looked at, seconds: some 11500 grid points."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Night:
    """What holds when at one site; arrays of shape (n_times,)."""

    high: NDArray[np.bool_]
    """Within the airmass."""

    dark: NDArray[np.bool_]
    """High and the Sun down."""

    good: NDArray[np.bool_]
    """High, dark and away from the Moon."""

    best_airmass: float
    """At the good times; of no use where there are none."""

    best_altitude_deg: float
    """At the good times, at all times where there are none."""


def visibility(  # noqa: PLR0917 - place, sites, window and constraints, in the order one says them
    ra_deg: float, dec_deg: float, sites: Sequence[Site], start: Instant, end: Instant, constraints: Constraints
) -> tuple[Visibility, ...]:
    """Return for each site whether it sees a place during a window, when, and why not.

    Parameters
    ----------
    ra_deg, dec_deg
        Place, ICRS, degrees.
    sites
        In any order; the answer has theirs.
    start, end
        The window, both ends included; times are good to the grid of `GRID_S`.
    constraints
        All must hold at once.

    Returns
    -------
    tuple of Visibility
        The window of each is from the first to the last moment at which all constraints hold; it may have gaps (the days
        between nights), which the reason tells.

    Raises
    ------
    ValueError
        The window ends before it begins or is longer than `MAX_WINDOW_S`.

    Notes
    -----
    Some 0.1 s per site and day of window (two shared cores); the first call in a process takes a second or two more.
    """
    duration_s = end.minus(start)
    if not 0 <= duration_s <= MAX_WINDOW_S:
        raise ValueError(f"an observing window lasts between 0 s and {MAX_WINDOW_S:.0f} s, not {duration_s:.0f} s")
    work_offline()
    offsets_s = np.append(np.arange(0.0, duration_s, GRID_S), duration_s)
    instants = [start.plus_s(float(offset)) for offset in offsets_s]
    with warnings.catch_warnings():
        # Far from the present astropy warns that it does not know the Earth's rotation to the millisecond.
        warnings.simplefilter("ignore", AstropyWarning)
        warnings.simplefilter("ignore", ErfaWarning)
        times = Time([instant.mjd_utc for instant in instants], format="mjd", scale="utc")
        target = FixedTarget(SkyCoord(ra_deg * u.deg, dec_deg * u.deg, frame="icrs"))
        nights = [_night(site, target, times, constraints) for site in sites]
    return tuple(_verdict(site, night, instants, constraints) for site, night in zip(sites, nights, strict=True))


def work_offline() -> None:
    """Tell astropy to use the Earth-rotation table of the installed package, whatever its age, and never to download one."""
    iers.conf.auto_download = False
    iers.conf.auto_max_age = None
    iers.conf.iers_degraded_accuracy = "ignore"


def _night(site: Site, target: FixedTarget, times: Time, constraints: Constraints) -> _Night:
    location = EarthLocation.from_geodetic(site.lon_deg * u.deg, site.lat_deg * u.deg, site.height_m * u.m)
    observer = Observer(location=location, name=site.name)
    high = AirmassConstraint(max=constraints.max_airmass)
    dark = AtNightConstraint(max_solar_altitude=constraints.max_sun_altitude_deg * u.deg)
    moonless = MoonSeparationConstraint(min=constraints.min_moon_separation_deg * u.deg)
    is_high = _holds(high, observer, target, times, np.ones(len(times), dtype=np.bool_))
    is_dark = _holds(dark, observer, target, times, is_high)
    is_good = _holds(moonless, observer, target, times, is_dark)
    # What the verdict tells: the airmass where all is well, else the altitude that was not enough.
    altaz = observer.altaz(times[is_good] if is_good.any() else times, target)
    return _Night(
        high=is_high,
        dark=is_dark,
        good=is_good,
        best_airmass=float(altaz.secz.min()),
        best_altitude_deg=float(altaz.alt.deg.max()),
    )


def _holds(constraint: Any, observer: Observer, target: FixedTarget, times: Time, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a constraint holds, looking only where the ones before it do: the Sun and above all the Moon are dear."""
    holds = where.copy()
    if where.any():
        holds[where] = np.asarray(constraint(observer, target, times=times[where]), dtype=np.bool_).reshape(-1)
    return holds


def _verdict(site: Site, night: _Night, instants: Sequence[Instant], constraints: Constraints) -> Visibility:
    good = np.flatnonzero(night.good)
    if len(good) == 0:
        reason = _why_not(night, instants, constraints)
        return Visibility(
            site=site.name, is_observable=False, window_start=None, window_end=None, best_airmass=None, reason=reason
        )
    first, last = instants[good[0]], instants[good[-1]]
    n_spans = 1 + int(np.count_nonzero(np.diff(good) > 1))
    spans = f" in {n_spans} spans" if n_spans > 1 else ""
    reason = f"observable at {site.name} from {_minute(first)} to {_minute(last)}{spans}, best airmass {night.best_airmass:.2f}"
    return Visibility(
        site=site.name, is_observable=True, window_start=first, window_end=last, best_airmass=night.best_airmass, reason=reason
    )


def _why_not(night: _Night, instants: Sequence[Instant], constraints: Constraints) -> str:
    """Return what is never met, or never together with what is before it."""
    until = f"before {_minute(instants[-1])}"
    airmass, sun, moon = constraints.max_airmass, constraints.max_sun_altitude_deg, constraints.min_moon_separation_deg
    if night.best_altitude_deg < 0:
        return f"never above the horizon {until}"
    if not night.high.any():
        return f"never within airmass {airmass:g} {until}: it culminates at altitude {night.best_altitude_deg:.0f} deg"
    if not night.dark.any():
        return f"within airmass {airmass:g} only while the Sun is above {sun:g} deg, {until}"
    return f"in the dark and within airmass {airmass:g} only while within {moon:g} deg of the Moon, {until}"


def _minute(instant: Instant) -> str:
    return instant.to_utc_iso()[:16] + "Z"
