"""What must agree in the moment at which a request is sent: asked again in the very transaction that writes ``sending``.

A plan was made some time before. Meanwhile the event may have been retracted, a person may have stopped the network, a budget may
be used up, an approval may have lapsed, and a setting may have been taken back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from hub.model.coincidence import PairState
from hub.model.event import Event, EventState
from hub.model.followup import Intent, RequestState, Submission, Transition, payload_hash
from hub.model.instant import Instant
from hub.model.notice import Role
from hub.ports import TelescopeNetwork
from hub.science.followup_limits import NIGHT_H, over_allocation_spent, over_spent
from hub.science.followup_policy import Allocation
from hub.services.dry_network import is_live, refusal
from hub.services.followup_asked import COUNTED_STATES, left_alone
from hub.services.followup_facts import PolicyBook
from hub.services.submission import BY_PERSON, Barred
from hub.storage import coincidences, events, followup

BY = "by"
"""Key in a step's detail: ``policy``, ``hub`` or ``person``."""

PAYLOAD = "payload_hash"
"""Key in an approval's detail: of what it is."""

REPLACED_BY = "replaced_by"
"""Key in the detail of a step: the request that takes the place of the one that is cancelled."""

UNTIL = "until_tai_us"
"""Key in a person's approval: when it lapses (`Instant.tai_us`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """All that is asked before a request is sent."""

    book: PolicyBook
    is_enabled: bool
    """Whether follow-up is switched on in the settings."""

    is_dry: bool
    """Whether the settings keep even what would go to a network inside the hub."""

    networks: Mapping[str, TelescopeNetwork]

    def check(self, session: Session, submission: Submission, network: TelescopeNetwork, now: Instant) -> Barred | None:
        """Return why a request may not be sent now; None where it may.

        Parameters
        ----------
        session
            Of the transaction that is about to write ``sending``; the caller holds the submission and the planning.
        submission
            Approved.
        network
            To which it would go.
        now
            The present.
        """
        return (
            self._withdrawn(session, submission.intent)
            or _out_of_time(submission.intent, now)
            or self._closed(session, submission.intent, network, now)
            or _other_stands(session, submission.intent)
            or self._unapproved(submission, now)
            or self._over_budget(session, submission.intent, now)
        )

    def _withdrawn(self, session: Session, intent: Intent) -> Barred | None:
        event = events.get(session, intent.event_id)
        reason = why_not_asked_for(event)
        if not reason and intent.coincidence_id is not None:
            newest = coincidences.latest(session, intent.coincidence_id)
            if newest is None or newest.state is not PairState.OPEN or newest.held_back:
                reason = "the coincidence is withdrawn, or not announced"
            elif not newest.is_live:
                reason = "a member of the coincidence is a test or from a source that is not trusted"
        return Barred(reason=reason, becomes=RequestState.CANCELLED) if reason else None

    def _closed(self, session: Session, intent: Intent, network: TelescopeNetwork, now: Instant) -> Barred | None:
        if not self.is_enabled:
            return Barred(reason="follow-up is switched off")
        if self.is_dry:
            return Barred(reason="dry run: the settings say so")
        allocation = self.allocation_of(intent)
        if allocation is None:
            return Barred(reason=f"the policy has no allocation of {intent.instrument} at {intent.network}")
        if why := self._dry(allocation, network):
            return Barred(reason=f"dry run: {why}")
        stopped = left_alone(session, self.book.policy, now, self.networks)
        return Barred(reason=stopped[intent.network]) if intent.network in stopped else None

    def _dry(self, allocation: Allocation, network: TelescopeNetwork) -> str:
        """Return why nothing may leave for a network: by what the network is, whatever the policy believes of it."""
        live = self.book.policy.live
        if not is_live(network):
            return refusal(network.name)
        if network.is_simulated:
            return ""
        if not live.enabled:
            return "live requests are switched off"
        if allocation.name not in self.book.credentials:
            return f"there is no credential for {allocation.name}"
        if network.host is None or network.host != allocation.host:
            return f"the network speaks to the host {network.host}, and the allocation {allocation.name} names {allocation.host}"
        return "" if network.host in live.hosts else f"the host {network.host} is not on the list of allowed hosts"

    def _unapproved(self, submission: Submission, now: Instant) -> Barred | None:
        approval = approval_of(submission)
        if approval is None:
            reason = "nobody has approved it"
        elif approval.detail.get(PAYLOAD) != payload_hash(submission.intent):
            reason = "what would be sent is not what was approved"
        elif BY_PERSON in approval.detail and now.tai_us >= int(approval.detail.get(UNTIL, 0)):
            reason = f"the approval by {approval.detail[BY_PERSON]} has lapsed"
        elif BY_PERSON not in approval.detail and approval.detail.get(BY) != "policy":
            reason = "neither the policy nor a person has approved it"
        else:
            return None
        return Barred(reason=f"a person must approve: {reason}", becomes=RequestState.AWAITING_APPROVAL)

    def _over_budget(self, session: Session, intent: Intent, now: Instant) -> Barred | None:
        reason = self.no_room(session, intent, now)
        return Barred(reason=reason) if reason else None

    def why_not_approved(self, session: Session, intent: Intent, now: Instant) -> str:
        """Return why nobody may approve a request, a sentence, or the empty text."""
        barred = self._withdrawn(session, intent)
        if barred is None and now >= intent.window_end:
            return "its window has ended"
        return barred.reason if barred is not None else self.no_room(session, intent, now)

    def no_room(self, session: Session, intent: Intent, now: Instant) -> str:
        """Return why the budgets have no room for a request beside all others, a sentence, or the empty text."""
        policy, seconds, allocation = self.book.policy, intent.shutter_s, self.allocation_of(intent)
        spent = partial(followup.spent, session, COUNTED_STATES, without=intent.intent_id)
        night = now.plus_s(-NIGHT_H * 3600.0)
        event, hub = f"the event {intent.event_id}", "the hub, in 24 h,"
        reason = over_spent(
            policy.per_event, spent(event_id=intent.event_id), requests=1, seconds=seconds, what=event
        ) or over_spent(policy.per_night, spent(after=night), requests=1, seconds=seconds, what=hub)
        if reason or allocation is None:
            return reason
        payer = (allocation.network, allocation.instrument)
        of_night, in_all = spent(after=night, paid_by=payer), spent(paid_by=payer)
        return over_allocation_spent(allocation, of_night, in_all, requests=1, seconds=seconds)

    def allocation_of(self, intent: Intent) -> Allocation | None:
        """Return the allocation that pays for an intent; None where the policy has none any more."""
        found = self.book.policy.allocations.values()
        return next((one for one in found if (one.network, one.instrument) == (intent.network, intent.instrument)), None)


def why_not_asked_for(event: Event | None) -> str:
    """Return why nothing may be asked for an event, a sentence, or the empty text."""
    if event is None:
        return "the hub does not know its event"
    if event.state is not EventState.ACTIVE:
        return "the event is retracted"
    if event.role is not Role.OBSERVATION:
        return f"the event is a {event.role}, no observation"
    return "" if event.is_live else "a notice of the event is a test or from a source that is not trusted"


def approval_of(submission: Submission) -> Transition | None:
    """Return the newest approval of a request; None where there is none."""
    steps = (step for step in reversed(submission.transitions) if step.state is RequestState.APPROVED and PAYLOAD in step.detail)
    return next(steps, None)


_STANDING = {
    RequestState.CANCEL_REQUESTED: "is not cancelled yet",
    RequestState.CANCEL_REFUSED: "is not cancelled by its network, and has not ended",
}
"""States in which a request may still be observed though another was to take its place."""


def _other_stands(session: Session, intent: Intent) -> Barred | None:
    """Return that a request waits as long as the one that it takes the place of may still be observed."""
    for state, why in _STANDING.items():
        for other in followup.search(session, event_id=intent.event_id, state=state, limit=None):
            if any(step.detail.get(REPLACED_BY) == intent.intent_id for step in other.transitions):
                return Barred(reason=f"the request {other.intent.intent_id}, whose place it takes, {why}")
    return None


def _out_of_time(intent: Intent, now: Instant) -> Barred | None:
    if now >= intent.window_end:
        return Barred(reason="its window ended before it was sent", becomes=RequestState.EXPIRED)
    if intent.due_at is not None and now < intent.due_at:
        return Barred(reason=f"it is due at {intent.due_at.to_utc_iso()}")
    return None
