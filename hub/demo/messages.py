"""A message of the demo's night: bytes with the moment of their arrival."""

from dataclasses import dataclass

from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant

SOURCE = "demo"
"""Name of the source of all envelopes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message on its way to the hub."""

    payload: bytes
    topic: str
    """Topic of the stream that carries it in reality."""

    media_type: str
    arrives: Instant

    def envelope(self, number: int) -> Envelope:
        """Return the envelope; the number makes its position unique within the night."""
        return Envelope(
            payload=self.payload,
            source=SOURCE,
            received_at=self.arrives,
            position=f"{self.topic}/{number}",
            media_type=self.media_type,
            topic=self.topic,
            trust=Trust.TRUSTED,
        )
