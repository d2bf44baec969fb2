"""Events as their notices describe them now. The notices are the truth; the row of an event is computed from them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.event import Event, EventState
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger
from hub.model.significance import Significance
from hub.storage import counters, sources
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, contains, ordering
from hub.storage.tables import EventAliasRow, EventRow, PromotedRow
from hub.storage.writing import CHUNK, among_those, insert_new, is_postgresql, storable, table, those, upsert

Key = tuple[int, str]
"""Place of an event in listings: time (t0, else issue, else reception; `Instant.tai_us`) and event id."""

_ORDER: Order = ((col(EventRow.order_tai_us), True), (col(EventRow.event_id), False))


def key(event: Event) -> Key:
    """Return the place of an event in listings: hand it to `search` as ``before`` to go on after it."""
    newest = event.current
    moment = event.t0 or newest.notice.issued_at or newest.received_at
    return moment.tai_us, event.event_id


def save(session: Session, event: Event) -> None:
    """Write an event over what was known of it."""
    changed = counters.increment(session, counters.EVENTS)
    times = [t0.tai_us for t0 in event.t0s]
    values = {
        "event_id": event.event_id,
        "messenger": event.messenger.value,
        "mission": storable(event.mission),
        "event_class": event.event_class.value,
        "state": event.state.value,
        "significance": event.significance.value,
        "is_live": event.is_live,
        "t0_tai_us": event.t0.tai_us if event.t0 else None,
        "first_t0_tai_us": min(times, default=None),
        "last_t0_tai_us": max(times, default=None),
        "order_tai_us": key(event)[0],
        "far_hz": event.far_hz,
        "is_vetoed": bool(event.vetoes),
        "is_answer": bool(event.depends_on) and event.messenger is not Messenger.EM,
        "changed": changed,
        "document": dump(event),
    }
    upsert(session, EventRow, values, key=["event_id"])
    session.execute(
        delete(EventAliasRow).where(col(EventAliasRow.event_id) == event.event_id, col(EventAliasRow.alias).not_in(event.aliases))
    )
    for alias in event.aliases:
        insert_new(session, EventAliasRow, {"alias": alias, "event_id": event.event_id}, key=["alias", "event_id"])
    if event.messenger is Messenger.EM:
        sources.cite(session, event)


def get(session: Session, event_id_or_alias: str) -> Event | None:
    """Return an event by its id, else by another name of it; of several that share a name the first by id."""
    document = session.scalars(select(col(EventRow.document)).where(col(EventRow.event_id) == event_id_or_alias)).first()
    if document is None:
        named = (
            select(col(EventRow.document))
            .join(EventAliasRow, col(EventAliasRow.event_id) == col(EventRow.event_id))
            .where(col(EventAliasRow.alias) == event_id_or_alias)
            .order_by(col(EventRow.event_id))
        )
        document = session.scalars(named).first()
    return None if document is None else load(Event, document)


def of_ids(session: Session, event_ids: Sequence[str]) -> list[Event]:
    """Return the events of some ids, by id; ids that do not exist are passed over."""
    wanted = sorted(set(event_ids))
    found: list[Event] = []
    for start in range(0, len(wanted), CHUNK):
        statement = select(col(EventRow.document)).where(col(EventRow.event_id).in_(wanted[start : start + CHUNK]))
        found += [load(Event, document) for document in session.scalars(statement.order_by(col(EventRow.event_id)))]
    return sorted(found, key=lambda event: event.event_id)


def changes(session: Session, event_ids: Collection[str]) -> dict[str, int]:
    """Return of those of some events that exist the number of their last change: no two states of an event have the same."""
    found = session.execute(_changes(is_postgresql(session)), {"ids": those(session, event_ids)})
    return {row.event_id: row.changed for row in found}


def with_changes(session: Session, event_ids: Collection[str]) -> list[tuple[int, Event]]:
    """Return those of some events that exist, each with the number of its last change."""
    found = session.execute(_with_changes(is_postgresql(session)), {"ids": those(session, event_ids)})
    return [(changed, load(Event, document)) for changed, document in found]


@cache
def _changes(for_postgresql: bool) -> Select[*tuple[Any, ...]]:
    row = table(EventRow).c
    return select(row.event_id, row.changed).where(among_those(row.event_id, "ids", for_postgresql=for_postgresql))


@cache
def _with_changes(for_postgresql: bool) -> Select[*tuple[Any, ...]]:
    row = table(EventRow).c
    return select(row.changed, row.document).where(among_those(row.event_id, "ids", for_postgresql=for_postgresql))


def all_ids(session: Session) -> list[str]:
    """Return the ids of all events, ascending."""
    return sorted(session.scalars(select(col(EventRow.event_id))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Events of some classes with a time in ``[start, end]``."""

    classes: frozenset[EventClass]
    start: Instant
    end: Instant

    def holds(self, event: Event) -> bool:
        """Tell whether an event lies in it: what any of its notices says counts, of class as of time."""
        times = event.t0s
        return bool(times) and max(times) >= self.start and min(times) <= self.end and not event.classes.isdisjoint(self.classes)


def in_window(session: Session, classes: Collection[EventClass], start: Instant, end: Instant) -> list[Event]:
    """Return the events of some classes with a time in ``[start, end]``, by t0 and id; an event without t0 is in no window.

    What any of its notices says counts, of class as of time: whether an event belongs to a window never depends on the order in
    which its notices arrived.
    """
    return in_windows(session, [Window(classes=frozenset(classes), start=start, end=end)])


