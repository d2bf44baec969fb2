"""Reports of pointings in the words of the Treasure Map, as JSON or CSV, to rows: read, checked, stored.

One report is an object with ``graceid`` (the event), ``instrumentid`` or ``instrument``, ``status``, ``time`` (or
``time_planned``), ``band``, ``depth`` with ``depth_unit`` ``ab_mag``, and where it looked: ``footprint`` as corners or WKT
``POLYGON((ra dec, ...))``, or ``position`` (WKT ``POINT(ra dec)``, or ``ra`` and ``dec``) with ``radius_deg``, or with
``width_deg``, ``height_deg`` and ``pos_angle`` (north through east). Several are a list, or an object with ``graceid`` and
``pointings``.
"""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from hub.errors import InvalidRequest
from hub.model.instant import Instant
from hub.model.pointing import Pointing, PointingStatus
from hub.model.visit import Footprints
from hub.science.footprint import positions_of, unit_vectors
from hub.services.bodies import Body, jsonable, text, utc
from hub.services.queries import find_event
from hub.storage import pointings

MAX_REPORTS = 10_000
"""Most pointings of one upload."""

MAX_CORNERS = 200
MAX_RADIUS_DEG = 20.0
"""Nothing that is one field is larger than this from its middle, degrees."""

_CIRCLE_CORNERS = 24
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_POINT = re.compile(rf"^\s*POINT\s*\(\s*({_NUMBER})\s+({_NUMBER})\s*\)\s*$", re.IGNORECASE)
_POLYGON = re.compile(r"^\s*POLYGON\s*\(\(([^()]*)\)\)\s*$", re.IGNORECASE)


def add(session: Session, content: str, *, event: str | None = None, reported_by: str, now: Instant) -> Body:
    """Store the pointings of a JSON or CSV text, all or none; return how many for which events.

    Parameters
    ----------
    session
        In a transaction.
    content
        The report.
    event
        That it is of, where the report does not say.
    reported_by
        Who says so.
    now
        The present.

    Raises
    ------
    InvalidRequest
        It cannot be understood; the sentence names the row.
    NotFound
        There is no such event.
    """
    rows = rows_of(content)
    ids: dict[str, str] = {}
    found = []
    for number, row in enumerate(rows, start=1):
        name = str(row.get("graceid") or event or "")
        if not name:
            raise InvalidRequest(f"pointing {number} names no event: graceid is missing", field="graceid")
        if name not in ids:
            ids[name] = find_event(session, name).event_id
        try:
            found.append(read(row, event_id=ids[name], reported_by=reported_by))
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidRequest(f"pointing {number}: {error}", field="pointings") from error
    n = pointings.save(session, found, now)
    return {"n_pointings": n, "events": sorted(text(one) for one in set(ids.values()))}


def of_event(session: Session, name: str) -> list[Body]:
    """Return the pointings that are reported of an event, the earliest first."""
    return [_body(one) for one in pointings.of_event(session, find_event(session, name).event_id)]


def footprints(session: Session, name: str, *, planned_from: Instant | None = None) -> Footprints:
    """Return where others have observed because of an event; with a moment also where they plan to from then on.

    Raises
    ------
    NotFound
        There is no such event.
    """
    found = [
        one.corners_deg
        for one in pointings.of_event(session, find_event(session, name).event_id)
        if one.status is PointingStatus.COMPLETED
        or (one.status is PointingStatus.PLANNED and planned_from is not None and one.at >= planned_from)
    ]
    corners = [corner for some in found for corner in some]
    return Footprints(
        first=np.cumsum([0, *map(len, found)]).astype(np.int64),
        ra_deg=np.array([ra for ra, _ in corners], dtype=np.float64),
        dec_deg=np.array([dec for _, dec in corners], dtype=np.float64),
    )


