"""Groups of events: versions are added and never edited, and nothing is a member of two groups at a time."""

from collections.abc import Collection

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.coincidence import MemberKind, PairState
from hub.model.group import Group
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, ordering
from hub.storage.tables import GroupMemberRow, GroupRow
from hub.storage.writing import among, insert_all_new, insert_new

Key = tuple[int, str]
"""Place of a group in listings: when its first version was written (`Instant.tai_us`), and its id."""

_ORDER: Order = ((col(GroupRow.first_created_tai_us), True), (col(GroupRow.group_id), False))


def key(session: Session, group_id: str) -> Key | None:
    """Return the place of a group in listings, for `search`'s ``before``; it does not move with new versions."""
    statement = select(col(GroupRow.first_created_tai_us)).where(col(GroupRow.group_id) == group_id)
    first = session.scalars(statement.limit(1)).first()
    return None if first is None else (first, group_id)


def add(session: Session, group: Group) -> None:
    """Store the next version of a group; its members leave the groups that they were in. Called under the lock of pairs."""
    row, member = GroupRow, GroupMemberRow
    same = col(row.group_id) == group.group_id
    first = session.scalars(select(col(row.first_created_tai_us)).where(same).limit(1)).first()
    if first is not None:
        session.execute(update(row).where(same).values(is_latest=False).execution_options(synchronize_session=False))
    values = {
        "group_id": group.group_id,
        "version": group.version,
        "is_latest": True,
        "state": group.state.value,
        "is_live": group.is_live,
        "t0_tai_us": group.t0.tai_us if group.t0 else None,
        "created_tai_us": group.created_at.tai_us,
        "first_created_tai_us": group.created_at.tai_us if first is None else first,
        "document": dump(group),
    }
    insert_new(session, row, values, key=["group_id", "version"])
    stays = group.members if group.state is PairState.OPEN else ()
    by_kind = {kind: [one.id for one in stays if one.kind is kind] for kind in MemberKind}
    taken = [
        and_(col(member.kind) == kind.value, among(session, col(member.member_id), names))
        for kind, names in by_kind.items()
        if names
    ]
    session.execute(delete(member).where(or_(col(member.group_id) == group.group_id, *taken)))
    if not stays:
        return
    places = [{"kind": one.kind.value, "member_id": one.id, "group_id": group.group_id} for one in group.members]
    insert_all_new(session, member, places, key=["kind", "member_id"])


def homes(session: Session, member_ids: Collection[str], kind: MemberKind = MemberKind.EVENT) -> dict[str, str]:
    """Return the group of each of some events, or objects, that is in one, by its id."""
    if not member_ids:
        return {}
    row = GroupMemberRow
    statement = select(col(row.member_id), col(row.group_id)).where(
        col(row.kind) == kind.value, among(session, col(row.member_id), member_ids)
    )
    return {one.member_id: one.group_id for one in session.execute(statement)}


def events_in(session: Session, group_ids: Collection[str]) -> set[str]:
    """Return the events in some groups."""
    row = GroupMemberRow
    statement = select(col(row.member_id)).where(
        col(row.kind) == MemberKind.EVENT.value, among(session, col(row.group_id), group_ids)
    )
    return set(session.scalars(statement))


def latest(session: Session, group_id: str) -> Group | None:
    """Return the newest version of a group."""
    return latest_of(session, [group_id]).get(group_id)


def latest_of(session: Session, group_ids: Collection[str]) -> dict[str, Group]:
    """Return the newest versions of those of some groups that there are, by id."""
    statement = select(col(GroupRow.document)).where(
        among(session, col(GroupRow.group_id), group_ids), col(GroupRow.is_latest).is_(True)
    )
    found = [load(Group, document) for document in session.scalars(statement)]
    return {one.group_id: one for one in found}


def history(session: Session, group_id: str) -> list[Group]:
    """Return all versions, the first one first."""
    statement = select(col(GroupRow.document)).where(col(GroupRow.group_id) == group_id).order_by(col(GroupRow.version))
    return [load(Group, document) for document in session.scalars(statement)]


def search(
    session: Session,
    *,
    event_id: str | None = None,
    state: PairState | None = None,
    live_only: bool = False,
    limit: int | None = 100,
    before: Key | None = None,
) -> list[Group]:
    """Return latest versions, the most recently found group first; a later version does not move it.

    ``event_id`` is a member now; ``before`` is the `key` of the last group of the page before.
    """
    row, member = GroupRow, GroupMemberRow
    statement = select(col(row.document)).where(col(row.is_latest).is_(True))
    if event_id is not None:
        home = select(col(member.group_id)).where(col(member.kind) == MemberKind.EVENT.value, col(member.member_id) == event_id)
        statement = statement.where(col(row.group_id).in_(home))
    if state is not None:
        statement = statement.where(col(row.state) == state.value)
    if live_only:
        statement = statement.where(col(row.is_live).is_(True))
    if before is not None:
        statement = statement.where(after(_ORDER, before))
    documents = session.scalars(statement.order_by(*ordering(_ORDER)).limit(limit))
    return [load(Group, document) for document in documents]
