"""What pairs of events asked of the triggers before them when they were last evaluated, and what they were told."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, case, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.science.rate_questions import Asked, RateQuestion
from hub.storage.tables import CoincidenceMemberRow, CoincidenceRow, PairQuestionsRow
from hub.storage.writing import among_those, is_postgresql, those, upsert_all


@dataclass(frozen=True, slots=True, kw_only=True)
class PairQuestions:
    """Those of one pair."""

    coincidence_id: str
    event_ids: tuple[str, str]
    """Ascending."""

    without: tuple[str, ...]
    """The bursts that its members are of, which are not counted."""

    asked: tuple[Asked, ...]


def save(session: Session, found: Iterable[PairQuestions]) -> None:
    """Write the questions of some pairs over what there is of them; the session holds the lock of pairs."""
    rows = [
        {
            "coincidence_id": one.coincidence_id,
            "first_id": one.event_ids[0],
            "second_id": one.event_ids[1],
            "at_tai_us": min((asked.question.at.tai_us for asked in one.asked), default=None),
            "document": {
                "without": list(one.without),
                "asked": [{**asked.question.to_json(), "hz": asked.hz, "basis": asked.basis} for asked in one.asked],
            },
        }
        for one in found
    ]
    upsert_all(session, PairQuestionsRow, rows, key=["coincidence_id"])


def between(session: Session, start: Instant, end: Instant, *, without: str) -> list[PairQuestions]:
    """Return those of the pairs in ``(start, end]`` that asked anything, by id; pairs of one event are left out."""
    row = PairQuestionsRow
    statement = (
        select(col(row.coincidence_id), col(row.first_id), col(row.second_id), col(row.document))
        .where(
            col(row.at_tai_us) > start.tai_us,
            col(row.at_tai_us) <= end.tai_us,
            col(row.first_id) != without,
            col(row.second_id) != without,
        )
        .order_by(col(row.coincidence_id))
    )
    return [
        PairQuestions(
            coincidence_id=name,
            event_ids=(first, second),
            without=tuple(document["without"]),
            asked=tuple(
                Asked(question=RateQuestion.from_json(one), hz=one["hz"], basis=one["basis"]) for one in document["asked"]
            ),
        )
        for name, first, second, document in session.execute(statement)
    ]


def unknown_between(session: Session, kinds: Collection[str], start: Instant, end: Instant, *, without: str) -> list[str]:
    """Return one member event of each pair of some kinds in ``(start, end]`` of which nothing is written: of a former release.

    Pairs of the event named by ``without`` are left out.
    """
    values = {"kinds": those(session, kinds), "start": start.tai_us, "end": end.tai_us, "without": without}
    return sorted(set(session.scalars(_unknown(is_postgresql(session)), values)))


@cache
def _unknown(for_postgresql: bool) -> Select[Any]:
    row, member, known = CoincidenceRow, CoincidenceMemberRow, PairQuestionsRow
    return (
        select(func.min(col(member.member_id)))
        .join(row, col(row.coincidence_id) == col(member.coincidence_id))
        .where(
            among_those(col(row.kind), "kinds", for_postgresql=for_postgresql),
            col(row.t0_tai_us) > bindparam("start"),
            col(row.t0_tai_us) <= bindparam("end"),
            col(row.is_latest).is_(True),
            ~select(known).where(col(known.coincidence_id) == col(row.coincidence_id)).exists(),
        )
        .group_by(col(row.coincidence_id))
        .having(func.count() == 2, func.max(case((col(member.member_id) == bindparam("without"), 1), else_=0)) == 0)
    )
