"""The loops of a running hub: from a source of messages, and out of the outbox."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from hub.model.envelope import Envelope
from hub.ports import Acceptance, MessageSource, PushSource
from hub.runtime.supervisor import LoopBody
from hub.services.flow import Flow, in_batches

STEP_S = 1.0
"""Pause between two looks at the outbox, seconds."""

WAIT_S = 1.0
"""Longest wait for a message before the stop signal is looked at again, seconds."""


def source_loop(opened: Callable[[], AbstractContextManager[MessageSource | PushSource]], flow: Flow, *, batch: int) -> LoopBody:
    """Return the body of a loop that takes in what a source brings, acknowledging each batch once it is stored."""

    async def accept(envelope: Envelope) -> Acceptance:
        report = await asyncio.to_thread(flow.take, [envelope])
        outcome = report.outcomes[0]
        return Acceptance(state=outcome.state.value, reason=outcome.reason)

    async def body(stop: asyncio.Event) -> None:
        def listen(source: MessageSource) -> None:
            while not stop.is_set():
                found = source.take(batch, WAIT_S)
                for some in in_batches(found, batch):
                    flow.take(some)
                if found:
                    source.acknowledge()

        with opened() as source:
            if isinstance(source, PushSource):
                await source.run(accept, stop)
            else:
                await asyncio.to_thread(listen, source)

    return body


def dispatch_loop(flow: Flow) -> LoopBody:
    """Return the body of a loop that sends what is due."""

    async def body(stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not await asyncio.to_thread(flow.step):
                await _pause(stop, STEP_S)

    return body


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
