"""Has candidates judged again when the ledger of visits tells more of the time before they began.

A ledger is later than the alerts of its night. What is said of a candidate before its night is in it stands with an unknown
age; when the ledger of a night is complete, the process that keeps it leaves a job for every event that may have such candidates.
"""

from sqlalchemy.orm import Session

from hub.model.instant import Instant
from hub.storage import candidates, jobs

ONSETS_JOB = "onsets"
"""Kind of the job: its key is the id of the event."""

REACH_D = 400.0
"""No hypothesis looks at alerts that are so much later than the event, days."""


def ask(session: Session, night: Instant) -> int:
    """Leave a job for each event that may have candidates that began in a night or later; return how many."""
    found = candidates.events_with(session, night.plus_s(-REACH_D * 86_400.0))
    for event_id in found:
        jobs.put(session, ONSETS_JOB, event_id)
    return len(found)
