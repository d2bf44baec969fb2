"""Was anything coincident with this? A position, perhaps a time, against everything the hub has heard."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.notice import EventClass
from hub.ports import AlertHistory
from hub.science.healpix import merge, pixels29
from hub.science.rules import DAY_S
from hub.services.maps import MapCache
from hub.storage import candidates, events

ALL_TIME = (Instant(63_072_010_000_000), Instant(4_000_000_000_000_000))
"""1972 to 2096: every time an `Instant` of UTC can have, and some."""

MAX_LEVEL = 0.999
"""Events whose localization holds the position only beyond this level are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Where and when."""

    ra_deg: float
    """ICRS."""

    dec_deg: float
    time: Instant | None
    """None for any time."""

    window_d: float
    """Days before and after the time."""

    radius_deg: float
    """For candidates and alerts around the position."""


def events_at(session: Session, maps: MapCache, question: Question) -> list[dict[str, Any]]:
    """Return the events whose current localization holds the position, most likely place first."""
    start, end = _interval(question)
    pixel = pixels29(np.array([question.ra_deg]), np.array([question.dec_deg]))
    found = []
    for event in events.in_window(session, list(EventClass), start, end):
        if event.localization_id is None:
            continue
        hit = maps.levels(session, [event.localization_id])[event.localization_id].lookup(pixel)
        if hit.covered[0] and hit.searched_prob[0] <= MAX_LEVEL:
            found.append(_event_row(event, question, float(hit.searched_prob[0]), float(hit.probdensity[0])))
    return sorted(found, key=lambda row: (row["level"], row["event_id"]))


def candidates_at(session: Session, question: Question) -> list[dict[str, Any]]:
    """Return the candidates of any event within the radius, nearest first."""
    start, end = _interval(question)
    lo, hi = merge(*_cone_ranges(question.ra_deg, question.dec_deg, question.radius_deg))
    near = []
    for candidate in candidates.in_pixels(session, lo, hi, start, end):
        separation = separation_deg(question.ra_deg, question.dec_deg, candidate.ra_deg, candidate.dec_deg)
        if separation <= question.radius_deg:
            near.append((separation, candidate))
    return [
        {
            "kind": "candidate",
            "event_id": one.event_id,
            "object_id": f"{one.survey}:{one.object_id}",
            "separation_deg": separation,
            "hypothesis": one.hypothesis,
            "state": one.state.value,
            "score": one.score,
            "level": one.level,
        }
        for separation, one in sorted(near, key=_place_in_list)
    ]


def _place_in_list(found: tuple[float, Candidate]) -> tuple[Any, ...]:
    """Return what sorts candidates: the nearest first, those of one object and event as in other listings."""
    separation, one = found
    return separation, one.event_id, f"{one.survey}:{one.object_id}", not one.confirmed, -one.score, one.hypothesis


def alerts_at(history: AlertHistory, question: Question) -> list[dict[str, Any]]:
    """Return the objects with past alerts within the radius and window, nearest first."""
    start, end = _interval(question)
    lo, hi = _cone_ranges(question.ra_deg, question.dec_deg, question.radius_deg)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for batch in history.in_region(lo, hi, start, end):
        for row in batch.rows():
            separation = separation_deg(question.ra_deg, question.dec_deg, row["ra_deg"], row["dec_deg"])
            if separation > question.radius_deg:
                continue
            known = found.setdefault(
                (batch.survey, row["object_id"]),
                {
                    "kind": "object",
                    "object_id": f"{batch.survey}:{row['object_id']}" if row["object_id"] else None,
                    "separation_deg": separation,
                    "n_alerts": 0,
                    "last_alert": row["mid_tai_us"],
                },
            )
            known["n_alerts"] += 1
            known["separation_deg"] = min(known["separation_deg"], separation)
            known["last_alert"] = max(known["last_alert"], row["mid_tai_us"])
    rows = sorted(found.values(), key=lambda row: (row["separation_deg"], row["object_id"] or ""))
    return [{**row, "last_alert": Instant(row["last_alert"]).to_utc_iso()} for row in rows]


def separation_deg(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """Return the angle between two positions, degrees (haversine: exact also for small angles)."""
    a1, d1, a2, d2 = np.radians([ra1, dec1, ra2, dec2])
    h = np.sin((d2 - d1) / 2) ** 2 + np.cos(d1) * np.cos(d2) * np.sin((a2 - a1) / 2) ** 2
    return float(np.degrees(2 * np.arcsin(np.sqrt(min(1.0, h)))))


def _interval(question: Question) -> tuple[Instant, Instant]:
    if question.time is None:
        return ALL_TIME
    return question.time.plus_s(-question.window_d * DAY_S), question.time.plus_s(question.window_d * DAY_S)


def _event_row(event: Event, question: Question, level: float, density: float) -> dict[str, Any]:
    return {
        "kind": "event",
        "event_id": event.event_id,
        "level": level,
        "probdensity_per_sr": density,
        "dt_s": question.time.minus(event.t0) if question.time and event.t0 else None,
        "t0": event.t0.to_utc_iso() if event.t0 else None,
        "messenger": event.messenger.value,
        "event_class": event.event_class.value,
        "state": event.state.value,
        "is_live": event.is_live,
    }


def _cone_ranges(ra_deg: float, dec_deg: float, radius_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Return order-29 ranges of coarse pixels that cover a cone (and more)."""
    from astropy import units  # noqa: PLC0415
    from astropy_healpix import HEALPix  # noqa: PLC0415 - only this question needs it

    order = 8
    cone = HEALPix(nside=2**order, order="nested").cone_search_lonlat(
        ra_deg * units.deg, dec_deg * units.deg, (radius_deg + 0.5) * units.deg
    )
    cells = np.unique(np.asarray(cone, dtype=np.int64))
    return cells << 2 * (29 - order), (cells + 1) << 2 * (29 - order)
