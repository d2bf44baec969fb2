"""What persons do about follow-up: approve, cancel, settle what nobody can look up, stop a network and let it go on.

Each of these is a row in the log of who, what and why, in the transaction of what it does.
"""

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, NotFound
from hub.model.followup import RequestState, Submission, payload_hash
from hub.model.instant import Instant
from hub.ports import Clock, RemoteState
from hub.services.followup_asked import ALL_NETWORKS
from hub.services.followup_gates import BY, PAYLOAD, UNTIL, Gates
from hub.services.redacting import redacted
from hub.services.sending import PLANNING, append_step, get_submission
from hub.services.submission import BY_PERSON, Outcome, state_when_stopped
from hub.storage import followup, followup_log
from hub.storage.engine import Store
from hub.storage.followup_log import LogEntry, NetworkStop
from hub.storage.writing import hold

LONGEST_REASON = 1000
"""Most characters of a person's reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowupDesk:
    """Where persons decide."""

    store: Store
    clock: Clock
    gates: Gates
    sending_timeout_s: float = 300.0
    """A network may be busy so long with booking what it was sent, seconds: nobody can say before that it does not have it."""

    def approve(self, intent_id: str, *, actor: str, payload: str | None = None, reason: str = "") -> Submission:
        """Let a request be sent, as it is, until the approval lapses; return it as it stands then.

        Parameters
        ----------
        intent_id
            Of a draft, or of a request that awaits approval.
        actor
            Who approves.
        payload
            Hash of what the person has seen (`hub.model.followup.payload_hash`); that of the request where not given.
        reason
            Why, for the log.

        Raises
        ------
        NotFound
            There is no such request.
        InvalidRequest
            It does not wait for anybody, another payload was meant, its window has ended, its event or coincidence does not
            stand, or the budgets have no room.
        """
        with self.store.transaction() as session:
            return self.approve_in(session, intent_id, actor=actor, payload=payload, reason=reason)

    def approve_in(
        self, session: Session, intent_id: str, *, actor: str, payload: str | None = None, reason: str = ""
    ) -> Submission:
        """Do `approve` in the caller's transaction."""
        hold(session, PLANNING)
        submission = get_submission(session, intent_id)
        intent, now = submission.intent, self.clock()
        if submission.state not in (RequestState.DRAFT, RequestState.AWAITING_APPROVAL):
            raise InvalidRequest(f"the request {intent_id} is {submission.state}: only one that awaits approval can be approved")
        current = payload_hash(intent)
        if payload is not None and payload != current:
            raise InvalidRequest(
                f"what was looked at is not what the request {intent_id} asks for now: look again", field="payload"
            )
        if why := self.gates.why_not_approved(session, intent, now):
            raise InvalidRequest(f"the request {intent_id} cannot be approved: {why}")
        until = now.plus_s(self.gates.book.policy.approval_valid_h * 3600.0)
        detail = {BY: "person", BY_PERSON: actor, PAYLOAD: current, UNTIL: until.tai_us}
        done = append_step(
            session,
            submission,
            Outcome(RequestState.APPROVED, f"approved by {actor} until {until.to_utc_iso()}", detail=detail),
            now,
        )
        self._log(session, actor, "approve", reason, intent_id, intent.network, payload_hash=current, until=until.to_utc_iso())
        return done

    def cancel(self, intent_id: str, *, actor: str, reason: str = "") -> Submission:
        """Stop one request, as a retraction does; return it as it stands then.

        Raises
        ------
        NotFound
            There is no such request.
        InvalidRequest
            It has ended.
        """
        with self.store.transaction() as session:
            return self.cancel_in(session, intent_id, actor=actor, reason=reason)

    def cancel_in(self, session: Session, intent_id: str, *, actor: str, reason: str = "") -> Submission:
        """Do `cancel` in the caller's transaction."""
        submission = get_submission(session, intent_id)
        state = state_when_stopped(submission.state)
        if state is None:
            raise InvalidRequest(f"the request {intent_id} is {submission.state}: it cannot be cancelled")
        detail = {BY: "person", BY_PERSON: actor}
        done = append_step(session, submission, Outcome(state, f"cancelled by {actor}", detail=detail), self.clock())
        self._log(session, actor, "cancel", reason, intent_id, submission.intent.network)
        return done

    def settle(self, intent_id: str, *, actor: str, remote_id: str | None, reason: str) -> Submission:
        """Write down what a person found out about a request of unknown fate: the network has it under this id, or does not.

        What is not there may be sent again while its approval holds.

        Raises
        ------
        NotFound
            There is no such request.
        InvalidRequest
            Its fate is known; there is no reason; or it was sent so lately that the network may yet book it.
        """
        if not reason.strip():
            raise InvalidRequest("say how it was found out", field="reason")
        with self.store.transaction() as session:
            submission = get_submission(session, intent_id)
            if submission.state is not RequestState.UNKNOWN:
                raise InvalidRequest(f"the request {intent_id} is {submission.state}: only one of unknown fate can be settled")
            sent_s = self.clock().minus(max(step.at for step in submission.transitions if step.state is RequestState.SENDING))
            if remote_id is None and sent_s < self.sending_timeout_s:
                raise InvalidRequest(
                    f"it was sent {sent_s:.0f} s ago, and a network may book it up to {self.sending_timeout_s:g} s later:"
                    " look again after that",
                    field="absent",
                )
            detail = {BY: "person", BY_PERSON: actor} if remote_id is not None else {BY: "looked up", "looked_up_by": actor}
            if remote_id is None:
                outcome = Outcome(RequestState.APPROVED, f"{actor}: the network does not have it", detail=detail)
            else:
                remote = RemoteState(remote_id=remote_id, remote_state="", state=RequestState.SUBMITTED.value)
                outcome = Outcome(RequestState.SUBMITTED, f"{actor}: the network has it as {remote_id}", remote, detail)
            done = append_step(session, submission, outcome, self.clock())
            self._log(session, actor, "settle", reason, intent_id, submission.intent.network, remote_id=remote_id)
            return done

    def stop(self, network: str, *, actor: str, reason: str = "") -> NetworkStop:
        """Stop a network, or all of them: nothing is sent there until it goes on. Cancelling goes on.

        Raises
        ------
        NotFound
            The hub and the policy know no such network.
        """
        return self._say(network, is_stopped=True, actor=actor, reason=reason)

    def resume(self, network: str, *, actor: str, reason: str = "") -> NetworkStop:
        """Let a network, or all that were stopped together, go on; its breaker forgets what was before. Errors as of `stop`."""
        return self._say(network, is_stopped=False, actor=actor, reason=reason)

    def _say(self, network: str, *, is_stopped: bool, actor: str, reason: str) -> NetworkStop:
        there = {one.network for one in self.gates.book.policy.allocations.values()} | set(self.gates.networks)
        if network not in {*there, ALL_NETWORKS}:
            raise NotFound(f"there is no network {network!r}; there are {', '.join(sorted(there))}, and {ALL_NETWORKS} for all")
        said = NetworkStop(network=network, at=self.clock(), is_stopped=is_stopped, actor=actor, reason=_text(reason))
        with self.store.transaction() as session:
            hold(session, PLANNING)
            followup_log.add_stop(session, said)
            self._log(session, actor, "stop" if is_stopped else "resume", reason, None, network)
        return said

    def _log(  # noqa: PLR0917 - who, what, why and about what
        self, session: Session, actor: str, action: str, reason: str, intent_id: str | None, network: str | None, **detail: object
    ) -> None:
        entry = LogEntry(at=self.clock(), actor=actor, action=action, intent_id=intent_id, network=network)
        followup_log.append(session, replace(entry, detail=redacted({"reason": _text(reason), **detail})))


def submission_of(session: Session, intent_id: str) -> Submission:
    """Return a request with its history, for reading.

    Raises
    ------
    NotFound
        There is none.
    """
    found = followup.get(session, intent_id)
    if found is None:
        raise NotFound(f"there is no follow-up request {intent_id}")
    return found


def until_of(detail: object) -> Instant | None:
    """Return when an approval lapses, of the detail of its step; None for one that does not."""
    value = detail.get(UNTIL) if isinstance(detail, dict) else None
    return None if value is None else Instant(int(value))


def _text(reason: str) -> str:
    if len(reason) > LONGEST_REASON:
        raise InvalidRequest(f"a reason has at most {LONGEST_REASON} characters", field="reason")
    return str(redacted(reason))
