"""Events of low significance that pairs lift, and let fall, as the pairs stand; and what is said of those that none lifts."""

from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from hub.model.coincidence import Coincidence, PairState
from hub.model.event import Event
from hub.science.low_significance import LowSignificance
from hub.storage import jobs, promoted
from hub.telemetry import get_logger

NOT_SEARCHED = (
    "not searched: low significance; counterparts are searched once a pair that the budget has room for lifts the event"
)
"""What is said in place of candidates of an event that does nothing but make pairs: that there are none means nothing."""

log = get_logger(__name__)


def why_not_searched(session: Session, policy: LowSignificance, event: Event) -> str | None:
    """Return why no counterparts of an event are searched; None where they are."""
    is_alone = policy.is_low(event) and not promoted.of_ids(session, [event.event_id])
    return NOT_SEARCHED if is_alone else None


def settle(session: Session, policy: LowSignificance, events: Mapping[str, Event], pairs: Iterable[Coincidence]) -> None:
    """Write down which of some events are searched for counterparts because of a pair, and leave a job for each that changed.

    Parameters
    ----------
    session
        That holds the lock of pairs.
    policy
        Which events are of low significance.
    events
        By id.
    pairs
        All open pairs of them, as they are written, none of a test with what is real: those count that the budget has room for.
    """
    wanted = {
        event_id
        for pair in pairs
        for event_id in (member.id for member in pair.members)
        if event_id in events and policy.is_low(events[event_id]) and pair.state is PairState.OPEN and not pair.held_back
    }
    stored = promoted.of_ids(session, events)
    for event_id in sorted(wanted ^ stored):
        (promoted.lift if event_id in wanted else promoted.drop)(session, event_id)
        jobs.put(session, jobs.EVENT_JOB, event_id)
        log.info("low significance", id=event_id, is_searched=event_id in wanted)
