"""What somebody believes who reads every message of a destination and does what it says: adds, replaces, takes back."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hub.model.notice import Citation, CiteKind
from hub.model.outgoing import Outgoing, Subject

SAID_ANEW = ("ivorn", "issued_at", "version", "supersedes", "retracts", "cites")
"""What differs between two messages that say the same of the same pair, in the JSON of a hub."""


def own_cites(message: Outgoing) -> list[Citation]:
    """Return what a message does to earlier ones of the hub."""
    return [one for one in message.cites if one.kind is not CiteKind.FOLLOWUP]


@dataclass(kw_only=True)
class Reader:
    """Reads the messages of one destination in the order in which they were sent; what makes no sense is an error."""

    heard: dict[str, Outgoing] = field(default_factory=dict)
    """Every message, by its ivorn."""

    believed: dict[str, Outgoing] = field(default_factory=dict)
    """Those that nothing took back or replaced, by ivorn; retractions are no belief."""

    taken_back: list[str] = field(default_factory=list)
    """Ivorns of what was retracted, in that order."""

    def hear(self, messages: Iterable[Outgoing]) -> None:
        """Read messages, those that were heard before left out."""
        for one in messages:
            if one.ivorn not in self.heard:
                self._hear(one)

    def _hear(self, one: Outgoing) -> None:
        retracts = one.subject == Subject.RETRACTION
        for cite in own_cites(one):
            assert cite.ivorn in self.heard, f"{one.ivorn} cites {cite.ivorn}, which this reader was never sent"
            assert (cite.kind is CiteKind.RETRACTION) is retracts
            if retracts:
                assert cite.ivorn in self.believed, f"{one.ivorn} takes back {cite.ivorn}, which nobody believes any more"
                self.taken_back.append(cite.ivorn)
            self.believed.pop(cite.ivorn, None)
        self.heard[one.ivorn] = one
        if not retracts:
            self.believed[one.ivorn] = one

    def says(self) -> dict[str, Any]:
        """Return the content of what is believed, by the coincidence, for messages in the hub's own JSON."""
        found = {}
        for ivorn, one in self.believed.items():
            content = json.loads(one.payload)
            name = ivorn.rpartition("#")[2].rpartition(".")[0]
            assert name not in found, f"{name} is believed twice"
            found[name] = {key: value for key, value in content.items() if key not in SAID_ANEW}
        return found


def readers_of(messages: Iterable[Outgoing]) -> dict[str, Reader]:
    """Return a reader for each destination, who has read everything that went there; the oldest message comes first."""
    found: dict[str, Reader] = {}
    sent: set[tuple[str, str]] = set()
    for one in messages:
        assert (one.destination, one.ivorn) not in sent, f"{one.ivorn} was sent twice to {one.destination}"
        sent.add((one.destination, one.ivorn))
        found.setdefault(one.destination, Reader()).hear([one])
    return found
