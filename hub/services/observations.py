"""What observers report to the hub of what they looked at: pointings, detections and limits of objects, and classes.

Each observation is a reported pointing: it counts as searched, in the curve of an event's coverage and to the follow-up policy,
which leaves out what was observed. A detection is stated of its object besides, and a class counts in the rank of the candidate
as any other stated class does (`hub.services.annotations`).

One report is an object in the words of `hub.services.pointings`, and:

``kind``
    ``pointing`` (where not given), ``detection`` or ``limit``.
``object``
    ``SURVEY:ID``; needed for a detection or limit without ``ra`` and ``dec``, whose place is then that of the candidate.
``mag``, ``mag_error``
    Of a detection, AB.
``limit_mag``
    Limiting AB magnitude at 5 sigma; needed for a limit.
``class``
    What a spectrum says, in the words of whoever says it; needs ``object``.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from hub.errors import InvalidRequest
from hub.model.annotation import Annotation, AnnotationKind, TargetKind, annotation_id
from hub.model.instant import Instant
from hub.model.pointing import Pointing
from hub.services import annotations
from hub.services import pointings as reading
from hub.services.bodies import Body, text
from hub.services.queries import find_event
from hub.storage import object_places, pointings

FIELD_DEG = 0.02
"""Radius of the field of an observation of an object that states none, degrees: an arc minute, which any camera has. Its share of
a map is next to nothing, so that what was not stated does not count as searched."""

_FIELDS = ("footprint", "radius_deg", "width_deg")


class Kind(StrEnum):
    """What was observed."""

    POINTING = "pointing"
    DETECTION = "detection"
    LIMIT = "limit"


def add(session: Session, content: str, *, event: str | None = None, reported_by: str, now: Instant) -> Body:
    """Store the observations of a JSON or CSV text, all or none; return how many of each kind for which events.

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
    ids: dict[str, str] = {}
    found: list[Pointing] = []
    stated: list[Annotation] = []
    counts = dict.fromkeys(Kind, 0)
    n_classes = 0
    for number, row in enumerate(reading.rows_of(content), start=1):
        name = str(row.get("graceid") or event or "")
        if not name:
            raise InvalidRequest(f"observation {number} names no event: graceid is missing", field="graceid")
        if name not in ids:
            ids[name] = find_event(session, name).event_id
        try:
            kind = Kind(str(row.get("kind") or Kind.POINTING).lower())
            placed = _placed(session, row, kind)
            pointing = reading.read(placed, event_id=ids[name], reported_by=reported_by)
            said = _stated(placed, kind, pointing, now)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidRequest(f"observation {number}: {error}", field="observations") from error
        found.append(pointing)
        stated += said
        counts[kind] += 1
        n_classes += any(one.kind is AnnotationKind.CLASSIFICATION for one in said)
    pointings.save(session, found, now)
    annotations.record(session, stated)
    return {
        **{f"n_{kind.value}s": n for kind, n in counts.items()},
        "n_classes": n_classes,
        "events": sorted(text(one) for one in set(ids.values())),
    }


def _placed(session: Session, row: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Return a report as one of a pointing, with the place of its object and a field where it states none."""
    found = {"status": "completed", **row}
    if kind is Kind.POINTING:
        return found
    if str(found["status"]).lower() != "completed":
        raise ValueError(f"a {kind.value} is completed, not {found['status']}")
    name = str(row.get("object") or "")
    if name and not name.partition(":")[2]:
        raise ValueError("its object is written SURVEY:ID")
    if row.get("ra") in (None, "") and row.get("position") in (None, "") and name:
        survey, _, object_id = name.partition(":")
        places = [one for one in object_places.of_ids(session, [object_id]) if one.survey == survey]
        if not places:
            raise ValueError(f"the hub does not know where {text(name)} is: give ra and dec")
        found |= {"ra": places[0].ra_deg, "dec": places[0].dec_deg}
    if not any(row.get(key) not in (None, "") for key in _FIELDS):
        found["radius_deg"] = FIELD_DEG
    if row.get("limit_mag") not in (None, ""):
        found |= {"depth": row["limit_mag"], "depth_unit": "ab_mag"}
    elif kind is Kind.LIMIT:
        raise ValueError("its limit_mag is missing")
    return found


def _stated(row: Mapping[str, Any], kind: Kind, pointing: Pointing, now: Instant) -> list[Annotation]:
    """Return what a report states of its object."""
    name = str(row.get("object") or "")
    said: list[tuple[AnnotationKind, dict[str, object]]] = []
    if kind is not Kind.POINTING and name:
        value = {
            "kind": kind.value,
            "at": pointing.at.to_utc_iso(),
            "band": pointing.band,
            "instrument": pointing.instrument,
            "mag": _magnitude(row, "mag", is_needed=kind is Kind.DETECTION),
            "mag_error": _magnitude(row, "mag_error", is_needed=False),
            "limit_mag": pointing.depth_ab,
        }
        said.append((AnnotationKind.OBSERVATION, {key: item for key, item in value.items() if item not in (None, "")}))
    if row.get("class"):
        if not name:
            raise ValueError("its class is of no object: object is missing")
        said.append((AnnotationKind.CLASSIFICATION, {"class": str(row["class"])[:200]}))
    target = (TargetKind.OBJECT, name)
    return [
        Annotation(
            annotation_id=annotation_id(
                source=pointing.reported_by,
                source_ref=pointing.pointing_id,
                version="",
                target=target,
                kind=one,
                value=value,
                stated_at=pointing.at,
            ),
            target_kind=target[0],
            target_id=target[1],
            kind=one,
            value=value,
            source=pointing.reported_by,
            source_ref=pointing.pointing_id,
            version="",
            stated_at=pointing.at,
            received_at=now,
        )
        for one, value in said
    ]


def _magnitude(row: Mapping[str, Any], key: str, *, is_needed: bool) -> float | None:
    if row.get(key) in (None, ""):
        if is_needed:
            raise ValueError(f"its {key} is missing")
        return None
    try:
        value = float(row[key])
    except (TypeError, ValueError) as error:
        raise ValueError(f"its {key} is no number") from error
    if not -10.0 <= value <= 40.0:
        raise ValueError(f"its {key} must lie between -10 and 40")
    return value
