"""Backgrounds of events: versions are added and never edited; one that says the same as the newest is none."""

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.background import BackgroundVersion
from hub.model.instant import Instant
from hub.storage.jsonable import dump
from hub.storage.tables import BackgroundRow
from hub.storage.writing import among_those, hold, insert_new, is_postgresql, table, those


def save(session: Session, found: BackgroundVersion) -> BackgroundVersion | None:
    """Store what was found as the next version, whatever its number; return it, or None where nothing is new.

    Content that is the same as that of the newest version makes none.
    """
    hold(session, f"background {found.event_id}")
    newest = latest(session, found.event_id, found.hypothesis, found.survey)
    content = dump(found.content)
    if newest is not None and dump(newest.content) == content:
        return None
    number = 1 if newest is None else newest.version + 1
    values = {
        "event_id": found.event_id,
        "hypothesis": found.hypothesis,
        "survey": found.survey,
        "version": number,
        "computed_tai_us": found.computed_at.tai_us,
        "content": content,
    }
    insert_new(session, BackgroundRow, values, key=["event_id", "hypothesis", "survey", "version"])
    return BackgroundVersion(
        event_id=found.event_id,
        hypothesis=found.hypothesis,
        survey=found.survey,
        version=number,
        computed_at=found.computed_at,
        content=content,
    )


def latest(session: Session, event_id: str, hypothesis: str, survey: str) -> BackgroundVersion | None:
    """Return the newest version, None where nothing was measured."""
    found = _versions(session, event_id, hypothesis, survey)
    return found[-1] if found else None


def versions(session: Session, event_id: str, hypothesis: str, survey: str) -> list[BackgroundVersion]:
    """Return all versions, the first one first."""
    return _versions(session, event_id, hypothesis, survey)


def of_event(session: Session, event_id: str) -> dict[tuple[str, str], BackgroundVersion]:
    """Return the newest versions of an event by hypothesis and survey."""
    statement = (
        select(BackgroundRow)
        .where(col(BackgroundRow.event_id) == event_id)
        .order_by(col(BackgroundRow.hypothesis), col(BackgroundRow.survey), col(BackgroundRow.version))
        .execution_options(populate_existing=True)
    )
    return {(row.hypothesis, row.survey): _version(row) for row in session.scalars(statement)}


def newest_numbers(session: Session, event_ids: Collection[str]) -> dict[tuple[str, str, str], int]:
    """Return the number of the newest version by event, hypothesis and survey."""
    if not event_ids:
        return {}
    rows = session.execute(_newest_numbers(is_postgresql(session)), {"of_events": those(session, event_ids)})
    return {(event_id, hypothesis, survey): number for event_id, hypothesis, survey, number in rows}


@cache
def _newest_numbers(for_postgresql: bool) -> Select[*tuple[Any, ...]]:
    row = table(BackgroundRow).c
    key = row.event_id, row.hypothesis, row.survey
    wanted = among_those(row.event_id, "of_events", for_postgresql=for_postgresql)
    return select(*key, func.max(row.version)).where(wanted).group_by(*key)


def get(session: Session, event_id: str, hypothesis: str, survey: str, number: int) -> BackgroundVersion | None:
    """Return one version."""
    row = BackgroundRow
    same = col(row.event_id) == event_id, col(row.hypothesis) == hypothesis, col(row.survey) == survey
    found = session.scalars(select(row).where(*same, col(row.version) == number)).first()
    return None if found is None else _version(found)


def _versions(session: Session, event_id: str, hypothesis: str, survey: str) -> list[BackgroundVersion]:
    statement = (
        select(BackgroundRow)
        .where(
            col(BackgroundRow.event_id) == event_id,
            col(BackgroundRow.hypothesis) == hypothesis,
            col(BackgroundRow.survey) == survey,
        )
        .order_by(col(BackgroundRow.version))
        .execution_options(populate_existing=True)
    )
    return [_version(row) for row in session.scalars(statement)]


def _version(row: BackgroundRow) -> BackgroundVersion:
    return BackgroundVersion(
        event_id=row.event_id,
        hypothesis=row.hypothesis,
        survey=row.survey,
        version=row.version,
        computed_at=Instant(row.computed_tai_us),
        content=row.content,
    )
