"""Sources: which events are one burst, every version of that, and what persons said.

A source of one event has no row: most bursts are seen by one mission, and an event without a row is a source by itself.
"""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.event import Event, EventState
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger
from hub.model.source import Source, SourceVersion, Word
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, ordering
from hub.storage.tables import (
    EventAliasRow,
    EventCitationRow,
    EventRow,
    NoticeRow,
    SourceMemberRow,
    SourceVersionRow,
    SourceWordRow,
)
from hub.storage.writing import among, hold, insert_all_new, storable

Key = tuple[int, str]
"""Place of a source in listings: its time (`Instant.tai_us`) and its id."""

_ORDER: Order = ((col(SourceVersionRow.order_tai_us), True), (col(SourceVersionRow.source_id), False))


def key(source: Source) -> Key:
    """Return the place of a source in listings: hand it to `search` as ``before`` to go on after it."""
    return (source.t0.tai_us if source.t0 else 0), source.source_id


# --------------------------------------------------------------------------------------------------------------------- counting


def times_of_sources(
    session: Session, classes: Collection[EventClass], start: Instant, end: Instant
) -> list[tuple[int, str, EventClass, str]]:
    """Return when the sources of some classes were seen in ``[start, end]``, by time: what rates are counted from.

    One row for each mission and class that saw a source: time of its earliest trigger there (``tai_us``), mission, class, source
    id. To count sources whatever the missions, count different ids. Only real events that stand: no tests, mocks, untrusted or
    retracted ones. A source belongs to the span by each trigger's own time.
    """
    event, member = EventRow, SourceMemberRow
    source_id = func.coalesce(col(member.source_id), col(event.event_id))
    t0 = func.min(col(event.t0_tai_us))
    statement = (
        select(t0, col(event.mission), col(event.event_class), source_id)
        .outerjoin(member, col(member.event_id) == col(event.event_id))
        .where(
            col(event.t0_tai_us) >= start.tai_us,
            col(event.t0_tai_us) <= end.tai_us,
            # The index is over the first and the last time that any notice gives.
            col(event.first_t0_tai_us) <= end.tai_us,
            col(event.last_t0_tai_us) >= start.tai_us,
            col(event.event_class).in_(sorted(one.value for one in classes)),
            col(event.state) == EventState.ACTIVE.value,
            col(event.is_live).is_(True),
        )
        .group_by(col(event.mission), col(event.event_class), source_id)
        .order_by(t0, source_id, col(event.mission), col(event.event_class))
    )
    rows = session.execute(statement)
    return [(at, mission, EventClass(name), source) for at, mission, name, source in rows if at is not None]


# ------------------------------------------------------------------------------------------------------------------- candidates


def cite(session: Session, event: Event) -> None:
    """Write down what an electromagnetic event cites, over what it cited before."""
    notices = [version.stored.notice for version in event.versions]
    cited = {*event.depends_on, *(one.ivorn for notice in notices for one in notice.cites)}
    row = EventCitationRow
    session.execute(delete(row).where(col(row.event_id) == event.event_id))
    rows = [{"event_id": event.event_id, "cited": storable(name)} for name in sorted(cited)]
    insert_all_new(session, row, rows, key=["event_id", "cited"])


def near(session: Session, spans: Sequence[tuple[Instant, Instant, str]]) -> set[str]:
    """Return the ids of the electromagnetic events of other missions that have a time in a span, by any of their notices.

    Each span is start, end and the mission whose own events are left out: a storm of one mission would fill it.
    """
    row = EventRow
    found: set[str] = set()
    for start, end, mission in spans:
        inside = col(row.last_t0_tai_us) >= start.tai_us, col(row.first_t0_tai_us) <= end.tai_us
        others = col(row.messenger) == Messenger.EM.value, col(row.mission) != storable(mission)
        found.update(session.scalars(select(col(row.event_id)).where(*inside, *others)))
    return found


def cited_by(session: Session, event_ids: Collection[str]) -> dict[str, set[str]]:
    """Return for each of some events that cites others the ids of those that the hub knows, itself left out."""
    citing = {(row.event_id, row.cited) for row in _citations(session, event_ids)}
    return _resolved(session, citing)


def citing(session: Session, event_ids: Collection[str]) -> set[str]:
    """Return the ids of the electromagnetic events that cite one of some events, by any of its names or one of its notices."""
    names = set(event_ids)
    alias, notice, row = EventAliasRow, NoticeRow, EventCitationRow
    names.update(session.scalars(select(col(alias.alias)).where(among(session, col(alias.event_id), event_ids))))
    said = select(col(notice.ivorn)).where(among(session, col(notice.event_id), event_ids))  # type: ignore[arg-type]  # never NULL among them
    names.update(name for name in session.scalars(said) if name is not None)
    return set(session.scalars(select(col(row.event_id)).where(among(session, col(row.cited), names))))


def _citations(session: Session, event_ids: Collection[str]) -> list[EventCitationRow]:
    return list(session.scalars(select(EventCitationRow).where(among(session, col(EventCitationRow.event_id), event_ids))))


def _resolved(session: Session, citing: Collection[tuple[str, str]]) -> dict[str, set[str]]:
    if not citing:
        return {}
    names = {name for _, name in citing}
    known: dict[str, set[str]] = {}
    for column, owner in (
        (col(EventRow.event_id), col(EventRow.event_id)),
        (col(EventAliasRow.alias), col(EventAliasRow.event_id)),
        (col(NoticeRow.ivorn), col(NoticeRow.event_id)),
    ):
        for name, event_id in session.execute(select(column, owner).where(among(session, column, names))):  # type: ignore[arg-type]  # NULL is among none
            if name is not None and event_id is not None:
                known.setdefault(name, set()).add(event_id)
    found: dict[str, set[str]] = {}
    for event_id, name in citing:
        others = known.get(name, set()) - {event_id}
        if others:
            found.setdefault(event_id, set()).update(others)
    return found


