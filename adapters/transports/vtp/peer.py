"""One subscriber of the broadcaster: what it wants, what it was sent and what it has answered."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from adapters.transports.vtp import messages
from adapters.transports.vtp.admission import RateLimit
from adapters.transports.vtp.filters import MAX_FILTERS, PARAM, XPATH_PARAM, Filter, Traits, parse, passes
from adapters.transports.vtp.link import Link, Lost
from adapters.transports.vtp.messages import EventHead, TransportMessage, TransportRole
from hub.errors import DecodeError, InvalidRequest, Transient
from hub.ports import Clock
from hub.text import printable

_ANSWERS_PER_MINUTE = 6_000.0  # far more than any peer has to say

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What is expected of every peer."""

    local_ivo: str
    iamalive_s: float
    """Pause between two questions whether it lives, seconds; one unanswered is one too many."""

    max_unacked: int
    """Most events on their way to it; while there are as many the next one waits."""

    queue_size: int
    """Most events that wait for it."""

    introduction_s: float
    """How long a new one may take to say what it wants before it is sent anything, seconds."""


@dataclass(slots=True, eq=False)
class _Sent:
    """An event on its way."""

    payload: bytes
    traits: Traits
    answered: "asyncio.Future[bool]"
    """True once acknowledged or, as it turned out, not wanted; False once refused or the peer lost."""

    sent_at: float = field(default=0.0)
    """Time of the loop, seconds."""


