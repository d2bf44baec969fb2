"""How far the hub has stored each partition of a stream, whatever its broker believes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.ports import Place, Position
from hub.storage.tables import StreamPositionRow
from hub.storage.writing import is_postgresql, storable, table


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
    if not runs:
        return
    by_place: dict[tuple[str, int], list[Position]] = {}
    for run in runs:
        by_place.setdefault((storable(run.topic), run.partition), []).append(run)
    known = {
        (topic, partition): _Before(first_offset=first, next_offset=end, topic_id=topic_id)
        for topic, partition, first, end, topic_id in session.execute(
            _KNOWN, {"of_source": storable(source), "places": sorted(by_place)}
        )
    }
    moved: list[dict[str, Any]] = []
    begun: list[dict[str, Any]] = []
    for place, of_place in sorted(by_place.items()):
        values = _after(known.get(place), of_place)
        names = {"of_source": storable(source), "of_topic": place[0], "of_partition": place[1]}
        (moved if place in known else begun).append({**names, **values})
    if moved:
        session.connection().execute(_MOVE, moved)
    if begun:
        session.connection().execute(_begin(is_postgresql(session)), begun)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What is written down of a partition."""

    first_offset: int
    next_offset: int
    topic_id: str


def _after(before: _Before | None, runs: Sequence[Position]) -> dict[str, Any]:
    """Return what is to be written down of a partition after some runs; messages and what is missing are to be added."""
    now, messages, missing = before, 0, 0
    for run in runs:
        topic_id = storable(run.topic_id)
        is_anew = now is not None and bool(now.topic_id and topic_id) and now.topic_id != topic_id
        messages += run.n_messages
        missing += _missing(None if now is None or is_anew else now.next_offset, run)
        if now is None or is_anew:
            now = _Before(first_offset=run.first_offset, next_offset=run.next_offset, topic_id=topic_id)
        else:
            end = max(now.next_offset, run.next_offset)
            now = _Before(first_offset=now.first_offset, next_offset=end, topic_id=topic_id or now.topic_id)
    assert now is not None
    return {
        "new_first": now.first_offset,
        "new_next": now.next_offset,
        "new_messages": messages,
        "new_missing": missing,
        "new_topic_id": now.topic_id,
    }


# To build a statement takes longer than to run it: each is built once, and takes its values as parameters.

_ROWS = table(StreamPositionRow)

_KNOWN = (
    select(_ROWS.c.topic, _ROWS.c.partition, _ROWS.c.first_offset, _ROWS.c.next_offset, _ROWS.c.topic_id)
    .where(
        _ROWS.c.source == bindparam("of_source"),
        tuple_(_ROWS.c.topic, _ROWS.c.partition).in_(bindparam("places", expanding=True)),
    )
    .order_by(_ROWS.c.topic, _ROWS.c.partition)  # locks are taken in one order everywhere
    .with_for_update()
)

_MOVE = (
    update(_ROWS)
    .where(
        _ROWS.c.source == bindparam("of_source"),
        _ROWS.c.topic == bindparam("of_topic"),
        _ROWS.c.partition == bindparam("of_partition"),
    )
    .values(
        first_offset=bindparam("new_first"),
        next_offset=bindparam("new_next"),
        messages=_ROWS.c.messages + bindparam("new_messages"),
        missing=_ROWS.c.missing + bindparam("new_missing"),
        topic_id=bindparam("new_topic_id"),
    )
)


@cache
def _begin(for_postgresql: bool) -> sqlite.Insert | postgresql.Insert:
    """Return what writes down a partition for the first time; another worker may do so at the same instant."""
    statement = (postgresql.insert(_ROWS) if for_postgresql else sqlite.insert(_ROWS)).values(
        source=bindparam("of_source"),
        topic=bindparam("of_topic"),
        partition=bindparam("of_partition"),
        first_offset=bindparam("new_first"),
        next_offset=bindparam("new_next"),
        messages=bindparam("new_messages"),
        missing=bindparam("new_missing"),
        topic_id=bindparam("new_topic_id"),
    )
    new = statement.excluded
    changes = {
        "messages": _ROWS.c.messages + new.messages,
        "missing": _ROWS.c.missing + new.missing,
        "next_offset": new.next_offset,
        "topic_id": new.topic_id,
    }
    return statement.on_conflict_do_update(index_elements=[_ROWS.c.source, _ROWS.c.topic, _ROWS.c.partition], set_=changes)


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
