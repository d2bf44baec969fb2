"""Notices that somebody hands in and waits for: through the same intake as every other, with an answer that names them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields, replace

from hub.model.envelope import Envelope
from hub.services.intake import Outcome
from hub.storage import circulars, notices
from hub.storage.engine import Store
from hub.storage.envelopes import MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken(Outcome):
    """What became of a circular."""

    circular_id: int


Submit = Callable[[Envelope], Awaitable[Outcome]]
"""Takes a message in; when it returns, message and outcome are durable. Raises `StorageError` where that cannot be."""


def submission(store: Store, take: Callable[[Sequence[Envelope]], Sequence[Outcome]]) -> Submit:
    """Return what takes one message in.

    Parameters
    ----------
    store
        Where known notices are looked up.
    take
        Takes envelopes in and returns their outcomes, from any thread: `Intake.accept`, or `Flow.take` where this process
        correlates too.
    """

    def work(envelope: Envelope) -> Outcome:
        (outcome,) = take([envelope])
        if outcome.kind == "circular":
            with store.reading() as session:
                stored = circulars.of_digest(session, envelope.digest)
            said = {one.name: getattr(outcome, one.name) for one in fields(outcome)}
            return Taken(**said, circular_id=stored[0].circular.circular_id) if stored else outcome
        if outcome.state is not MessageState.DUPLICATE or outcome.notice_id is not None:
            return outcome
        with store.reading() as session:
            known = notices.of_digest(session, envelope.digest)
        return replace(outcome, notice_id=known[0].notice_id, event_id=known[0].event_id) if known else outcome

    async def submit(envelope: Envelope) -> Outcome:
        return await asyncio.to_thread(work, envelope)

    return submit
