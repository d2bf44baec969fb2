"""Coincidences: versions are added and never edited; listings show the latest of each."""

import math
import operator
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.errors import StorageError
from hub.model.coincidence import Coincidence, MemberKind, PairState
from hub.model.instant import Instant
from hub.model.outgoing import Leaves
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, ordering
from hub.storage.tables import CoincidenceMemberRow, CoincidenceRow
from hub.storage.writing import among_those, hold, insert_all_new, insert_new, is_postgresql, those

LEVEL_STATISTIC = "level_2d"
"""Statistic that can be searched as level."""

RANK_STATISTIC = "rank"
"""Statistic that can be searched as score."""

Key = tuple[int, str]
"""Place of a coincidence in listings: when its first version was written (`Instant.tai_us`), and its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest version of a coincidence."""

    version: Coincidence
    let_out: Leaves
    """How much has left because of it."""


_ORDER: Order = ((col(CoincidenceRow.first_created_tai_us), True), (col(CoincidenceRow.coincidence_id), False))


def key(session: Session, coincidence_id: str) -> Key | None:
    """Return the place of a coincidence in listings, for `search`'s ``before``; it does not move with new versions."""
    statement = select(col(CoincidenceRow.first_created_tai_us)).where(col(CoincidenceRow.coincidence_id) == coincidence_id)
    first = session.scalars(statement.limit(1)).first()
    return None if first is None else (first, coincidence_id)


def far_hz(coincidence: Coincidence) -> float | None:
    """Return what listings are limited by: the larger of joint false-alarm rate and rate of unrelated real events."""
    rates = coincidence.joint_rates
    return None if rates is None else _finite(rates.larger_hz)


def add(session: Session, coincidence: Coincidence, *, let_out: Leaves = Leaves.NOTHING) -> None:
    """Store the next version of a coincidence, of which so much leaves with the same transaction.

    Raises
    ------
    StorageError
        Its version is not one more than the latest: another worker was faster, and the pair must be evaluated again.
    """
    hold(session, f"coincidence {coincidence.coincidence_id}")
    same = col(CoincidenceRow.coincidence_id) == coincidence.coincidence_id
    rows = select(col(CoincidenceRow.version), col(CoincidenceRow.first_created_tai_us)).where(same)
    newest = session.execute(rows.order_by(col(CoincidenceRow.version).desc()).limit(1)).first()
    expected = newest[0] + 1 if newest else 1
    if coincidence.version != expected:
        raise StorageError(
            f"version {coincidence.version} of coincidence {coincidence.coincidence_id} cannot be stored: {expected} comes next"
        )
    if newest:
        session.execute(update(CoincidenceRow).where(same).values(is_latest=False))
    values = {
        "coincidence_id": coincidence.coincidence_id,
        "version": coincidence.version,
        "is_latest": True,
        "kind": coincidence.kind,
        "state": coincidence.state.value,
        "is_live": coincidence.is_live,
        "t0_tai_us": coincidence.t0.tai_us if coincidence.t0 else None,
        "level": _finite(coincidence.score(LEVEL_STATISTIC)),
        "score": _finite(coincidence.score(RANK_STATISTIC)),
        "joint_far_hz": far_hz(coincidence),
        "held_back": coincidence.held_back,
        "created_tai_us": coincidence.created_at.tai_us,
        "first_created_tai_us": newest[1] if newest else coincidence.created_at.tai_us,
        "let_out": let_out.value,
        "document": dump(coincidence),
    }
    insert_new(session, CoincidenceRow, values, key=["coincidence_id", "version"])
    if not newest:  # a coincidence has the same members in all versions
        places = [
            {"coincidence_id": coincidence.coincidence_id, "kind": member.kind.value, "member_id": member.id}
            for member in coincidence.members
        ]
        insert_all_new(session, CoincidenceMemberRow, places, key=["coincidence_id", "kind", "member_id"])


def latest(session: Session, coincidence_id: str) -> Coincidence | None:
    """Return the newest version."""
    statement = select(col(CoincidenceRow.document)).where(
        col(CoincidenceRow.coincidence_id) == coincidence_id, col(CoincidenceRow.is_latest).is_(True)
    )
    document = session.scalars(statement).first()
    return None if document is None else load(Coincidence, document)


def newest_of(session: Session, coincidence_ids: Collection[str]) -> dict[str, Newest]:
    """Return the newest versions of those of some coincidences that there are, by id."""
    if not coincidence_ids:
        return {}
    rows = session.execute(_newest_of(is_postgresql(session)), {"ids": those(session, coincidence_ids)})
    found = [Newest(version=load(Coincidence, document), let_out=Leaves(let_out)) for document, let_out in rows]
    return {one.version.coincidence_id: one for one in found}


@cache
def _newest_of(for_postgresql: bool) -> Select[*tuple[Any, ...]]:
    name = among_those(col(CoincidenceRow.coincidence_id), "ids", for_postgresql=for_postgresql)
    columns = col(CoincidenceRow.document), col(CoincidenceRow.let_out)
    return select(*columns).where(name, col(CoincidenceRow.is_latest).is_(True))


