"""When objects began, as intervals: after the last visit that would have seen them, up to their first detection.

What is asked of the visit ledger is the last visit of a place and band that went deeper than the flux at the first detection.
Forced photometry and upper limits of the objects' own packets tell the same where they are later (`quiet_tai_us` of alerts), and
may move the first detection back (`began_tai_us`). Negative differences, dipoles and what is attributed to the solar system never
set an onset.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import NO_TIME
from hub.science.crossmatch import first_detection_us
from hub.science.light_curves import LightCurves

LOOK_BACK_D = 30.0
"""How long before a first detection visits count where nobody says otherwise, days."""

_DAY_US = 86_400_000_000

NEVER = int(np.iinfo(np.int64).max)
"""Time of the first detection of an object that has none."""


class Basis(IntEnum):
    """What is known of the time before the first detection."""

    VISIT = 0
    """A visit that would have seen it and did not."""

    AGE_UNKNOWN = 1
    """The ledger tells of that time, and no visit of the place and band went as deep."""

    COVERAGE_UNKNOWN = 2
    """No ledger tells of that time."""

    FORCED = 3
    """Forced photometry or an upper limit of the object's own packets."""


WORDS = {
    Basis.AGE_UNKNOWN: "age unknown: no visit of this place and band went as deep in the {days:g} d before",
    Basis.COVERAGE_UNKNOWN: "coverage unknown: no ledger of visits tells of all the {days:g} d before",
}
"""Why nothing can be said of the onset."""

NEW_TEMPLATE = "age unknown: the template holds images that were taken after the event"
"""Why nothing can be said of an object that the template may have hidden, or begun to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Onset:
    """When one object began, days after t0."""

    after_d: float | None
    """Middle of the last visit that would have seen it; None where there is none."""

    before_d: float
    """First detection."""

    why_unknown: str | None = None
    """A sentence where `after_d` is None."""

    is_forced: bool = False
    """Whether photometry of its own packets tells the former, not a visit of the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstSeen:
    """First detections of objects, shape ``(m,)``: what the ledger is asked with."""

    survey: str
    time_us: NDArray[np.int64]
    """`NEVER` where there is none that sets an onset."""

    flux_njy: NDArray[np.float64]
    """At the earliest detection that is in the archive; NaN where it is not stated."""

    band: NDArray[np.bytes_]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    quiet_us: NDArray[np.int64]
    """Last photometry of their own packets before that would have shown them and did not; `NO_TIME` where there is none."""

    template_us: NDArray[np.int64]
    """Last image of the template that the earliest detection in the archive was found with; `NO_TIME` where nobody says."""

    @classmethod
    def of(cls, curves: LightCurves, survey: str | None = None) -> Self:
        """Return the first detections of objects: positive, no dipoles and not of the solar system.

        An earlier detection that only a packet knows of counts, unless the archive has it and it was none of these. Where other
        objects are united with them, the alerts of all of them count, or those of one survey.
        """
        if survey is not None and curves.origin is not None:
            own = replace(curves, alerts=replace(curves.alerts, survey=survey))
            of_survey = np.array([name == survey for name in curves.surveys], dtype=bool)
            return cls.of(own.only(of_survey[curves.origin]))
        alerts = curves.alerts
        counts = ~alerts.is_negative & ~alerts.is_solar_system & ~alerts.is_dipole & ~(alerts.flux_njy <= 0)
        is_told = alerts.began_tai_us != NO_TIME
        told = np.where(is_told, np.minimum(alerts.began_tai_us, alerts.mid_tai_us), first_detection_us(alerts))
        if not counts.all():
            wrong = _keys(curves.owner[~counts], alerts.mid_tai_us[~counts])
            is_wrong = np.isin(_keys(curves.owner, told), wrong)
            is_told &= ~is_wrong
            told = np.where(is_wrong, alerts.mid_tai_us, told)
        time = np.full(len(curves), NEVER)
        sets = counts | is_told
        np.minimum.at(time, curves.owner[sets], told[sets])
        quiet = np.full(len(curves), NO_TIME)
        before = alerts.quiet_tai_us < time[curves.owner]
        np.maximum.at(quiet, curves.owner[before], alerts.quiet_tai_us[before])
        rows = np.flatnonzero(counts)
        owners, first = np.unique(curves.owner[rows], return_index=True)  # rows are in order of time within each object
        # Of an object without any such detection in the archive the first alert: its flux lets no visit count.
        place = np.minimum(np.searchsorted(curves.owner, np.arange(len(curves))), max(len(alerts) - 1, 0))
        place[owners] = rows[first]
        if not len(alerts):
            empty = np.zeros(len(curves))
            return cls(
                survey=alerts.survey,
                time_us=time,
                flux_njy=empty,
                band=alerts.band,
                ra_deg=empty,
                dec_deg=empty,
                quiet_us=quiet,
                template_us=quiet,
            )
        return cls(
            survey=alerts.survey,
            time_us=time,
            flux_njy=alerts.flux_njy[place],
            band=alerts.band[place],
            ra_deg=alerts.ra_deg[place],
            dec_deg=alerts.dec_deg[place],
            quiet_us=quiet,
            template_us=alerts.template_tai_us[place],
        )

    def take(self, index: NDArray[np.int64]) -> Self:
        """Return those of some objects."""
        names = ("time_us", "flux_njy", "band", "ra_deg", "dec_deg", "quiet_us", "template_us")
        return type(self)(survey=self.survey, **{name: getattr(self, name)[index] for name in names})


