"""Candidates: one row for each (event, survey, object, hypothesis), written over when it is evaluated again."""

import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, Text, and_, bindparam, case, delete, func, or_, select, type_coerce
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.coincidence import Candidate, PairState
from hub.model.contender import Contender
from hub.model.instant import Instant
from hub.model.pixel29 import pixels29
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, ordering
from hub.storage.tables import CandidateRow, EventRow, JsonText, canonical
from hub.storage.writing import among_those, is_postgresql, table, those, upsert_all

RowKey = tuple[str, str, str, str]
"""Event id, survey, object id, hypothesis."""

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


_KEY = ("event_id", "survey", "object_id", "hypothesis")

DOCUMENTS_AT_ONCE = 200
"""So many documents of an event are in memory at once, some megabytes."""

RANGES_AT_ONCE = 100
"""Ranges of pixels in one statement."""


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


def save_all(session: Session, found: Sequence[Candidate], known: Mapping[RowKey, JsonText] | None = None) -> list[Candidate]:
    """Write candidates over what was known of them, as `stored` gave it; return those that say something new."""
    if known is None:
        known = stored(session, {row_key(one)[:3] for one in found})
    values = [_values(candidate) for candidate in found]
    new = [index for index, row in enumerate(values) if known.get(row_key(found[index])) != row["document"]]
    changed = [found[index] for index in new]
    rows = [values[index] | {"hpx29": pixel} for index, pixel in zip(new, _pixels_of(changed), strict=True)]
    upsert_all(session, CandidateRow, rows, key=_KEY)
    return changed


def forget(session: Session, event_id: str) -> None:
    """Delete all candidates of an event that is not searched any more; what was announced of them stays."""
    session.execute(delete(CandidateRow).where(col(CandidateRow.event_id) == event_id))


def row_key(candidate: Candidate) -> RowKey:
    """Return the key of a candidate's row."""
    return candidate.event_id, candidate.survey, candidate.object_id, candidate.hypothesis


def text(candidate: Candidate) -> JsonText:
    """Return `dump` of a candidate as a column holds it; what JSON takes as it is goes the short way."""
    scores = [
        {"statistic": one.statistic, "version": one.version, "value": one.value, "unit": one.unit, "inputs": one.inputs}
        for one in candidate.scores
    ]
    document = {
        "event_id": candidate.event_id,
        "survey": candidate.survey,
        "object_id": candidate.object_id,
        "hypothesis": candidate.hypothesis,
        "state": candidate.state.value,
        "confirmed": candidate.confirmed,
        "n_detections": candidate.n_detections,
        "ra_deg": candidate.ra_deg,
        "dec_deg": candidate.dec_deg,
        "first_detection": candidate.first_detection.tai_us,
        "last_detection": candidate.last_detection.tai_us,
        "levels": candidate.levels,
        "level": candidate.level,
        "score": candidate.score,
        "scores": scores,
        "reasons": candidate.reasons,
        "flags": candidate.flags,
    }
    try:
        return canonical(document)
    except (TypeError, ValueError):  # a number that is not finite, or a value of no type of JSON's
        return canonical(dump(candidate))


def _values(candidate: Candidate) -> dict[str, Any]:
    return {
        "event_id": candidate.event_id,
        "survey": candidate.survey,
        "object_id": candidate.object_id,
        "hypothesis": candidate.hypothesis,
        "state": candidate.state.value,
        "confirmed": bool(candidate.confirmed),
        "score": float(candidate.score),
        "level": None if candidate.level is None else float(candidate.level),
        "document": text(candidate),
    }


def _pixels_of(found: Sequence[Candidate]) -> list[int | None]:
    """Return the pixels of candidates, None of those without a place."""
    ra, dec = np.array([one.ra_deg for one in found]), np.array([one.dec_deg for one in found])
    is_placed = np.isfinite(ra) & np.isfinite(dec)
    pixels = pixels29(np.where(is_placed, ra, 0.0), np.where(is_placed, dec, 0.0)).tolist()
    return [pixel if placed else None for pixel, placed in zip(pixels, is_placed.tolist(), strict=True)]


