"""A port for authors: each event is answered with ack once it is safe, or with nak and the reason."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field

from adapters.transports.vtp import messages
from adapters.transports.vtp.admission import Admission, AllowList, RateLimit
from adapters.transports.vtp.frames import MAX_BYTES, BadFrame
from adapters.transports.vtp.handing_in import envelope_of, hand_in
from adapters.transports.vtp.link import LOCAL_IVO, Link, LocalIvo, Lost, MessageBytes
from adapters.transports.vtp.listening import Port, complaints, listening
from adapters.transports.vtp.messages import EventHead, TransportMessage, TransportRole
from hub.errors import DecodeError, StorageError
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.ports import Accept, Health, PartContext, PushSource

KIND = "vtp-receiver"
"""In the settings."""

PREVIOUSLY_SEEN = "Previously seen by this broker"
"""Reason of a nak for a duplicate; Comet's words, which authors' scripts may look for."""

_GRACE_S = 10.0  # for conversations in hand, at the end

log = structlog.get_logger()


class Options(BaseModel):
    """Where authors may send to, and which of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on")
    port: int = Field(8098, ge=0, le=65535, description="TCP port to listen on; 0 for any free one")
    allow: AllowList = ()
    local_ivo: LocalIvo | None = Field(None, description=LOCAL_IVO)
    trust: Literal["trusted", "untrusted"] = Field(
        "untrusted",
        description="Whether events may lead to announcements and follow-up; whoever may connect may claim to be anybody",
    )
    duplicates: Literal["ack", "nak"] = Field(
        "ack", description="Answer to an event that is stored already: ack, or nak as Comet does"
    )
    author_timeout_s: float = Field(20.0, gt=0, le=3600, description="How long an author may take to send an event, seconds")
    events_per_connection: int = Field(100, ge=1, le=100_000, description="Most events of one connection; the protocol knows one")
    events_per_minute: float = Field(120.0, gt=0, le=1e6, description="Most events a minute from one address")
    max_connections: int = Field(64, ge=1, le=10_000, description="Most connections at once")
    max_per_address: int = Field(16, ge=1, le=10_000, description="Most connections at once from one address")
    max_message_bytes: MessageBytes = MAX_BYTES


