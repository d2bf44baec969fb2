"""What happened once to a source or destination and must not be forgotten: gaps, refused credentials."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedIncident:
    """An incident and when it was first reported."""

    source: str
    """Name of the source or destination."""

    incident: Incident
    at: Instant


def listing(session: Session, *, since: Instant | None = None, limit: int | None = 100) -> list[RecordedIncident]:
    """Return incidents, the newest first."""
    statement = select(IncidentRow).order_by(
        col(IncidentRow.at_tai_us).desc(), col(IncidentRow.source), col(IncidentRow.kind), col(IncidentRow.subject)
    )
    if since is not None:
        statement = statement.where(col(IncidentRow.at_tai_us) >= since.tai_us)
    return [
        RecordedIncident(
            source=row.source,
            incident=Incident(kind=row.kind, subject=row.subject, text=row.text, facts=row.facts),
            at=Instant(row.at_tai_us),
        )
        for row in session.scalars(statement.limit(limit))
    ]


def counts(session: Session) -> dict[str, int]:
    """Return how many incidents each source or destination has had."""
    statement = select(col(IncidentRow.source), func.count()).group_by(col(IncidentRow.source))
    return {str(source): int(count) for source, count in session.execute(statement.order_by(col(IncidentRow.source)))}
