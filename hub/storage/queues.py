"""How much waits where: the outbox by destination, follow-up requests by state, letters that are held."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.storage.deadletters import LetterKind
from hub.storage.outbox import OutboxState
from hub.storage.tables import DeadLetterRow, IntentRow, JobRow, OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCounts:
    """What became of the messages to one destination."""

    destination: str
    waiting: int
    sent: int
    failed: int
    oldest_waiting_at: Instant | None
    """When the oldest of those that wait was written."""

    error: str
    """Why the last try of the oldest one failed, one sentence; empty where none did."""


def outbox_counts(session: Session) -> list[OutboxCounts]:
    """Return the numbers of each destination that was ever written to, by name."""
    row = OutboxRow
    grouped = select(
        col(row.destination), col(row.state), func.count(), func.min(col(row.sequence)), func.min(col(row.created_tai_us))
    ).group_by(col(row.destination), col(row.state))
    numbers: dict[str, dict[str, tuple[int, int | None, int]]] = {}
    for destination, state, count, first, oldest in session.execute(grouped):
        numbers.setdefault(destination, {})[state] = (count, first, oldest)
    found = []
    for destination, states in sorted(numbers.items()):
        waiting = states.get(OutboxState.WAITING.value)
        error = session.scalar(select(col(row.error)).where(col(row.sequence) == waiting[1])) if waiting else None
        found.append(
            OutboxCounts(
                destination=destination,
                waiting=waiting[0] if waiting else 0,
                sent=states.get(OutboxState.SENT.value, (0, 0, 0))[0],
                failed=states.get(OutboxState.FAILED.value, (0, 0, 0))[0],
                oldest_waiting_at=Instant(waiting[2]) if waiting else None,
                error=error or "",
            )
        )
    return found


def followup_counts(session: Session) -> dict[str, int]:
    """Return how many follow-up requests stand in each state."""
    statement = select(col(IntentRow.state), func.count()).group_by(col(IntentRow.state)).order_by(col(IntentRow.state))
    return {state or "none": count for state, count in session.execute(statement)}


def held_counts(session: Session) -> dict[str, int]:
    """Return for each source how many of its messages are held because nobody knows their schema."""
    row = DeadLetterRow
    statement = select(col(row.source), func.count()).where(col(row.kind) == LetterKind.HELD.value).group_by(col(row.source))
    return {str(source): int(count) for source, count in session.execute(statement.order_by(col(row.source)))}


def jobs_waiting(session: Session) -> int:
    """Return how many jobs are to be done."""
    return session.scalar(select(func.count()).select_from(JobRow)) or 0
