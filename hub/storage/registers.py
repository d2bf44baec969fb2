"""Registers of pointings: when each was asked about which event, and what it was told of the hub's own pointings."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.model.register import RegisterAnswer, RegisterReport
from hub.storage.jsonable import dump, load
from hub.storage.tables import RegisterAnswerRow, RegisterReportRow
from hub.storage.writing import upsert


def note(session: Session, answer: RegisterAnswer) -> None:
    """Write down that a register was asked, over what was known of it and the event."""
    values = {
        "network": answer.network,
        "event_id": answer.event_id,
        "asked_tai_us": answer.asked_at.tai_us,
        "answered_tai_us": None if answer.answered_at is None else answer.answered_at.tai_us,
        "n_pointings": answer.n_pointings,
        "reason": answer.reason,
    }
    upsert(session, RegisterAnswerRow, values, key=["network", "event_id"])


def answers(
    session: Session, *, network: str | None = None, event_ids: Collection[str] | None = None
) -> dict[tuple[str, str], RegisterAnswer]:
    """Return what came of asking, by register and event; of one register or of some events only where they are given."""
    row = RegisterAnswerRow
    statement = select(
        col(row.network),
        col(row.event_id),
        col(row.asked_tai_us),
        col(row.answered_tai_us),
        col(row.n_pointings),
        col(row.reason),
    )
    if network is not None:
        statement = statement.where(col(row.network) == network)
    if event_ids is not None:
        statement = statement.where(col(row.event_id).in_(sorted(event_ids)))
    return {
        (name, event_id): RegisterAnswer(
            network=name,
            event_id=event_id,
            asked_at=Instant(asked),
            answered_at=None if answered is None else Instant(answered),
            n_pointings=n,
            reason=reason,
        )
        for name, event_id, asked, answered, n, reason in session.execute(statement)
    }


def save_report(session: Session, report: RegisterReport) -> None:
    """Write what a register was told of a pointing over what was known."""
    values = {
        "network": report.network,
        "pointing_id": report.pointing_id,
        "event_id": report.event_id,
        "document": dump(report),
    }
    upsert(session, RegisterReportRow, values, key=["network", "pointing_id"])


def reports(session: Session, *, network: str | None = None, event_id: str | None = None) -> Sequence[RegisterReport]:
    """Return what registers were told, by register and pointing."""
    row = RegisterReportRow
    statement = select(col(row.document)).order_by(col(row.network), col(row.pointing_id))
    if network is not None:
        statement = statement.where(col(row.network) == network)
    if event_id is not None:
        statement = statement.where(col(row.event_id) == event_id)
    return [load(RegisterReport, document) for document in session.scalars(statement)]
