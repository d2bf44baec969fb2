"""Requests to telescope networks: immutable intent, submissions, append-only transitions."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.model.instant import Instant


class RequestState(StrEnum):
    """States of a submission, local words; the network's own word is kept beside it."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    SENDING = "sending"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    CANCEL_REFUSED = "cancel_refused"
    UNKNOWN = "unknown"
    """Sent, no answer: blocks a resend until the network has been asked."""


class Urgency(StrEnum):
    """How soon, in the words of observation portals."""

    NORMAL = "normal"
    TIME_CRITICAL = "time_critical"
    """At its time, before others."""

    RAPID_RESPONSE = "rapid_response"
    """At once: what is being observed may be interrupted."""


TERMINAL_STATES = frozenset(
    {
        RequestState.REJECTED,
        RequestState.COMPLETED,
        RequestState.FAILED,
        RequestState.EXPIRED,
        RequestState.CANCELLED,
        RequestState.CANCEL_REFUSED,
    }
)
"""States after which the hub does nothing more by itself (a network may still correct them)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """Whether and when one site sees the target during the window."""

    site: str
    is_observable: bool
    window_start: Instant | None
    """First moment at which all constraints hold."""

    window_end: Instant | None
    """Last such moment."""

    best_airmass: float | None
    reason: str
    """A sentence: why, or why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What should be observed and why; never changed once made."""

    intent_id: str
    event_id: str
    coincidence_id: str | None
    target: str
    """Object (``LSST:169...``) or tile."""

    ra_deg: float
    dec_deg: float
    network: str
    instrument: str
    purpose: str
    policy_version: int
    window_start: Instant
    window_end: Instant
    exposures: tuple[Mapping[str, Any], ...]
    """``filter``, ``seconds``, ``count`` of each."""

    max_airmass: float
    reason: str
    visibility: tuple[Visibility, ...] = ()
    urgency: Urgency = Urgency.NORMAL
    created_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One step of a submission, appended and never changed."""

    intent_id: str
    network: str
    number: int
    """1, 2, 3 ... within the submission."""

    state: RequestState
    at: Instant
    remote_id: str | None = None
    remote_state: str | None = None
    """The network's own word."""

    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """An intent at one network with its history."""

    intent: Intent
    transitions: tuple[Transition, ...]

    @property
    def state(self) -> RequestState:
        """The last transition's state."""
        return self.transitions[-1].state

    @property
    def remote_id(self) -> str | None:
        """The network's id of it, once known."""
        return next((step.remote_id for step in reversed(self.transitions) if step.remote_id), None)


def intent_id(*, event_id: str, target: str, network: str, instrument: str, purpose: str, policy_version: int) -> str:
    """Return the content-derived id of an intent, 32 hex digits: the same need never makes two intents."""
    text = "\n".join([event_id, target, network, instrument, purpose, str(policy_version)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
