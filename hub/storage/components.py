"""What each loop of a running hub last said of itself, so that any process can tell how all of them are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import case, delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.ports import Health
from hub.storage.jsonable import dump
from hub.storage.tables import ComponentRow
from hub.storage.writing import insert, storable, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One loop of one process as it was when it last reported; the same loop of another process is another one."""

    name: str
    """``source/gcn``, ``destination/voevents``, ``followup``, ``api`` ..."""

    instance: str
    """Which process: host and process id."""

    state: str
    """One or two words; `STOPPED` once it was asked to end."""

    alarms: tuple[str, ...]
    """What a person must know, one sentence each."""

    facts: dict[str, Any] = field(default_factory=dict)
    """JSON values."""

    since: Instant
    """When it entered its state."""

    updated: Instant
    """When it last reported."""


STOPPED = "stopped"
"""State of a loop that ended because it was asked to."""


def report(session: Session, instance: str, healths: Sequence[tuple[str, Health]], at: Instant) -> None:
    """Write down how some loops of one process are now; a state that lasts keeps the time of its beginning."""
    columns = table(ComponentRow).c
    for name, health in healths:
        statement = insert(session, ComponentRow).values(
            name=storable(name),
            instance=storable(instance),
            state=storable(health.state),
            alarms=[storable(alarm) for alarm in health.alarms],
            facts=dump(dict(health.facts)),
            since_tai_us=at.tai_us,
            updated_tai_us=at.tai_us,
        )
        new = statement.excluded
        changes: dict[str, Any] = {key: new[key] for key in ("state", "alarms", "facts", "updated_tai_us")}
        changes["since_tai_us"] = case((columns.state == new.state, columns.since_tai_us), else_=new.since_tai_us)
        session.execute(statement.on_conflict_do_update(index_elements=[columns.name, columns.instance], set_=changes))


def listing(session: Session) -> list[Component]:
    """Return all loops that ever reported and were not forgotten, by name and process."""
    order = (col(ComponentRow.name), col(ComponentRow.instance))
    rows = session.scalars(select(ComponentRow).order_by(*order).execution_options(populate_existing=True))
    return [
        Component(
            name=row.name,
            instance=row.instance,
            state=row.state,
            alarms=tuple(row.alarms),
            facts=row.facts,
            since=Instant(row.since_tai_us),
            updated=Instant(row.updated_tai_us),
        )
        for row in rows
    ]


def forget(session: Session, which: Collection[tuple[str, str]]) -> None:
    """Forget some loops, told by name and process."""
    for name, instance in which:
        session.execute(delete(ComponentRow).where(col(ComponentRow.name) == name, col(ComponentRow.instance) == instance))


def forget_others(session: Session, prefix: str, names: Collection[str]) -> None:
    """Forget the loops whose name begins with a prefix and is not among some: parts that the settings no longer have."""
    session.execute(delete(ComponentRow).where(col(ComponentRow.name).startswith(prefix), col(ComponentRow.name).not_in(names)))
