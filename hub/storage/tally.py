"""How much there is of everything."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.tables import (
    CandidateRow,
    CoincidenceRow,
    DeadLetterRow,
    EventRow,
    IntentRow,
    JobRow,
    NoticeRow,
    OutboxRow,
)

_COUNTED = {
    "notices": NoticeRow,
    "events": EventRow,
    "candidates": CandidateRow,
    "voevents": OutboxRow,
    "followups": IntentRow,
    "dead_letters": DeadLetterRow,
    "jobs_waiting": JobRow,
}


def tally(session: Session) -> dict[str, int]:
    """Return the number of rows of each kind; of coincidences the pairs, not their versions."""
    counts = {name: session.scalar(select(func.count()).select_from(row)) or 0 for name, row in _COUNTED.items()}
    latest = select(func.count()).select_from(CoincidenceRow).where(col(CoincidenceRow.is_latest).is_(True))
    return {**counts, "coincidences": session.scalar(latest) or 0}
