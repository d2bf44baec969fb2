"""How the loops of this process are: asked of each, written into the database for whoever wants to know."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from hub.errors import StorageError
from hub.model.instant import Instant
from hub.ports import Clock, Health
from hub.runtime.supervisor import LoopState, LoopStatus
from hub.runtime.threads import in_thread
from hub.runtime.wake import Wake
from hub.services.instance import is_gone, is_here, this_process
from hub.services.status import SILENT_AFTER_S
from hub.storage import components
from hub.storage.components import Component
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
        self._began: Instant | None = None
        self._is_settled = False
        self._failure: str | None = None

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
            try:
                self.report()
            except StorageError as error:  # kept in mind and tried again: whoever asks this process is told by `alarms`
                log.warning("state of the loops not written", reason=str(error))
            self._wake.sleep(REPORT_S)

    def alarms(self) -> tuple[str, ...]:
        """Return what cannot be written into the database, because it takes nothing; callable from any thread."""
        failure = self._failure
        return () if failure is None else (f"the state database cannot be written: {failure}",)

    def report(self) -> None:
        """Write down how all loops are now.

        Raises
        ------
        StorageError
            The database does not take it.
        """
        said = [(status.name, self._health(status)) for status in self._statuses()]
        now = self._clock()
        began = self._began or now
        try:
            with self._store.transaction() as session:
                replaced = self._predecessors(components.listing(session), [name for name, _ in said], began, now)
                components.forget(session, replaced)
                components.report(session, self._instance, said, now)
        except StorageError as error:
            self._failure = str(error)
            raise
        self._failure = None
        self._is_settled = self._is_settled or now.minus(began) > SILENT_AFTER_S
        self._began = began

    def _predecessors(
        self, known: Sequence[Component], names: Collection[str], began: Instant, now: Instant
    ) -> list[tuple[str, str]]:
        """Return the loops of earlier processes that this one takes the place of.

        At its start those that said farewell, and those of this host whose process is gone. A process of this host of which that
        cannot be told (a container that was restarted) is one if it has not been heard of since, a minute later. One that
        disappears while this process runs is missed, not replaced.
        """
        others = [one for one in known if one.name in names and one.instance != self._instance]
        if self._began is None:
            return [(one.name, one.instance) for one in others if one.state == components.STOPPED or is_gone(one.instance)]
        if self._is_settled or now.minus(began) <= SILENT_AFTER_S:
            return []
        return [(one.name, one.instance) for one in others if is_here(one.instance) and one.updated <= began]

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
