"""Annotations as JSON, and those that belong beside an event or an object."""

from sqlalchemy.orm import Session

from hub.model.annotation import Annotation, AnnotationState
from hub.model.event import Event
from hub.services.bodies import Body, jsonable, text, utc
from hub.storage import annotations

RADIUS_ARCSEC = 3.0
"""A registry's object this near to a survey's object is taken for the same."""

MOST = 50
"""Most annotations beside one event or object; the listing of annotations has all."""

_SHOWN = (AnnotationState.STATED, AnnotationState.ACCEPTED)


def annotation_body(one: Annotation) -> Body:
    """Return one annotation."""
    return {
        "annotation_id": one.annotation_id,
        "target_kind": one.target_kind.value,
        "target_id": text(one.target_id),
        "kind": one.kind.value,
        "value": jsonable(one.value),
        "source": text(one.source),
        "source_ref": text(one.source_ref),
        "version": text(one.version),
        "stated_at": utc(one.stated_at),
        "received_at": utc(one.received_at),
        "state": one.state.value,
        "is_current": one.is_current,
        "ra_deg": jsonable(one.ra_deg),
        "dec_deg": jsonable(one.dec_deg),
        "provenance": jsonable(one.provenance),
        "decided_by": jsonable(one.decided_by),
        "decided_at": utc(one.decided_at),
        "note": text(one.note),
    }


def of_event(session: Session, event: Event) -> list[Body]:
    """Return what is stated and what was accepted about an event, under any of its names; proposals are left out."""
    found = annotations.search(session, names=[event.event_id, *event.aliases], states=_SHOWN, limit=MOST)
    return [annotation_body(one) for one in found]


def of_object(session: Session, survey: str, object_id: str, ra_deg: float, dec_deg: float) -> list[Body]:
    """Return what is stated and what was accepted about a survey's object: by its name, or within `RADIUS_ARCSEC` of it."""
    # A bare number is no name: another survey may count the same.
    names = [f"{survey}:{object_id}", *([] if object_id.isdigit() else [object_id])]
    found = annotations.search(session, names=names, states=_SHOWN, limit=MOST)
    known = {one.annotation_id for one in found}
    near = annotations.near(session, ra_deg, dec_deg, RADIUS_ARCSEC, limit=MOST)
    found += [one for one in near if one.state in _SHOWN and one.annotation_id not in known]
    return [annotation_body(one) for one in found[:MOST]]
