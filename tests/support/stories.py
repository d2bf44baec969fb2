"""A running hub that is told one notice after the other in true wire formats, and what it makes of them, in short words."""

import base64
from typing import Any

from hub.bootstrap import Hub
from hub.model.coincidence import Candidate, Coincidence
from hub.model.envelope import Envelope, Trust
from hub.model.notice import CiteKind
from hub.storage import announced, candidates, coincidences, outbox
from tests.support.flow_checks import check_books, check_what_left
from tests.support.json_notices import as_bytes, igwn_alert
from tests.support.small_world import NOW, Sent, after, burst, skymap

FIRST = (150.0, -20.0, 4.0)
NEWER = (153.0, -20.0, 2.5)
BURST = (152.0, -19.5, 3.0)
"""Centres and widths of maps, degrees."""

FERMI = "Fermi-794023391"


def superevent(
    event_id: str,
    kind: str = "PRELIMINARY",
    *,
    issued_s: float = 180.0,
    t0_s: float = 0.0,
    far: float = 1e-9,
    place: tuple[float, float, float] = FIRST,
    fits: bytes | None = None,
) -> Sent:
    """Return an alert about a superevent whose preferred event is so; its map is a Gaussian unless there is a file."""
    event = igwn_alert()["event"] | {
        "time": after(t0_s),
        "far": far,
        "skymap": base64.b64encode(skymap(*place) if fits is None else fits).decode(),
    }
    payload = as_bytes(igwn_alert(superevent_id=event_id, alert_type=kind, time_created=after(issued_s)[:19] + "Z", event=event))
    return Sent(name=f"{event_id} {kind} {issued_s}", payload=payload, topic="igwn.gwalert")


def retracted(event_id: str, issued_s: float = 9_000.0) -> Sent:
    """Return the retraction of a superevent, which carries no event."""
    body = igwn_alert(superevent_id=event_id, alert_type="RETRACTION", time_created=after(issued_s)[:19] + "Z", event=None)
    return Sent(name=f"{event_id} retracted", payload=as_bytes(body), topic="igwn.gwalert")


def fermi(t0_s: float = 2.0, issued_s: float = 60.0, *, place: tuple[float, float, float] = BURST, **changes: Any) -> Sent:
    """Return the burst."""
    payload = burst(794023391, t0_s, issued_s, place, **changes)
    return Sent(name="burst", payload=payload, topic="gcn.notices.fermi.gbm")


class Story:
    """A running hub that is told one message after the other, and what it makes of them."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._n = 0

    def take(self, *sent: Sent) -> None:
        """Take messages in one by one, and send what follows from each."""
        for one in sent:
            self._n += 1
            envelope = Envelope(
                payload=one.payload, source="gcn", received_at=NOW, position=str(self._n), topic=one.topic, trust=Trust.TRUSTED
            )
            self.hub.flow.take([envelope])
            while self.hub.flow.step():
                pass

    def check(self) -> None:
        """All is accounted for, and every message is valid and agrees with what is so."""
        check_books(self.hub, self._n)
        check_what_left(self.hub)

    def pairs(self) -> dict[tuple[str, ...], Coincidence]:
        """Return the newest version of each coincidence, by its members."""
        with self.hub.store.reading() as session:
            return {tuple(member.id for member in one.members): one for one in coincidences.search(session, limit=None)}

    def history(self, *members: str) -> list[Coincidence]:
        """Return all versions of one, the first one first."""
        with self.hub.store.reading() as session:
            return coincidences.history(session, self.pairs()[members].coincidence_id)

    def standing(self) -> set[tuple[str, ...]]:
        """Return the members of all that the world believes, by what was written down of it."""
        names = {one.coincidence_id: members for members, one in self.pairs().items()}
        with self.hub.store.reading() as session:
            return {names[one.coincidence_id] for one in announced.standing(session)}

    def said(self) -> list[str]:
        """Return each message in a line, the oldest first: of which version of which pair, and what it does to earlier ones."""
        names = {one.coincidence_id: "+".join(members) for members, one in self.pairs().items()}

        def short(ivorn: str) -> str:
            name, _, version = ivorn.rpartition("#")[2].rpartition(".")
            return f"{names[name]} {version}"

        with self.hub.store.reading() as session:
            entries = outbox.search(session, limit=None)[::-1]
        return [
            ", ".join(
                [
                    short(entry.outgoing.ivorn),
                    *(
                        f"{cite.kind.value} {short(cite.ivorn)}"
                        for cite in entry.outgoing.cites
                        if cite.kind is not CiteKind.FOLLOWUP
                    ),
                ]
            )
            for entry in entries
        ]

    def payloads(self) -> list[str]:
        """Return all VOEvents, the oldest first."""
        with self.hub.store.reading() as session:
            return [one.outgoing.payload.decode() for one in outbox.search(session, limit=None, with_payload=True)[::-1]]

    def kilonova(self, object_id: str, event_id: str) -> Candidate:
        """Return an object as the kilonova of an event."""
        with self.hub.store.reading() as session:
            found = candidates.of_event(session, event_id)
        (one,) = (one for one in found if one.object_id == object_id and one.hypothesis == "kilonova")
        return one
