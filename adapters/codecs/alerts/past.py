"""When objects began, as the packets of their alerts tell it: earlier detections, forced photometry and upper limits.

All packets of a batch are judged in columns together. What is found is so little that the archive can keep it with every alert,
not only with those that are hits: so what is said of an object depends on its alerts alone, and not on what came first.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import NO_TIME
from hub.model.visit import DEPTH_SIGMA

QUIET_SIGMA = 3.0
"""Forced photometry of fewer standard deviations shows nothing; from here to `DEPTH_SIGMA`, where surveys detect, it says
neither."""

SAME_VISIT_US = 10_000_000
"""Photometry whose time is this near to a detection is of the same exposure, microseconds."""

_NEVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looks:
    """Looks at objects, all of one packet behind those of the one before; columns have the shape ``(m,)``."""

    first: NDArray[np.int64]
    """Index of the first look of each packet, and at the end how many there are: shape ``(n + 1,)``."""

    time_us: NDArray[np.int64]
    """Middle of the exposure, `Instant.tai_us`; `NO_TIME` where none can be believed."""

    flux_njy: NDArray[np.float64]
    """Difference flux; 0 of an upper limit; NaN where it is not known."""

    flux_err_njy: NDArray[np.float64]
    """A fifth of an upper limit; NaN where it is not known."""

    band: NDArray[np.int64]
    """Any numbers that tell bands apart; -1 where it is not known."""

    begins: NDArray[np.bool_]
    """Whether an object may begin with it: a detection that is positive and no dipole. Of no meaning for forced photometry."""

    @classmethod
    def none(cls, n: int) -> Self:
        """Return no looks of some packets."""
        return cls(
            first=np.zeros(n + 1, dtype=np.int64),
            time_us=np.zeros(0, dtype=np.int64),
            flux_njy=np.zeros(0),
            flux_err_njy=np.zeros(0),
            band=np.zeros(0, dtype=np.int64),
            begins=np.zeros(0, dtype=np.bool_),
        )

    @property
    def packet(self) -> NDArray[np.int64]:
        """Packet of each look, ascending."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """What the packets tell, shape ``(n,)``: as the columns of an `AlertBatch` of these names."""

    began_us: NDArray[np.int64]
    quiet_us: NDArray[np.int64]
    forced_us: NDArray[np.int64]
    """First forced photometry that is as significant as a detection; the greatest number where there is none."""


def past_of(own: Looks, detections: Looks, forced: Looks, stated_us: NDArray[np.int64]) -> Past:
    """Return what packets tell of the past of their objects.

    Parameters
    ----------
    own
        The alerts themselves, one for each packet.
    detections
        Earlier ones.
    forced
        Forced photometry, and upper limits.
    stated_us
        When the survey says that the object was first detected, `NO_TIME` where it does not. It counts, unless the packet itself
        tells that this was no detection of which an object may begin.
    """
    n = len(own.time_us)
    is_detected = forced.flux_njy >= DEPTH_SIGMA * forced.flux_err_njy  # comparisons with NaN are false
    is_detected &= (forced.flux_err_njy > 0.0) & (forced.time_us != NO_TIME)
    packets = np.concatenate([own.packet, detections.packet, forced.packet])
    times = np.concatenate([own.time_us, detections.time_us, forced.time_us])
    counts = np.concatenate([own.begins, detections.begins, is_detected]) & (times != NO_TIME)
    flux = np.concatenate([own.flux_njy, detections.flux_njy, forced.flux_njy])
    band = np.concatenate([own.band, detections.band, forced.band])

    known = _least(n, packets[counts], times[counts])
    began = np.where((stated_us != NO_TIME) & ~_is_false(stated_us, own, detections), np.minimum(known, stated_us), known)
    forced_us = _least(n, forced.packet[is_detected], forced.time_us[is_detected])

    # The faintest of what was measured at that instant, and its band: what would not have been seen says nothing.
    at_once = counts & (times == known[packets]) & np.isfinite(flux)
    faintest = np.full(n, np.inf)
    np.minimum.at(faintest, packets[at_once], flux[at_once])
    of_band = np.full(n, -1)
    told = at_once & (flux == faintest[packets])
    np.maximum.at(of_band, packets[told], band[told])

    at = forced.packet
    is_quiet = (forced.flux_njy < QUIET_SIGMA * forced.flux_err_njy) & (DEPTH_SIGMA * forced.flux_err_njy < faintest[at])
    is_quiet &= (forced.time_us < began[at] - SAME_VISIT_US) & (began == known)[at] & np.isfinite(faintest)[at]
    is_quiet &= (forced.band == of_band[at]) & (forced.band >= 0) & (forced.time_us != NO_TIME)
    quiet = np.full(n, NO_TIME)
    np.maximum.at(quiet, at[is_quiet], forced.time_us[is_quiet])
    return Past(began_us=np.where(began == _NEVER, NO_TIME, began), quiet_us=quiet, forced_us=forced_us)


def _least(n: int, packets: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.full(n, _NEVER)
    np.minimum.at(found, packets, times)
    return found


def _is_false(stated_us: NDArray[np.int64], own: Looks, detections: Looks) -> NDArray[np.bool_]:
    """Tell of each packet whether the detection that the survey states as the first is known to be a negative one or a dipole."""
    found = np.zeros(len(stated_us), dtype=np.bool_)
    for looks in (own, detections):
        at = looks.packet
        # `NO_TIME` is the least number there is: differences with it would overflow.
        is_there = (looks.time_us >= stated_us[at] - SAME_VISIT_US) & (looks.time_us <= stated_us[at] + SAME_VISIT_US)
        found[at[is_there & ~looks.begins & (stated_us[at] != NO_TIME)]] = True
    return found
