"""From a source into the flow: what it brings is stored, then written down as its place, then acknowledged, in this order.

A pull source has a thread of its own. A push source runs in the event loop and hands each message to a thread; it acknowledges to
its sender once that has come back.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace

from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.ports import Acceptance, Health, MessageSource, PushSource
from hub.runtime.threads import in_thread
from hub.services.flow import Flow, in_batches
from hub.services.intake import Outcome, is_alert_packet
from hub.storage import positions
from hub.storage.engine import Store
from hub.telemetry import get_logger

log = get_logger("sources")

WAIT_S = 1.0
"""Longest wait for a message before the stop signal is looked at again, seconds."""

NOTICES_AT_ONCE = 50
"""Messages asked for at once while they are no alert packets: each may take half a second, and the last one acknowledges all."""

Opener = Callable[[], AbstractContextManager[MessageSource | PushSource]]
"""Opens the source anew with each start of the loop."""


class SourceLoop:
    """The loop of one source.

    Parameters
    ----------
    name
        Of the source in the settings and in the books.
    opened
        How to open it.
    flow, store
        Where messages and places go.
    batch
        Alerts taken at once.
    """

    def __init__(self, name: str, opened: Opener, flow: Flow, store: Store, *, batch: int) -> None:
        self._name = name
        self._opened = opened
        self._flow = flow
        self._store = store
        self._batch = batch
        self._source: MessageSource | PushSource | None = None
        self._n_taken = 0
        self._last: Instant | None = None

    def health(self) -> Health:
        """Return what the source says of itself, and what it brought since the start; callable from any thread."""
        source, last = self._source, self._last
        said = Health(state="starting") if source is None else source.health()
        facts = {**said.facts, "taken": self._n_taken, "last_taken_at": None if last is None else last.to_utc_iso()}
        return replace(said, facts=facts)

    async def body(self, stop: asyncio.Event) -> None:
        """Open the source and take in what it brings until told to stop; a loop body for the supervisor."""
        stack = ExitStack()
        source = await in_thread(f"open {self._name}", lambda: stack.enter_context(self._opened()))
        self._source = source
        log.info("source opened", source=self._name)
        is_cancelled = False
        try:
            if isinstance(source, PushSource):
                await source.run(self._accept, stop)
            else:
                await in_thread(self._name, lambda: self._listen(source, stop))
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            self._source = None
            if not is_cancelled:  # else its thread still waits somewhere, and closing would wait for that
                await in_thread(f"close {self._name}", stack.close)

    def _listen(self, source: MessageSource, stop: asyncio.Event) -> None:
        """Take, store, note the place, acknowledge. What a stop leaves undone is not acknowledged and comes again."""
        limit = NOTICES_AT_ONCE
        while not stop.is_set():
            found = source.take(limit, WAIT_S)
            runs = source.positions()
            for some in in_batches(found, self._batch):
                if stop.is_set():
                    return
                self._take(some)
            if runs:
                with self._store.transaction() as session:
                    positions.advance(session, self._name, runs)
            if found or runs:
                source.acknowledge()
            limit = self._batch if found and is_alert_packet(found[-1]) else NOTICES_AT_ONCE

    async def _accept(self, envelope: Envelope) -> Acceptance:
        outcome = (await in_thread(f"{self._name} takes", lambda: self._take([envelope])))[0]
        return Acceptance(state=outcome.state.value, reason=outcome.reason)

    def _take(self, envelopes: Sequence[Envelope]) -> tuple[Outcome, ...]:
        report = self._flow.take(envelopes)
        self._n_taken += len(envelopes)
        self._last = envelopes[-1].received_at
        return report.outcomes