def stored(session: Session, pairs: Collection[tuple[str, str, str]]) -> dict[RowKey, JsonText]:
    """Return what is stored of pairs, each an event id, a survey and an object id, in whatever state and under any hypothesis.

    One query for each survey, by the objects: those of other events that an object is a candidate of are few.
    """
    wanted, event_ids = set(pairs), {event_id for event_id, _, _ in pairs}
    statement = _stored(is_postgresql(session), of_one_event=len(event_ids) == 1)
    found: dict[RowKey, JsonText] = {}
    for survey in {survey for _, survey, _ in wanted}:
        objects = {object_id for _, of_survey, object_id in wanted if of_survey == survey}
        asked = {"of_survey": survey, "object_ids": those(session, objects), "of_event": next(iter(event_ids))}
        for event_id, _, object_id, hypothesis, document in session.execute(statement, asked):
            if (event_id, survey, object_id) in wanted:
                found[event_id, survey, object_id, hypothesis] = JsonText(document)
    return found


@cache
def _stored(for_postgresql: bool, *, of_one_event: bool) -> Select[*tuple[Any, ...]]:
    row = table(CandidateRow).c
    document = type_coerce(row.document, Text)
    statement = select(row.event_id, row.survey, row.object_id, row.hypothesis, document).where(
        row.survey == bindparam("of_survey"),
        among_those(row.object_id, "object_ids", for_postgresql=for_postgresql),
    )
    return statement.where(row.event_id == bindparam("of_event")) if of_one_event else statement


def read(document: JsonText) -> Candidate:
    """Return the candidate that is stored as a text."""
    return load(Candidate, json.loads(document))


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


def objects_of(session: Session, event_id: str) -> set[tuple[str, str, int]]:
    """Return the objects that are candidates of an event in whatever state: survey, object id and order-29 pixel."""
    row = table(CandidateRow).c
    statement = select(row.survey, row.object_id, row.hpx29).where(row.event_id == event_id, row.hpx29.is_not(None))
    return {(survey, object_id, pixel) for survey, object_id, pixel in session.execute(statement.distinct())}


def in_pixels(
    session: Session, lo: NDArray[np.int64], hi: NDArray[np.int64], start: Instant, end: Instant
) -> Iterator[Candidate]:
    """Yield the candidates, in whatever state, that lie in ranges of pixels, of events with a time in ``[start, end]``.

    Parameters
    ----------
    session
        What is asked.
    lo, hi
        Ascending disjoint half-open ranges of order-29 pixels, NESTED.
    start, end
        What any notice of an event says counts.
    """
    row, event = table(CandidateRow).c, table(EventRow)
    at_this_time = event.c.last_t0_tai_us >= start.tai_us, event.c.first_t0_tai_us <= end.tai_us
    ranges = list(zip(lo.tolist(), hi.tolist(), strict=True))
    for begin in range(0, len(ranges), RANGES_AT_ONCE):
        inside = or_(*(and_(row.hpx29 >= low, row.hpx29 < high) for low, high in ranges[begin : begin + RANGES_AT_ONCE]))
        statement = select(row.document).join(event, event.c.event_id == row.event_id).where(inside, *at_this_time)
        documents = session.execute(statement, execution_options={"yield_per": DOCUMENTS_AT_ONCE}).scalars()
        yield from (load(Candidate, document) for document in documents)


def sums(session: Session, event_id: str) -> tuple[int, float, float, int]:
    """Return of an event's open candidates their number, the sums of scores and levels, and how many are confirmed.

    Two sets of candidates with the same are almost surely the same.
    """
    row = table(CandidateRow).c
    numbers = func.count(), func.sum(row.score), func.sum(row.level), func.sum(case((row.confirmed, 1), else_=0))
    statement = select(*numbers).where(row.event_id == event_id, row.state == PairState.OPEN.value)
    n, scores, levels, confirmed = session.execute(statement).one()
    return int(n), float(scores or 0.0), float(levels or 0.0), int(confirmed or 0)


def events_with(session: Session, since: Instant) -> list[str]:
    """Return the ids of the events that have candidates and a time at or after a moment by any of their notices, ascending."""
    row, event = table(CandidateRow).c, table(EventRow)
    statement = select(row.event_id).distinct().join(event, event.c.event_id == row.event_id)
    return list(session.scalars(statement.where(event.c.last_t0_tai_us >= since.tai_us).order_by(row.event_id)))


