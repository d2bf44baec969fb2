"""Answers to requests that their callers may repeat: each is given once and then told again."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.storage.tables import IdempotentAnswerRow
from hub.storage.writing import insert_new


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What was answered before."""

    digest: str
    """SHA-256 of what was asked."""

    document: Any
    """The body, JSON."""


def find(session: Session, caller: str, key: str) -> KeptAnswer | None:
    """Return what was answered to a caller's request of this key."""
    statement = select(col(IdempotentAnswerRow.digest), col(IdempotentAnswerRow.document)).where(
        col(IdempotentAnswerRow.caller) == caller, col(IdempotentAnswerRow.key) == key
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else KeptAnswer(digest=row[0], document=row[1])


def keep(session: Session, caller: str, key: str, answer: KeptAnswer, at: Instant) -> bool:
    """Keep an answer; return False where another of this key is there."""
    values = {"caller": caller, "key": key, "digest": answer.digest, "at_tai_us": at.tai_us, "document": answer.document}
    return insert_new(session, IdempotentAnswerRow, values, key=["caller", "key"])


def forget_before(session: Session, moment: Instant) -> None:
    """Forget the answers that were given before a moment."""
    session.execute(delete(IdempotentAnswerRow).where(col(IdempotentAnswerRow.at_tai_us) < moment.tai_us))
