"""Sky maps that notices name by their URL: which are to be fetched, and what came of it. A queue with its own due times."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.event import FetchedMap
from hub.model.instant import Instant
from hub.storage.tables import MapFetchRow
from hub.storage.writing import insert, storable, table


class FetchState(StrEnum):
    """How far a map is."""

    WAITING = "waiting"
    """To be asked for, perhaps again."""

    FETCHED = "fetched"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFetch:
    """One map to fetch for one event."""

    event_id: str
    url: str
    """As the notice names it."""

    state: FetchState
    tries: int
    first_at: Instant
    """When a notice named it first."""

    due_at: Instant
    """Not to be asked for before."""

    error: str
    """Why the last try failed, one sentence."""


def ask(session: Session, event_id: str, url: str, at: Instant) -> None:
    """Ask for a map; one that was given up is asked for anew, any other stays as it is."""
    values = {
        "event_id": event_id,
        "url": url,
        "state": FetchState.WAITING.value,
        "tries": 0,
        "first_tai_us": at.tai_us,
        "due_tai_us": at.tai_us,
        "fetched_tai_us": None,
        "sha256": None,
        "localization_id": None,
        "remarks": [],
        "error": "",
    }
    columns = table(MapFetchRow).c
    statement = insert(session, MapFetchRow).values(values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[columns.event_id, columns.url],
            set_={name: statement.excluded[name] for name in ("state", "tries", "first_tai_us", "due_tai_us")},
            where=columns.state == FetchState.GIVEN_UP.value,
        )
    )


def due(session: Session, at: Instant) -> MapFetch | None:
    """Return the map that has waited longest beyond its time, None where none is due."""
    statement = (
        select(MapFetchRow)
        .where(col(MapFetchRow.state) == FetchState.WAITING.value, col(MapFetchRow.due_tai_us) <= at.tai_us)
        .order_by(col(MapFetchRow.due_tai_us), col(MapFetchRow.event_id), col(MapFetchRow.url))
        .limit(1)
    )
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    return None if row is None else _fetch(row)


def claim(session: Session, fetch: MapFetch, due_at: Instant) -> bool:
    """Count a try and put the next one off; return False where somebody else has taken this one."""
    statement = (
        update(MapFetchRow)
        .where(
            col(MapFetchRow.event_id) == fetch.event_id,
            col(MapFetchRow.url) == fetch.url,
            col(MapFetchRow.state) == FetchState.WAITING.value,
            col(MapFetchRow.tries) == fetch.tries,
        )
        .values(tries=fetch.tries + 1, due_tai_us=due_at.tai_us)
        .returning(col(MapFetchRow.event_id))
    )
    return session.execute(statement).first() is not None


def failed(session: Session, fetch: MapFetch, error: str, *, for_good: bool) -> None:
    """Note why a map is not there; for good, or until the next try."""
    state = FetchState.GIVEN_UP if for_good else FetchState.WAITING
    _set(session, fetch, state=state.value, error=storable(error))


def store(session: Session, fetch: MapFetch, found: FetchedMap) -> None:
    """Note that a map was fetched and which localization it is."""
    _set(
        session,
        fetch,
        state=FetchState.FETCHED.value,
        fetched_tai_us=found.fetched_at.tai_us,
        sha256=found.sha256,
        localization_id=found.localization_id,
        remarks=list(found.remarks),
        error="",
    )


def fetched(session: Session, event_id: str) -> dict[str, FetchedMap]:
    """Return the fetched maps of an event by their URL."""
    statement = select(MapFetchRow).where(
        col(MapFetchRow.event_id) == event_id, col(MapFetchRow.state) == FetchState.FETCHED.value
    )
    return {
        row.url: FetchedMap(
            url=row.url,
            fetched_at=Instant(row.fetched_tai_us or 0),
            sha256=row.sha256 or "",
            localization_id=row.localization_id or "",
            remarks=tuple(row.remarks),
        )
        for row in session.scalars(statement.execution_options(populate_existing=True))
    }


def of_event(session: Session, event_id: str) -> list[MapFetch]:
    """Return everything that was asked for because of an event, the first one first."""
    statement = select(MapFetchRow).where(col(MapFetchRow.event_id) == event_id)
    ordered = statement.order_by(col(MapFetchRow.first_tai_us), col(MapFetchRow.url))
    return [_fetch(row) for row in session.scalars(ordered.execution_options(populate_existing=True))]


def counts(session: Session) -> dict[FetchState, int]:
    """Return how many maps are in each state."""
    statement = select(col(MapFetchRow.state), func.count()).group_by(col(MapFetchRow.state))
    found = {FetchState(state): int(number) for state, number in session.execute(statement)}
    return {state: found.get(state, 0) for state in FetchState}


def _set(session: Session, fetch: MapFetch, **values: object) -> None:
    place = (col(MapFetchRow.event_id) == fetch.event_id, col(MapFetchRow.url) == fetch.url)
    session.execute(update(MapFetchRow).where(*place).values(**values))


def _fetch(row: MapFetchRow) -> MapFetch:
    return MapFetch(
        event_id=row.event_id,
        url=row.url,
        state=FetchState(row.state),
        tries=row.tries,
        first_at=Instant(row.first_tai_us),
        due_at=Instant(row.due_tai_us),
        error=row.error,
    )
