"""Sessions of persons in a browser. There is no way back from what is stored to what the browser holds."""

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.model.person import ID_DIGITS, WebSession
from hub.storage.tables import SessionRow
from hub.storage.writing import insert_new


def add(session: Session, opened: WebSession) -> bool:
    """Store a new session; return whether its id was free."""
    values = {
        "session_id": opened.session_id,
        "digest": opened.digest,
        "person": opened.person,
        "created_tai_us": opened.created_at.tai_us,
        "expires_tai_us": opened.expires_at.tai_us,
        "seen_tai_us": opened.seen_at.tai_us,
        "ended_tai_us": None,
    }
    return insert_new(session, SessionRow, values, key=["session_id"])


def candidate(session: Session, digest: str) -> WebSession | None:
    """Return the session whose id a digest begins with; whether the whole digest is the same is for the caller to compare."""
    statement = (
        select(SessionRow).where(col(SessionRow.session_id) == digest[:ID_DIGITS]).execution_options(populate_existing=True)
    )
    row = session.scalars(statement).first()
    return None if row is None else _session(row)


def seen(session: Session, session_id: str, at: Instant) -> None:
    """Note when a session was used."""
    session.execute(update(SessionRow).where(col(SessionRow.session_id) == session_id).values(seen_tai_us=at.tai_us))


def end(session: Session, session_id: str, at: Instant) -> None:
    """End a session, if it has not been ended."""
    is_open = (col(SessionRow.session_id) == session_id) & col(SessionRow.ended_tai_us).is_(None)
    session.execute(update(SessionRow).where(is_open).values(ended_tai_us=at.tai_us))


def end_all_of(session: Session, person: str, at: Instant) -> None:
    """End every session of a person."""
    is_open = (col(SessionRow.person) == person) & col(SessionRow.ended_tai_us).is_(None)
    session.execute(update(SessionRow).where(is_open).values(ended_tai_us=at.tai_us))


def forget_expired(session: Session, before: Instant) -> None:
    """Delete the sessions that would have expired before a time."""
    session.execute(delete(SessionRow).where(col(SessionRow.expires_tai_us) < before.tai_us))


def _session(row: SessionRow) -> WebSession:
    return WebSession(
        session_id=row.session_id,
        digest=row.digest,
        person=row.person,
        created_at=Instant(row.created_tai_us),
        expires_at=Instant(row.expires_tai_us),
        seen_at=Instant(row.seen_tai_us),
        ended_at=None if row.ended_tai_us is None else Instant(row.ended_tai_us),
    )