def rows_of(content: str) -> list[Mapping[str, Any]]:
    """Return the reports of a text, JSON or CSV with a line of names.

    Raises
    ------
    InvalidRequest
        It is neither, or has none or too many.
    """
    stripped = content.lstrip("\ufeff \t\r\n")
    rows: Sequence[Any]
    if stripped[:1] in ("{", "["):
        try:
            data = json.loads(stripped)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"the report is no valid JSON: {error}") from error
        rows = _unfolded(data)
    else:
        try:
            rows = [{key: value for key, value in row.items() if key and value} for row in csv.DictReader(io.StringIO(stripped))]
        except csv.Error as error:
            raise InvalidRequest(f"the report is no valid CSV: {error}") from error
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise InvalidRequest("the report holds no pointings: it is a list of objects, or a table with a line of names")
    if len(rows) > MAX_REPORTS:
        raise InvalidRequest(f"the report holds {len(rows)} pointings, more than {MAX_REPORTS} at once")
    return list(rows)


def read(row: Mapping[str, Any], *, event_id: str, reported_by: str) -> Pointing:
    """Return the pointing of one report.

    Raises
    ------
    ValueError
        A value is missing or wrong; the sentence says which.
    """
    status = PointingStatus(str(row.get("status", "completed")).lower())
    when = row.get("time") or row.get("time_planned" if status is PointingStatus.PLANNED else "time")
    if not when:
        raise ValueError("its time is missing")
    instrument = str(row.get("instrument") or row.get("instrumentid") or "")
    if not instrument:
        raise ValueError("its instrument is missing")
    return Pointing(
        event_id=event_id,
        instrument=instrument[:200],
        status=status,
        at=_instant(str(when)),
        band=str(row.get("band", ""))[:40],
        depth_ab=_depth(row),
        corners_deg=_corners(row),
        reported_by=reported_by[:200],
        name=str(row.get("id") or row.get("name") or "")[:200],
    )


def _unfolded(data: Any) -> Sequence[Any]:
    if isinstance(data, Mapping) and isinstance(data.get("pointings"), list):
        shared = {key: data[key] for key in ("graceid",) if key in data}
        return [{**shared, **row} if isinstance(row, Mapping) else row for row in data["pointings"]]
    return [data] if isinstance(data, Mapping) else data


def _instant(value: str) -> Instant:
    stated = value.strip().replace(" ", "T")
    return Instant.from_utc_iso(stated if stated.endswith("Z") or "+" in stated[10:] else f"{stated}Z")


def _depth(row: Mapping[str, Any]) -> float | None:
    if row.get("depth") in (None, ""):
        return None
    unit = str(row.get("depth_unit", "ab_mag"))
    if unit != "ab_mag":
        raise ValueError(f"its depth is in {unit!r}: only ab_mag is understood")
    return _number(row, "depth", 0.0, 40.0)


