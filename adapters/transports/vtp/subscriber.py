"""A subscription to a VTP broker: comes back after every fault, and acknowledges an event only when it is safe.

VTP has no memory: a broker does not repeat what a subscriber missed. So what has arrived is never thrown away because the
store is in trouble; it is kept in memory and handed in again, with the connection closed so that nothing more comes. And each
time without a connection is written down as a gap, also when the hub itself was not running: until when the broker was heard is
written down while it is.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Literal

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapters.transports.vtp import messages
from adapters.transports.vtp.filters import MAX_FILTERS, PARAM, XPATH_PARAM, checked
from adapters.transports.vtp.frames import MAX_BYTES
from adapters.transports.vtp.handing_in import envelope_of, hand_in
from adapters.transports.vtp.link import LOCAL_IVO, Link, LocalIvo, Lost, MessageBytes, connected
from adapters.transports.vtp.messages import EventHead, TransportMessage, TransportRole
from hub.errors import DecodeError, StorageError, Transient
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.ports import Accept, Health, Incident, PartContext, PushSource

KIND = "vtp-subscriber"
"""In the settings."""

MAX_HELD = 64
"""Most events that have arrived and are not stored yet; when there are as many, nothing more is read."""

NOTE_S = 10.0
"""How often it is written down until when the broker was heard, seconds; after a crash a gap begins so much too early at most."""

_FIRST_WORD_S = 2.0

log = structlog.get_logger()


class Options(BaseModel):
    """Where to subscribe and how."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = Field("127.0.0.1", min_length=1, description="Name or address of the broker")
    port: int = Field(8099, ge=1, le=65535, description="TCP port for subscribers")
    local_ivo: LocalIvo | None = Field(None, description=LOCAL_IVO)
    trust: Literal["trusted", "untrusted"] = Field(
        "untrusted", description="Whether its events may lead to announcements and follow-up; VTP knows no signatures"
    )
    filters: tuple[Annotated[str, AfterValidator(checked)], ...] = Field(
        (), max_length=MAX_FILTERS, description="What to ask another hub for; an event that passes one of them comes"
    )
    xpath_filters: tuple[Annotated[str, Field(max_length=2_000)], ...] = Field(
        (), max_length=MAX_FILTERS, description="The same for a Comet broker, in XPath, which that broker evaluates"
    )
    silence_s: float = Field(120.0, gt=0, le=86_400, description="A broker that is silent for so long is left, seconds")
    connect_timeout_s: float = Field(20.0, gt=0, le=300, description="How long to wait for a connection, seconds")
    first_pause_s: float = Field(1.0, gt=0, le=3600, description="Before the second try to connect, seconds; doubles each time")
    longest_pause_s: float = Field(300.0, gt=0, le=86_400, description="Longest pause between two tries, seconds")
    healthy_s: float = Field(
        60.0, ge=0, le=86_400, description="A connection that lived for so long begins anew with short pauses, seconds"
    )
    max_message_bytes: MessageBytes = MAX_BYTES

    @model_validator(mode="after")
    def _pauses_grow(self) -> "Options":
        if self.longest_pause_s < self.first_pause_s:
            raise ValueError("longest_pause_s is shorter than first_pause_s")
        return self


