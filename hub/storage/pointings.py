"""Reported pointings: the latest report of each counts."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.model.pointing import Pointing
from hub.storage.jsonable import dump, load
from hub.storage.tables import PointingRow
from hub.storage.writing import upsert_all


def save(session: Session, pointings: Sequence[Pointing], received_at: Instant) -> int:
    """Store reports, each over the one of the same pointing; return how many."""
    rows = [
        {
            "event_id": one.event_id,
            "pointing_id": one.pointing_id,
            "at_tai_us": one.at.tai_us,
            "received_tai_us": received_at.tai_us,
            "document": dump(one),
        }
        for one in pointings
    ]
    if rows:
        upsert_all(session, PointingRow, rows, key=["event_id", "pointing_id"])
    return len(rows)


def of_event(session: Session, event_id: str) -> list[Pointing]:
    """Return the pointings that are reported of an event, the earliest first."""
    statement = (
        select(col(PointingRow.document))
        .where(col(PointingRow.event_id) == event_id)
        .order_by(col(PointingRow.at_tai_us), col(PointingRow.pointing_id))
    )
    return [load(Pointing, document) for document in session.scalars(statement)]
