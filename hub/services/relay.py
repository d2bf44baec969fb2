"""Other authors' VOEvents, passed on byte for byte to the destinations that want them.

The outbox holds each ivorn, compared without case, once for each destination, which is what keeps two hubs that listen to each
other from ever sending the same event in circles: what comes back is known. There is one exception, so that nobody can keep a
message from its readers by using its name first: what a trusted source brings goes out although other bytes went out under its
name, if no trusted source had brought those. So a name goes out twice at most, however others change its bytes on the way.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.model.ivorn import ivorn_key
from hub.model.notice import Notice
from hub.model.outgoing import Outgoing, Subject
from hub.services.routes import Route
from hub.storage import notices, outbox, privacy
from hub.storage.privacy import PrivateKind
from hub.storage.writing import hold

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
            The destinations that it goes to now.
        """
        if notice.ivorn is None or not notice.format.startswith(_FORMATS):
            return ()
        is_trusted = envelope.trust is Trust.TRUSTED
        candidates = [
            route
            for route in self._routes
            if notice.role in route.relay_roles and route.destination != came_from and (is_trusted or route.relay_untrusted)
        ]
        if candidates and (group := privacy.every(session).get((PrivateKind.SOURCE, envelope.source), "")):
            candidates = [route for route in candidates if route.group == group]
        if not candidates:
            return ()
        hold(session, f"relay {ivorn_key(notice.ivorn)}")
        wanted = [route for route in candidates if _may_go(session, envelope, notice.ivorn, route.destination)]
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


def _may_go(session: Session, envelope: Envelope, ivorn: str, destination: str) -> bool:
    """Return whether a message may go to a destination after what went there under its name."""
    gone = outbox.contents(session, ivorn, destination)
    if not gone:
        return True
    if envelope.trust is not Trust.TRUSTED or envelope.digest in gone or "" in gone:
        return False
    return not notices.is_any_trusted(session, gone)
