"""When events came, as rates are counted from them: narrow rows, no documents."""

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.event import EventState
from hub.model.instant import Instant
from hub.science.trigger_columns import Triggers, triggers_of
from hub.storage.tables import EventRow, SourceMemberRow


def in_span(session: Session, start: Instant, end: Instant) -> Triggers:
    """Return all events with a time in ``[start, end]``, tests and withdrawn ones included, each with the burst that it is of.

    Searches that answer an event are none: IceCube's around each gravitational wave would be hundreds of neutrinos a year.
    """
    event, member = EventRow, SourceMemberRow
    statement = (
        select(
            col(event.t0_tai_us),
            col(event.event_class),
            col(event.messenger),
            col(event.mission),
            func.coalesce(col(member.source_id), col(event.event_id)),
            col(event.far_hz),
            col(event.is_live),
            and_(col(event.state) == EventState.ACTIVE.value, col(event.is_vetoed).is_(False)),
        )
        .outerjoin(member, col(member.event_id) == col(event.event_id))
        .where(
            col(event.t0_tai_us) >= start.tai_us,
            col(event.t0_tai_us) <= end.tai_us,
            # The index is over the first and the last time that any notice gives.
            col(event.first_t0_tai_us) <= end.tai_us,
            col(event.last_t0_tai_us) >= start.tai_us,
            col(event.is_answer).is_(False),
        )
    )
    return triggers_of([tuple(row) for row in session.execute(statement)])  # type: ignore[misc]  # eight columns
