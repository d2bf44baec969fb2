"""Hubs in this process whose destinations are mailboxes, so that tests can carry what one sends to another."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub.bootstrap import Hub, create_database, open_hub
from hub.config import DestinationSection, FollowupSection, HubSection, Settings, SourceSection
from hub.model.envelope import Envelope, Trust
from hub.services.intake import Outcome
from hub.storage import envelopes, outbox
from hub.storage.outbox import OutboxEntry
from tests.contracts.sink import Mailbox
from tests.support import small_world as world
from tests.support.json_notices import as_bytes, icecube

HERE = (150.0, -20.0, 1.0)
STORY = (
    world.burst(794023391, 2.0, 60, HERE),
    as_bytes(
        icecube(
            id=["141234_5678901_0"],
            trigger_time=world.after(100.0),
            alert_datetime=world.after(150),
            ra=HERE[0],
            dec=HERE[1],
            ra_dec_error=HERE[2],
        )
    ),
    world.burst(794023391, 2.0, 7000, HERE, alert_type="retraction", subtype="FINAL_POSITION", record_number=9),
)
"""A burst and a neutrino, which is told, then the retraction of the burst, which retracts that."""


def settings_for(
    folder: Path,
    *,
    authority: str = "example.org/mmhub",
    destinations: Mapping[str, Mapping[str, Any]],
    echo_of: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of a hub without telescopes; ``echo_of`` says of a source which destination it listens to."""
    return Settings(
        hub=HubSection(data_dir=folder, authority=authority),
        followup=FollowupSection(enabled=False),
        sources={
            name: SourceSection.model_validate({"kind": "folder", "path": "in", "echo_of": one})
            for name, one in (echo_of or {}).items()
        },
        destinations={
            name: DestinationSection.model_validate({"kind": "folder", "path": name, **options})
            for name, options in destinations.items()
        },
    )


class Neighbour:
    """An open hub and its mailboxes."""

    def __init__(self, hub: Hub, boxes: Mapping[str, Mailbox], clock: world.Ticking) -> None:
        self.hub = hub
        self.boxes = boxes
        self.clock = clock

    def take(self, *payloads: bytes, source: str = "file", trust: Trust = Trust.TRUSTED) -> list[Outcome]:
        """Take messages in one by one, as a push source does, and send what follows."""
        outcomes = []
        for payload in payloads:
            envelope = Envelope(payload=payload, source=source, received_at=self.clock(), trust=trust)
            outcomes += self.hub.flow.take([envelope]).outcomes
        while self.hub.flow.step():
            pass
        return outcomes

    def sent(self, destination: str) -> list[bytes]:
        """Return what a destination got, in order."""
        return [one.payload for one in self.boxes[destination].got]

    def entries(self) -> list[OutboxEntry]:
        """Return the outbox, the oldest first."""
        with self.hub.store.reading() as session:
            return outbox.search(session, limit=None, with_payload=True)[::-1]

    def law_holds(self) -> bool:
        """Return whether every message is accounted for."""
        with self.hub.store.reading() as session:
            return envelopes.law_holds(envelopes.counts(session))


@contextmanager
def neighbour(folder: Path, clock: world.Ticking | None = None, **words: Any) -> Iterator[Neighbour]:
    """Give a hub of its own in a folder; the words are those of `settings_for`."""
    settings = settings_for(folder, **words)
    tells = clock or world.Ticking()
    boxes = {name: Mailbox() for name in settings.destinations}
    with create_database(settings) as store, open_hub(settings, store, clock=tells, sinks=boxes) as hub:
        yield Neighbour(hub, boxes, tells)
