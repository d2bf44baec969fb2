"""Out of the outbox to one destination, in a thread of its own: at its own pace, and no other waits for it."""

import asyncio
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import replace

from hub.ports import Health, Sink
from hub.runtime.threads import in_thread
from hub.runtime.wake import Wake
from hub.services.dispatch import DispatchReport

LOOK_S = 1.0
"""Longest pause between two looks into the outbox, seconds: other processes write into it too, and cannot wake this one."""


class DispatchLoop:
    """The loop of one destination.

    Parameters
    ----------
    name
        Of the destination in the settings.
    opened
        How to open it, anew with each start.
    sinks
        The open destinations that ``send`` looks up; this loop keeps its own there while it is open.
    send
        Sends what is due to the destination of a name: `Flow.send`.
    """

    def __init__(
        self,
        name: str,
        opened: Callable[[], AbstractContextManager[Sink]],
        sinks: MutableMapping[str, Sink],
        send: Callable[[str], DispatchReport],
    ) -> None:
        self._name = name
        self._opened = opened
        self._sinks = sinks
        self._deliver = send
        self._total = DispatchReport()
        self.wake = Wake()
        """Called when there may be something to send."""

    def health(self) -> Health:
        """Return what the destination says of itself, and what was done since the start; callable from any thread."""
        sink, total = self._sinks.get(self._name), self._total
        said = Health(state="opening") if sink is None else sink.health()
        return replace(said, facts={**said.facts, "sent": total.sent, "delays": total.delayed, "failed": total.failed})

    async def body(self, stop: asyncio.Event) -> None:
        """Open the destination and send what is due until told to stop; a loop body for the supervisor."""
        async with self.wake.called_by(stop):
            await in_thread(self._name, lambda: self._send(stop))

    def _send(self, stop: asyncio.Event) -> None:
        with self._opened() as sink:
            self._sinks[self._name] = sink
            try:
                while not stop.is_set():
                    report = self._deliver(self._name)
                    self._total += report
                    if not report.sent:
                        self.wake.sleep(LOOK_S)
            finally:
                del self._sinks[self._name]
