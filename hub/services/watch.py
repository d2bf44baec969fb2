"""What is checked every minute: that no message is unaccounted for, that places and books agree, that echoes come back."""

from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

from hub.model.instant import Instant
from hub.services import echo
from hub.storage import envelopes, positions, rows


class BookKeeper:
    """Compares the places in the streams with the books since it first looked.

    Every message that a place counts must have been received: a place that runs ahead of the books means that messages were
    passed over. The books may run ahead, since a container of alerts is one message and many entries.
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[int, int]] = {}

    def alarms(self, session: Session, not_messages: Mapping[str, int]) -> list[str]:
        """Return a sentence for each source whose places say more than its books.

        Parameters
        ----------
        session
            Read only.
        not_messages
            For each source how many of its messages had no content (tombstones) since the hub started.
        """
        placed: dict[str, int] = {}
        for place in positions.listing(session):
            placed[place.source] = placed.get(place.source, 0) + place.messages
        received = {one.source: one.received for one in envelopes.counts(session)}
        found = []
        for source, messages in sorted(placed.items()):
            before = self._first.setdefault(source, (messages, received.get(source, 0)))
            brought, booked = messages - before[0], received.get(source, 0) - before[1]
            if brought - not_messages.get(source, 0) > booked:
                found.append(f"source {source} brought {brought} messages since the start, but only {booked} are in the books")
        return found


def law_alarms(session: Session) -> list[str]:
    """Return a sentence for each source with messages that are unaccounted for."""
    return [
        f"the books of source {one.source} do not balance: {one.received} received, but {one.stored} stored,"
        f" {one.duplicates} duplicates, {one.dead_letters} dead letters and {one.in_flight} in flight"
        for one in envelopes.counts(session)
        if not envelopes.law_holds([one])
    ]


def row_alarms(session: Session, count_alerts: Callable[[], int]) -> list[str]:
    """Return a sentence for each kind of rows of which there are fewer than the books count; takes time, so ask once a minute.

    Parameters
    ----------
    session
        Read only.
    count_alerts
        As `hub.storage.rows.missing`.
    """
    found = rows.missing(session, count_alerts)
    sentences = {
        f"{found.contents} messages are marked as stored, but what they said is gone": found.contents,
        f"the books count {found.stored} messages or alerts as stored that are not there": found.stored,
        f"{found.refused} refused messages are there that the books do not count": found.refused,
    }
    return [sentence for sentence, number in sentences.items() if number]


def echo_alarms(session: Session, watched: Mapping[str, float], now: Instant) -> list[str]:
    """Return a sentence for each destination (with its time, seconds) whose messages did not come back."""
    return list(echo.alarms(session, watched, now)) if watched else []
