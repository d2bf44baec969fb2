"""Whole packets of the alerts that became detections of candidates."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.tables import PacketRow
from hub.storage.writing import insert_new


def save(session: Session, survey: str, source_id: int, payload: bytes) -> None:
    """Keep the packet of an alert unless one is there."""
    insert_new(
        session, PacketRow, {"survey": survey, "source_id": int(source_id), "payload": payload}, key=["survey", "source_id"]
    )


def get(session: Session, survey: str, source_id: int) -> bytes | None:
    """Return the packet of an alert, None where it was not kept."""
    statement = select(col(PacketRow.payload)).where(col(PacketRow.survey) == survey, col(PacketRow.source_id) == int(source_id))
    return session.scalars(statement).first()
