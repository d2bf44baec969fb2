"""The alert streams that the hub has listened to, and what they leave out of their surveys."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.coverage import AlertStream, Selection, SelectionKind
from hub.model.instant import Instant
from hub.storage.tables import AlertStreamRow
from hub.storage.writing import insert_new, table


def save(session: Session, streams: Iterable[AlertStream], at: Instant) -> None:
    """Record what is listened to from now on; what was listened to before keeps its beginning, and gets what its map says now.

    Topics are added to those that are known, and keep their beginning too.
    """
    for one in streams:
        selection = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(one.selection).items()}
        values: dict[str, Any] = {
            "survey": one.survey,
            "is_full": one.selection.kind is SelectionKind.FULL,
            "selection": {
                **selection,
                "kind": one.selection.kind.value,
                "tells_past": one.tells_past,
                "own_ids": one.own_ids,
                "sources": list(one.sources),
            },
        }
        new = {topic: since.tai_us for topic, since in one.topics}
        first = {**values, "selection": values["selection"] | {"topics": new}}
        # Another worker may add a topic at the same instant: what is there is read under the row's lock, and added to.
        if insert_new(session, AlertStreamRow, {"name": one.name, "since_tai_us": at.tai_us, **first}, key=["name"]):
            continue
        columns = table(AlertStreamRow).c
        of_stream = select(columns.selection).where(columns.name == one.name).with_for_update()
        before = session.execute(of_stream).scalar_one().get("topics", {})
        topics = new | {topic: min(int(since), new.get(topic, int(since))) for topic, since in before.items()}
        changed = {**values, "selection": values["selection"] | {"topics": topics}}
        session.execute(update(table(AlertStreamRow)).where(columns.name == one.name).values(**changed))


def listing(session: Session) -> list[AlertStream]:
    """Return every stream that was ever listened to, by name."""
    rows = session.scalars(select(AlertStreamRow).order_by(col(AlertStreamRow.name)).execution_options(populate_existing=True))
    return [replace(_stream(row), since=Instant(row.since_tai_us)) for row in rows]


def _stream(row: AlertStreamRow) -> AlertStream:
    said = dict(row.selection)
    topics = tuple((topic, Instant(since)) for topic, since in sorted(said.pop("topics", {}).items()))
    tells_past, own_ids, sources = bool(said.pop("tells_past")), bool(said.pop("own_ids")), tuple(said.pop("sources"))
    said = {key: tuple(value) if isinstance(value, list) else value for key, value in said.items()}
    return AlertStream(
        name=row.name,
        survey=row.survey,
        selection=Selection(**{**said, "kind": SelectionKind(said["kind"])}),
        tells_past=tells_past,
        own_ids=own_ids,
        sources=sources,
        topics=topics,
    )
