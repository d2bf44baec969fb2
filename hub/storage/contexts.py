"""Messages that are kept but are no event: circulars, transport messages, bare sky maps."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.ports import DecodedContext
from hub.storage.jsonable import dump
from hub.storage.tables import ContextRow
from hub.storage.writing import insert_new


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A message kept beside the events; its bytes are the raw message of the same digest."""

    digest: str
    kind: str
    format: str
    summary: dict[str, Any]
    received_at: Instant


def add(session: Session, digest: str, decoded: DecodedContext, received_at: Instant) -> bool:
    """Store it unless it is there; return whether it was new."""
    values = {
        "digest": digest,
        "kind": decoded.kind,
        "format": decoded.format,
        "summary": dump(decoded.summary),
        "received_tai_us": received_at.tai_us,
    }
    return insert_new(session, ContextRow, values, key=["digest"])


def listing(session: Session, *, kind: str | None = None, limit: int | None = None) -> list[Context]:
    """Return what is kept, the newest arrival first."""
    statement = select(ContextRow).order_by(col(ContextRow.received_tai_us).desc(), col(ContextRow.digest)).limit(limit)
    if kind is not None:
        statement = statement.where(col(ContextRow.kind) == kind)
    return [
        Context(
            digest=row.digest, kind=row.kind, format=row.format, summary=row.summary, received_at=Instant(row.received_tai_us)
        )
        for row in session.scalars(statement)
    ]
