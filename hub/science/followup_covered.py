"""Whether somebody else will observe a place soon anyway: a fact that a follow-up policy may ask about. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub.model.instant import Instant
from hub.model.pointing import Pointing, PointingStatus
from hub.model.visit import Footprints
from hub.science.footprint import Halves, holding


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A visit of somebody else that is planned for a place."""

    by: str
    """The instrument."""

    at: Instant
    band: str
    hours: float
    """From now on."""


def planned_for(
    reported: Sequence[Pointing], place: tuple[float, float], now: Instant, within_h: float, *, instruments: Sequence[str] = ()
) -> tuple[Planned, ...]:
    """Return the planned visits whose footprint holds a place and that begin within some hours, the soonest first.

    Parameters
    ----------
    reported
        What is reported of the event, Rubin's planned visits among it.
    place
        Right ascension and declination, ICRS, degrees.
    now, within_h
        The present, and how far ahead counts: a night has half a day.
    instruments
        Whose visits count; all where none is named.
    """
    soon = [
        one
        for one in reported
        if one.status is PointingStatus.PLANNED
        and 0.0 <= one.at.minus(now) <= within_h * 3600.0
        and (not instruments or one.instrument in instruments)
    ]
    if not soon:
        return ()
    is_in = holding(Halves.of(footprints_of(soon)), *place).tolist()
    found = [
        Planned(by=one.instrument, at=one.at, band=one.band, hours=one.at.minus(now) / 3600.0)
        for one, inside in zip(soon, is_in, strict=True)
        if inside
    ]
    return tuple(sorted(found, key=lambda one: (one.hours, one.by, one.band)))


def footprints_of(found: Sequence[Pointing]) -> Footprints:
    """Return where some pointings look, in their order."""
    corners = [corner for one in found for corner in one.corners_deg]
    return Footprints(
        first=np.cumsum([0, *(len(one.corners_deg) for one in found)]).astype(np.int64),
        ra_deg=np.array([ra for ra, _ in corners], dtype=np.float64),
        dec_deg=np.array([dec for _, dec in corners], dtype=np.float64),
    )
