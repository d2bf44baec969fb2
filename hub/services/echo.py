"""Messages that come back from where they were sent to: the proof that they arrived there, and unchanged."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.model.instant import Instant
from hub.storage import outbox

LOOK_BACK_S = 86_400.0
"""A message that never came back is an alarm for so long, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingEcho:
    """Messages of a destination that should have come back."""

    destination: str
    within_s: float
    count: int
    first_ivorn: str
    first_sent_at: Instant

    @property
    def sentence(self) -> str:
        """The same for a person."""
        many = "1 message" if self.count == 1 else f"{self.count} messages"
        have = "has" if self.count == 1 else "have"
        return (
            f"{many} sent to {self.destination!r} {have} not come back within {self.within_s:g} s; "
            f"the first, {self.first_ivorn}, was sent at {self.first_sent_at.to_utc_iso()}"
        )


def returned(session: Session, *, ivorn: str, payload: bytes, destination: str | None, at: Instant) -> tuple[str, ...]:
    """Record that a message came back; return the destinations that it came back from, none where its bytes were never sent.

    Parameters
    ----------
    session
        In a transaction.
    ivorn, payload
        The message. Bytes that differ from what was sent are no proof of anything.
    destination
        The one that the source listens to; where it is not known, every destination that was sent these bytes.
    at
        The present.
    """
    wanted = None if destination is None else [destination]
    sent = outbox.destinations_of(session, ivorn, wanted)
    same = [entry for entry in sent if entry.outgoing.payload == payload]
    outbox.mark_echoed(session, same, at)
    return tuple(entry.outgoing.destination for entry in same)


def missing(session: Session, watched: Mapping[str, float], now: Instant) -> list[MissingEcho]:
    """Return for each watched destination what was sent to it and did not come back in time.

    Parameters
    ----------
    session
        Read only.
    watched
        Destination to the time in which its messages should come back, seconds.
    now
        The present.
    """
    found = []
    for destination, within_s in sorted(watched.items()):
        late = outbox.unechoed(session, destination, now.plus_s(-LOOK_BACK_S), now.plus_s(-within_s))
        if late:
            first = late[0]
            assert first.sent_at is not None  # what is sent has a time
            found.append(
                MissingEcho(
                    destination=destination,
                    within_s=within_s,
                    count=len(late),
                    first_ivorn=first.outgoing.ivorn,
                    first_sent_at=first.sent_at,
                )
            )
    return found


def alarms(session: Session, watched: Mapping[str, float], now: Instant) -> tuple[str, ...]:
    """Return what `missing` found as sentences."""
    return tuple(one.sentence for one in missing(session, watched, now))