def in_windows(session: Session, windows: Sequence[Window]) -> list[Event]:
    """Return the events that lie in any of some windows, as `in_window` does; those around one time are read in one go."""
    names = {event_class.value for one in windows for event_class in one.classes}
    found: dict[str, Event] = {}
    for start, end in _spans(windows):
        statement = (
            select(col(EventRow.event_id), col(EventRow.document))
            .where(col(EventRow.last_t0_tai_us) >= start.tai_us, col(EventRow.first_t0_tai_us) <= end.tai_us)
            .order_by(col(EventRow.t0_tai_us), col(EventRow.event_id))
        )
        for name, document in session.execute(statement):
            # Making an event of its document costs ten times reading the document: most events of a long window are of other
            # classes.
            if name not in found and not names.isdisjoint(_class_names(document)):
                found[name] = load(Event, document)
    return [event for event in found.values() if any(one.holds(event) for one in windows)]


def _spans(windows: Iterable[Window]) -> list[tuple[Instant, Instant]]:
    """Return the times of some windows, those that overlap as one, ascending."""
    found: list[tuple[Instant, Instant]] = []
    for one in sorted(windows, key=lambda one: one.start):
        if found and one.start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], one.end))
        else:
            found.append((one.start, one.end))
    return found


def in_span(session: Session, start: Instant, end: Instant) -> list[Event]:
    """Return the events that have a time in ``[start, end]`` by any of their notices, by id."""
    statement = (
        select(col(EventRow.document))
        .where(col(EventRow.last_t0_tai_us) >= start.tai_us, col(EventRow.first_t0_tai_us) <= end.tai_us)
        .order_by(col(EventRow.event_id))
    )
    return [load(Event, document) for document in session.scalars(statement)]


def open_in_span(session: Session, start: Instant, end: Instant) -> list[str]:
    """Return the ids of the active live events that have a time in ``[start, end]`` by any of their notices, ascending."""
    statement = (
        select(col(EventRow.event_id))
        .where(
            col(EventRow.last_t0_tai_us) >= start.tai_us,
            col(EventRow.first_t0_tai_us) <= end.tai_us,
            col(EventRow.state) == EventState.ACTIVE.value,
            col(EventRow.is_live),
        )
        .order_by(col(EventRow.event_id))
    )
    return list(session.scalars(statement))


def changed_since(session: Session, counter: int) -> list[Event]:
    """Return the events that were changed after the counter ``events`` had a value, by id."""
    statement = select(col(EventRow.document)).where(col(EventRow.changed) > counter).order_by(col(EventRow.event_id))
    return [load(Event, document) for document in session.scalars(statement)]


def ids_since(session: Session, moment: Instant) -> list[str]:
    """Return the ids of the events that have a time at or after a moment by any of their notices, the earliest first."""
    statement = select(col(EventRow.event_id)).where(col(EventRow.last_t0_tai_us) >= moment.tai_us)
    return list(session.scalars(statement.order_by(col(EventRow.last_t0_tai_us), col(EventRow.event_id))))


def _class_names(document: Any) -> list[str]:
    """Return the classes that the notices of a stored event name, retractions included."""
    return [version["stored"]["notice"]["event_class"] for version in document["versions"]]


def _is_any(grades: Mapping[Messenger, Collection[Significance]]) -> ColumnElement[bool]:
    """Return the condition that an event has one of the grades of its messenger."""
    named = [
        and_(col(EventRow.messenger) == messenger.value, col(EventRow.significance).in_(sorted(one.value for one in listed)))
        for messenger, listed in sorted(grades.items())
    ]
    return or_(*named)


def search(  # noqa: C901 - one line for each filter
    session: Session,
    *,
    messengers: Sequence[Messenger] | None = None,
    event_classes: Sequence[EventClass] | None = None,
    state: EventState | None = None,
    significances: Sequence[Significance] | None = None,
    without: Mapping[Messenger, Collection[Significance]] | None = None,
    live_only: bool = False,
    t0_from: Instant | None = None,
    t0_to: Instant | None = None,
    text: str | None = None,
    limit: int = 100,
    before: Key | None = None,
) -> list[Event]:
    """Return events, the latest t0 first, then by id.

    ``without`` leaves out events of a messenger that have one of some grades, unless a pair lifts them.
    ``t0_from`` and ``t0_to`` are inclusive; ``text`` is part of the id or of another name, in any case of letters; ``before``
    is the `key` of the last event of the page before.
    """
    statement = select(col(EventRow.document))
    if messengers is not None:
        statement = statement.where(col(EventRow.messenger).in_([one.value for one in messengers]))
    if event_classes is not None:
        statement = statement.where(col(EventRow.event_class).in_([one.value for one in event_classes]))
    if state is not None:
        statement = statement.where(col(EventRow.state) == state.value)
    if significances is not None:
        statement = statement.where(col(EventRow.significance).in_([one.value for one in significances]))
    if without:
        statement = statement.where(~_is_any(without) | exists().where(col(PromotedRow.event_id) == col(EventRow.event_id)))
    if live_only:
        statement = statement.where(col(EventRow.is_live).is_(True))
    if t0_from is not None:
        statement = statement.where(col(EventRow.t0_tai_us) >= t0_from.tai_us)
    if t0_to is not None:
        statement = statement.where(col(EventRow.t0_tai_us) <= t0_to.tai_us)
    if text:
        pattern = contains(text)
        alias = exists().where(
            col(EventAliasRow.event_id) == col(EventRow.event_id), col(EventAliasRow.alias).ilike(pattern, escape="\\")
        )
        statement = statement.where(or_(col(EventRow.event_id).ilike(pattern, escape="\\"), alias))
    if before is not None:
        statement = statement.where(after(_ORDER, before))
    documents = session.scalars(statement.order_by(*ordering(_ORDER)).limit(limit))
    return [load(Event, document) for document in documents]