class Pauses:
    """Growing pauses with jitter, so that many subscribers of a broker that comes back do not all come at once."""

    def __init__(self, first_s: float, longest_s: float, *, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._uniform = uniform
        self.n_failed = 0
        """Failures in a row."""

    def reset(self) -> None:
        """Begin anew."""
        self.n_failed = 0

    def next_s(self) -> float:
        """Return the next pause, seconds: between half and all of what the number of failures makes of it."""
        whole = min(self._longest_s, self._first_s * 2.0 ** min(self.n_failed, 40))
        self.n_failed += 1
        return whole * self._uniform(0.5, 1.0)


class VtpSubscriber:
    """Listens to one broker."""

    def __init__(self, options: Options, context: PartContext) -> None:
        self._options = options
        self._context = context
        self._local_ivo = options.local_ivo or f"ivo://{context.authority}"
        self._log = log.bind(source=context.name, broker=f"{options.host}:{options.port}")
        self._pauses = Pauses(options.first_pause_s, options.longest_pause_s)
        self._held: deque[tuple[str, Envelope]] = deque()  # ivorn and event: arrived, but not durable yet
        self._state = "starting"
        self._trouble = ""
        self._store_trouble = ""
        self._listening_since_s: float | None = None  # of the monotonic clock
        self._connected_at: Instant | None = None
        self._last_message_at: Instant | None = None
        self._last_event_at: Instant | None = None
        self._heard_until: Instant | None = None  # the beginning of a gap that is not written down yet
        self._has_recalled = False
        self._counts: Counter[str] = Counter()

    async def run(self, accept: Accept, stop: asyncio.Event) -> None:
        """Listen until told to stop."""
        while not stop.is_set():
            self._listening_since_s = None
            trouble = store_trouble = ""
            try:
                await self._recall()
                await self._connect_and_listen(accept, stop)
            except StorageError as error:
                store_trouble = str(error)
            except Transient as error:
                trouble = str(error)
            if self._connected_at is not None:
                self._heard_until = self._heard()
                self._connected_at = None
                await self._note_heard(self._heard_until)
            if stop.is_set():
                break
            if self._lived_s() >= self._options.healthy_s:
                self._pauses.reset()
            pause_s = self._pauses.next_s()
            self._state, self._trouble, self._store_trouble = "waiting", trouble, store_trouble
            self._log.warning(
                "not listening to the broker",
                reason=trouble or store_trouble,
                failures=self._pauses.n_failed,
                held=len(self._held),
                pause_s=round(pause_s, 3),
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await stop.wait()
        if self._held:
            self._log.error("events that have arrived are not stored", held=len(self._held))
        self._state = "stopped"

    def health(self) -> Health:
        """Return how the subscription is."""
        alarms = []
        broker = f"{self._options.host}:{self._options.port}"
        if self._trouble and self._connected_at is None and self._state != "stopped":
            alarms.append(
                f"There is no connection to the broker {broker}: {self._trouble} (failure {self._pauses.n_failed} in a row)."
            )
        if self._store_trouble:
            alarms.append(f"{len(self._held)} events from {broker} have arrived and cannot be stored: {self._store_trouble}.")
        return Health(
            state=self._state,
            alarms=tuple(alarms),
            facts={
                "broker": broker,
                "connected_at": _iso(self._connected_at),
                "last_message_at": _iso(self._last_message_at),
                "last_event_at": _iso(self._last_event_at),
                "held": len(self._held),
                **{name: self._counts[name] for name in ("connections", "events", "stored", "duplicates", "dead", "iamalive")},
            },
        )

    def _lived_s(self) -> float:
        """Return how long the last connection lived, seconds; negative where there was none."""
        return -1.0 if self._listening_since_s is None else time.monotonic() - self._listening_since_s

    async def _connect_and_listen(self, accept: Accept, stop: asyncio.Event) -> None:
        await self._hand_in_held(accept, link=None)
        self._state = "connecting"
        options = self._options
        async with connected(
            options.host, options.port, timeout_s=options.connect_timeout_s, max_bytes=options.max_message_bytes
        ) as link:
            await self._note_gap()
            await self._listen(link, accept, stop)

    async def _recall(self) -> None:
        """Ask, once, until when the broker was heard before this start."""
        if not self._has_recalled:
            self._heard_until = await asyncio.to_thread(self._context.last_heard)
            self._has_recalled = True

    async def _note_gap(self) -> None:
        if self._heard_until is None:
            return
        start, end = self._heard_until.to_utc_iso(), self._context.clock().to_utc_iso()
        gap = Incident(
            kind="gap",
            subject=f"{self._options.host}:{self._options.port}/{start}",
            text=f"Nothing was heard from the broker {self._options.host}:{self._options.port} between {start} and {end}, "
            "and it does not repeat what it sent in that time.",
            facts={"broker": f"{self._options.host}:{self._options.port}", "start": start, "end": end},
        )
        await asyncio.to_thread(self._context.report, gap)
        self._heard_until = None

    def _heard(self) -> Instant:
        """Return until when the broker was heard on this connection."""
        assert self._connected_at is not None
        return max(self._connected_at, self._last_message_at or self._connected_at)

    async def _note_heard(self, until: Instant) -> None:
        """Write down until when the broker was heard; a store in trouble makes the next gap begin too early, and no more."""
        try:
            await asyncio.to_thread(self._context.heard, until)
        except StorageError as error:
            self._log.warning("not written down until when the broker was heard", reason=str(error))

    async def _keep_notes(self) -> None:
        """Write down until when the broker was heard, as long as it is."""
        noted: Instant | None = None
        while True:
            if (until := self._heard()) != noted:
                await self._note_heard(until)
                noted = until
            await asyncio.sleep(NOTE_S)

    async def _listen(self, link: Link, accept: Accept, stop: asyncio.Event) -> None:
        """Read and store side by side, so that a slow store does not make this end look dead, until one of them must end."""
        self._listening_since_s = time.monotonic()
        self._connected_at = self._context.clock()
        self._counts["connections"] += 1
        self._state = "listening"
        self._trouble = self._store_trouble = ""
        self._log.info("listening to the broker")
        room = asyncio.Semaphore(MAX_HELD)
        arrived, ended = asyncio.Event(), asyncio.Event()
        reading = asyncio.create_task(self._read(link, room, arrived))
        storing = asyncio.create_task(self._store(link, accept, room, arrived, ended))
        noting = asyncio.create_task(self._keep_notes())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((reading, storing, stopping), return_when=asyncio.FIRST_COMPLETED)
            await _cancelled(reading, stopping)
            # What has arrived is stored, and acknowledged as far as the peer still hears it.
            ended.set()
            arrived.set()
            await asyncio.wait((storing,))
        finally:
            await _cancelled(reading, storing, stopping, noting)
        for task in (storing, reading):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _read(self, link: Link, room: asyncio.Semaphore, arrived: asyncio.Event) -> None:
        while True:
            try:
                frame = await link.receive(idle_s=self._options.silence_s)
            except TimeoutError as error:
                raise Lost(f"the broker was silent for {self._options.silence_s:g} s") from error
            self._last_message_at = self._context.clock()
            try:
                message = messages.read(frame)
            except DecodeError as error:
                # It goes to the hub nevertheless, which keeps it with the reason.
                self._log.warning("unreadable message", reason=str(error), n_bytes=len(frame))
                message = EventHead(ivorn=messages.ivorn_in(frame), role="", version="")
            match message:
                case TransportMessage():
                    await self._answer(link, message)
                case EventHead(ivorn=ivorn):
                    await room.acquire()
                    self._held.append((ivorn, self._envelope(frame)))
                    self._counts["events"] += 1
                    self._last_event_at = self._last_message_at
                    arrived.set()

    async def _answer(self, link: Link, message: TransportMessage) -> None:
        local, now = self._local_ivo, self._context.clock()
        match message.role:
            case TransportRole.IAMALIVE:
                self._counts["iamalive"] += 1
                await link.send(messages.iamalive(local, now, to=message.origin))
            case TransportRole.AUTHENTICATE:
                wanted = [(PARAM, text) for text in self._options.filters]
                wanted += [(XPATH_PARAM, text) for text in self._options.xpath_filters]
                await link.send(messages.authenticate(local, now, to=message.origin, params=tuple(wanted)))
            case TransportRole.ACK | TransportRole.NAK:
                self._log.debug("the broker answers where nothing was asked", role=message.role.value)

    async def _store(
        self, link: Link, accept: Accept, room: asyncio.Semaphore, arrived: asyncio.Event, ended: asyncio.Event
    ) -> None:
        while not ended.is_set():
            await arrived.wait()
            arrived.clear()
            await self._hand_in_held(accept, link=link, room=room)

    async def _hand_in_held(self, accept: Accept, *, link: Link | None, room: asyncio.Semaphore | None = None) -> None:
        """Store what has arrived, in order, and acknowledge each event where its connection still lives."""
        while self._held:
            ivorn, envelope = self._held[0]
            acceptance = await hand_in(accept, envelope)
            self._held.popleft()
            self._counts[{"stored": "stored", "duplicate": "duplicates"}.get(acceptance.state, "dead")] += 1
            if room is not None:
                room.release()
            if link is not None:
                # Also a duplicate and what the hub refuses: a broker cuts those who say no (VTP 2.0, 6.4).
                with suppress(Lost):
                    await link.send(messages.ack(self._local_ivo, self._context.clock(), ivorn=ivorn))
        self._store_trouble = ""

    def _envelope(self, payload: bytes) -> Envelope:
        return envelope_of(payload, source=self._context.name, received_at=self._context.clock(), trust=self._options.trust)


@contextmanager
def open_source(options: Options, context: PartContext) -> Iterator[PushSource]:
    """Give a subscription; it connects when it runs."""
    yield VtpSubscriber(options, context)


def check(options: Options, context: PartContext) -> list[str]:
    """Connect once and return what is wrong, in sentences."""
    return asyncio.run(_complaints(options))


async def _complaints(options: Options) -> list[str]:
    broker = f"{options.host}:{options.port}"
    try:
        async with connected(
            options.host, options.port, timeout_s=options.connect_timeout_s, max_bytes=options.max_message_bytes
        ) as link:
            messages.read(await link.receive(idle_s=_FIRST_WORD_S))
    except TimeoutError:  # it need not say anything before its first iamalive
        return []
    except Transient as error:
        advice = "; perhaps its list of those who may subscribe lacks this address" if "closed" in str(error) else ""
        return [f"The broker {broker} cannot be subscribed to: {error}{advice}."]
    except DecodeError as error:
        return [f"What answers at {broker} is no VTP broker: {error}."]
    return []


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel what still runs, and wait for the end of all."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _iso(moment: Instant | None) -> str | None:
    return None if moment is None else moment.to_utc_iso()
