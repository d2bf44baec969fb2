"""Messages that leave the hub."""

from dataclasses import dataclass

from hub.model.instant import Instant
from hub.model.notice import Citation, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A rendered message on its way out: rendered once, deterministic id, sent at least once."""

    ivorn: str
    media_type: str
    payload: bytes
    destination: str
    """Name of the sink."""

    subject: str = "coincidence"
    """``coincidence`` (of two events), ``candidate`` (of an event and an object), ``retraction``, or ``notice`` for a relayed one."""

    key: str = ""
    """What its order is kept for: the canonical id of the first event."""

    role: Role
    cites: tuple[Citation, ...]
    created_at: Instant
