"""What others report of an event, asked for where they report it, and kept: it counts as searched, and is left out of plans.

Nobody is spoken to within a transaction. What cannot be understood is left out with a sentence, and the rest is kept: a register
of many observers always holds something that is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hub.errors import InvalidRequest, NotFound
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.pointing import Pointing, PointingStatus
from hub.model.sky import Skymap
from hub.ports import ReportsPointings
from hub.science.levels import Levels2D
from hub.science.map_points import by_prob
from hub.science.point_visits import looks
from hub.services import pointings as reading
from hub.services.bodies import Body, text
from hub.services.coverage_curve import USUAL_DAYS, as_visits
from hub.services.queries import find_event, find_localization
from hub.storage import pointings
from hub.storage.engine import Store

DAY_S = 86_400.0

AHEAD_S = DAY_S
"""How far ahead of now plans are asked for: what is planned for later is planned anew before."""

N_POINTS = 4_096
"""Points of a map by which is told whether a visit meets it: one that meets none holds less than about a part in this many."""

MAX_REASONS = 20
"""Most reasons that are told of what was left out; of the rest their number is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What an event is asked for by."""

    event: Event
    names: tuple[str, ...]
    begin: Instant
    end: Instant
    skymap: Skymap | None


def fetch(store: Store, register: ReportsPointings, name: str, *, now: Instant, since: Instant | None = None) -> Body:
    """Ask for what is reported of an event and keep it; return how many, and why others were left out.

    A visit that was planned, and that a register of visits does not tell any more, is kept as cancelled.

    Parameters
    ----------
    store
        Keeps them.
    register
        Tells them.
    name
        Of the event, any.
    now
        The present.
    since
        A register of visits is asked from then on only, not from the time of the event.

    Raises
    ------
    NotFound
        There is no such event, or the register has none of its kind.
    InvalidRequest
        The event has no time, or no map where visits are not told by event.
    TransportError
        The register does not answer; nothing was changed.
    """
    asked = _asked(store, register, name, now, since)
    found, reasons = read(_rows(register, asked), event_id=asked.event.event_id, reported_by=register.name)
    n_elsewhere = 0
    if asked.skymap is not None:
        here = meeting(asked.skymap, found)
        n_elsewhere, found = len(found) - len(here), here
    with store.transaction() as session:
        n = pointings.save(session, found, now)
        if not register.is_of_events:
            known = pointings.of_event(session, asked.event.event_id)
            pointings.save(session, gone(known, found, register.name, now, asked.end), now)
    statuses = [one.status.value for one in found]
    return {
        "event_id": text(asked.event.event_id),
        "reported_by": text(register.name),
        "n_pointings": n,
        "by_status": {word: statuses.count(word) for word in sorted(set(statuses))},
        "n_elsewhere": n_elsewhere,
        "n_left_out": len(reasons),
        "reasons": [text(reason) for reason in reasons[:MAX_REASONS]],
    }


def read(rows: Sequence[Mapping[str, Any]], *, event_id: str, reported_by: str) -> tuple[list[Pointing], list[str]]:
    """Return the pointings that can be understood, and for each other row the reason why it cannot.

    A depth in another unit than AB magnitudes is left out, and its pointing kept.
    """
    found, reasons = [], []
    for number, row in enumerate(rows, start=1):
        name = str(row.get("id") or number)[:200]
        known = row
        if row.get("depth") not in (None, "") and row.get("depth_unit") not in (None, "", "ab_mag"):
            known = {key: value for key, value in row.items() if key != "depth"}
        by = f"{reported_by}: {row['username']}" if row.get("username") else reported_by
        try:
            found.append(reading.read(known, event_id=event_id, reported_by=by))
        except (ValueError, TypeError, OverflowError) as error:
            reasons.append(f"pointing {name}: {error}")
    return found, reasons


def gone(known: Sequence[Pointing], told: Sequence[Pointing], by: str, begin: Instant, end: Instant) -> list[Pointing]:
    """Return as cancelled the visits of a span that a register said were planned, and that it does not tell any more."""
    there = {one.pointing_id for one in told}
    return [
        replace(one, status=PointingStatus.CANCELLED)
        for one in known
        if one.status is PointingStatus.PLANNED
        and (one.reported_by == by or one.reported_by.startswith(f"{by}: "))
        and one.pointing_id not in there
        and begin <= one.at <= end
    ]


def meeting(skymap: Skymap, found: Sequence[Pointing]) -> list[Pointing]:
    """Return the pointings whose footprint meets a map."""
    if not found:
        return []
    points = by_prob(skymap, Levels2D.of(skymap), 1.0, N_POINTS)
    met = np.unique(looks(points.ra_deg, points.dec_deg, as_visits(list(found))).visit)
    return [found[row] for row in met.tolist()]


def _asked(store: Store, register: ReportsPointings, name: str, now: Instant, since: Instant | None) -> _Asked:
    with store.reading() as session:
        event = find_event(session, name)
        if event.t0 is None:
            raise InvalidRequest(f"the event {event.event_id} has no time: nobody knows what was observed because of it")
        skymap = None
        if not register.is_of_events:
            if event.localization_id is None:
                raise InvalidRequest(
                    f"the event {event.event_id} has no map: {register.name} tells visits by time and place only"
                )
            skymap = find_localization(session, event.localization_id).skymap
    end = min(now.plus_s(AHEAD_S), event.t0.plus_s(USUAL_DAYS * DAY_S))
    begin = event.t0 if since is None else max(event.t0, since)
    return _Asked(
        event=event, names=(event.event_id, *event.aliases), begin=begin, end=max(begin.plus_s(1.0), end), skymap=skymap
    )


def _rows(register: ReportsPointings, asked: _Asked) -> Sequence[Mapping[str, Any]]:
    """Return what is reported under the first name of the event that the register may know."""
    refusal: NotFound | None = None
    for name in asked.names:
        try:
            return register.pointings_of(name, asked.begin, asked.end)
        except NotFound as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal
