"""Mistakes that a sender could make: each must be found by the run that kills it, or that run proves nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from adapters.networks.simulated import Fault
from hub.errors import NetworkRefused, Transient, TransportError
from hub.model.followup import Intent, RequestState, Submission
from hub.model.instant import Instant
from hub.services.followup_gates import Gates
from hub.services.sending import Sender, append_step, get_submission
from hub.services.submission import ALIVE_STATES, Outcome, state_when_stopped
from hub.storage import followup as storage
from tests.torture.sender_life import POINTS


class CallsFirst(Sender):
    """Writes down that it sends when the network has answered."""

    def _claim(self, seen: Submission, network: Any) -> tuple[Submission, int]:
        return seen, 1

    def _give_up(self, claimed: Submission) -> None:
        """Look at nothing."""

    def _write(self, seen: Submission, outcome: Outcome) -> int:
        return 1 if outcome.state is RequestState.SENDING else super()._write(seen, outcome)

    def _write_answer(self, intent_id: str, outcome: Outcome) -> int:
        with self._store.transaction() as session:
            present = get_submission(session, intent_id)
            if present.state is not RequestState.APPROVED:
                return 0
            sent = append_step(session, present, Outcome(RequestState.SENDING), self._clock())
            append_step(session, sent, outcome, self._clock())
        return 1


class RepeatsBlindly(Sender):
    """Sends again what it does not know the fate of, without a look."""

    def _reconcile_one(self, submission: Submission, network: Any) -> int:
        if submission.state is RequestState.UNKNOWN:
            return self._write(submission, Outcome(RequestState.APPROVED, "once more"))
        return super()._reconcile_one(submission, network)


class GivesUp(Sender):
    """Believes that what it does not know the fate of was never wanted."""

    def _reconcile_one(self, submission: Submission, network: Any) -> int:
        if submission.state is RequestState.UNKNOWN:
            return self._write(submission, Outcome(RequestState.EXPIRED, "who knows"))
        return super()._reconcile_one(submission, network)


class BelievesAtOnce(Sender):
    """Believes the first search that finds nothing."""

    def _may_still_arrive(self, submission: Submission) -> bool:
        return False


class SendsLate(Sender):
    """Does not look at the clock."""

    def _send_one(self, submission: Submission, network: Any) -> int:
        if submission.state is RequestState.APPROVED and self._write(submission, Outcome(RequestState.SENDING)):
            self._write_answer(submission.intent.intent_id, _call(submission, network))
        return 0

    def _submit(self, submission: Submission, network: Any) -> Outcome:
        return _call(submission, network)


class ClaimsUnseen(Sender):
    """Sends what it saw as approved, whatever has happened since."""

    def _claim(self, seen: Submission, network: Any) -> tuple[Submission, int]:
        return seen, super()._write(seen, Outcome(RequestState.SENDING))

    def _give_up(self, claimed: Submission) -> None:
        """Look at nothing."""

    def _write(self, seen: Submission, outcome: Outcome) -> int:
        written = super()._write(seen, outcome)
        return 1 if outcome.state is RequestState.SENDING else written


def _call(submission: Submission, network: Any) -> Outcome:
    try:
        remote = network.submit(submission.intent)
    except NetworkRefused as error:
        return Outcome(RequestState.REJECTED, str(error))
    except Transient as error:
        return Outcome(RequestState.APPROVED, str(error))
    except TransportError as error:
        return Outcome(RequestState.UNKNOWN, str(error))
    return Outcome(RequestState(remote.state), remote.reason, remote)


def _forgotten(submission: Submission) -> RequestState | None:
    """Withdraw without a word to the network."""
    becomes = state_when_stopped(submission.state)
    return None if becomes is RequestState.CANCEL_REQUESTED else becomes


class ForgetsTheUnknown(Gates):
    """Counts only what a network said that it has."""

    def no_room(self, session: Session, intent: Intent, now: Instant) -> str:
        known = storage.intents_in(session, [*ALIVE_STATES, RequestState.COMPLETED, RequestState.FAILED])
        others = [one for one in known if one.intent_id != intent.intent_id]
        limit = self.book.policy.per_event.requests
        return "the event has room for no more" if limit is not None and len(others) >= limit else ""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """What is different from the hub."""

    sender: type[Sender] = Sender
    settings: Mapping[str, Any] = field(default_factory=dict)
    withdraw: Callable[[Submission], RequestState | None] | None = None
    gates: type[Gates] = Gates
    has_budget: bool = True
    """Whether the policy is asked; without it everything is approved, also what has expired."""

    most: int = 600
    """Steps of the last life."""

    odds: Mapping[Fault, float] = field(default_factory=dict)
    """Of troubles at the network; those of every run where not given."""

    slow_s: float = 120.0
    """What a slow booking takes, seconds."""

    share_withdrawn: float = 0.2
    share_short: float = 0.15
    """Of the requests: withdrawn, and of windows that end while the run goes on."""

    points: Sequence[str] = POINTS
    """At which every second blow is aimed."""

    finding: str = ""
    """What of `tests.torture.sender_books.Report` must tell of it."""


MISTAKES: Mapping[str, Mistake] = {
    "calls-first": Mistake(sender=CallsFirst, points=("booked", "answered"), finding="doubled"),
    "repeats-blindly": Mistake(sender=RepeatsBlindly, finding="doubled"),
    "believes-at-once": Mistake(sender=BelievesAtOnce, odds={Fault.SLOW: 0.4}, slow_s=290.0, finding="doubled"),
    "impatient": Mistake(settings={"sending_timeout_s": 30.0}, odds={Fault.SLOW: 0.4}, slow_s=290.0, finding="doubled"),
    "gives-up": Mistake(sender=GivesUp, odds={Fault.LOST_ON_THE_WAY: 0.4}, finding="lost"),
    "sends-late": Mistake(sender=SendsLate, has_budget=False, share_short=0.8, finding="after_expiry"),
    "claims-unseen": Mistake(sender=ClaimsUnseen, share_withdrawn=1.0, finding="after_retraction"),
    "forgets-the-unknown": Mistake(gates=ForgetsTheUnknown, most=60, odds={Fault.DROP_REPLY: 0.5}, finding="over_budget"),
    "forgets-the-network": Mistake(withdraw=_forgotten, share_withdrawn=0.6, finding="left"),
}
"""By name."""
