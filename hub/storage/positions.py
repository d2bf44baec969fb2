"""How far the hub has stored each partition of a stream, whatever its broker believes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.ports import Place, Position
from hub.storage.tables import StreamPositionRow
from hub.storage.writing import insert, storable, table


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPosition:
    """What the hub has of one partition."""

    source: str
    topic: str
    partition: int
    first_offset: int
    """First offset that it ever brought."""

    next_offset: int
    """One behind the last message that is stored."""

    messages: int
    """Messages brought, repeats included."""

    missing: int
    """Offsets passed over: control records, compaction, or a gap that an incident tells of."""

    topic_id: str = ""
    """What the broker calls the topic; empty where it does not say."""


def advance(session: Session, source: str, runs: Sequence[Position]) -> None:
    """Write down that everything in some runs is stored; a run that came before moves nothing back and misses nothing.

    In a topic that was made anew under the same name the place begins anew too.
    """
    columns = table(StreamPositionRow).c
    for run in runs:
        before = session.scalars(
            select(StreamPositionRow)
            .where(
                col(StreamPositionRow.source) == storable(source),
                col(StreamPositionRow.topic) == storable(run.topic),
                col(StreamPositionRow.partition) == run.partition,
            )
            .with_for_update()
            .execution_options(populate_existing=True)
        ).first()
        is_anew = before is not None and bool(before.topic_id and run.topic_id) and before.topic_id != run.topic_id
        statement = insert(session, StreamPositionRow).values(
            source=storable(source),
            topic=storable(run.topic),
            partition=run.partition,
            first_offset=run.first_offset,
            next_offset=run.next_offset,
            messages=run.n_messages,
            missing=_missing(None if before is None or is_anew else before.next_offset, run),
            topic_id=storable(run.topic_id),
        )
        new = statement.excluded
        is_ahead = before is None or is_anew or run.next_offset > before.next_offset
        changes = {
            "messages": columns.messages + new.messages,
            "missing": columns.missing + new.missing,
            **({"next_offset": new.next_offset} if is_ahead else {}),
            **({"first_offset": new.first_offset} if is_anew else {}),
            **({"topic_id": new.topic_id} if run.topic_id else {}),
        }
        key = [columns.source, columns.topic, columns.partition]
        session.execute(statement.on_conflict_do_update(index_elements=key, set_=changes))


def listing(session: Session, source: str | None = None) -> list[StreamPosition]:
    """Return how far each partition is stored, by source, topic and partition."""
    row = StreamPositionRow
    statement = select(row).order_by(col(row.source), col(row.topic), col(row.partition))
    if source is not None:
        statement = statement.where(col(row.source) == storable(source))
    return [
        StreamPosition(
            source=found.source,
            topic=found.topic,
            partition=found.partition,
            first_offset=found.first_offset,
            next_offset=found.next_offset,
            messages=found.messages,
            missing=found.missing,
            topic_id=found.topic_id,
        )
        for found in session.scalars(statement.execution_options(populate_existing=True))
    ]


def places(session: Session, source: str) -> Mapping[tuple[str, int], Place]:
    """Return where each partition of a source goes on."""
    return {
        (one.topic, one.partition): Place(next_offset=one.next_offset, topic_id=one.topic_id) for one in listing(session, source)
    }


def _missing(next_offset: int | None, run: Position) -> int:
    """Return how many offsets a run passes over that no earlier run had: those before it and the holes inside."""
    if next_offset is not None and run.next_offset <= next_offset:
        return 0  # all of it came before
    before = 0 if next_offset is None else max(0, run.first_offset - next_offset)
    holes = max(0, run.next_offset - run.first_offset - run.n_messages)
    unseen = run.next_offset - max(run.first_offset, next_offset if next_offset is not None else run.first_offset)
    return before + min(holes, unseen)
