"""Whole packets of the alerts that became detections of candidates."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.tables import PacketRow
from hub.storage.writing import insert_all_new, upsert_all


def save_all(session: Session, survey: str, packets: Iterable[tuple[int, bytes]], *, instead: bool = False) -> None:
    """Keep the packets of some alerts, each a source id and its bytes, unless they are there; or instead of what is there."""
    rows = [{"survey": survey, "source_id": int(source_id), "payload": payload} for source_id, payload in packets]
    (upsert_all if instead else insert_all_new)(session, PacketRow, rows, key=["survey", "source_id"])


def get(session: Session, survey: str, source_id: int) -> bytes | None:
    """Return the packet of an alert, None where it was not kept."""
    statement = select(col(PacketRow.payload)).where(col(PacketRow.survey) == survey, col(PacketRow.source_id) == int(source_id))
    return session.scalars(statement).first()
