"""From a source into the flow: what it brings is stored, then written down as its place, then acknowledged, in this order.

A pull source has a thread of its own. One of alert packets gives them by the batch: its place is written down with the books, and
a batch that the store does not take is tried again while the source keeps its place in the group. A push source runs in the event
loop and hands each message to a thread; it acknowledges to its sender once that has come back.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial

from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.model.packets import PacketBatch
from hub.ports import Acceptance, Health, MessageSource, PacketSource, Position, PushSource
from hub.runtime.memory import GivesBack
from hub.runtime.patience import PatientWork, Stopped
from hub.runtime.threads import in_thread
from hub.services.alert_meter import AlertMeter
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

MAX_LAG_S = 600.0
"""With alerts older than this, seconds, only their rows are kept."""


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
    meter
        Counts alerts; what the loop tells of them.
    max_lag_s
        With alerts older than this, seconds, only their rows are kept, until the source has caught up.
    on_change
        Called when something is wrong or well again that should be told at once.
    """

    def __init__(
        self,
        name: str,
        opened: Opener,
        flow: Flow,
        store: Store,
        *,
        batch: int,
        meter: AlertMeter | None = None,
        max_lag_s: float = MAX_LAG_S,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._opened = opened
        self._flow = flow
        self._store = store
        self._batch = batch
        self._meter = meter
        self._max_lag_s = max_lag_s
        self._on_change = on_change
        self._patient: PatientWork | None = None
        self._shed_at_lag_s: float | None = None
        self._source: MessageSource | PushSource | None = None
        self._n_taken = 0
        self._last: Instant | None = None

    def health(self) -> Health:
        """Return what the source says of itself, and what it brought since the start; callable from any thread."""
        source, last = self._source, self._last
        said = Health(state="starting") if source is None else source.health()
        facts = {**said.facts, "taken": self._n_taken, "last_taken_at": None if last is None else last.to_utc_iso()}
        alarms, state = said.alarms, said.state
        if self._patient is not None:
            failure = self._patient.failure
            facts["store_failures"] = self._patient.n_failures
            state = "waiting for the store" if failure is not None else "storing slowly" if self._patient.is_slow else state
            alarms += () if failure is None else (f"nothing is taken in, because it cannot be stored: {failure}",)
            alarms += () if self._shed_at_lag_s is None else (self._shedding(self._shed_at_lag_s),)
            facts |= self._meter.facts() if self._meter is not None else {}
        return replace(said, state=state, alarms=alarms, facts=facts)

    def _shedding(self, lag_s: float) -> str:
        return (
            f"alerts are {lag_s:.0f} s old when they come, more than {self._max_lag_s:.0f} s: their rows are kept, but neither"
            " the packets of those that match nor what brokers say of objects"
        )

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
            elif isinstance(source, PacketSource):
                await in_thread(self._name, lambda: self._listen_to_packets(source, stop))
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

    def _listen_to_packets(self, source: PacketSource, stop: asyncio.Event) -> None:
        """Take a batch, store it with its place, match it, acknowledge. A stop leaves it undone, and it comes again."""
        self._patient = patient = PatientWork(stop.is_set, on_change=self._on_change)
        heaps = GivesBack()
        while not stop.is_set():
            batch = source.take_packets(self._batch, WAIT_S)
            runs = source.positions()
            if stop.is_set():
                return
            if batch is None and not runs:
                continue
            in_full = self._keeps_up(source)
            try:
                patient.do(source, partial(self._take_packets, batch, runs, in_full))
            except Stopped:
                return
            batch = None  # before the next one comes: two of them would be in memory
            source.acknowledge()
            heaps.now_and_then()

    def _keeps_up(self, source: PacketSource) -> bool:
        """Return whether there is time for more than the rows: whether what comes is not too old already."""
        lag_s = source.health().facts.get("lag_s")
        was_shedding = self._shed_at_lag_s is not None
        self._shed_at_lag_s = lag_s if isinstance(lag_s, float) and lag_s > self._max_lag_s else None
        if was_shedding != (self._shed_at_lag_s is not None):
            log.warning("overload" if self._shed_at_lag_s else "overload is over", source=self._name, lag_s=lag_s)
            self._on_change()
        return self._shed_at_lag_s is None

    def _take_packets(self, batch: PacketBatch | None, runs: Sequence[Position], in_full: bool) -> None:
        if batch is None:  # places of nothing: where a partition is taken up, or what had no content
            self._flow.take_up(self._name, runs)
            return
        report = self._flow.take_packets(batch, runs, in_full=in_full)
        self._n_taken += len(batch)
        self._last = batch.received_at
        if self._meter is not None:
            self._meter.note(report.intake, n_matched=report.correlation.matched_alerts, in_full=in_full)

    async def _accept(self, envelope: Envelope) -> Acceptance:
        outcome = (await in_thread(f"{self._name} takes", lambda: self._take([envelope])))[0]
        return Acceptance(state=outcome.state.value, reason=outcome.reason)

    def _take(self, envelopes: Sequence[Envelope]) -> tuple[Outcome, ...]:
        report = self._flow.take(envelopes)
        self._n_taken += len(envelopes)
        self._last = envelopes[-1].received_at
        return report.outcomes
