"""The shapes of follow-up beyond a request itself: decisions, networks, the log, and what persons do."""

from pydantic import Field

from hub.api.wire import FollowupWithHistory, Time, Wire


class TargetField(Wire):
    """One field of a plan for a map."""

    ra_deg: float
    dec_deg: float
    prob: float


class FollowupInFull(FollowupWithHistory):
    """A request with what an approval is bound to and what keeps it in the hub."""

    payload_hash: str = Field(description="SHA-256 of what would be asked; an approval is bound to it")
    template: str = Field(description="Of the policy, by which it was made; empty for one of an older hub")
    urgency: str
    due_at: Time | None = Field(description="Of a later look: not before")
    fields: list[TargetField] = Field(description="Of a map, in order")
    approved_until: Time | None = Field(description="When a person's approval lapses")
    barred: str = Field(description="What keeps it in the hub now; empty where nothing does, or it was sent")


class FollowupDecision(Wire):
    """What the policy made of a target."""

    decision_id: str
    event_id: str
    coincidence_id: str | None
    target: str
    purpose: str
    policy_version: int
    rule: str | None = Field(description="That decided; null where none matches")
    verdict: str = Field(description="ask, ask a person, or skip")
    reasons: list[str]
    allocations: list[str]
    urgency: str | None
    score: float | None
    decided_at: Time


class FollowupLogEntry(Wire):
    """Who did what and why."""

    number: int
    at: Time
    actor: str
    action: str
    intent_id: str | None
    network: str | None
    reason: str
    detail: dict[str, object]


class FollowupNetwork(Wire):
    """A telescope network as the policy sees it."""

    network: str
    is_left_alone: bool
    reason: str = Field(description="Why: a person, the policy, the circuit breaker")
    requests: dict[str, int] = Field(description="How many, by state")


class NetworkStop(Wire):
    """That a network is stopped, or goes on."""

    network: str
    is_stopped: bool
    at: Time
    actor: str
    reason: str


class Acknowledgement(Wire):
    """That somebody took note of what waits because of a request."""

    intent_id: str
    acknowledged: list[str] = Field(description="What waited: approval, retraction")
    actor: str
    at: Time


class Approval(Wire):
    """What somebody approves, and why."""

    payload_hash: str = Field(pattern="^[0-9a-f]{64}$", description="Of what was looked at")
    reason: str = Field(default="", max_length=1000)


class Reason(Wire):
    """Why somebody does something."""

    reason: str = Field(default="", max_length=1000)


class PlanWish(Wire):
    """What the policy is to decide about again."""

    event: str = Field(max_length=200, description="An event, by any of its names")