class Peer:
    """A connected subscriber. Lives in one event loop."""

    def __init__(self, link: Link, filters: Sequence[Filter], manners: Manners, clock: Clock) -> None:
        self._link = link
        self._configured = tuple(filters)
        self._asked_for: tuple[Filter, ...] = ()
        self._refused_filters: tuple[str, ...] = ()
        self._manners = manners
        self._clock = clock
        self._log = log.bind(subscriber=link.peer)
        self._rate = RateLimit(_ANSWERS_PER_MINUTE)
        self._waiting: deque[_Sent] = deque()
        self._unacked: deque[_Sent] = deque()
        self._changed = asyncio.Event()
        self._introduced = asyncio.Event()
        self._unanswered = 0
        self._connected_at = clock()
        self._n_acked = 0
        self._n_refused = 0
        self.is_open = True
        """Whether it still listens."""

        self.is_behind = False
        """Whether it once kept others waiting and has not caught up since."""

    async def converse(self) -> None:
        """Talk with it until it is gone or must be dropped."""
        reason = ""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._send())
                group.create_task(self._look_after())
        except* Transient as errors:
            reason = str(errors.exceptions[0])
        finally:
            self.is_open = False
            n_lost = len(self._waiting) + len(self._unacked)
            for event in (*self._waiting, *self._unacked):
                if not event.answered.done():
                    event.answered.set_result(False)
            self._log.info("subscriber is gone", reason=reason, acked=self._n_acked, not_acked=n_lost)

    def wants(self, traits: Traits) -> bool:
        """Return whether an event passes its filters: those of the settings, and those that it asked for itself."""
        return passes(self._configured, traits) and passes(self._asked_for, traits)

    @property
    def is_introduced(self) -> bool:
        """Whether it has said what it wants, or has had time to."""
        return self._introduced.is_set()

    def offer(self, payload: bytes, traits: Traits) -> "asyncio.Future[bool] | None":
        """Put an event into its queue and return what tells of the answer; a peer whose queue is full is dropped (None)."""
        if len(self._waiting) >= self._manners.queue_size:
            self._log.warning("subscriber is too slow", waiting=len(self._waiting))
            self.is_open = False
            self._link.abort()
            return None
        event = _Sent(payload, traits, asyncio.get_running_loop().create_future())
        self._waiting.append(event)
        self._changed.set()
        return event.answered

    async def flushed(self, timeout_s: float) -> None:
        """Wait until everything is sent and answered, or for a while."""
        pending = [event.answered for event in (*self._waiting, *self._unacked)]
        if pending:
            await asyncio.wait(pending, timeout=timeout_s)

    def facts(self) -> dict[str, Any]:
        """Return what to show of it, JSON values."""
        return {
            "peer": self._link.peer,
            "connected_at": self._connected_at.to_utc_iso(),
            "waiting": len(self._waiting),
            "unacked": len(self._unacked),
            "acked": self._n_acked,
            "refused": self._n_refused,
            "introduced": self.is_introduced,
            "filters": len(self._configured) + len(self._asked_for),
            "refused_filters": list(self._refused_filters),
        }

    async def _listen(self) -> None:
        await self._link.send(messages.authenticate(self._manners.local_ivo, self._clock()))
        while True:
            frame = await self._link.receive(idle_s=None)
            if not self._rate.allows(self._link.peer):
                raise Lost(f"it sends more than {_ANSWERS_PER_MINUTE:g} messages a minute")
            try:
                message = messages.read(frame)
            except DecodeError as error:
                self._log.warning("unreadable message", reason=str(error))
                continue
            match message:
                case TransportMessage():
                    self._unanswered = 0
                    self._take(message)
                case EventHead():
                    self._log.warning(
                        "a subscriber sends an event, which belongs to the port for authors", ivorn=printable(message.ivorn)
                    )

    def _take(self, message: TransportMessage) -> None:
        match message.role:
            case TransportRole.ACK:
                self._n_acked += 1
                self._answered(message.origin, was_taken=True)
            case TransportRole.NAK:
                self._n_refused += 1
                self._log.info("event refused", ivorn=printable(message.origin), reason=printable(message.result or ""))
                self._answered(message.origin, was_taken=False)
            case TransportRole.AUTHENTICATE:
                self._asked_for = self._filters_of(message)
                self._introduced.set()
            case TransportRole.IAMALIVE:
                pass

    def _answered(self, ivorn: str, *, was_taken: bool) -> None:
        """Note an answer to an event; one that names none of those under way is taken for the oldest."""
        if not self._unacked:
            return
        event = next((event for event in self._unacked if event.traits.ivorn.lower() == ivorn.lower()), self._unacked[0])
        self._unacked.remove(event)
        if not event.answered.done():
            event.answered.set_result(was_taken)
        if not self._unacked and not self._waiting:
            self.is_behind = False
        self._changed.set()

    def _filters_of(self, message: TransportMessage) -> tuple[Filter, ...]:
        found: list[Filter] = []
        refused: list[str] = []
        for name, text in message.params:
            if name == XPATH_PARAM:
                refused.append(f"XPath is not evaluated, write the filter in the hub's language: {printable(text)[:200]}")
            elif name == PARAM and len(found) < MAX_FILTERS:
                try:
                    found.append(parse(text))
                except InvalidRequest as error:
                    refused.append(str(error))
        for reason in refused:
            self._log.warning("filter refused", reason=reason)
        self._refused_filters = tuple(refused)
        return tuple(found)

    async def _send(self) -> None:
        # What comes before its filters are known would go past them. It need not have any, so this does not wait for long.
        # Not `asyncio.wait_for`: in Python 3.11 it swallows a cancellation that comes together with what it waits for, as when a
        # peer answers and leaves at once.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._manners.introduction_s):
                await self._introduced.wait()
        self._introduced.set()
        while True:
            while self._waiting and len(self._unacked) < self._manners.max_unacked:
                event = self._waiting.popleft()
                if not self.wants(event.traits):  # it was offered before the filters were known
                    if not event.answered.done():
                        event.answered.set_result(True)
                    continue
                event.sent_at = asyncio.get_running_loop().time()
                self._unacked.append(event)
                await self._link.send(event.payload)
            self._changed.clear()
            await self._changed.wait()

    async def _look_after(self) -> None:
        """Ask whether it lives, and leave it when it does not say so or when it acknowledges nothing."""
        while True:
            await asyncio.sleep(self._manners.iamalive_s)
            if self._unanswered:
                raise Lost(f"it has not answered for {self._manners.iamalive_s:g} s")
            oldest_s = asyncio.get_running_loop().time() - self._unacked[0].sent_at if self._unacked else 0.0
            if len(self._unacked) >= self._manners.max_unacked and oldest_s >= self._manners.iamalive_s:
                raise Lost(f"it has not acknowledged {len(self._unacked)} events")
            self._unanswered += 1
            await self._link.send(messages.iamalive(self._manners.local_ivo, self._clock()))
