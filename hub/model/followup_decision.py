"""What the follow-up policy made of a target: asked for, asked of a person, or skipped, with the reasons."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.model.followup import Urgency
from hub.model.instant import Instant


class Verdict(StrEnum):
    """What the policy does."""

    ASK = "ask"
    """The telescopes, without a person."""

    ASK_PERSON = "ask a person"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """The newest decision about one target for one purpose: of the version that asked last, or of the moment it was tried."""

    decision_id: str
    event_id: str
    coincidence_id: str | None
    """None for what an event asks for by itself."""

    candidate: tuple[str, str, str] | None
    """Survey, object and hypothesis; None for the event itself."""

    target: str
    """As in `hub.model.followup.Intent`."""

    purpose: str
    policy_version: int
    rule: str | None
    """That decided; None where none matches."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """Sentences."""

    allocations: tuple[str, ...] = ()
    """Those that are asked, in order of preference."""

    template: str | None = None
    """Of the first that is asked."""

    templates: Mapping[str, str] = field(default_factory=dict)
    """By allocation, of those that are asked or stand by."""

    urgency: Urgency | None = None
    score: float | None = None
    """Of the candidate: who comes first where there is not room for all."""

    group: str = ""
    """Of persons, that alone sees it, by its rule; empty for everybody."""

    decided_at: Instant

    @property
    def is_skip(self) -> bool:
        """Whether nothing is asked."""
        return self.verdict is Verdict.SKIP


def decision_id(*, event_id: str, target: str, purpose: str, policy_version: int) -> str:
    """Return the content-derived id of a decision, 32 hex digits."""
    text = "\n".join(["decision", event_id, target, purpose, str(policy_version)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
