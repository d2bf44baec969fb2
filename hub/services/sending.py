"""Take each submission to its telescope network, at most once, and watch and cancel it there.

No network has a usable idempotency key, so "never twice" is our work. The step ``sending`` is committed before the network is
called and its answer is written in a second transaction. Whatever is still ``sending`` after a crash, and every call of unknown
outcome, becomes ``unknown``: it is never sent again before the network has been searched for our id and does not have it, so
long after the sending that no network is still busy with it. A network that cannot be searched leaves the request unknown until
a person looks.

Two senders cannot claim the same submission: each step is written under a lock, and only if no other was written since the look.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from sqlalchemy.orm import Session
from structlog.stdlib import BoundLogger

from hub.errors import NetworkRefused, NotFound, Transient, TransportError
from hub.model.followup import RequestState, Submission
from hub.model.instant import Instant
from hub.ports import Clock, TelescopeNetwork
from hub.services.dry_network import is_live, refusal
from hub.services.followup_policy import FollowupSettings
from hub.services.redacting import redacted
from hub.services.submission import (
    ALIVE_STATES,
    ENDED_STATES,
    NEXT_STATES,
    WAITING_STATES,
    Barred,
    Outcome,
    n_sendings,
    next_transition,
)
from hub.storage import followup as storage
from hub.storage.engine import Store
from hub.storage.writing import hold
from hub.telemetry import get_logger

Hook = Callable[[str], None]
"""Is told the name of each point that a crash may hit; tests crash there."""

PLANNING = "follow-up planning"
"""What is held while budgets are counted and spent; taken before the submission itself."""

Gate = Callable[[Session, Submission, TelescopeNetwork, Instant], Barred | None]
"""Says why a request may not be sent now (`Gates.check` of `hub.services.followup_gates`)."""

_RETRY_AT = "retry_at_tai_us"
_NO_ANSWER = "no_answer"
_log = get_logger("followup")


_CLAIM_HOLDS_S = 10.0
"""A call begins so soon after its claim, seconds, or not at all: with the longest call it ends before it counts as crashed."""


def no_hook(point: str) -> None:
    """Do nothing."""


class Sender:
    """The loop body that speaks to telescope networks, outside of any transaction."""

    def __init__(
        self,
        store: Store,
        networks: Mapping[str, TelescopeNetwork],
        clock: Clock,
        settings: FollowupSettings,
        *,
        gate: Gate,
        hook: Hook = no_hook,
    ) -> None:
        self._store = store
        self._networks = networks
        self._clock = clock
        self._settings = settings
        self._gate = gate
        self._hook = hook
        self._asked: dict[tuple[str, str], Instant] = {}

    def step(self) -> int:
        """Take every submission one step further where one is due; return how many transitions were written.

        Cancels come first, then what is unknown, then sending, then questions about the rest. A network that fails stops only its
        own requests, each until its next pause.
        """
        return self._act(
            ({RequestState.CANCEL_REQUESTED}, self._cancel_one),
            ({RequestState.SENDING, RequestState.UNKNOWN}, self._reconcile_one),
            (WAITING_STATES, self._send_one),
            (ALIVE_STATES | {RequestState.CANCELLED, RequestState.CANCEL_REFUSED}, self._poll_one),
        )

    def reconcile(self) -> int:
        """Look up what is unknown and cancel what is to be cancelled, and send nothing; return as `step`."""
        return self._act(
            ({RequestState.CANCEL_REQUESTED}, self._cancel_one),
            ({RequestState.SENDING, RequestState.UNKNOWN}, self._reconcile_one),
            (ALIVE_STATES | {RequestState.CANCELLED, RequestState.CANCEL_REFUSED}, self._poll_one),
        )

    def _act(self, *acts: tuple[Collection[RequestState], Callable[[Submission, TelescopeNetwork], int]]) -> int:
        n_written = 0
        for states, act in acts:
            with self._store.reading() as session:
                due = storage.in_states(session, sorted(states))
            for submission in due:
                network = self._networks.get(submission.intent.network)
                if network is None:
                    _bound(submission).warning("follow-up network is not configured")
                else:
                    n_written += act(submission, network)
        return n_written

    def _send_one(self, submission: Submission, network: TelescopeNetwork) -> int:
        intent = submission.intent
        if self._clock() >= intent.window_end:
            return self._write(submission, Outcome(RequestState.EXPIRED, "its window ended before it was sent"))
        if submission.state is not RequestState.APPROVED or not self._settings.enabled:
            return 0
        if (retry_at := submission.transitions[-1].detail.get(_RETRY_AT)) and self._clock().tai_us < retry_at:
            return 0
        with self._store.reading() as session:
            barred = self._gate(session, submission, network, self._clock())
        if barred is not None:
            return self._write(submission, Outcome(barred.becomes, barred.reason)) if barred.becomes else 0
        if reasons := network.validate(intent):
            return self._write(submission, Outcome(RequestState.REJECTED, f"not sent: {'; '.join(reasons)}"))
        if not is_live(network):
            return self._write(submission, Outcome(RequestState.REJECTED, refusal(network.name)))
        self._hook("before claim")
        claimed, n_written = self._claim(submission, network)
        if claimed is None:
            return n_written
        self._hook("claimed")
        if (given_up := self._give_up(claimed)) is not None:
            return n_written + given_up
        outcome = self._submit(submission, network)
        self._hook("answered")
        n_written += self._write_answer(intent.intent_id, outcome)
        self._hook("recorded")
        return n_written

    def _claim(self, seen: Submission, network: TelescopeNetwork) -> tuple[Submission | None, int]:
        """Write that a request is being sent, where nothing bars it in this transaction; return it then, and how many steps."""
        with self._store.transaction() as session:
            hold(session, PLANNING)
            present = get_submission(session, seen.intent.intent_id)
            if len(present.transitions) != len(seen.transitions):
                return None, 0  # withdrawn, or claimed by another sender, in between
            barred = self._gate(session, present, network, self._clock())
            if barred is None:
                return append_step(session, present, Outcome(RequestState.SENDING), self._clock()), 1
            _bound(present).info("not sent", reason=barred.reason)
            if barred.becomes is None:
                return None, 0
            append_step(session, present, Outcome(barred.becomes, barred.reason), self._clock())
            return None, 1

    def _give_up(self, claimed: Submission) -> int | None:
        """Look once more before the call; return None where the claim holds, else how many steps were written.

        A process that stood still since its claim may not call any more: others have taken its silence for a crash by then, and
        send again what they do not find at the network. Nor may one whose request was withdrawn meanwhile.
        """
        with self._store.reading() as session:
            present = storage.get(session, claimed.intent.intent_id)
        n_steps, age_s = len(claimed.transitions), self._clock().minus(claimed.transitions[-1].at)
        if present is not None and len(present.transitions) == n_steps and age_s <= _CLAIM_HOLDS_S:
            return None
        with self._store.transaction() as session:
            present = get_submission(session, claimed.intent.intent_id)
            outcome = Outcome(RequestState.APPROVED, "the hub stood still between its claim and the call")
            if present.state is RequestState.CANCEL_REQUESTED and len(present.transitions) == n_steps + 1:
                outcome = _answer_after_cancel(Outcome(RequestState.APPROVED, "it was withdrawn before the call"))
            elif len(present.transitions) != n_steps:
                _bound(present).warning("claim given up: others went on with it", state=present.state)
                return 0
            append_step(session, present, outcome, self._clock())
        return 1

    def _submit(self, submission: Submission, network: TelescopeNetwork) -> Outcome:
        """Call the network once and say what came of it; an unexpected error leaves it ``sending``, which becomes unknown."""
        if self._clock() >= submission.intent.window_end:  # the trial or the claim took long
            return Outcome(RequestState.EXPIRED, "its window ended before it was sent")
        try:
            remote = network.submit(submission.intent)
        except NetworkRefused as error:
            return Outcome(RequestState.REJECTED, str(error))
        except Transient as error:
            pause_s = max(self._settings.retry_s * 2 ** min(n_sendings(submission), 6), error.retry_after_s or 0.0)
            retry_at = self._clock().plus_s(pause_s)
            return Outcome(RequestState.APPROVED, str(error), detail={_RETRY_AT: retry_at.tai_us})
        except TransportError as error:
            return Outcome(RequestState.UNKNOWN, str(error))
        return Outcome(RequestState(remote.state), remote.reason, remote)

    def _write_answer(self, intent_id: str, outcome: Outcome) -> int:
        """Write what came of a sending, whatever has happened to the submission meanwhile: an answer is never dropped."""
        with self._store.transaction() as session:
            submission = get_submission(session, intent_id)
            if submission.state is RequestState.CANCEL_REQUESTED:  # retracted while it was being sent
                outcome = _answer_after_cancel(outcome)
            if submission.transitions and outcome.state not in NEXT_STATES[submission.state]:
                _bound(submission).error(
                    "answer came too late", state=submission.state, answer=outcome.state, remote=str(outcome.remote)
                )
                return 0
            append_step(session, submission, outcome, self._clock())
        return 1

    def _reconcile_one(self, submission: Submission, network: TelescopeNetwork) -> int:
        age_s = self._clock().minus(submission.transitions[-1].at)
        if submission.state is RequestState.SENDING:
            if age_s < self._settings.sending_timeout_s:
                return 0
            return self._write(submission, Outcome(RequestState.UNKNOWN, "the hub stopped before it knew the answer"))
        if age_s < self._settings.settle_s or not self._is_due(submission, "search"):
            return 0
        if not network.can_find:
            _bound(submission).warning("unknown whether the network has it: a person must look")
            return 0
        try:
            found = network.find_by_marker(submission.intent.intent_id)
        except TransportError as error:
            _bound(submission).warning("network does not answer", reason=str(error))
            return 0
        self._hook("searched")
        if found is not None:
            return self._write(submission, Outcome(RequestState(found.state), "found at the network by our id", found))
        if self._may_still_arrive(submission):
            return 0
        if self._clock() >= submission.intent.window_end:
            return self._write(submission, Outcome(RequestState.EXPIRED, "not at the network, and its window has ended"))
        return self._write(submission, Outcome(RequestState.APPROVED, "not at the network: it can be sent again"))

    def _cancel_one(self, submission: Submission, network: TelescopeNetwork) -> int:
        if not self._is_due(submission, "cancel"):
            return 0
        try:
            outcome = self._cancelled(submission, network)
        except (TransportError, NotFound) as error:
            _bound(submission).warning("cancel is not confirmed yet", reason=str(error))
            return 0
        self._hook("cancelled")
        return 0 if outcome is None else self._write(submission, outcome)

    def _cancelled(self, submission: Submission, network: TelescopeNetwork) -> Outcome | None:
        """Cancel at the network and read back what it says; None where it is not known yet."""
        if submission.remote_id is None:
            return self._find_to_cancel(submission, network)
        refusal = ""
        try:
            network.cancel(submission.remote_id)
        except NetworkRefused as error:
            refusal = str(error)
        remote = network.status(submission.remote_id)
        state = RequestState(remote.state)
        if state in ENDED_STATES:
            return Outcome(state, refusal or "confirmed by the network", remote)
        return Outcome(RequestState.CANCEL_REFUSED, refusal, remote) if refusal else None

    def _find_to_cancel(self, submission: Submission, network: TelescopeNetwork) -> Outcome | None:
        """Look for a request that may or may not have reached the network before it was withdrawn."""
        call_has_ended = any(step.state is RequestState.UNKNOWN or _NO_ANSWER in step.detail for step in submission.transitions)
        pause_s = self._settings.settle_s if call_has_ended else self._settings.sending_timeout_s
        if self._clock().minus(submission.transitions[-1].at) < pause_s:
            return None  # the call may still be under way
        if not network.can_find:
            _bound(submission).warning("withdrawn, but unknown whether the network has it: a person must look")
            return None
        found = network.find_by_marker(submission.intent.intent_id)
        if found is None and self._may_still_arrive(submission):
            return None
        if found is None:
            return Outcome(RequestState.CANCELLED, "it never reached the network")
        return Outcome(RequestState.CANCEL_REQUESTED, "found at the network by our id", found)

    def _may_still_arrive(self, submission: Submission) -> bool:
        """Return whether a network that does not have a request may be busy with booking it, after its answer was given up."""
        sent_at = max(step.at for step in submission.transitions if step.state is RequestState.SENDING)
        return self._clock().minus(sent_at) < self._settings.sending_timeout_s

    def _poll_one(self, submission: Submission, network: TelescopeNetwork) -> int:
        is_over = submission.state not in ALIVE_STATES and self._clock() >= submission.intent.window_end
        if submission.remote_id is None or is_over or not self._is_due(submission, "poll"):
            return 0
        try:
            remote = network.status(submission.remote_id)
        except (TransportError, NotFound) as error:
            _bound(submission).warning("network does not tell the state", reason=str(error))
            return 0
        state = RequestState(remote.state)
        last = submission.transitions[-1]
        if (state, remote.remote_state) == (last.state, last.remote_state):
            return 0
        if state not in NEXT_STATES[submission.state]:
            if submission.state in ALIVE_STATES:
                _bound(submission).error("network reports an impossible state", present=submission.state, reported=state)
            return 0
        return self._write(submission, Outcome(state, remote.reason, remote))

    def _write(self, seen: Submission, outcome: Outcome) -> int:
        """Append a step in a transaction of its own unless the submission has moved on since it was read; return 1 or 0."""
        with self._store.transaction() as session:
            present = get_submission(session, seen.intent.intent_id)
            if len(present.transitions) != len(seen.transitions):
                return 0
            append_step(session, present, outcome, self._clock())
        return 1

    def _is_due(self, submission: Submission, question: str) -> bool:
        """Return whether the network may be asked a question about a request again, and remember that it is."""
        key, now = (submission.intent.intent_id, question), self._clock()
        before = self._asked.get(key)
        if before is not None and 0 <= now.minus(before) < self._settings.poll_s:
            return False
        self._asked[key] = now
        return True


def get_submission(session: Session, intent_id: str) -> Submission:
    """Return a submission for writing: no other transaction that does the same with it runs until this one ends.

    Raises
    ------
    NotFound
        There is none of this id.
    """
    hold(session, f"follow-up {intent_id}")
    submission = storage.get(session, intent_id)
    if submission is None:
        raise NotFound(f"there is no follow-up request {intent_id}")
    return submission


def append_step(session: Session, submission: Submission, outcome: Outcome, at: Instant) -> Submission:
    """Write the next step of a submission, without secrets in the words of a network; return the submission with it.

    Raises
    ------
    IllegalTransition
        The state may not follow the present one.
    """
    step = next_transition(submission, replace(outcome, reason=redacted(outcome.reason)), at)
    storage.append(session, step)
    _bound(submission).info("follow-up", state=step.state.value, reason=step.reason, remote_id=step.remote_id)
    return Submission(intent=submission.intent, transitions=(*submission.transitions, step))


def _answer_after_cancel(outcome: Outcome) -> Outcome:
    """Return what an answer means for a submission that was withdrawn while it was being sent."""
    if outcome.state is RequestState.APPROVED:
        return Outcome(RequestState.CANCELLED, f"nothing was sent: {outcome.reason}")
    if outcome.state is RequestState.UNKNOWN:
        return Outcome(RequestState.CANCEL_REQUESTED, outcome.reason, detail={_NO_ANSWER: True})
    if outcome.state in ENDED_STATES:
        return outcome
    return Outcome(RequestState.CANCEL_REQUESTED, "booked while it was being withdrawn", outcome.remote)


def _bound(submission: Submission) -> BoundLogger:
    intent = submission.intent
    return _log.bind(intent=intent.intent_id, network=intent.network, target=intent.target)