def surveys_of(session: Session, event_id: str) -> list[str]:
    """Return the surveys whose objects are or were candidates of an event, ascending."""
    row = table(CandidateRow).c
    return list(session.scalars(select(row.survey).distinct().where(row.event_id == event_id).order_by(row.survey)))


def count(session: Session, event_id: str) -> int:
    """Return how many candidates an event has or had."""
    row = table(CandidateRow).c
    return int(session.execute(select(func.count()).where(row.event_id == event_id)).scalar_one())


def of_event(session: Session, event_id: str, *, state: PairState | None = None, limit: int | None = None) -> list[Candidate]:
    """Return the candidates of an event: confirmed ones first, then the larger score, then the object id."""
    return search(session, event_id=event_id, state=state, limit=limit)


def contenders(session: Session, event_id: str, terms: Collection[str], *, hypothesis: str | None = None) -> list[Contender]:
    """Return an event's open candidates as they are weighed, in the order of listings; documents are read some at a time.

    Parameters
    ----------
    session, event_id
        What is asked, and of which event.
    terms
        Statistics whose values are wanted.
    hypothesis
        Only under this one.
    """
    conditions = _open_of(event_id)
    if hypothesis is not None:
        conditions.append(table(CandidateRow).c.hypothesis == hypothesis)
    names = {name: name for name in terms}
    return [_contender(document, names) for document in _documents(session, *conditions)]


def hypotheses_of(session: Session, event_id: str) -> set[str]:
    """Return the hypotheses under which an event has open candidates."""
    row = table(CandidateRow).c
    return set(session.scalars(select(row.hypothesis).distinct().where(*_open_of(event_id))))


def best_of_event(session: Session, event_id: str, limit: int) -> Iterator[Candidate]:
    """Yield the best open candidates of an event, in the order of listings; documents are read some at a time."""
    return (load(Candidate, document) for document in _documents(session, *_open_of(event_id), limit=limit))


def _open_of(event_id: str) -> list[ColumnElement[bool]]:
    row = table(CandidateRow).c
    return [row.event_id == event_id, row.state == PairState.OPEN.value]


def _documents(session: Session, *conditions: ColumnElement[bool], limit: int | None = None) -> Iterator[Any]:
    """Yield documents in the order of listings, never more of them in memory than `DOCUMENTS_AT_ONCE`."""
    statement = select(table(CandidateRow).c.document).where(*conditions).order_by(*ordering(_ORDER)).limit(limit)
    return iter(session.execute(statement, execution_options={"yield_per": DOCUMENTS_AT_ONCE}).scalars())


def _contender(document: Mapping[str, Any], names: Mapping[str, str]) -> Contender:
    """Return what is weighed of a stored candidate: `Contender.of` without an object for each part of it."""
    sky = next((one for one in document["scores"] if one["statistic"] == "sky"), None)
    return Contender(
        survey=sys.intern(document["survey"]),
        object_id=document["object_id"],
        hypothesis=sys.intern(document["hypothesis"]),
        confirmed=document["confirmed"],
        score=float(document["score"]),
        first_tai_us=document["first_detection"],
        last_tai_us=document["last_detection"],
        background_per_sr=None if sky is None else sky["inputs"].get("background_per_sr"),
        terms={
            names[one["statistic"]]: float(one["value"])
            for one in document["scores"]
            if one["value"] is not None and one["statistic"] in names
        },
    )


def n_events(session: Session, objects: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return of how many events each of some objects is an open candidate, by survey and object id; none are left out."""
    by_survey: dict[str, set[str]] = {}
    for survey, object_id in objects:
        by_survey.setdefault(survey, set()).add(object_id)
    found: dict[tuple[str, str], int] = {}
    statement = _n_events(is_postgresql(session))
    for survey, object_ids in sorted(by_survey.items()):
        asked = {"of_survey": survey, "object_ids": those(session, object_ids)}
        found |= {(survey, object_id): n for object_id, n in session.execute(statement, asked)}
    return found


@cache
def _n_events(for_postgresql: bool) -> Select[*tuple[Any, ...]]:
    row = table(CandidateRow).c
    return (
        select(row.object_id, func.count(row.event_id.distinct()))
        .where(
            row.survey == bindparam("of_survey"),
            row.state == PairState.OPEN.value,
            among_those(row.object_id, "object_ids", for_postgresql=for_postgresql),
        )
        .group_by(row.object_id)
    )


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
