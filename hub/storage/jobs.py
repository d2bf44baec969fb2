"""What must be computed again: asked for in the transaction of the cause, deleted in the transaction of the result."""

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.tables import JobRow
from hub.storage.writing import insert, table

EVENT_JOB = "event"
"""Kind of the job that evaluates everything about an event again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing to compute."""

    kind: str
    """``event`` ..."""

    key: str
    """What it is about, e.g. an event id."""

    token: str
    """Changes with every `put`, so that `done` cannot take away a request that came after `take`."""


def put(session: Session, kind: str, key: str) -> None:
    """Ask for a job; asking twice makes one job, at the place in the queue of the first request."""
    columns = table(JobRow).c
    statement = insert(session, JobRow).values(kind=kind, key=key, token=secrets.token_hex(8))
    session.execute(
        statement.on_conflict_do_update(index_elements=[columns.kind, columns.key], set_={"token": statement.excluded.token})
    )


def take(session: Session, limit: int) -> list[Job]:
    """Return the oldest jobs; they stay until `done`, so doing one must be idempotent."""
    statement = select(col(JobRow.kind), col(JobRow.key), col(JobRow.token)).order_by(col(JobRow.sequence)).limit(limit)
    return [Job(kind=kind, key=key, token=token) for kind, key, token in session.execute(statement)]


def done(session: Session, job: Job) -> None:
    """Delete a job unless it was asked for again after it was taken."""
    session.execute(
        delete(JobRow).where(col(JobRow.kind) == job.kind, col(JobRow.key) == job.key, col(JobRow.token) == job.token)
    )
