"""Other authors' VOEvents, passed on byte for byte to the destinations that want them.

The outbox holds each ivorn once for each destination, which is what keeps two hubs that listen to each other from ever sending
the same event in circles: what comes back is known.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.model.notice import Notice
from hub.model.outgoing import Outgoing, Subject
from hub.services.routes import Route
from hub.storage import outbox

MEDIA_TYPE = "application/xml"
"""Of every VOEvent."""

_FORMATS = "voevent-"


class Relay:
    """Puts what came in into the outbox, in the caller's transaction."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(route for route in routes if route.relay)

    def relay(
        self, session: Session, envelope: Envelope, notice: Notice, *, event_id: str | None, came_from: str | None, at: Instant
    ) -> tuple[str, ...]:
        """Put a notice of another author into the outbox for each destination that relays its role.

        Parameters
        ----------
        session
            The transaction that stores the notice.
        envelope
            Its bytes.
        notice
            What they say. Only VOEvents are relayed.
        event_id
            Its event, where it is about one: the messages of one event stay in order.
        came_from
            The destination that its source listens to: whatever comes from there is there already.
        at
            The present.

        Returns
        -------
        tuple of str
            The destinations that had not got this ivorn before.
        """
        if notice.ivorn is None or not notice.format.startswith(_FORMATS):
            return ()
        wanted = [route for route in self._routes if notice.role in route.relay_roles and route.destination != came_from]
        messages = [
            Outgoing(
                ivorn=notice.ivorn,
                media_type=MEDIA_TYPE,
                payload=envelope.payload,
                destination=route.destination,
                subject=Subject.NOTICE,
                key=event_id or notice.ivorn,
                role=notice.role,
                cites=notice.cites,
                created_at=at,
            )
            for route in wanted
        ]
        return tuple(message.destination for message in messages if outbox.put(session, message))
