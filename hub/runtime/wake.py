"""A sleep that ends early when there is something to do, or when it is time to stop."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Wake:
    """One sleeper and many who may wake it, across threads; what comes while it is awake ends its next sleep at once."""

    def __init__(self) -> None:
        self._called = threading.Event()

    def call(self) -> None:
        """End the sleep."""
        self._called.set()

    def sleep(self, seconds: float) -> None:
        """Sleep until called, but no longer than so many seconds."""
        self._called.wait(seconds)
        self._called.clear()

    @asynccontextmanager
    async def called_by(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Let an event of the event loop end the sleep too, while inside."""

        async def pass_on() -> None:
            await stop.wait()
            self.call()

        task = asyncio.create_task(pass_on())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