class VtpReceiver:
    """Listens for authors."""

    def __init__(self, options: Options, context: PartContext) -> None:
        self._options = options
        self._context = context
        self._local_ivo = options.local_ivo or f"ivo://{context.authority}"
        self._log = log.bind(source=context.name)
        self._admission = Admission(
            options.allow, max_connections=options.max_connections, max_per_address=options.max_per_address
        )
        self._rate = RateLimit(options.events_per_minute)
        self._state = "starting"
        self._port: int | None = None
        self._store_trouble = ""
        self._last_event_at: Instant | None = None
        self._last_refusal = ""
        self._counts: Counter[str] = Counter()

    async def run(self, accept: Accept, stop: asyncio.Event) -> None:
        """Listen until told to stop; events that are half stored then are finished and answered.

        Raises
        ------
        Transient
            The port cannot be listened on.
        """
        port = _port(self._options)
        async with listening(
            port, self._admission, lambda link: self._converse(link, accept, stop), grace_s=_GRACE_S
        ) as self._port:
            self._state = "listening"
            self._log.info("listening for authors", host=port.host, port=self._port, allow=list(self._options.allow))
            await stop.wait()
        self._state = "stopped"

    def health(self) -> Health:
        """Return how the port is."""
        alarms = []
        if not self._options.allow:
            alarms.append("No author may connect: the list 'allow' is empty.")
        if self._store_trouble:
            alarms.append(f"Events of authors cannot be stored and are refused: {self._store_trouble}.")
        return Health(
            state=self._state,
            alarms=tuple(alarms),
            facts={
                "host": self._options.host,
                "port": self._port,
                "connections": self._admission.n_open,
                "connections_refused": self._admission.n_refused,
                "last_event_at": None if self._last_event_at is None else self._last_event_at.to_utc_iso(),
                "last_refusal": self._last_refusal or None,
                **{name: self._counts[name] for name in ("events", "stored", "duplicates", "dead", "too_many", "broken")},
            },
        )

    async def _converse(self, link: Link, accept: Accept, stop: asyncio.Event) -> None:
        """Take events one after another until the author has no more."""
        bound = self._log.bind(author=link.peer)
        try:
            for _ in range(self._options.events_per_connection):
                frame = await self._next(link, stop)
                if frame is None or not await self._answer(link, frame, accept):
                    return
        except BadFrame as error:
            self._counts["broken"] += 1
            bound.warning("author does not speak the protocol", reason=str(error))
            await self._refuse(link, messages.UNREADABLE, str(error))
            await link.linger()
        except (Lost, TimeoutError) as error:
            bound.debug("author is gone", reason=str(error) or f"nothing came for {self._options.author_timeout_s:g} s")

    async def _next(self, link: Link, stop: asyncio.Event) -> bytes | None:
        """Return the next message, None where the hub stops before it has come."""
        reading = asyncio.create_task(link.receive(idle_s=None))
        stopping = asyncio.create_task(stop.wait())
        try:
            async with asyncio.timeout(self._options.author_timeout_s):
                await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else None
        finally:
            for task in (reading, stopping):
                task.cancel()
            await asyncio.wait((reading, stopping))

    async def _answer(self, link: Link, frame: bytes, accept: Accept) -> bool:
        """Answer one message; return whether another may follow."""
        local = self._local_ivo
        try:
            message = messages.read(frame)
        except DecodeError:  # the hub keeps it and says why it is refused
            message = EventHead(ivorn=messages.ivorn_in(frame), role="", version="")
        if isinstance(message, TransportMessage):
            if message.role is TransportRole.IAMALIVE:
                await link.send(messages.iamalive(local, self._context.clock(), to=message.origin))
            return True
        if not self._rate.allows(link.address):
            self._counts["too_many"] += 1
            self._last_refusal = f"{link.address} sends more than {self._options.events_per_minute:g} events a minute"
            await self._refuse(link, message.ivorn, f"more than {self._options.events_per_minute:g} events a minute")
            return False
        self._counts["events"] += 1
        self._last_event_at = self._context.clock()
        try:
            acceptance = await hand_in(accept, self._envelope(frame))
        except StorageError as error:
            self._store_trouble = str(error)
            self._log.error("an event of an author cannot be stored", ivorn=message.ivorn, reason=str(error))
            await self._refuse(link, message.ivorn, "the event cannot be stored now; send it again later")
            return False
        self._store_trouble = ""
        self._counts[{"stored": "stored", "duplicate": "duplicates"}.get(acceptance.state, "dead")] += 1
        if acceptance.state == "stored" or (acceptance.state == "duplicate" and self._options.duplicates == "ack"):
            await link.send(messages.ack(local, self._context.clock(), ivorn=message.ivorn))
        else:
            reason = PREVIOUSLY_SEEN if acceptance.state == "duplicate" else acceptance.reason
            await self._refuse(link, message.ivorn, f"Event rejected: {reason}")
        return True

    async def _refuse(self, link: Link, ivorn: str, reason: str) -> None:
        with suppress(Lost):
            await link.send(messages.nak(self._local_ivo, self._context.clock(), ivorn=ivorn, reason=reason))

    def _envelope(self, payload: bytes) -> Envelope:
        return envelope_of(payload, source=self._context.name, received_at=self._context.clock(), trust=self._options.trust)


def check(options: Options, context: PartContext) -> list[str]:
    """Try whether the port can be listened on, and return what is wrong, in sentences."""
    return complaints(_port(options), options.allow, "author")


def _port(options: Options) -> Port:
    return Port(host=options.host, port=options.port, max_bytes=options.max_message_bytes)


@contextmanager
def open_source(options: Options, context: PartContext) -> Iterator[PushSource]:
    """Give a port for authors; it is opened when it runs."""
    yield VtpReceiver(options, context)
