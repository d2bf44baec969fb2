"""Who was told of what waits for somebody, step by step, and who took note of it."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Text, select, type_coerce
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.followup import RequestState, Submission
from hub.model.instant import Instant
from hub.storage import followup
from hub.storage.tables import AcknowledgementRow, EscalationStepRow, IntentRow, TransitionRow
from hub.storage.writing import CHUNK, insert_new


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """That a channel was told."""

    concern: str
    number: int
    """1, 2, 3 ... within the concern."""

    at: Instant
    channel: str
    """Name of a destination; empty where the list of channels has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """That a person has taken note."""

    concern: str
    at: Instant
    actor: str
    reason: str


def add_step(session: Session, step: EscalationStep) -> bool:
    """Write a step down; return False where another worker was faster."""
    values = {"concern": step.concern, "number": step.number, "at_tai_us": step.at.tai_us, "channel": step.channel}
    return insert_new(session, EscalationStepRow, values, key=["concern", "number"])


def last_steps(session: Session, concerns: Collection[str]) -> dict[str, EscalationStep]:
    """Return the last step of each of some concerns that has one."""
    found: dict[str, EscalationStep] = {}
    for part in _parts(concerns):
        statement = select(EscalationStepRow).where(col(EscalationStepRow.concern).in_(part))
        for row in session.scalars(statement.order_by(col(EscalationStepRow.concern), col(EscalationStepRow.number))):
            found[row.concern] = EscalationStep(
                concern=row.concern, number=row.number, at=Instant(row.at_tai_us), channel=row.channel
            )
    return found


def acknowledge(session: Session, word: Acknowledgement) -> bool:
    """Write down that a person has taken note; return False where somebody had before."""
    values = {"concern": word.concern, "at_tai_us": word.at.tai_us, "actor": word.actor, "reason": word.reason}
    return insert_new(session, AcknowledgementRow, values, key=["concern"])


def acknowledged(session: Session, concerns: Collection[str]) -> dict[str, Acknowledgement]:
    """Return who took note of which of some concerns."""
    found: dict[str, Acknowledgement] = {}
    for part in _parts(concerns):
        for row in session.scalars(select(AcknowledgementRow).where(col(AcknowledgementRow.concern).in_(part))):
            found[row.concern] = Acknowledgement(
                concern=row.concern, at=Instant(row.at_tai_us), actor=row.actor, reason=row.reason
            )
    return found


def withdrawn_since(session: Session, moment: Instant) -> list[Submission]:
    """Return the submissions made at or after a moment that were ever to be cancelled at their networks, the oldest first."""
    cancelled = select(col(TransitionRow.intent_id)).where(
        type_coerce(col(TransitionRow.document), Text).contains(f'"state":"{RequestState.CANCEL_REQUESTED.value}"')
    )
    statement = select(col(IntentRow.document)).where(
        col(IntentRow.intent_id).in_(cancelled), col(IntentRow.created_tai_us) >= moment.tai_us
    )
    return followup.of_statement(session, statement.order_by(col(IntentRow.created_tai_us), col(IntentRow.intent_id)))


def _parts(concerns: Collection[str]) -> list[list[str]]:
    names = sorted(concerns)
    return [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
