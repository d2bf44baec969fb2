"""Until when a source was listened to that does not repeat what is missed: what a gap across a restart begins with."""

from sqlalchemy.orm import Session

from hub.model.instant import Instant
from hub.storage.tables import HeardRow
from hub.storage.writing import storable, upsert


def note(session: Session, source: str, until: Instant) -> None:
    """Write down until when a source was listened to."""
    upsert(session, HeardRow, {"source": storable(source), "until_tai_us": until.tai_us}, key=["source"])


def until(session: Session, source: str) -> Instant | None:
    """Return until when a source was listened to; None where it never was."""
    row = session.get(HeardRow, storable(source))
    return None if row is None else Instant(row.until_tai_us)