def last_let_out(session: Session, coincidence_id: str, leaves: Leaves) -> Coincidence | None:
    """Return the newest version because of which so much has left, or more."""
    enough = [one.value for one in Leaves if one.covers(leaves)]
    statement = select(col(CoincidenceRow.document)).where(
        col(CoincidenceRow.coincidence_id) == coincidence_id, col(CoincidenceRow.let_out).in_(enough)
    )
    document = session.scalars(statement.order_by(col(CoincidenceRow.version).desc()).limit(1)).first()
    return None if document is None else load(Coincidence, document)


def mark_let_out(session: Session, coincidence: Coincidence, leaves: Leaves) -> None:
    """Record how much has left because of a version."""
    row = CoincidenceRow
    same = col(row.coincidence_id) == coincidence.coincidence_id, col(row.version) == coincidence.version
    session.execute(update(row).where(*same).values(let_out=leaves.value).execution_options(synchronize_session=False))


def history(session: Session, coincidence_id: str) -> list[Coincidence]:
    """Return all versions, the first one first."""
    statement = (
        select(col(CoincidenceRow.document))
        .where(col(CoincidenceRow.coincidence_id) == coincidence_id)
        .order_by(col(CoincidenceRow.version))
    )
    return [load(Coincidence, document) for document in session.scalars(statement)]


def histories_of_event(session: Session, event_id: str) -> dict[str, list[Coincidence]]:
    """Return all versions of every coincidence that an event is a member of, the first one first, by id."""
    member, row = CoincidenceMemberRow, CoincidenceRow
    ours = select(col(member.coincidence_id)).where(col(member.kind) == MemberKind.EVENT.value, col(member.member_id) == event_id)
    statement = select(col(row.document)).where(col(row.coincidence_id).in_(ours))
    found: dict[str, list[Coincidence]] = {}
    for document in session.scalars(statement.order_by(col(row.coincidence_id), col(row.version))):
        one = load(Coincidence, document)
        found.setdefault(one.coincidence_id, []).append(one)
    return found


def of_event(session: Session, event_id: str) -> list[Coincidence]:
    """Return the latest version of every coincidence that an event is a member of, by id."""
    found = search(session, event_id=event_id, limit=None)
    return sorted(found, key=lambda coincidence: coincidence.coincidence_id)


def of_events(session: Session, event_id: str) -> list[Coincidence]:
    """Return the latest version of every coincidence of an event with another event, by id."""
    member = CoincidenceMemberRow
    ours = select(col(member.coincidence_id)).where(col(member.kind) == MemberKind.EVENT.value, col(member.member_id) == event_id)
    with_objects = select(col(member.coincidence_id)).where(col(member.kind) == MemberKind.OBJECT.value)
    name = col(CoincidenceRow.coincidence_id)
    statement = select(col(CoincidenceRow.document)).where(
        col(CoincidenceRow.is_latest).is_(True),
        name.in_(ours),
        name.not_in(with_objects.where(col(member.coincidence_id) == name)),
    )
    return [load(Coincidence, document) for document in session.scalars(statement.order_by(name))]


def search(
    session: Session,
    *,
    event_id: str | None = None,
    object_id: str | None = None,
    kind: str | None = None,
    state: PairState | None = None,
    t0_from: Instant | None = None,
    t0_to: Instant | None = None,
    max_level: float | None = None,
    min_score: float | None = None,
    max_far_hz: float | None = None,
    live_only: bool = False,
    held_back: bool | None = None,
    limit: int | None = 100,
    before: Key | None = None,
) -> list[Coincidence]:
    """Return latest versions, the most recently discovered coincidence first; a later version does not move it.

    Limits are inclusive. A coincidence without the number in question (level, score, rate) is left out where that is limited.
    ``object_id`` names a member like ``LSST:169...``; ``held_back`` keeps those that are open and stay in the hub, or all others;
    ``before`` is the `key` of the last coincidence of the page before.
    """
    statement = select(col(CoincidenceRow.document)).where(col(CoincidenceRow.is_latest).is_(True))
    for member_kind, member_id in ((MemberKind.EVENT, event_id), (MemberKind.OBJECT, object_id)):
        if member_id is not None:
            of_member = select(col(CoincidenceMemberRow.coincidence_id)).where(
                col(CoincidenceMemberRow.kind) == member_kind.value, col(CoincidenceMemberRow.member_id) == member_id
            )
            statement = statement.where(col(CoincidenceRow.coincidence_id).in_(of_member))
    for column, compare, wanted in (
        (col(CoincidenceRow.kind), operator.eq, kind),
        (col(CoincidenceRow.state), operator.eq, state.value if state else None),
        (col(CoincidenceRow.t0_tai_us), operator.ge, t0_from.tai_us if t0_from else None),
        (col(CoincidenceRow.t0_tai_us), operator.le, t0_to.tai_us if t0_to else None),
        (col(CoincidenceRow.level), operator.le, max_level),
        (col(CoincidenceRow.score), operator.ge, min_score),
        (col(CoincidenceRow.joint_far_hz), operator.le, max_far_hz),
    ):
        if wanted is not None:
            statement = statement.where(compare(column, wanted))
    if live_only:
        statement = statement.where(col(CoincidenceRow.is_live).is_(True))
    if held_back is not None:
        statement = statement.where(col(CoincidenceRow.held_back).is_(held_back))
    if before is not None:
        statement = statement.where(after(_ORDER, before))
    documents = session.scalars(statement.order_by(*ordering(_ORDER)).limit(limit))
    return [load(Coincidence, document) for document in documents]


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
