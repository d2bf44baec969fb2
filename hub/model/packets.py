"""Alert packets as they came, many at once: the payloads, and as columns where each stood."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import Words
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PacketBatch:
    """Packets of one source, all read by the same stream map; columns have the shape ``(n,)``."""

    payloads: Sequence[bytes]
    source: str
    """Name of the source in the settings."""

    received_at: Instant
    """When the batch was complete."""

    topic: Words
    """Kafka topic of each packet; empty where there is none."""

    partition: NDArray[np.int32]
    """-1 where there is none."""

    offset: NDArray[np.int64]
    """-1 where there is none."""

    alert_stream: str | None = None
    """As `Envelope.alert_stream`."""

    trust: Trust = Trust.UNTRUSTED

    def __len__(self) -> int:
        return len(self.payloads)

    @classmethod
    def of(cls, envelopes: Sequence[Envelope]) -> Self:
        """Return the batch of some envelopes of one source and stream map; at least one. Their places are not known."""
        first = envelopes[0]
        n = len(envelopes)
        return cls(
            payloads=[one.payload for one in envelopes],
            source=first.source,
            received_at=first.received_at,
            topic=Words.of([one.topic or "" for one in envelopes]),
            partition=np.full(n, -1, dtype=np.int32),
            offset=np.full(n, -1, dtype=np.int64),
            alert_stream=first.alert_stream,
            trust=first.trust,
        )

    def envelope(self, index: int) -> Envelope:
        """Return one packet as a message of its own, for what few of them need: a dead letter, a detail."""
        topic = self.topic.text(index)
        offset = int(self.offset[index])
        return Envelope(
            payload=self.payloads[index],
            source=self.source,
            received_at=self.received_at,
            position=None if offset < 0 else f"{topic}/{int(self.partition[index])}/{offset}",
            topic=topic or None,
            alert_stream=self.alert_stream,
            trust=self.trust,
        )
