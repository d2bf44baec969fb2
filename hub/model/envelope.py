"""What arrived, before anyone understood it."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from hub.model.instant import Instant


class Trust(StrEnum):
    """How far a source is believed."""

    TRUSTED = "trusted"
    """Authenticated, or put in by the operator: may lead to announcements and follow-up."""

    UNTRUSTED = "untrusted"
    """Anyone may have written it: stored and matched, never acted upon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Raw bytes with where, when and from whom they came; kept for replay."""

    payload: bytes
    source: str
    """Name of the source that brought it, e.g. ``file``, ``replay``, ``gcn``, ``lsst``."""

    received_at: Instant
    position: str | None = None
    """Where in the source it stood (path, or topic/partition/offset); unique within the source where given."""

    media_type: str | None = None
    """Media type where the transport knows it."""

    topic: str | None = None
    """Kafka topic or its like, where there is one; becomes the notice's stream."""

    alert_stream: str | None = None
    """Name of the stream map by which the alerts of this source are read; None where the bytes alone must tell."""

    trust: Trust = Trust.UNTRUSTED

    @property
    def digest(self) -> str:
        """SHA-256 of the payload, 64 hex digits."""
        return hashlib.sha256(self.payload).hexdigest()
