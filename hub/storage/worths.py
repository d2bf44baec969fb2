"""What candidates were found to be worth: one row for each, written over where that changed by enough."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.coincidence import Score
from hub.model.instant import Instant
from hub.storage.jsonable import dump, load
from hub.storage.tables import WorthRow
from hub.storage.writing import among_those, is_postgresql, table, those, upsert_all

Key = tuple[str, str, str, str]
"""Event id, survey, object id, hypothesis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """The numbers of one candidate."""

    version: int
    """1 for the first time that something was found."""

    computed_at: Instant
    scores: tuple[Score, ...]


def save_all(session: Session, found: Mapping[Key, Worth]) -> None:
    """Write what was found over what was there."""
    rows = [
        {
            **dict(zip(("event_id", "survey", "object_id", "hypothesis"), key, strict=True)),
            "version": one.version,
            "computed_tai_us": one.computed_at.tai_us,
            "document": [dump(score) for score in one.scores],
        }
        for key, one in sorted(found.items())
    ]
    upsert_all(session, WorthRow, rows, key=("event_id", "survey", "object_id", "hypothesis"))


def forget(session: Session, keys: Collection[Key]) -> None:
    """Delete what was found of candidates that are none any more."""
    row = WorthRow
    for event_id, survey, object_id, hypothesis in sorted(keys):
        same = col(row.event_id) == event_id, col(row.survey) == survey, col(row.object_id) == object_id
        session.execute(delete(row).where(*same, col(row.hypothesis) == hypothesis))


def of_event(session: Session, event_id: str) -> dict[Key, Worth]:
    """Return what was found of an event's candidates."""
    row = WorthRow
    statement = select(row).where(col(row.event_id) == event_id).execution_options(populate_existing=True)
    return dict(map(_worth, session.scalars(statement)))


def of_objects(session: Session, event_ids: Collection[str], object_ids: Sequence[str]) -> dict[Key, Worth]:
    """Return what was found of some objects as candidates of some events; object ids are those of the surveys."""
    if not event_ids or not object_ids:
        return {}
    asked = {"of_events": those(session, event_ids), "of_objects": those(session, object_ids)}
    rows = session.execute(_of_objects(is_postgresql(session)), asked)
    return {(one[0], one[1], one[2], one[3]): _made(*one[4:]) for one in rows}


@cache
def _of_objects(for_postgresql: bool) -> Select[*tuple[Any, ...]]:
    row = table(WorthRow).c
    columns = row.event_id, row.survey, row.object_id, row.hypothesis, row.version, row.computed_tai_us, row.document
    return select(*columns).where(
        among_those(row.event_id, "of_events", for_postgresql=for_postgresql),
        among_those(row.object_id, "of_objects", for_postgresql=for_postgresql),
    )


def _worth(row: WorthRow) -> tuple[Key, Worth]:
    return (row.event_id, row.survey, row.object_id, row.hypothesis), _made(row.version, row.computed_tai_us, row.document)


def _made(version: int, computed_tai_us: int, document: Sequence[Any]) -> Worth:
    return Worth(version=version, computed_at=Instant(computed_tai_us), scores=tuple(load(Score, one) for one in document))
