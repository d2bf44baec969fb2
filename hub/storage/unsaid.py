"""Pairs of event and object whose candidates changed in a pass that did not let everything out (`hub.services.candidacy`).

To the next pass that does let everything out they are as good as changed. Every call is made under the lock of its events.
"""

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.tables import UnsaidRow
from hub.storage.writing import CHUNK, among_those, insert_all_new, is_postgresql, those

Pair = tuple[str, str, str]
"""Event id, survey, object id."""


def add(session: Session, pairs: Collection[Pair]) -> None:
    """Remember pairs; those that are remembered already stay."""
    rows = [{"event_id": event_id, "survey": survey, "object_id": object_id} for event_id, survey, object_id in pairs]
    insert_all_new(session, UnsaidRow, rows, key=["event_id", "survey", "object_id"])


def of_events(session: Session, event_ids: Collection[str]) -> set[Pair]:
    """Return the pairs of some events."""
    if not event_ids:
        return set()
    rows = session.execute(_of_events(is_postgresql(session)), {"ids": those(session, event_ids)})
    return {(event_id, survey, object_id) for event_id, survey, object_id in rows}


@cache
def _of_events(for_postgresql: bool) -> Select[*tuple[Any, ...]]:
    row = UnsaidRow
    name = among_those(col(row.event_id), "ids", for_postgresql=for_postgresql)
    return select(col(row.event_id), col(row.survey), col(row.object_id)).where(name)


def forget(session: Session, pairs: Collection[Pair]) -> None:
    """Take pairs away: everything was let out."""
    row = UnsaidRow
    by_place: dict[tuple[str, str], list[str]] = {}
    for event_id, survey, object_id in sorted(pairs):
        by_place.setdefault((event_id, survey), []).append(object_id)
    for (event_id, survey), object_ids in by_place.items():
        for start in range(0, len(object_ids), CHUNK):
            among = col(row.object_id).in_(object_ids[start : start + CHUNK])
            session.execute(delete(row).where(col(row.event_id) == event_id, col(row.survey) == survey, among))
