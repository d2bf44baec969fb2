"""Which step of a submission may follow which: the state machine, without storage or networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.errors import HubError
from hub.model.followup import RequestState, Submission, Transition
from hub.model.instant import Instant
from hub.ports import RemoteState

WAITING_STATES = frozenset({RequestState.DRAFT, RequestState.AWAITING_APPROVAL, RequestState.APPROVED})
"""Nothing has been sent."""

ALIVE_STATES = frozenset({RequestState.SUBMITTED, RequestState.ACCEPTED, RequestState.SCHEDULED, RequestState.IN_PROGRESS})
"""The network has it and has not finished with it."""

ENDED_STATES = frozenset(
    {RequestState.REJECTED, RequestState.COMPLETED, RequestState.FAILED, RequestState.EXPIRED, RequestState.CANCELLED}
)
"""The network has finished with it, or the hub has without having sent it."""

BY_PERSON = "actor"
"""Key in a transition's detail: who did it."""

NEXT_STATES: Mapping[RequestState, frozenset[RequestState]] = {
    RequestState.DRAFT: frozenset(
        {
            RequestState.AWAITING_APPROVAL,
            RequestState.APPROVED,
            RequestState.REJECTED,
            RequestState.EXPIRED,
            RequestState.CANCELLED,
        }
    ),
    RequestState.AWAITING_APPROVAL: frozenset(
        {RequestState.APPROVED, RequestState.REJECTED, RequestState.EXPIRED, RequestState.CANCELLED}
    ),
    RequestState.APPROVED: frozenset(
        {
            RequestState.SENDING,
            RequestState.AWAITING_APPROVAL,
            RequestState.REJECTED,
            RequestState.EXPIRED,
            RequestState.CANCELLED,
        }
    ),
    RequestState.SENDING: ALIVE_STATES
    | ENDED_STATES
    | {RequestState.UNKNOWN, RequestState.APPROVED, RequestState.CANCEL_REQUESTED},
    RequestState.UNKNOWN: ALIVE_STATES | ENDED_STATES | {RequestState.APPROVED, RequestState.CANCEL_REQUESTED},
    **dict.fromkeys(ALIVE_STATES, ALIVE_STATES | ENDED_STATES | {RequestState.CANCEL_REQUESTED}),
    RequestState.CANCEL_REQUESTED: ENDED_STATES | {RequestState.CANCEL_REQUESTED, RequestState.CANCEL_REFUSED},
    # A network may correct what it said: the LCO portal completes requests that it called cancelled, expired or failed, and takes
    # a completed one back where the data were bad (observation portal, common/state_changes.py).
    RequestState.CANCEL_REFUSED: ENDED_STATES,
    RequestState.CANCELLED: frozenset({RequestState.COMPLETED}),
    RequestState.EXPIRED: frozenset({RequestState.COMPLETED}),
    RequestState.FAILED: frozenset({RequestState.COMPLETED}),
    RequestState.COMPLETED: ALIVE_STATES,
    RequestState.REJECTED: frozenset(),
}
"""For each state the states that may follow. A submission begins as a draft."""


class IllegalTransition(HubError):
    """A step that the state machine does not know: a fault of the hub or of a network's adapter, nothing is written."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of something done about a submission."""

    state: RequestState
    reason: str = ""
    remote: RemoteState | None = None
    """What the network said, where it said something."""

    detail: Mapping[str, Any] = field(default_factory=dict)
    """JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred:
    """A request may not be sent now."""

    reason: str
    """A sentence."""

    becomes: RequestState | None = None
    """What it becomes instead; None where it waits as it is."""


def next_transition(submission: Submission, outcome: Outcome, at: Instant) -> Transition:
    """Return the step that follows the last one of a submission.

    Raises
    ------
    IllegalTransition
        The state may not follow the present one.
    """
    state, remote = outcome.state, outcome.remote
    if submission.transitions:
        if state not in NEXT_STATES[submission.state]:
            raise IllegalTransition(f"a submission that is {submission.state} cannot become {state}")
    elif state is not RequestState.DRAFT:
        raise IllegalTransition(f"a submission begins as a draft, not as {state}")
    return Transition(
        intent_id=submission.intent.intent_id,
        network=submission.intent.network,
        number=len(submission.transitions) + 1,
        state=state,
        at=at,
        remote_id=remote.remote_id if remote else None,
        remote_state=remote.remote_state if remote else None,
        reason=outcome.reason or (remote.reason if remote else ""),
        detail=outcome.detail,
    )


def state_when_stopped(present: RequestState) -> RequestState | None:
    """Return what a submission becomes when it is stopped; None where it has ended or is being stopped."""
    if present in WAITING_STATES:
        return RequestState.CANCELLED
    if present in ALIVE_STATES or present in (RequestState.SENDING, RequestState.UNKNOWN):
        return RequestState.CANCEL_REQUESTED
    return None


def n_sendings(submission: Submission) -> int:
    """Return how many times it was about to be sent."""
    return sum(step.state is RequestState.SENDING for step in submission.transitions)
