"""Asks for groups to be computed again when the counterparts of their events change."""

from sqlalchemy.orm import Session

from hub.model.coincidence import Coincidence, MemberKind
from hub.storage import groups, jobs, ties

GROUP_JOB = "group"
"""Kind of the job; its key is an event of the group."""


def leave(session: Session, changed: Coincidence) -> None:
    """Leave a job for each event in a group that has an object as a counterpart, of which something changed.

    The object belongs to the best of them, so others may lose or gain it. Who forms a group holds the locks of its events, or
    leaves a job for those that it does not hold: so of two that come at the same instant at least one sees the other.
    """
    objects = [member.id for member in changed.members if member.kind is MemberKind.OBJECT]
    if not objects:
        return
    theirs = {claim.event_id for claim in ties.claims_on(session, objects)}
    theirs.update(member.id for member in changed.members if member.kind is MemberKind.EVENT)
    for event_id in sorted(groups.homes(session, theirs)):
        jobs.put(session, GROUP_JOB, event_id)
