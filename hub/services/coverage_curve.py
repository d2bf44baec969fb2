"""The probability of an event's map that was searched, against time: by surveys as the hub heard it, by others as they report it.

What a survey searched is known from its alerts; reported pointings are taken at their word, and are always shown apart.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from hub.errors import InvalidRequest
from hub.model.alert import Words
from hub.model.coincidence import PairState
from hub.model.instant import Instant
from hub.model.pointing import Pointing, PointingStatus
from hub.model.sky import Skymap
from hub.model.visit import AB_ZERO_POINT_NJY, DetectorVisits, FootprintKind, Footprints, ab_mag, joined
from hub.science.detectable import DepthCurve, depth_curve, moduli_of
from hub.science.footprint import Halves, positions_of
from hub.science.footprint_share import share_of
from hub.science.levels import Levels2D
from hub.science.map_points import MapPoints, by_prob
from hub.science.point_visits import looks
from hub.science.rules import DAY_S, Hypothesis
from hub.services import coverage, light_curve_models, promotion, searched
from hub.services.bodies import Body, jsonable, text, utc
from hub.services.counterparts import Book, shipped
from hub.services.queries import find_event, find_localization
from hub.storage import candidates, pointings

USUAL_DAYS = 14.0
"""How long after an event a curve looks unless a hypothesis says, days."""

EVERYBODY = "all"
"""Name of the series of all who searched together."""


def of_event(
    session: Session,
    archive: Path,
    name: str,
    *,
    now: Instant,
    hypothesis: str | None = None,
    depth_ab: float | None = None,
    band: str | None = None,
    book: Book | None = None,
) -> Body:
    """Return for each who searched, and for all together, the probability searched by when.

    Parameters
    ----------
    session, archive
        What is asked.
    name
        Of the event, any.
    now
        The present.
    hypothesis
        Whose light curve the depths are compared with; without one the share is that of the map alone.
    depth_ab, band
        Only what reached this AB magnitude at 5 sigma, and this band; all where not given.
    book
        Rules and priors; those that the hub ships where not given.

    Raises
    ------
    NotFound
        There is no such event.
    InvalidRequest
        It has no time or no map, or there is no such hypothesis.
    StorageError
        A ledger cannot be read.
    """
    book = book or shipped()
    event = find_event(session, name)
    if event.localization_id is None or event.t0 is None:
        lacks = "no localization" if event.localization_id is None else "no time"
        raise InvalidRequest(f"the event {event.event_id} has {lacks}: there is nothing whose share could be searched")
    rule = _rule(book, hypothesis)
    skymap = find_localization(session, event.localization_id).skymap
    points = by_prob(skymap, Levels2D.of(skymap), 1.0, book.policy.posterior.n_points)
    low, high = (0.0, USUAL_DAYS) if rule is None else rule.window_d
    window = (
        event.t0.plus_s(low * DAY_S),
        max(event.t0, min(now, event.t0.plus_s(min(high, searched.MAX_EVENT_WINDOW_D - 1) * DAY_S))),
    )
    hears = coverage.heard(session)
    parts: dict[str, tuple[str, DetectorVisits]] = {}
    unknown, remarks = [], list[str]()
    for survey in sorted({one.survey for one in hears.streams}):
        visits, reason = searched.visits_around(session, archive, hears, survey, window, points)
        if visits is None:
            unknown.append({"by": text(survey), "reason": reason})
        else:
            parts[survey] = ("heard", visits)
            remarks += [f"{text(survey)}: {reason}"] if reason else []
    reported = pointings.of_event(session, event.event_id)  # plans lie ahead
    done = [one for one in reported if one.status is PointingStatus.COMPLETED and window[0] <= one.at <= window[1]]
    for instrument in sorted({one.instrument for one in done}):
        own = [one for one in done if one.instrument == instrument]
        parts[f"{instrument} (reported)"] = ("reported", as_visits(own))
    curves = _Curves(skymap=skymap, points=points, t0=event.t0, rule=rule)
    series = [curves.body(who, basis, _chosen(visits, depth_ab, band)) for who, (basis, visits) in parts.items()]
    if len(parts) > 1:
        series.append(
            curves.body(EVERYBODY, "heard and reported", _chosen(joined([one for _, one in parts.values()]), depth_ab, band))
        )
    is_heard = any(basis == "heard" for basis, _ in parts.values())
    best = candidates.of_event(session, event.event_id, state=PairState.OPEN, limit=3)
    not_searched = promotion.why_not_searched(session, book.rules.low_significance, event)
    return {
        "event_id": text(event.event_id),
        "localization_id": event.localization_id,
        "t0": utc(event.t0),
        "window_start": utc(window[0]),
        "window_end": utc(window[1]),
        "hypothesis": None if rule is None else text(rule.name),
        "depth_ab": depth_ab,
        "band": band,
        "coverage": "unknown" if not is_heard else "partial" if remarks else "known",
        "remarks": remarks,
        "unknown": unknown,
        "series": series,
        "n_planned": sum(one.status is PointingStatus.PLANNED for one in reported),
        "n_cancelled": sum(one.status is PointingStatus.CANCELLED for one in reported),
        "not_searched": not_searched,
        "nothing_found": not best and not_searched is None,
        "best_candidates": [f"{one.survey}:{one.object_id}" for one in best],
    }


def as_visits(reported: list[Pointing]) -> DetectorVisits:
    """Return reported pointings as visits of one detector each."""
    corners = [one.corners_deg for one in reported]
    ra = np.array([place[0] for some in corners for place in some], dtype=np.float64)
    dec = np.array([place[1] for some in corners for place in some], dtype=np.float64)
    first = np.concatenate(([0], np.cumsum([len(some) for some in corners]))).astype(np.int64)
    polygons = Footprints(first=first, ra_deg=ra, dec_deg=dec)
    middle_ra, middle_dec = positions_of(Halves.of(polygons).centre)
    n = len(reported)
    depth = np.array([np.nan if one.depth_ab is None else one.depth_ab for one in reported])
    return DetectorVisits(
        survey=Words.of([one.instrument for one in reported]),
        visit=np.arange(1, n + 1, dtype=np.int64),
        detector=np.full(n, -1, dtype=np.int32),
        mid_tai_us=np.array([one.at.tai_us for one in reported], dtype=np.int64),
        band=Words.of([one.band for one in reported]),
        n_alerts=np.zeros(n, dtype=np.int64),
        depth_njy=10.0 ** ((AB_ZERO_POINT_NJY - depth) / 2.5),
        ra_deg=middle_ra,
        dec_deg=middle_dec,
        footprint=Words.constant(FootprintKind.OUTLINE.value, n),
        polygons=polygons,
        reason=Words.constant("reported", n),
        target=Words.constant("", n),
        schema=Words.constant("", n),
        reliability_version=Words.constant("", n),
    )


class _Curves:
    """Curves of one map for one hypothesis."""

    def __init__(self, *, skymap: Skymap, points: MapPoints, t0: Instant, rule: Hypothesis | None) -> None:
        self._skymap = skymap
        self._points = points
        self._t0 = t0
        self._model = None if rule is None else light_curve_models.model_of(rule)
        self._moduli = None if self._model is None else moduli_of(skymap, points)

    def body(self, who: str, basis: str, visits: DetectorVisits) -> Body:
        """Return the series of one who searched, with the steps at which it grows."""
        visits = visits.take(np.lexsort((visits.detector, visits.visit, visits.mid_tai_us)))
        gain = share_of(self._skymap, Halves.of(visits.polygons)).gain
        deep = self._deep(visits)
        steps: list[Body] = []
        so_far = 0.0
        for rows in _exposures(visits):
            share = float(gain[rows].sum())
            so_far += share
            at = int(visits.mid_tai_us[rows[0]])
            seen = None if deep is None else _until(deep, at)
            if share > 0.0 or (steps and seen != steps[-1]["detectable_prob"]):
                depths = visits.depth_njy[rows]
                depth = float(np.median(depths[np.isfinite(depths)])) if np.isfinite(depths).any() else float("nan")
                steps.append(
                    {
                        "at": utc(Instant(at)),
                        "days": (at - self._t0.tai_us) / (DAY_S * 1e6),
                        "band": text(visits.band.text(int(rows[0]))),
                        "depth_ab": jsonable(float(ab_mag(depth))),
                        "searched_prob": min(so_far, 1.0),
                        "detectable_prob": seen,
                    }
                )
        return {
            "by": text(who),
            "basis": basis,
            "n_exposures": len(_exposures(visits)),
            "searched_prob": min(so_far, 1.0),
            "detectable_prob": None if deep is None else deep.total_detectable,
            "model": None if self._model is None or deep is None else self._model.name,
            "steps": steps,
        }

    def _deep(self, visits: DetectorVisits) -> DepthCurve | None:
        if self._model is None or self._moduli is None:
            return None
        return depth_curve(
            self._points,
            looks(self._points.ra_deg, self._points.dec_deg, visits),
            visits,
            self._t0.tai_us,
            moduli=self._moduli,
            magnitude=self._model.magnitude,
            spread_mag=self._model.spread_mag,
            extinction=self._model.extinction_at(self._points),
        )


def _rule(book: Book, name: str | None) -> Hypothesis | None:
    if name is None:
        return None
    found = next((one for one in book.rules.hypotheses if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in book.rules.hypotheses)
        raise InvalidRequest(f"there is no hypothesis {name!r}: there are {known}", field="hypothesis")
    return found


def _chosen(visits: DetectorVisits, depth_ab: float | None, band: str | None) -> DetectorVisits:
    mask = np.ones(len(visits), dtype=np.bool_)
    if depth_ab is not None:
        mask &= ab_mag(visits.depth_njy) >= depth_ab
    if band is not None:
        mask &= np.array([band in one.split(",") for one in visits.band.texts()], dtype=np.bool_)
    return visits.take(mask)


def _exposures(visits: DetectorVisits) -> list[NDArray[np.intp]]:
    """Return the rows of each moment, in order of time."""
    if not len(visits):
        return []
    return np.split(np.arange(len(visits)), np.flatnonzero(np.diff(visits.mid_tai_us)) + 1)


def _until(curve: DepthCurve, at_us: int) -> float:
    place = int(np.searchsorted(curve.mid_us, at_us, side="right")) - 1
    return float(curve.detectable[place]) if place >= 0 else 0.0
