"""What happened once to a source or destination and must not be forgotten: gaps, refused credentials."""

from sqlalchemy.orm import Session

from hub.model.instant import Instant
from hub.ports import Incident
from hub.storage.jsonable import dump
from hub.storage.tables import IncidentRow
from hub.storage.writing import insert_new, storable


def record(session: Session, source: str, incident: Incident, at: Instant) -> bool:
    """Write an incident of a source or destination down unless it is known; return whether it was new."""
    values = {
        "source": source,
        "kind": incident.kind,
        "subject": storable(incident.subject),
        "text": storable(incident.text),
        "facts": dump(incident.facts),
        "at_tai_us": at.tai_us,
    }
    return insert_new(session, IncidentRow, values, key=["source", "kind", "subject"])
