"""What was spent of the budget of false announcements: one row for each coincidence of which a message left."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.coincidence import Coincidence
from hub.model.instant import Instant
from hub.storage.tables import AnnouncedRow
from hub.storage.writing import insert_new, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A coincidence that was let out once."""

    coincidence_id: str
    rule: str
    """The pair rule or hypothesis that it was let out by first: whose share it spent."""

    kind: str
    version: int
    """The first version that left."""

    spends_per_month: float | None
    """False announcements a month of a threshold that lets just that version through; None where there is no budget."""

    first_at: Instant
    withdrawn_at: Instant | None
    """When our last word about it was taken back; None while it stands."""


def spend(session: Session, coincidence: Coincidence, spends_per_month: float | None) -> bool:
    """Write down that a version left; return whether it is the first of its coincidence: later ones do not spend again."""
    values = {
        "coincidence_id": coincidence.coincidence_id,
        "rule": coincidence.hypothesis,
        "kind": coincidence.kind,
        "version": coincidence.version,
        "spends_per_month": spends_per_month,
        "first_tai_us": coincidence.created_at.tai_us,
        "withdrawn_tai_us": None,
    }
    is_first = insert_new(session, AnnouncedRow, values, key=["coincidence_id"])
    if not is_first:
        _set_withdrawn(session, coincidence.coincidence_id, None)
    return is_first


def take_back(session: Session, coincidence: Coincidence) -> None:
    """Write down that a version took back what had left."""
    _set_withdrawn(session, coincidence.coincidence_id, coincidence.created_at.tai_us)


def since(session: Session, moment: Instant) -> list[Announced]:
    """Return what was let out first at or after a moment, the latest first."""
    row = AnnouncedRow
    statement = select(row).where(col(row.first_tai_us) >= moment.tai_us)
    found: Sequence[AnnouncedRow] = session.scalars(
        statement.order_by(col(row.first_tai_us).desc(), col(row.coincidence_id))
    ).all()
    return [
        Announced(
            coincidence_id=one.coincidence_id,
            rule=one.rule,
            kind=one.kind,
            version=one.version,
            spends_per_month=one.spends_per_month,
            first_at=Instant(one.first_tai_us),
            withdrawn_at=None if one.withdrawn_tai_us is None else Instant(one.withdrawn_tai_us),
        )
        for one in found
    ]


def _set_withdrawn(session: Session, coincidence_id: str, moment: int | None) -> None:
    columns = table(AnnouncedRow).c
    session.execute(table(AnnouncedRow).update().where(columns.coincidence_id == coincidence_id).values(withdrawn_tai_us=moment))