def _corners(row: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    if row.get("footprint") not in (None, ""):
        return _convex(_listed(row["footprint"]))
    ra, dec = _position(row)
    if row.get("radius_deg") not in (None, ""):
        radius = _number(row, "radius_deg", 1e-4, MAX_RADIUS_DEG)
        angles = 2.0 * np.pi * np.arange(_CIRCLE_CORNERS) / _CIRCLE_CORNERS
        return _around(ra, dec, radius * np.sin(angles), radius * np.cos(angles))
    if row.get("width_deg") in (None, ""):
        raise ValueError("it says not where it looked: give a footprint, radius_deg, or width_deg and height_deg")
    width = _number(row, "width_deg", 1e-4, MAX_RADIUS_DEG)
    height = _number(row, "height_deg", 1e-4, MAX_RADIUS_DEG) if row.get("height_deg") not in (None, "") else width
    turn = math.radians(_number(row, "pos_angle", -360.0, 360.0) if row.get("pos_angle") not in (None, "") else 0.0)
    east, north = np.array([-1, 1, 1, -1]) * width / 2, np.array([-1, -1, 1, 1]) * height / 2
    return _around(ra, dec, east * np.cos(turn) + north * np.sin(turn), north * np.cos(turn) - east * np.sin(turn))


def _position(row: Mapping[str, Any]) -> tuple[float, float]:
    if row.get("position") not in (None, ""):
        found = _POINT.match(str(row["position"]))
        if found is None:
            raise ValueError("its position is no POINT(ra dec)")
        row = {"ra": found[1], "dec": found[2]}
    return _number(row, "ra", -360.0, 360.0) % 360.0, _number(row, "dec", -90.0, 90.0)


def _listed(value: Any) -> list[tuple[float, float]]:
    if isinstance(value, str):
        found = _POLYGON.match(value)
        if found is None:
            raise ValueError("its footprint is no POLYGON((ra dec, ...)) and no list of corners")
        value = [pair.split() for pair in found[1].split(",")]
    corners = [tuple(float(one) for one in pair) for pair in value]
    if any(len(pair) != 2 or not all(map(math.isfinite, pair)) or not -90.0 <= pair[1] <= 90.0 for pair in corners):
        raise ValueError("a corner of its footprint is no right ascension and declination")
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if not 3 <= len(corners) <= MAX_CORNERS:
        raise ValueError(f"its footprint has {len(corners)} corners: 3 to {MAX_CORNERS} are understood")
    return [(pair[0] % 360.0, pair[1]) for pair in corners]


def _convex(corners: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return the corners counter-clockwise; refuse what is not convex or too large to be one field."""
    vectors = unit_vectors([ra for ra, _ in corners], [dec for _, dec in corners])
    middle = vectors.sum(axis=0)
    middle /= max(float(np.linalg.norm(middle)), 1e-12)
    if (vectors @ middle < math.cos(math.radians(MAX_RADIUS_DEG))).any():
        raise ValueError(f"its footprint reaches farther than {MAX_RADIUS_DEG:g} degrees from its middle")
    following = np.roll(vectors, -1, axis=0)
    normals = np.cross(vectors, following)
    turns = np.einsum("ij,ij->i", np.roll(normals, 1, axis=0), following)
    if (turns > -1e-15).all() and (normals @ middle > 0).all():
        return tuple(corners)
    if (turns < 1e-15).all() and (normals @ middle < 0).all():
        return tuple(corners[::-1])
    raise ValueError("its footprint is not convex: report its parts one by one")


def _around(ra_deg: float, dec_deg: float, east_deg: Any, north_deg: Any) -> tuple[tuple[float, float], ...]:
    """Return corners on the tangent plane of a position, counter-clockwise as seen from outside of the sphere."""
    middle = unit_vectors(ra_deg, dec_deg)
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    east = np.array([-math.sin(ra), math.cos(ra), 0.0])
    north = np.array([-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec)])
    offsets = (
        np.tan(np.radians(np.asarray(east_deg)))[:, None] * east + np.tan(np.radians(np.asarray(north_deg)))[:, None] * north
    )
    places = positions_of(middle + offsets)
    return _convex(list(zip(places[0].tolist(), places[1].tolist(), strict=True)))


def _number(row: Mapping[str, Any], key: str, low: float, high: float) -> float:
    try:
        value = float(row[key])
    except KeyError as error:
        raise ValueError(f"its {key} is missing") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"its {key} is no number") from error
    if not low <= value <= high:
        raise ValueError(f"its {key} must lie between {low:g} and {high:g}")
    return value


def _body(one: Pointing) -> Body:
    return {
        "pointing_id": one.pointing_id,
        "event_id": text(one.event_id),
        "instrument": text(one.instrument),
        "name": text(one.name),
        "status": one.status.value,
        "at": utc(one.at),
        "band": text(one.band),
        "depth_ab": jsonable(one.depth_ab),
        "corners_deg": jsonable(one.corners_deg),
        "reported_by": text(one.reported_by),
    }
