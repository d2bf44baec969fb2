"""Messages that leave the hub."""

from dataclasses import dataclass
from enum import StrEnum

from hub.model.instant import Instant
from hub.model.notice import Citation, Role

HUB_FRAME = b"\x00mmh"
"""Beginning of the hub's own messages in Avro: the zero of Confluent framing and the first three bytes of our schema ids. No
alert packet begins so: surveys number their schemas from one, and these three letters are a number above 10**9."""


class Subject(StrEnum):
    """What an outgoing message is about."""

    COINCIDENCE = "coincidence"
    """Two events."""

    CANDIDATE = "candidate"
    """An event and an object of a survey."""

    RETRACTION = "retraction"
    """A former message no longer holds."""

    PLAN = "plan"
    """A request to telescopes: what a network has, completed, or does no more."""

    NOTICE = "notice"
    """Another author's VOEvent, relayed."""

    ESCALATION = "escalation"
    """Something waits for a person."""


class Leaves(StrEnum):
    """How much leaves the hub because of a version of a coincidence: what a pass may let out, and what has left."""

    ALL = "all"
    """Messages, and requests to telescopes."""

    MESSAGES = "messages"
    """Messages only: no telescope is asked, and none is stopped."""

    NOTHING = "nothing"

    def covers(self, other: "Leaves") -> bool:
        """Return whether this is as much as another, or more."""
        return _AMOUNTS.index(self) >= _AMOUNTS.index(other)


_AMOUNTS = (Leaves.NOTHING, Leaves.MESSAGES, Leaves.ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A rendered message on its way out: rendered once, deterministic id, sent at least once."""

    ivorn: str
    media_type: str
    payload: bytes
    destination: str
    """Name of the sink."""

    subject: str = "coincidence"
    """A `Subject`."""

    key: str = ""
    """What its order is kept for: the canonical id of the first event."""

    role: Role
    cites: tuple[Citation, ...]
    created_at: Instant
