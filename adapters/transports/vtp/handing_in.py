"""From a connection into the hub."""

import structlog

from hub.errors import StorageError
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.ports import Accept, Acceptance

MEDIA_TYPE = "application/xml"
"""Of everything that VTP carries."""

log = structlog.get_logger()


def envelope_of(payload: bytes, *, source: str, received_at: Instant, trust: str) -> Envelope:
    """Return an event with where and when it came from; ``trust`` is a `Trust` value."""
    return Envelope(payload=payload, source=source, received_at=received_at, media_type=MEDIA_TYPE, trust=Trust(trust))


async def hand_in(accept: Accept, envelope: Envelope) -> Acceptance:
    """Give an event to the hub; when this returns it is durable.

    Raises
    ------
    StorageError
        It is not, whatever the hub failed of: nothing may be acknowledged, and the event must be kept or be sent again.
    """
    try:
        return await accept(envelope)
    except StorageError:
        raise
    except Exception as error:
        log.exception("the hub fails on an event", source=envelope.source, digest=envelope.digest)
        raise StorageError(f"the hub fails on the event {envelope.digest[:12]}: {type(error).__name__}") from error
