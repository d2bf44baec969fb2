"""What was spent of the budget of false announcements: one row for each coincidence of which a message left.

A coincidence spends once, however many versions of it leave, and also where it was taken back and left again. Rule and rate are
those of the version that left last, so that what stands does not depend on the order in which notices arrived. When it left
first, and what was taken back on the way, does: that is what the world was told.

Where the message of another coincidence of the same occurrence takes the place of its own, that one goes on with what was spent.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.coincidence import Coincidence, MemberKind
from hub.model.instant import Instant
from hub.storage.tables import AnnouncedRow, CoincidenceMemberRow
from hub.storage.writing import among, table, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A coincidence that was let out."""

    coincidence_id: str
    rule: str
    """The pair rule or hypothesis that let it out last: whose share it spends."""

    kind: str
    version: int
    """The first version that left."""

    spends_per_month: float | None
    """False announcements a month of a threshold that lets just the last version through; None where there is no budget."""

    first_at: Instant
    """When that first version was made."""

    withdrawn_at: Instant | None
    """When our last word about it was taken back; None while it stands."""

    superseded_by: str | None
    """The coincidence whose message took the place of its own; None where none did."""


def spend(session: Session, coincidence: Coincidence, spends_per_month: float | None) -> None:
    """Write down that a version left; one after the first of its coincidence does not spend again."""
    values = {
        "coincidence_id": coincidence.coincidence_id,
        "rule": coincidence.hypothesis,
        "kind": coincidence.kind,
        "version": coincidence.version,
        "spends_per_month": spends_per_month,
        "first_tai_us": coincidence.created_at.tai_us,
        "withdrawn_tai_us": None,
        "superseded_by": None,
    }
    upsert(session, AnnouncedRow, values, key=["coincidence_id"], keep=["version", "first_tai_us"])


def take_back(session: Session, coincidence: Coincidence) -> None:
    """Write down that a version took back what had left."""
    columns = table(AnnouncedRow).c
    same = columns.coincidence_id == coincidence.coincidence_id
    session.execute(table(AnnouncedRow).update().where(same).values(withdrawn_tai_us=coincidence.created_at.tai_us))


def hand_over(session: Session, former: Collection[str], coincidence: Coincidence) -> None:
    """Write down that the message of one that spent took the place of those of others, and that it left as early as the first."""
    columns = table(AnnouncedRow).c
    theirs = columns.coincidence_id.in_(sorted(former))
    first = session.scalar(select(func.min(columns.first_tai_us)).where(theirs))
    if first is None:
        return
    changes = {"withdrawn_tai_us": coincidence.created_at.tai_us, "superseded_by": coincidence.coincidence_id}
    session.execute(table(AnnouncedRow).update().where(theirs).values(**changes))
    is_later = columns.coincidence_id == coincidence.coincidence_id, columns.first_tai_us > first
    session.execute(table(AnnouncedRow).update().where(*is_later).values(first_tai_us=first))


def of_ids(session: Session, coincidence_ids: Collection[str]) -> dict[str, Announced]:
    """Return what some coincidences spent, by id; those that never left are left out."""
    if not coincidence_ids:
        return {}
    row = AnnouncedRow
    found = _read(session, select(row).where(col(row.coincidence_id).in_(sorted(coincidence_ids))))
    return {one.coincidence_id: one for one in found}


def standing_of_events(session: Session, event_ids: Collection[str]) -> list[str]:
    """Return the ids of the coincidences that the world believes and that have any of some events as a member, sorted."""
    row, member = AnnouncedRow, CoincidenceMemberRow
    statement = (
        select(col(row.coincidence_id))
        .join(member, col(member.coincidence_id) == col(row.coincidence_id))
        .where(
            col(row.withdrawn_tai_us).is_(None),
            col(member.kind) == MemberKind.EVENT.value,
            among(session, col(member.member_id), event_ids),
        )
    )
    return sorted(set(session.scalars(statement)))


def since(session: Session, moment: Instant) -> list[Announced]:
    """Return what was let out first at or after a moment, the latest first; what another one goes on with is left out."""
    row = AnnouncedRow
    statement = select(row).where(col(row.first_tai_us) >= moment.tai_us, col(row.superseded_by).is_(None))
    return _read(session, statement.order_by(col(row.first_tai_us).desc(), col(row.coincidence_id)))


def standing(session: Session) -> list[Announced]:
    """Return all that the world believes, by id."""
    row = AnnouncedRow
    return _read(session, select(row).where(col(row.withdrawn_tai_us).is_(None)).order_by(col(row.coincidence_id)))


def _read(session: Session, statement: Select[AnnouncedRow]) -> list[Announced]:
    found: Iterable[AnnouncedRow] = session.scalars(statement)
    return [
        Announced(
            coincidence_id=one.coincidence_id,
            rule=one.rule,
            kind=one.kind,
            version=one.version,
            spends_per_month=one.spends_per_month,
            first_at=Instant(one.first_tai_us),
            withdrawn_at=None if one.withdrawn_tai_us is None else Instant(one.withdrawn_tai_us),
            superseded_by=one.superseded_by,
        )
        for one in found
    ]
