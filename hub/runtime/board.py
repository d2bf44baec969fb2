"""How the loops of this process are: asked of each, written into the database for whoever wants to know."""

import asyncio
from collections.abc import Callable, Mapping

from hub.errors import StorageError
from hub.ports import Clock, Health
from hub.runtime.supervisor import LoopState, LoopStatus
from hub.runtime.threads import in_thread
from hub.runtime.wake import Wake
from hub.services.instance import this_process
from hub.storage import components
from hub.storage.engine import Store
from hub.telemetry import get_logger

REPORT_S = 10.0
"""Time between two reports, seconds; a loop that changes its state is reported at once."""

log = get_logger("board")


class Board:
    """Collects the state of every loop.

    Parameters
    ----------
    store
        Where reports go.
    clock
        Tells the time of a report.
    healths
        What each loop says of itself while it runs, by its name; loops without are only running or not.
    """

    def __init__(self, store: Store, clock: Clock, healths: Mapping[str, Callable[[], Health]]) -> None:
        self._store = store
        self._clock = clock
        self._healths = healths
        self._statuses: Callable[[], tuple[LoopStatus, ...]] = tuple
        self._wake = Wake()
        self._instance = this_process()

    def watch(self, statuses: Callable[[], tuple[LoopStatus, ...]]) -> None:
        """Say where the states of the loops stand: `Supervisor.status`."""
        self._statuses = statuses

    def changed(self) -> None:
        """Report at once: a loop has changed its state."""
        self._wake.call()

    async def body(self, stop: asyncio.Event) -> None:
        """Report until told to stop; a loop body for the supervisor."""
        async with self._wake.called_by(stop):
            await in_thread("board", lambda: self._run(stop))

    def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.report()
            self._wake.sleep(REPORT_S)

    def report(self) -> None:
        """Write down how all loops are now.

        Raises
        ------
        StorageError
            The database does not take it.
        """
        said = [(status.name, self._health(status)) for status in self._statuses()]
        with self._store.transaction() as session:
            components.report(session, self._instance, said, self._clock())

    def farewell(self) -> None:
        """Write down how all loops have ended; a database that does not take it is no reason not to end."""
        try:
            self.report()
        except StorageError as error:
            log.warning("last report not written", reason=str(error))

    def _health(self, status: LoopStatus) -> Health:
        match status.state:
            case LoopState.RUNNING:
                return self._said(status.name)
            case LoopState.WAITING if status.failures:
                return Health(state="restarting", alarms=(f"it failed {status.failures} times, at last: {status.last_error}",))
            case LoopState.WAITING:
                return Health(state="starting")
            case LoopState.FINISHED:
                return Health(state=components.STOPPED)
            case LoopState.FAILED:
                return Health(state=status.state.value, alarms=(f"it failed and needs a person: {status.last_error}",))

    def _said(self, name: str) -> Health:
        ask = self._healths.get(name)
        try:
            return Health(state="running") if ask is None else ask()
        except Exception as error:  # how it is must never hinder what it does
            log.exception("health cannot be told", loop=name)
            return Health(state="unknown", alarms=(f"it cannot tell how it is: {type(error).__name__}",))
