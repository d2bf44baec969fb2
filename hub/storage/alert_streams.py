"""The alert streams that the hub has listened to, and what they leave out of their surveys."""

from collections.abc import Iterable
from dataclasses import asdict, replace

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.coverage import AlertStream, Selection, SelectionKind
from hub.model.instant import Instant
from hub.storage.tables import AlertStreamRow
from hub.storage.writing import insert, table


def save(session: Session, streams: Iterable[AlertStream], at: Instant) -> None:
    """Record what is listened to from now on; what was listened to before keeps its beginning, and gets what its map says now."""
    for one in streams:
        selection = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(one.selection).items()}
        values = {
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
        columns = table(AlertStreamRow).c
        statement = insert(session, AlertStreamRow).values(name=one.name, since_tai_us=at.tai_us, **values)
        session.execute(statement.on_conflict_do_update(index_elements=[columns.name], set_=values))


def listing(session: Session) -> list[AlertStream]:
    """Return every stream that was ever listened to, by name."""
    rows = session.scalars(select(AlertStreamRow).order_by(col(AlertStreamRow.name)).execution_options(populate_existing=True))
    return [replace(_stream(row), since=Instant(row.since_tai_us)) for row in rows]


def _stream(row: AlertStreamRow) -> AlertStream:
    said = dict(row.selection)
    tells_past, own_ids, sources = bool(said.pop("tells_past")), bool(said.pop("own_ids")), tuple(said.pop("sources"))
    said = {key: tuple(value) if isinstance(value, list) else value for key, value in said.items()}
    return AlertStream(
        name=row.name,
        survey=row.survey,
        selection=Selection(**{**said, "kind": SelectionKind(said["kind"])}),
        tells_past=tells_past,
        own_ids=own_ids,
        sources=sources,
    )
