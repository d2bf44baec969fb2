"""Requests to telescope networks: immutable intent, submissions, append-only transitions."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, isfinite
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
class TargetField:
    """One field of a plan for a map."""

    ra_deg: float
    """Centre, ICRS."""

    dec_deg: float
    prob: float
    """Of the map, inside this field alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What should be observed and why; never changed once made."""

    intent_id: str
    event_id: str
    coincidence_id: str | None
    target: str
    """Object (``LSST:169...``), ``position``, or ``map:`` and the id of the map."""

    ra_deg: float
    """Of the first field where it has several."""

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
    template: str = ""
    """Of the policy, by which it was made; empty where nobody kept it."""

    reason: str
    visibility: tuple[Visibility, ...] = ()
    urgency: Urgency = Urgency.NORMAL
    fields: tuple[TargetField, ...] = ()
    """Of a map, in order; none for a single place."""

    due_at: Instant | None = None
    """Of a later look: it is not asked for before."""

    group: str = ""
    """Of persons, that alone sees it, by its rule; empty for everybody."""

    created_at: Instant

    @property
    def shutter_s(self) -> float:
        """Open shutter of all its fields together, seconds; infinite where one states none, so that no budget has room."""
        stated = [(row.get("seconds", 0.0), row.get("count", 1)) for row in self.exposures]
        if not all(isinstance(one, int | float) and isfinite(one) for row in stated for one in row):
            return inf
        return sum(float(seconds) * int(count) for seconds, count in stated) * max(1, len(self.fields))


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


def intent_id(
    *,
    event_id: str,
    target: str,
    network: str,
    instrument: str,
    purpose: str,
    policy_version: int,
    urgency: Urgency = Urgency.NORMAL,
    turn: int = 0,
) -> str:
    """Return the content-derived id of an intent, 32 hex digits: the same need never makes two intents.

    Parameters
    ----------
    event_id, target, network, instrument, purpose, policy_version, urgency
        What is needed.
    turn
        How many intents of this need were taken back by the hub before anything was sent: a candidate that comes back is asked
        for again.
    """
    parts = [event_id, target, network, instrument, purpose, urgency.value, str(policy_version)]
    text = "\n".join([*parts, str(turn)] if turn else parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def payload_hash(intent: Intent) -> str:
    """Return the SHA-256 of what would be asked of the network, 64 hex digits: what an approval is bound to.

    Reasons and what sites see are not part of it: they are asked of nobody.
    """
    asked = {
        "intent_id": intent.intent_id,
        "target": intent.target,
        "place": [intent.ra_deg, intent.dec_deg],
        "network": intent.network,
        "instrument": intent.instrument,
        "window": [intent.window_start.tai_us, intent.window_end.tai_us],
        "exposures": [dict(one) for one in intent.exposures],
        "max_airmass": intent.max_airmass,
        "urgency": intent.urgency.value,
        "fields": [[one.ra_deg, one.dec_deg] for one in intent.fields],
        "due_at": None if intent.due_at is None else intent.due_at.tai_us,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