# ------------------------------------------------------------------------------------------------------------ sources themselves


def source_ids(session: Session, event_ids: Collection[str]) -> dict[str, str]:
    """Return the source of each of some events that shares one with others; the others are sources by themselves."""
    row = SourceMemberRow
    statement = select(col(row.event_id), col(row.source_id)).where(among(session, col(row.event_id), event_ids))
    return {one.event_id: one.source_id for one in session.execute(statement)}


def members(session: Session, source_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the events of each of some sources of several events, by id."""
    if not source_ids:
        return {}
    row = SourceMemberRow
    statement = select(col(row.source_id), col(row.event_id)).where(among(session, col(row.source_id), source_ids))
    found: dict[str, list[str]] = {}
    for source_id, event_id in session.execute(statement.order_by(col(row.event_id))):
        found.setdefault(source_id, []).append(event_id)
    return found


def latest(session: Session, source_id: str) -> SourceVersion | None:
    """Return the newest version of a source; None where it never had more than one member."""
    row = SourceVersionRow
    statement = select(col(row.document)).where(col(row.source_id) == source_id, col(row.is_latest).is_(True))
    document = session.scalars(statement).first()
    return None if document is None else load(SourceVersion, document)


def latest_of(session: Session, source_ids: Collection[str]) -> dict[str, SourceVersion]:
    """Return the newest versions of those of some sources that ever had more than one member, by id."""
    row = SourceVersionRow
    statement = select(col(row.document)).where(among(session, col(row.source_id), source_ids), col(row.is_latest).is_(True))
    found = [load(SourceVersion, document) for document in session.scalars(statement)]
    return {one.source.source_id: one for one in found}


def history(session: Session, source_id: str) -> list[SourceVersion]:
    """Return all versions of a source, the first one first."""
    row = SourceVersionRow
    statement = select(col(row.document)).where(col(row.source_id) == source_id).order_by(col(row.version))
    return [load(SourceVersion, document) for document in session.scalars(statement)]


def search(session: Session, *, limit: int | None, before: Key | None = None) -> list[Source]:
    """Return the sources of several events as they are now, the latest first."""
    row = SourceVersionRow
    statement = select(col(row.document)).where(col(row.is_latest).is_(True), col(row.n_members) > 1)
    if before is not None:
        statement = statement.where(after(_ORDER, before))
    documents = session.scalars(statement.order_by(*ordering(_ORDER)).limit(limit))
    return [load(SourceVersion, document).source for document in documents]


def save(session: Session, source: Source, change: str, at: Instant) -> None:
    """Write the next version of a source, with its members; one with a single member is kept as the end of its history."""
    row, member = SourceVersionRow, SourceMemberRow
    same = col(row.source_id) == source.source_id
    newest = session.scalars(select(func.max(col(row.version))).where(same)).first()
    version = SourceVersion(version=(newest or 0) + 1, created_at=at, source=source, change=change)
    session.execute(update(row).where(same).values(is_latest=False).execution_options(synchronize_session=False))
    session.execute(
        insert(row).values(
            source_id=source.source_id,
            version=version.version,
            is_latest=True,
            n_members=len(source.members),
            order_tai_us=key(source)[0],
            document=dump(version),
        )
    )
    gone = or_(col(member.source_id) == source.source_id, among(session, col(member.event_id), source.event_ids))
    session.execute(delete(member).where(gone))
    if len(source.members) > 1:
        rows = [{"event_id": name, "source_id": source.source_id} for name in source.event_ids]
        insert_all_new(session, member, rows, key=["event_id"])


def associate(session: Session) -> None:
    """Let no other transaction change sources until this one ends: what belongs together is seen from all of it only."""
    hold(session, "sources")


# ---------------------------------------------------------------------------------------------------------- what persons said


def say(session: Session, word: Word) -> Word:
    """Store what a person said, under the next number; to be called after `associate`."""
    newest = session.scalars(select(func.max(col(SourceWordRow.number)))).first()
    numbered = Word(
        number=(newest or 0) + 1,
        kind=word.kind,
        first=word.first,
        second=word.second,
        said_by=word.said_by,
        said_at=word.said_at,
        reason=word.reason,
    )
    values = {"number": numbered.number, "first": numbered.first, "second": numbered.second, "document": dump(numbered)}
    session.execute(insert(SourceWordRow).values(**values))
    return numbered


def amend(session: Session, word: Word) -> None:
    """Store a word that was taken back over what it was."""
    row = SourceWordRow
    session.execute(
        update(row).where(col(row.number) == word.number).values(document=dump(word)).execution_options(synchronize_session=False)
    )


def word(session: Session, number: int) -> Word | None:
    """Return one word."""
    document = session.scalars(select(col(SourceWordRow.document)).where(col(SourceWordRow.number) == number)).first()
    return None if document is None else load(Word, document)


def words_about(session: Session, event_ids: Iterable[str]) -> list[Word]:
    """Return everything that persons said about some events, what was taken back too, in the order in which it was said."""
    row, names = SourceWordRow, list(event_ids)
    about = or_(among(session, col(row.first), names), among(session, col(row.second), names))
    return [load(Word, one) for one in session.scalars(select(col(row.document)).where(about).order_by(col(row.number)))]
