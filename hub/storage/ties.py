"""Open coincidences around events, all at once: what groups are made of."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.coincidence import Coincidence, MemberKind, PairState
from hub.storage.jsonable import load
from hub.storage.tables import CoincidenceMemberRow, CoincidenceRow
from hub.storage.writing import among, among_those, is_postgresql, those


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Claim:
    """An event that has an object as an open counterpart."""

    object_id: str
    """``LSST:169...``"""

    event_id: str
    coincidence_id: str
    score: float
    """Rank; larger is better."""


def between_events(session: Session, event_ids: Collection[str]) -> dict[str, Coincidence]:
    """Return the newest versions of the open coincidences of events alone that have any of some events, by id."""
    row, member = CoincidenceRow, CoincidenceMemberRow
    ours = select(col(member.coincidence_id)).where(
        col(member.kind) == MemberKind.EVENT.value, among(session, col(member.member_id), event_ids)
    )
    objects = select(col(member.coincidence_id)).where(
        col(member.kind) == MemberKind.OBJECT.value, col(member.coincidence_id) == col(row.coincidence_id)
    )
    statement = select(col(row.document)).where(
        col(row.is_latest).is_(True),
        col(row.state) == PairState.OPEN.value,
        col(row.coincidence_id).in_(ours),
        ~objects.exists(),
    )
    found = (load(Coincidence, document) for document in session.scalars(statement))
    return {one.coincidence_id: one for one in found}


def objects_of(session: Session, event_ids: Collection[str]) -> set[str]:
    """Return the objects that are open counterparts of any of some events."""
    return {claim.object_id for claim in _claims(session, MemberKind.EVENT, event_ids)}


def told_of(session: Session, object_ids: Collection[str]) -> set[str]:
    """Return those of some objects, ``SURVEY:ID``, that any coincidence was ever written of, in whatever state."""
    return set(session.scalars(_told_of(is_postgresql(session)), {"ids": those(session, object_ids)})) if object_ids else set()


@cache
def _told_of(for_postgresql: bool) -> Select[Any]:
    member = CoincidenceMemberRow
    name = among_those(col(member.member_id), "ids", for_postgresql=for_postgresql)
    return select(col(member.member_id)).where(col(member.kind) == MemberKind.OBJECT.value, name)


def claims_on(session: Session, object_ids: Collection[str]) -> list[Claim]:
    """Return all events that have any of some objects as an open counterpart, by object and event."""
    return sorted(_claims(session, MemberKind.OBJECT, object_ids)) if object_ids else []


def of_ids(session: Session, coincidence_ids: Collection[str]) -> dict[str, Coincidence]:
    """Return the newest versions of those of some coincidences that there are, by id."""
    row = CoincidenceRow
    statement = select(col(row.document)).where(
        among(session, col(row.coincidence_id), coincidence_ids), col(row.is_latest).is_(True)
    )
    found = (load(Coincidence, document) for document in session.scalars(statement))
    return {one.coincidence_id: one for one in found}


def _claims(session: Session, kind: MemberKind, member_ids: Iterable[str]) -> list[Claim]:
    """Return the open coincidences of events with objects in which members of a kind are among some."""
    row, member = CoincidenceRow, CoincidenceMemberRow
    ours = select(col(member.coincidence_id)).where(
        col(member.kind) == kind.value, among(session, col(member.member_id), list(member_ids))
    )
    statement = (
        select(col(row.coincidence_id), col(row.score), col(member.kind), col(member.member_id))
        .join(member, col(member.coincidence_id) == col(row.coincidence_id))
        .where(col(row.is_latest).is_(True), col(row.state) == PairState.OPEN.value, col(row.coincidence_id).in_(ours))
    )
    members: dict[str, dict[str, str]] = {}
    scores: dict[str, float] = {}
    for coincidence_id, score, of_kind, name in session.execute(statement):
        members.setdefault(coincidence_id, {})[of_kind] = name
        scores[coincidence_id] = float("-inf") if score is None else score
    both = {MemberKind.EVENT.value, MemberKind.OBJECT.value}
    return [
        Claim(
            object_id=found[MemberKind.OBJECT.value],
            event_id=found[MemberKind.EVENT.value],
            coincidence_id=name,
            score=scores[name],
        )
        for name, found in members.items()
        if set(found) == both
    ]