def _keys(owner: NDArray[np.int64], time_us: NDArray[np.int64]) -> NDArray[np.void]:
    both = np.ascontiguousarray(np.stack([owner, time_us], axis=1))
    return both.view([("owner", np.int64), ("time", np.int64)]).ravel()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LastVisits:
    """What the ledger answers, shape ``(m,)``."""

    time_us: NDArray[np.int64]
    """Middle of the last visit of place and band before the first detection that went deeper; `NO_TIME` where there is none."""

    is_known: NDArray[np.bool_]
    """Whether any ledger tells of the time before."""


VisitsBefore = Callable[[FirstSeen, float], LastVisits]
"""Answers for first detections, and how many days to look back."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Onsets:
    """When objects began, shape ``(m,)``, in the order of their light curves."""

    after_us: NDArray[np.int64]
    """`NO_TIME` where it is unknown."""

    before_us: NDArray[np.int64]
    """`NEVER` where nothing sets an onset."""

    basis: NDArray[np.int8]
    """A `Basis` each."""

    template_us: NDArray[np.int64]
    """As in `FirstSeen`."""

    look_back_d: float

    @classmethod
    def unknown(cls, curves: LightCurves, look_back_d: float) -> Self:
        """Return what is known without any ledger."""
        return cls.of(FirstSeen.of(curves), None, look_back_d)

    @classmethod
    def of(cls, first: FirstSeen, last: LastVisits | None, look_back_d: float) -> Self:
        """Return the onsets of objects by their first detections and what the ledger says."""
        n = len(first.time_us)
        after = np.full(n, NO_TIME) if last is None else last.time_us
        known = np.zeros(n, dtype=bool) if last is None else last.is_known
        basis = np.where(after != NO_TIME, Basis.VISIT, np.where(known, Basis.AGE_UNKNOWN, Basis.COVERAGE_UNKNOWN))
        earliest = np.where(first.time_us == NEVER, NEVER, first.time_us - int(look_back_d * _DAY_US))
        is_forced = (first.quiet_us > after) & (first.quiet_us >= earliest)
        return cls(
            after_us=np.where(is_forced, first.quiet_us, after),
            before_us=first.time_us,
            basis=np.where(is_forced, Basis.FORCED, basis).astype(np.int8),
            template_us=first.template_us,
            look_back_d=look_back_d,
        )

    def words(self, index: int) -> str | None:
        """Return why nothing can be said of the onset of an object, None where something can."""
        return self.words_by_basis()[int(self.basis[index])]

    def words_by_basis(self) -> tuple[str | None, ...]:
        """Return the same for each `Basis`."""
        return tuple(WORDS[one].format(days=self.look_back_d) if one in WORDS else None for one in Basis)


def onsets(curves: LightCurves, visits: VisitsBefore, look_back_d: float, asked: NDArray[np.int64] | None = None) -> Onsets:
    """Return when objects began; the ledger is asked at once for all of them, or for some by their index.

    Where objects of several surveys are united it is asked for each survey, with its own flux and band: whichever looked last and
    saw nothing tells.
    """
    first = FirstSeen.of(curves)
    after, known = np.full(len(curves), NO_TIME), np.zeros(len(curves), dtype=bool)
    for survey in sorted({*curves.surveys}) or (curves.alerts.survey,):
        seen = first if curves.origin is None else replace(FirstSeen.of(curves, survey), quiet_us=first.quiet_us)
        some = np.flatnonzero(seen.time_us != NEVER)
        if asked is not None:
            some = some[np.isin(some, asked)]
        if len(some):
            answer = visits(replace(seen, time_us=first.time_us).take(some), look_back_d)
            after[some], known[some] = np.maximum(after[some], answer.time_us), known[some] | answer.is_known
    return Onsets.of(first, LastVisits(time_us=after, is_known=known), look_back_d)
