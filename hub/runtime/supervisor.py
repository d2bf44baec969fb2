"""Keeps named loops running side by side: restarts with growing pauses, gives up visibly, stops gracefully.

A loop is handed in as an async function that gets the stop signal and returns soon after it is set. What flows through the
loops is none of the supervisor's business.
"""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from hub.errors import ConfigError, Permanent, StorageError, Transient
from hub.telemetry import get_logger

LoopBody = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set, then returns; returning earlier means that its work is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One thing that must keep running."""

    name: str
    """Unique among the loops of a supervisor."""

    body: LoopBody

    is_background: bool = False
    """Whether it only serves the others: the supervisor ends once all that are not have ended."""


class LoopState(StrEnum):
    """What a loop is doing."""

    WAITING = "waiting"
    """Not started yet, or pausing after a failure."""

    RUNNING = "running"
    FINISHED = "finished"
    """Its work is done, or it stopped when asked to."""

    FAILED = "failed, needs a person"
    """It failed too often, or in a way that no new attempt mends; the other loops go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopStatus:
    """A loop as a health page shows it."""

    name: str
    state: LoopState
    failures: int = 0
    """Failures in a row."""

    last_error: str | None = None
    """The latest failure as one sentence; kept while the loop runs again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How failures are met."""

    first_pause_s: float = 0.5
    """Pause after the first failure, seconds; doubles with each further one in a row, plus up to a quarter at random."""

    longest_pause_s: float = 60.0
    """No pause is longer, seconds."""

    max_failures: int = 12
    """After so many failures in a row a person is needed (about five minutes with the default pauses)."""

    outage_s: float = 86_400.0
    """After so long a person is needed where each failure in a row was a passing one: the other side does not answer, the disk is
    full. An outage of hours must mend itself."""

    healthy_after_s: float = 120.0
    """A loop that ran so long, seconds, begins to count its failures anew."""

    grace_s: float = 20.0
    """Time that loops have to return once they are asked to stop, seconds; then they are cancelled."""

    def pause_s(self, failures: int) -> float:
        """Return the pause after so many failures in a row, seconds."""
        whole = min(self.longest_pause_s, self.first_pause_s * 2.0 ** min(failures - 1, 40))
        return min(self.longest_pause_s, whole * (1 + random.random() / 4))  # noqa: S311 - spreads retries, hides nothing


class Supervisor:
    """Runs loops until all have ended or it is told to stop; use it once."""

    def __init__(
        self, loops: Sequence[Loop], patience: Patience | None = None, *, on_change: Callable[[], None] = lambda: None
    ) -> None:
        names = [loop.name for loop in loops]
        if len(set(names)) != len(names):
            raise ValueError(f"two loops have the same name: {', '.join(sorted(names))}")
        self._loops = tuple(loops)
        self._patience = patience or Patience()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._status = {name: LoopStatus(name=name, state=LoopState.WAITING) for name in names}
        self._on_change = on_change
        self._cancelled: list[str] = []
        self._log = get_logger("supervisor")

    def status(self) -> tuple[LoopStatus, ...]:
        """Return what each loop is doing, in the order they were given."""
        return tuple(self._status.values())

    @property
    def has_failed(self) -> bool:
        """Whether some loop needs a person."""
        return any(status.state is LoopState.FAILED for status in self._status.values())

    @property
    def cancelled(self) -> tuple[str, ...]:
        """Loops that did not return when asked to: threads of theirs may still be waiting somewhere."""
        return tuple(self._cancelled)

    def stop(self) -> None:
        """Ask all loops to return; a second call cancels them at once. Call it from the event loop's own thread."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def run(self) -> None:
        """Run all loops; return when each has finished, failed for good or stopped. SIGTERM and SIGINT call `stop`.

        The failure of a loop is never raised from here: see `status`.
        """
        with _signals(self.stop):
            async with asyncio.TaskGroup() as group:
                tasks = {loop.name: group.create_task(self._keep(loop), name=loop.name) for loop in self._loops}
                working = {tasks[loop.name] for loop in self._loops if not loop.is_background}
                await _first_of(working, self._stopping, None)
                self._stopping.set()
                await _first_of(set(tasks.values()), self._hurry, self._patience.grace_s)
                for name, task in tasks.items():
                    if not task.done():
                        self._log.warning("loop cancelled", loop=name, grace_s=self._patience.grace_s)
                        self._cancelled.append(name)
                        task.cancel()

    async def _keep(self, loop: Loop) -> None:
        failures = surprises = 0
        well_until = time.monotonic()
        while not self._stopping.is_set():
            began = time.monotonic()
            self._note(loop, LoopState.RUNNING, failures)
            try:
                await loop.body(self._stopping)
            except (ConfigError, Permanent) as error:  # no new attempt will mend it
                self._note(loop, LoopState.FAILED, failures + 1, error)
                self._log.error("loop needs a person", loop=loop.name, reason=str(error))
                return
            except Exception as error:  # noqa: BLE001 - one failing loop must not end the others
                moment = time.monotonic()
                healthy = moment - began >= self._patience.healthy_after_s
                if healthy:
                    failures, surprises, well_until = 0, 0, moment
                failures += 1
                passes = isinstance(error, Transient | StorageError)
                surprises += not passes
                if surprises >= self._patience.max_failures or (passes and moment - well_until >= self._patience.outage_s):
                    self._note(loop, LoopState.FAILED, failures, error)
                    self._log.exception("loop failed", loop=loop.name, failures=failures)
                    return
                pause_s = self._patience.pause_s(failures)
                self._note(loop, LoopState.WAITING, failures, error)
                what = {"reason": str(error)} if passes else {"exc_info": error}
                self._log.warning("loop restarts", loop=loop.name, failures=failures, pause_s=round(pause_s, 3), **what)
                await _pause(self._stopping, pause_s)
            else:
                break
        self._note(loop, LoopState.FINISHED, failures)

    def _note(self, loop: Loop, state: LoopState, failures: int, error: Exception | None = None) -> None:
        sentence = self._status[loop.name].last_error if error is None else str(error) or type(error).__name__
        self._status[loop.name] = LoopStatus(name=loop.name, state=state, failures=failures, last_error=sentence)
        self._on_change()


async def _first_of(tasks: set[asyncio.Task[None]], event: asyncio.Event, timeout_s: float | None) -> None:
    """Return when all tasks are done, the event is set or the time is over."""
    waiting = asyncio.ensure_future(event.wait())
    everything = asyncio.ensure_future(asyncio.wait(tasks)) if tasks else None
    try:
        if everything is not None:
            await asyncio.wait({waiting, everything}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in (waiting, everything):
            if future is not None:
                future.cancel()


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until the stop."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


@contextmanager
def _signals(act: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT call a function while inside; they do what they did before afterwards."""
    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(number, act)
            except (NotImplementedError, RuntimeError, ValueError):  # not the main thread, or a system without them
                continue
            caught.append(number)
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
