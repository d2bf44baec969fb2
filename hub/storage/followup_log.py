"""What persons did about follow-up, row by row, never changed: who, what and why, and which networks are stopped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.storage.tables import FollowupLogRow, NetworkStopRow


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One thing that somebody did, or that the hub did by itself."""

    sequence: int = 0
    """Counts up; given by the database."""

    at: Instant
    actor: str
    """``person:NAME``, the name of a token, or ``policy``."""

    action: str
    intent_id: str | None = None
    network: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    """JSON values, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkStop:
    """That a person stopped a network, or let it go on."""

    network: str
    at: Instant
    is_stopped: bool
    actor: str
    reason: str


def append(session: Session, entry: LogEntry) -> None:
    """Write one entry down."""
    session.execute(
        insert(FollowupLogRow).values(
            at_tai_us=entry.at.tai_us,
            actor=entry.actor,
            action=entry.action,
            intent_id=entry.intent_id,
            network=entry.network,
            document=dict(entry.detail),
        )
    )


def search(
    session: Session, *, intent_id: str | None = None, limit: int | None = 100, before: int | None = None
) -> list[LogEntry]:
    """Return entries, the newest first; ``before`` is the number of the last one of the page before."""
    statement = select(FollowupLogRow)
    if intent_id is not None:
        statement = statement.where(col(FollowupLogRow.intent_id) == intent_id)
    if before is not None:
        statement = statement.where(col(FollowupLogRow.sequence) < before)
    rows = session.scalars(statement.order_by(col(FollowupLogRow.sequence).desc()).limit(limit))
    return [
        LogEntry(
            sequence=row.sequence or 0,
            at=Instant(row.at_tai_us),
            actor=row.actor,
            action=row.action,
            intent_id=row.intent_id,
            network=row.network,
            detail=row.document,
        )
        for row in rows
    ]


def add_stop(session: Session, stop: NetworkStop) -> None:
    """Write down that a network is stopped, or goes on."""
    session.execute(
        insert(NetworkStopRow).values(
            network=stop.network, at_tai_us=stop.at.tai_us, is_stopped=stop.is_stopped, actor=stop.actor, reason=stop.reason
        )
    )


def stops(session: Session) -> dict[str, NetworkStop]:
    """Return what a person said last about each network."""
    newest: dict[str, NetworkStop] = {}
    for row in session.scalars(select(NetworkStopRow).order_by(col(NetworkStopRow.sequence))):
        newest[row.network] = NetworkStop(
            network=row.network, at=Instant(row.at_tai_us), is_stopped=row.is_stopped, actor=row.actor, reason=row.reason
        )
    return newest
