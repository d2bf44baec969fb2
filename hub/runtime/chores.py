"""Loops that do what is due and sleep in between: follow-up requests, jobs that others left."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from hub.ports import Health
from hub.runtime.threads import in_thread
from hub.runtime.wake import Wake


class Chore:
    """A loop around one function that returns how much it did.

    Parameters
    ----------
    name
        Of its thread.
    work
        Does what is due; called again at once while it did something.
    pause_s
        Longest sleep, seconds.
    on_stop
        Called when it is told to stop: what is under way may end early.
    """

    def __init__(self, name: str, work: Callable[[], int], *, pause_s: float, on_stop: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._work = work
        self._pause_s = pause_s
        self._on_stop = on_stop
        self._n_done = 0
        self.wake = Wake()
        """Called when there may be something to do."""

    def health(self) -> Health:
        """Return how much was done since the start; callable from any thread."""
        return Health(state="running", facts={"done": self._n_done})

    async def body(self, stop: asyncio.Event) -> None:
        """Work until told to stop; a loop body for the supervisor."""

        async def pass_on() -> None:
            await stop.wait()
            self._on_stop()

        telling = asyncio.create_task(pass_on())
        try:
            async with self.wake.called_by(stop):
                await in_thread(self._name, lambda: self._run(stop))
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            done = self._work()
            self._n_done += done
            if not done:
                self.wake.sleep(self._pause_s)
