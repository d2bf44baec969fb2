"""Alerts that wait for their schema: what fetches the schema in the background, and reads them once it is there.

Taking messages in never waits for a schema registry. An alert of a schema that is not here becomes a held letter; this asks for
the schemas of the held letters, one at a time, and takes the letters in again when their schema came, by whatever way.
"""

import threading
import time
from typing import Protocol

from hub.ports import Health
from hub.services.flow import Flow
from hub.storage import deadletters
from hub.storage.engine import Store
from hub.telemetry import get_logger

REPLAYED_AT_A_TIME = 50
"""Letters taken in again in one step."""

SWEEP_S = 300.0
"""Letters that stay held though their schema is there are tried again after this, seconds."""

ASKED_AT_AN_END = 3
"""Schemas that a verb which ends asks for before it does."""

log = get_logger(__name__)


class Schemas(Protocol):
    """Knows schemas by number, and may ask a registry for others."""

    def is_settled(self, schema_id: int) -> bool:
        """Return whether alerts of a number need not wait: its schema is here, or is known to be none that may be used."""
        ...

    def is_due(self, schema_id: int) -> bool:
        """Return whether the registry may be asked for a number now."""
        ...

    def ask(self, schema_id: int) -> bool:
        """Ask the registry for a number; return whether its alerts need not wait any longer."""
        ...


class HeldAlerts:
    """Looks after the held letters; safe to run in several processes."""

    def __init__(self, *, store: Store, flow: Flow, schemas: Schemas) -> None:
        self._store = store
        self._flow = flow
        self._schemas = schemas
        self._behind: dict[int, tuple[str, float]] = {}
        """Of each settled schema the last letter that was tried, and when: one that stays held is not tried again and again."""
        self._n_asked = 0
        self._n_replayed = 0
        self._turn = threading.Lock()

    def step(self) -> int:
        """Take some letters in again whose schema is settled; else ask for one schema; return how much was done.

        Raises
        ------
        StorageError
            The database does not take it; the letters stay held.
        """
        with self._turn:
            return self._replay() or self._ask()

    def finish(self) -> None:
        """Do what can be done at the end of a verb: ask for a few schemas, and take in what waited for them."""
        with self._turn:
            for _ in range(ASKED_AT_AN_END):
                while self._replay():
                    pass
                if not self._ask():
                    return
            while self._replay():
                pass

    def health(self) -> Health:
        """Return how often a schema was asked for and how many letters were taken in again; callable from any thread."""
        return Health(state="running", facts={"asked": self._n_asked, "replayed": self._n_replayed})

    def _waiting(self) -> list[int]:
        with self._store.reading() as session:
            return deadletters.held_schemas(session)

    def _replay(self) -> int:
        for schema_id in self._waiting():
            if not self._schemas.is_settled(schema_id):
                self._behind.pop(schema_id, None)
                continue
            after, at = self._behind.get(schema_id, ("", 0.0))
            if time.monotonic() - at >= SWEEP_S:
                after = ""
            with self._store.reading() as session:
                digests = deadletters.held_of(session, schema_id, after=after, limit=REPLAYED_AT_A_TIME)
            for digest in digests:
                self._flow.replay(digest)
                self._behind[schema_id] = digest, time.monotonic()
            if digests:
                log.info("held alerts taken in again", schema_id=schema_id, n_letters=len(digests))
                self._n_replayed += len(digests)
                return len(digests)
        return 0

    def _ask(self) -> int:
        due = next((one for one in self._waiting() if not self._schemas.is_settled(one) and self._schemas.is_due(one)), None)
        if due is None:
            return 0
        self._n_asked += 1
        self._schemas.ask(due)
        return 1
