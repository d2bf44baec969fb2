"""Candidates: one row for each (event, survey, object, hypothesis), written over when it is evaluated again."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.coincidence import Candidate, PairState
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, ordering
from hub.storage.tables import CandidateRow
from hub.storage.writing import CHUNK, upsert

Key = tuple[bool, float, str, str, str, str]
"""Place of a candidate in listings: confirmed, score, object id, survey, event id, hypothesis."""

_ORDER: Order = (
    (col(CandidateRow.confirmed), True),
    (col(CandidateRow.score), True),
    (col(CandidateRow.object_id), False),
    (col(CandidateRow.survey), False),
    (col(CandidateRow.event_id), False),
    (col(CandidateRow.hypothesis), False),
)


def key(candidate: Candidate) -> Key:
    """Return the place of a candidate in listings: hand it to `search` as ``before`` to go on after it."""
    return (
        candidate.confirmed,
        candidate.score,
        candidate.object_id,
        candidate.survey,
        candidate.event_id,
        candidate.hypothesis,
    )


def save(session: Session, candidate: Candidate) -> None:
    """Write a candidate over what was known of it."""
    values = {
        "event_id": candidate.event_id,
        "survey": candidate.survey,
        "object_id": candidate.object_id,
        "hypothesis": candidate.hypothesis,
        "state": candidate.state.value,
        "confirmed": bool(candidate.confirmed),
        "score": float(candidate.score),
        "level": None if candidate.level is None else float(candidate.level),
        "document": dump(candidate),
    }
    upsert(session, CandidateRow, values, key=["event_id", "survey", "object_id", "hypothesis"])


def get(session: Session, event_id: str, survey: str, object_id: str, hypothesis: str) -> Candidate | None:
    """Return one candidate."""
    statement = select(col(CandidateRow.document)).where(
        col(CandidateRow.event_id) == event_id,
        col(CandidateRow.survey) == survey,
        col(CandidateRow.object_id) == object_id,
        col(CandidateRow.hypothesis) == hypothesis,
    )
    document = session.scalars(statement).first()
    return None if document is None else load(Candidate, document)


def of_event(session: Session, event_id: str, *, state: PairState | None = None, limit: int | None = None) -> list[Candidate]:
    """Return the candidates of an event: confirmed ones first, then the larger score, then the object id."""
    return search(session, event_id=event_id, state=state, limit=limit)


def events_of_objects(session: Session, survey: str, object_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Return (event id, object id) of all candidates, in whatever state, among some objects."""
    wanted = sorted(set(object_ids))
    found: set[tuple[str, str]] = set()
    for start in range(0, len(wanted), CHUNK):
        statement = select(col(CandidateRow.event_id), col(CandidateRow.object_id)).where(
            col(CandidateRow.survey) == survey, col(CandidateRow.object_id).in_(wanted[start : start + CHUNK])
        )
        found |= {(event_id, object_id) for event_id, object_id in session.execute(statement)}
    return found


def search(
    session: Session,
    *,
    event_id: str | None = None,
    survey: str | None = None,
    object_id: str | None = None,
    hypothesis: str | None = None,
    state: PairState | None = None,
    confirmed_only: bool = False,
    max_level: float | None = None,
    min_score: float | None = None,
    limit: int | None = None,
    before: Key | None = None,
) -> list[Candidate]:
    """Return candidates: confirmed ones first, then the larger score, then the object id.

    Limits of level and score are inclusive; ``before`` is the `key` of the last candidate of the page before.
    """
    statement = select(col(CandidateRow.document))
    for column, wanted in (
        (col(CandidateRow.event_id), event_id),
        (col(CandidateRow.survey), survey),
        (col(CandidateRow.object_id), object_id),
        (col(CandidateRow.hypothesis), hypothesis),
        (col(CandidateRow.state), None if state is None else state.value),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if confirmed_only:
        statement = statement.where(col(CandidateRow.confirmed).is_(True))
    if max_level is not None:
        statement = statement.where(col(CandidateRow.level) <= max_level)
    if min_score is not None:
        statement = statement.where(col(CandidateRow.score) >= min_score)
    if before is not None:
        statement = statement.where(after(_ORDER, before))
    documents = session.scalars(statement.order_by(*ordering(_ORDER)).limit(limit))
    return [load(Candidate, document) for document in documents]
