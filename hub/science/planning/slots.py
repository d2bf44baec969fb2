"""When a telescope can expose: slots of equal length in the dark hours of a site."""

from dataclasses import dataclass

import numpy as np

from hub.model.instant import Instant
from hub.science.planning.fields import Floats
from hub.science.planning.nights import moments, sky_over
from hub.science.sites import Constraints, Site

GRID_S = 60.0
"""Step on which dusk and dawn are looked for, seconds."""

MAX_HOURS = 960.0
"""Longest span that is looked at: 40 days."""

MAX_SLOTS = 4_000
"""More are never tried: they begin with the first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slots:
    """Spans in which one exposure each fits, in order of time."""

    starts_s: Floats
    """Begin of each after the plan's begin, seconds, shape ``(n,)``."""

    zenith: Floats
    """Unit vectors to the zenith at the begin and end of the exposure, ICRS, shape ``(n, 2, 3)``."""

    moon: Floats
    """The same to the Moon."""

    def __len__(self) -> int:
        return len(self.starts_s)


NO_SLOTS = Slots(starts_s=np.empty(0), zenith=np.empty((0, 2, 3)), moon=np.empty((0, 2, 3)))
"""Where time does not matter."""


def slots_of(  # noqa: PLR0917 - where, from when, how long, what for, in the order one says them
    site: Site, start: Instant, hours: float, exposure_s: float, overhead_s: float, constraints: Constraints
) -> Slots:
    """Return the slots of a site from a moment on: each begins where the one before and its overhead end, or at dusk.

    The Sun is low enough at the begin and end of each exposure; none ends after the span.
    """
    span_s = hours * 3600.0
    grid = np.arange(0.0, span_s + GRID_S / 2.0, GRID_S)
    is_dark = sky_over(site, moments(start, grid)).sun_altitude_deg <= constraints.max_sun_altitude_deg
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_dark, [False])).astype(np.int8)))
    pitch = exposure_s + overhead_s
    starts = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        dusk, dawn = float(grid[begin]), float(grid[end - 1])
        n = int((dawn - dusk - exposure_s) / pitch + 1e-9) + 1 if dawn - dusk >= exposure_s else 0
        starts.append(dusk + pitch * np.arange(n))
    starts_s = np.concatenate(starts)[:MAX_SLOTS] if starts else np.empty(0)
    if not len(starts_s):
        return NO_SLOTS
    sky = sky_over(site, moments(start, np.stack((starts_s, starts_s + exposure_s), axis=1).ravel()))
    shape = (len(starts_s), 2, 3)
    return Slots(starts_s=starts_s, zenith=sky.zenith.reshape(shape), moon=sky.moon.reshape(shape))
