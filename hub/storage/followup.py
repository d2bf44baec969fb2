"""Follow-up: intents that never change and the steps of their submissions, appended one by one."""

import math
from collections.abc import Iterable, Sequence

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.errors import StorageError
from hub.model.followup import Intent, RequestState, Submission, Transition
from hub.model.instant import Instant
from hub.science.followup_limits import Spent
from hub.storage import privacy
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, ordering
from hub.storage.paging import after as behind
from hub.storage.privacy import Thing
from hub.storage.tables import IntentRow, TransitionRow
from hub.storage.writing import CHUNK, insert_new

Key = tuple[int, str]
"""Place of a submission in listings: when its intent was made (`Instant.tai_us`), and the intent's id."""

_ORDER: Order = ((col(IntentRow.created_tai_us), True), (col(IntentRow.intent_id), False))


MOST_SHUTTER_US = 10**15
"""Longest time that a request counts with, 30 years: thousands of them are still a number of 64 bits."""


def key(submission: Submission) -> Key:
    """Return the place of a submission in listings: hand it to `search` as ``before`` to go on after it."""
    return submission.intent.created_at.tai_us, submission.intent.intent_id


def add_intent(session: Session, intent: Intent) -> bool:
    """Store an intent; return False where it exists, which then stays as it is."""
    values = {
        "intent_id": intent.intent_id,
        "event_id": intent.event_id,
        "coincidence_id": intent.coincidence_id,
        "network": intent.network,
        "instrument": intent.instrument,
        "state": None,
        "created_tai_us": intent.created_at.tai_us,
        "counted_tai_us": (intent.due_at or intent.created_at).tai_us,
        "shutter_us": _shutter_us(intent.shutter_s),
        "document": dump(intent),
    }
    if not insert_new(session, IntentRow, values, key=["intent_id"]):
        return False
    if intent.group:
        privacy.keep_within(session, Thing.REQUEST, intent.intent_id, intent.group)
    return True


def _shutter_us(seconds: float) -> int:
    """Return a time as budgets sum it up; what is no time counts as the longest, so that there is no room beside it."""
    return round(min(max(1e6 * seconds, 0.0), MOST_SHUTTER_US)) if math.isfinite(seconds) else MOST_SHUTTER_US


def append(session: Session, transition: Transition) -> None:
    """Append the next step of a submission.

    Raises
    ------
    StorageError
        The submission has a step of this number already: another worker was faster, and what to do must be decided again.
    """
    place = {"intent_id": transition.intent_id, "network": transition.network, "number": transition.number}
    before = session.scalar(select(col(IntentRow.state)).where(col(IntentRow.intent_id) == transition.intent_id))
    said = {
        "state": transition.state.value,
        "answered_tai_us": transition.at.tai_us if before == RequestState.SENDING.value else None,
        "document": dump(transition),
    }
    if not insert_new(session, TransitionRow, {**place, **said}, key=list(place)):
        raise StorageError(f"step {transition.number} of the submission of intent {transition.intent_id} exists already")
    session.execute(
        update(IntentRow).where(col(IntentRow.intent_id) == transition.intent_id).values(state=transition.state.value)
    )


def get(session: Session, intent_id: str) -> Submission | None:
    """Return an intent with its history."""
    return next(iter(of_statement(session, select(col(IntentRow.document)).where(col(IntentRow.intent_id) == intent_id))), None)


def search(
    session: Session,
    *,
    event_id: str | None = None,
    state: RequestState | None = None,
    limit: int | None = 100,
    before: Key | None = None,
) -> list[Submission]:
    """Return submissions, the newest intent first; ``before`` is the `key` of the last one of the page before."""
    statement = select(col(IntentRow.document))
    if event_id is not None:
        statement = statement.where(col(IntentRow.event_id) == event_id)
    if state is not None:
        statement = statement.where(col(IntentRow.state) == state.value)
    if before is not None:
        statement = statement.where(behind(_ORDER, before))
    return of_statement(session, statement.order_by(*ordering(_ORDER)).limit(limit))


def in_states(session: Session, states: Iterable[RequestState]) -> list[Submission]:
    """Return all submissions whose newest step is in one of these states, the oldest intent first."""
    wanted = [state.value for state in states]
    statement = select(col(IntentRow.document)).where(col(IntentRow.state).in_(wanted))
    return of_statement(session, statement.order_by(col(IntentRow.created_tai_us), col(IntentRow.intent_id)))


