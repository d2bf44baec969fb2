"""Looks every minute whether anything is unaccounted for."""

import asyncio
import time
from collections.abc import Callable, Mapping

from hub.ports import Clock, Health
from hub.runtime.threads import in_thread
from hub.runtime.wake import Wake
from hub.services.status import ROWS_MISSING
from hub.services.watch import BookKeeper, echo_alarms, law_alarms, row_alarms
from hub.storage.engine import Store
from hub.telemetry import get_logger

LOOK_S = 60.0
"""Time between two looks at the books, seconds."""

ECHO_LOOK_S = 5.0
"""Time between two looks for messages that did not come back, seconds."""

log = get_logger("watch")


class Watch:
    """The loop that checks the others' work.

    Parameters
    ----------
    store
        What is looked at.
    clock
        Tells the present moment.
    count_alerts
        As `hub.storage.rows.missing`.
    echoes
        Destination to the time in which its messages must come back, seconds.
    healths
        What each source of this process says of itself, by its name.
    on_change
        Called once something was found that is not told yet, or that is well again.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        count_alerts: Callable[[], int],
        echoes: Mapping[str, float],
        healths: Mapping[str, Callable[[], Health]],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._count_alerts = count_alerts
        self._echoes = echoes
        self._healths = healths
        self._on_change = on_change
        self._keeper = BookKeeper()
        self._wake = Wake()
        self._of_books: list[str] = []
        self._of_rows: list[str] = []
        self._of_echoes: list[str] = []
        self._looked_at: str | None = None

    def health(self) -> Health:
        """Return what it found last; callable from any thread."""
        facts = {"looked_at": self._looked_at, "echoes_watched": len(self._echoes), ROWS_MISSING: bool(self._of_rows)}
        return Health(state="watching", alarms=(*self._of_rows, *self._of_books, *self._of_echoes), facts=facts)

    async def body(self, stop: asyncio.Event) -> None:
        """Look until told to stop; a loop body for the supervisor."""
        async with self._wake.called_by(stop):
            await in_thread("watch", lambda: self._run(stop))

    def _run(self, stop: asyncio.Event) -> None:
        books_due = time.monotonic()
        while not stop.is_set():
            before = self.health().alarms
            if time.monotonic() >= books_due:
                self.look()
                books_due += LOOK_S
            if self._echoes:
                self._of_echoes = self._told(self.look_for_echoes())
            if self.health().alarms != before:
                self._on_change()
            self._wake.sleep(ECHO_LOOK_S if self._echoes else max(0.0, books_due - time.monotonic()))

    def look(self) -> None:
        """Look at books and rows, and remember what was found."""
        self._of_rows = self._told(self.look_at_rows())
        self._of_books = self._told(self.look_at_books())

    def look_at_books(self) -> list[str]:
        """Return where places and books disagree; that books do not balance is only logged, `/health` sees it by itself."""
        tombstones = {name: int(health().facts.get("tombstones", 0)) for name, health in self._healths.items()}
        with self._store.reading() as session:
            unbalanced = law_alarms(session)
            found = self._keeper.alarms(session, tombstones)
        self._looked_at = self._clock().to_utc_iso()
        for alarm in unbalanced:
            log.error("messages unaccounted for", alarm=alarm)
        return found

    def look_at_rows(self) -> list[str]:
        """Return of what the books count more than there is."""
        with self._store.reading() as session:
            return row_alarms(session, self._count_alerts)

    def look_for_echoes(self) -> list[str]:
        """Return which messages did not come back in time."""
        with self._store.reading() as session:
            return echo_alarms(session, self._echoes, self._clock())

    def _told(self, alarms: list[str]) -> list[str]:
        for alarm in alarms:
            if alarm not in self._of_rows + self._of_books + self._of_echoes:
                log.error("watch", alarm=alarm)
        return alarms