def intents_in(session: Session, states: Iterable[RequestState]) -> list[Intent]:
    """Return all intents whose newest step is in one of these states, the oldest first, without their histories."""
    wanted = sorted(state.value for state in states)
    statement = select(col(IntentRow.document)).where(col(IntentRow.state).in_(wanted))
    found = session.scalars(statement.order_by(col(IntentRow.created_tai_us), col(IntentRow.intent_id)))
    return [load(Intent, document) for document in found]


def lengths(session: Session, states: Iterable[RequestState]) -> dict[str, int]:
    """Return how many steps each request has whose newest step is in one of these states, by id, the oldest intent first."""
    row, step = IntentRow, TransitionRow
    statement = (
        select(col(row.intent_id), func.count())
        .join(step, col(step.intent_id) == col(row.intent_id))
        .where(col(row.state).in_(sorted(state.value for state in states)))
        .group_by(col(row.created_tai_us), col(row.intent_id))
        .order_by(col(row.created_tai_us), col(row.intent_id))
    )
    return {name: int(n) for name, n in session.execute(statement)}


def spent(
    session: Session,
    states: Iterable[RequestState],
    *,
    without: str,
    event_id: str | None = None,
    after: Instant | None = None,
    paid_by: tuple[str, str] | None = None,
) -> Spent:
    """Return how much the requests in some states take, all but one; no request is read.

    Parameters
    ----------
    session
        Only read from.
    states
        Of those that count.
    without
        Id of the one that does not.
    event_id
        Only because of this event.
    after
        Only those that were made, or whose date is, after this moment.
    paid_by
        Only those at one instrument of one network: their names.
    """
    row = IntentRow
    statement = select(func.count(), func.coalesce(func.sum(col(row.shutter_us)), 0)).where(
        col(row.state).in_(sorted(state.value for state in states)), col(row.intent_id) != without
    )
    if event_id is not None:
        statement = statement.where(col(row.event_id) == event_id)
    if after is not None:
        statement = statement.where(col(row.counted_tai_us) > after.tai_us)
    if paid_by is not None:
        statement = statement.where(col(row.network) == paid_by[0], col(row.instrument) == paid_by[1])
    n, shutter_us = session.execute(statement).one()
    return Spent(requests=int(n), seconds=int(shutter_us or 0) / 1e6)


def answers(
    session: Session, network: str, faults: Iterable[RequestState], *, after: Instant, limit: int
) -> list[tuple[Instant, bool]]:
    """Return what came last of sendings to a network after a moment, the newest first: when, and whether it was a fault.

    Of several at one moment those that are none come first.
    """
    row = TransitionRow
    is_fault = col(row.state).in_(sorted(state.value for state in faults))
    statement = (
        select(col(row.answered_tai_us), is_fault)
        .where(col(row.network) == network, col(row.answered_tai_us) > after.tai_us)
        .order_by(col(row.answered_tai_us).desc(), is_fault)
        .limit(limit)
    )
    return [(Instant(at), bool(fault)) for at, fault in session.execute(statement) if at is not None]


def of_coincidence(session: Session, coincidence_id: str) -> list[Submission]:
    """Return the submissions that a coincidence asked for, the oldest intent first."""
    statement = select(col(IntentRow.document)).where(col(IntentRow.coincidence_id) == coincidence_id)
    return of_statement(session, statement.order_by(col(IntentRow.created_tai_us), col(IntentRow.intent_id)))


def of_event(session: Session, event_id: str) -> list[Submission]:
    """Return the submissions of an event, the oldest intent first."""
    statement = select(col(IntentRow.document)).where(col(IntentRow.event_id) == event_id)
    return of_statement(session, statement.order_by(col(IntentRow.created_tai_us), col(IntentRow.intent_id)))


def of_statement(session: Session, statement: Select[tuple[dict[str, object]]]) -> list[Submission]:
    """Return the submissions whose intents' documents a statement selects, with their histories."""
    intents = [load(Intent, document) for document in session.scalars(statement)]
    steps = _transitions(session, [intent.intent_id for intent in intents])
    return [Submission(intent=intent, transitions=tuple(steps.get(intent.intent_id, ()))) for intent in intents]


def _transitions(session: Session, intent_ids: Sequence[str]) -> dict[str, list[Transition]]:
    steps: dict[str, list[Transition]] = {}
    for start in range(0, len(intent_ids), CHUNK):
        statement = (
            select(col(TransitionRow.document))
            .where(col(TransitionRow.intent_id).in_(intent_ids[start : start + CHUNK]))
            .order_by(col(TransitionRow.intent_id), col(TransitionRow.network), col(TransitionRow.number))
        )
        for document in session.scalars(statement):
            step = load(Transition, document)
            steps.setdefault(step.intent_id, []).append(step)
    return steps
