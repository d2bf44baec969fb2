"""Messages to VTP subscribers: a server in a thread of its own, which no slow or deaf peer can hold up.

VTP has no memory: a subscriber that is away misses what is sent meanwhile. `deliver` returns once every subscriber that wants
the event has it in its queue and had a short time to acknowledge it.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress
from typing import Annotated

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapters.transports.vtp import messages
from adapters.transports.vtp.admission import Admission, AllowList, Cidr, is_in, networks
from adapters.transports.vtp.filters import Traits, checked, parse
from adapters.transports.vtp.link import LOCAL_IVO, Link, LocalIvo
from adapters.transports.vtp.listening import Port, complaints, listening
from adapters.transports.vtp.messages import EventHead
from adapters.transports.vtp.peer import Manners, Peer
from hub.errors import DecodeError, Permanent, Transient
from hub.model.instant import Instant
from hub.model.outgoing import Outgoing
from hub.ports import Health, PartContext, Sink

KIND = "vtp"
"""In the settings."""

COMET_BYTES = 99_999
"""Longest message that Comet reads (Twisted's default), bytes: it hangs up on a longer one."""

INTRODUCTION_S = 1.0
"""How long a new subscriber has to answer with its filters before it is sent anything, seconds; nobody else waits for that."""

_RELAYED = ("1.1", "2.0", "2.1")
_OWN = ("2.0",)
_START_S = 5.0
_GRACE_S = 2.0
_HURRY_S = 10.0  # more than the wait for acks may take
_LONGEST_PAUSE_S = 30.0
_MAX_PEERS_SHOWN = 100

log = structlog.get_logger()


class Options(BaseModel):
    """Where subscribers may connect, which of them, and what they get."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on")
    port: int = Field(8099, ge=0, le=65535, description="TCP port to listen on; 0 for any free one")
    allow: AllowList = ()
    local_ivo: LocalIvo | None = Field(None, description=LOCAL_IVO)
    filters: dict[Cidr, tuple[Annotated[str, AfterValidator(checked)], ...]] = Field(
        default_factory=dict, description="For subscribers of a network, filters of which an event must pass one"
    )
    min_peers: int = Field(0, ge=0, le=1_000, description="With fewer subscribers an event waits; 0 sends it to whoever is there")
    ack_wait_s: float = Field(0.5, ge=0, le=30, description="How long to wait for the acks of an event before the next, seconds")
    iamalive_s: float = Field(60.0, gt=0, le=3600, description="Pause between two questions whether a subscriber lives, seconds")
    max_unacked: int = Field(10, ge=1, le=10_000, description="Most events on their way to one subscriber")
    queue_size: int = Field(1_000, ge=1, le=100_000, description="Most events that wait for one; a slower subscriber is dropped")
    max_connections: int = Field(100, ge=1, le=10_000, description="Most subscribers")
    max_per_address: int = Field(20, ge=1, le=10_000, description="Most subscribers from one address")
    max_message_bytes: int = Field(
        COMET_BYTES, ge=1_000, le=8 << 20, description="Longest event that is sent, bytes; Comet hangs up on more than 99999"
    )


class VtpBroadcaster:
    """Sends to all subscribers. `deliver` and `health` may be called from any thread, the rest runs in the loop."""

    def __init__(self, options: Options, context: PartContext, loop: asyncio.AbstractEventLoop) -> None:
        self._options = options
        self._clock = context.clock
        self._log = log.bind(destination=context.name)
        self._loop = loop
        self._stop = asyncio.Event()
        self._tried = threading.Event()
        self._manners = Manners(
            local_ivo=options.local_ivo or f"ivo://{context.authority}",
            iamalive_s=options.iamalive_s,
            max_unacked=options.max_unacked,
            queue_size=options.queue_size,
            introduction_s=INTRODUCTION_S,
        )
        self._filters = [
            (networks([cidr]), tuple(parse(text) for text in texts)) for cidr, texts in options.filters.items()
        ]  # of the settings, by network
        self._admission = Admission(
            options.allow, max_connections=options.max_connections, max_per_address=options.max_per_address
        )
        self._peers: list[Peer] = []
        self._port: int | None = None
        self._trouble = ""
        self._last_sent_at: Instant | None = None
        self._counts: Counter[str] = Counter()

    def deliver(self, outgoing: Outgoing) -> None:
        """Send an event to every subscriber that wants it.

        Raises
        ------
        Transient
            The port is not open, or fewer subscribers than `min_peers` are there.
        Permanent
            It is nothing that this transport carries.
        """
        traits = self._traits(outgoing)
        sending = asyncio.run_coroutine_threadsafe(self._broadcast(outgoing.payload, traits), self._loop)
        try:
            sending.result(timeout=self._options.ack_wait_s + _HURRY_S)
        except (FutureTimeoutError, CancelledError) as error:
            sending.cancel()
            raise Transient("the broadcaster does not answer") from error

    def health(self) -> Health:
        """Return how the port and its subscribers are."""
        peers = [peer for peer in self._peers if peer.is_open]
        alarms = []
        if self._trouble:
            alarms.append(f"No subscriber can connect: {self._trouble}.")
        if not self._options.allow:
            alarms.append("No subscriber may connect: the list 'allow' is empty.")
        if len(peers) < self._options.min_peers:
            alarms.append(
                f"Events wait: {len(peers)} subscribers are connected, fewer than min_peers = {self._options.min_peers}."
            )
        return Health(
            state="starting" if self._port is None and not self._trouble else "waiting" if self._trouble else "listening",
            alarms=tuple(alarms),
            facts={
                "host": self._options.host,
                "port": self._port,
                "peers": [peer.facts() for peer in peers[:_MAX_PEERS_SHOWN]],
                "connections": len(peers),
                "connections_refused": self._admission.n_refused,
                "last_sent_at": None if self._last_sent_at is None else self._last_sent_at.to_utc_iso(),
                **{name: self._counts[name] for name in ("events", "offered", "acked", "not_acked")},
            },
        )

    async def serve(self) -> None:
        """Listen until stopped; while the port is taken by another, try again."""
        pause_s = 1.0
        port = _port(self._options)
        while not self._stop.is_set():
            try:
                async with listening(port, self._admission, self._converse, grace_s=0) as self._port:
                    self._trouble = ""
                    self._tried.set()
                    self._log.info("listening for subscribers", host=port.host, port=self._port)
                    await self._stop.wait()
                    await asyncio.gather(*(peer.flushed(_GRACE_S) for peer in self._peers))
            except Transient as error:
                self._trouble = str(error)
                self._log.error("cannot listen for subscribers", reason=str(error))
                self._tried.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._stop.wait()
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def wait_until_tried(self) -> None:
        """Wait until the port is open or cannot be opened."""
        self._tried.wait(_START_S)

    def stop(self) -> None:
        """Close the port and all connections when what is queued is sent, or after a while."""
        self._stop.set()

    async def _converse(self, link: Link) -> None:
        configured = [wanted for allowed, filters in self._filters if is_in(link.address, allowed) for wanted in filters]
        peer = Peer(link, configured, self._manners, self._clock)
        self._peers.append(peer)
        self._log.info("new subscriber", subscriber=link.peer, subscribers=len(self._peers))
        try:
            await peer.converse()
        finally:
            self._peers.remove(peer)

    async def _broadcast(self, payload: bytes, traits: Traits) -> None:
        if self._port is None or self._trouble:
            raise Transient(self._trouble or "the port for subscribers is not open yet")
        peers = [peer for peer in self._peers if peer.is_open]
        if len(peers) < self._options.min_peers:
            raise Transient(f"{len(peers)} subscribers are connected, fewer than {self._options.min_peers}")
        new = {peer for peer in peers if not peer.is_introduced}  # they are not late yet
        offered = [(peer, peer.offer(payload, traits)) for peer in peers if peer.wants(traits)]
        # Nobody waits twice for a peer that was late once.
        waited_for = [(peer, answer) for peer, answer in offered if answer is not None and not peer.is_behind]
        if waited_for and self._options.ack_wait_s:
            await asyncio.wait([answer for _, answer in waited_for], timeout=self._options.ack_wait_s)
        for peer, answer in waited_for:
            peer.is_behind = peer.is_behind or (peer not in new and not answer.done())
        n_acked = sum(1 for _, answer in offered if answer is not None and answer.done() and answer.result())
        self._counts.update(events=1, offered=len(offered), acked=n_acked, not_acked=len(offered) - n_acked)
        self._last_sent_at = self._clock()
        n_left = sum(1 for peer in peers if peer.is_open)
        if n_left < self._options.min_peers:
            raise Transient(f"of {len(peers)} subscribers {n_left} are left, fewer than {self._options.min_peers}")

    def _traits(self, outgoing: Outgoing) -> Traits:
        """Return what filters ask for, if the message may be sent at all."""
        if len(outgoing.payload) > self._options.max_message_bytes:
            raise Permanent(
                f"the message has {len(outgoing.payload)} bytes, more than the {self._options.max_message_bytes} that are sent"
            )
        try:
            head = messages.read(outgoing.payload)
        except DecodeError as error:
            raise Permanent(f"VTP carries VOEvents only: {error}") from error
        if not isinstance(head, EventHead):
            raise Permanent("VTP carries VOEvents only, and this is a Transport document")
        versions = _RELAYED if outgoing.subject == "notice" else _OWN
        if head.version not in versions:
            raise Permanent(f"VOEvents of version {head.version or 'unknown'} are not sent, only {', '.join(versions)}")
        return Traits(role=head.role, ivorn=head.ivorn, subject=outgoing.subject)


def check(options: Options, context: PartContext) -> list[str]:
    """Try whether the port can be listened on, and return what is wrong, in sentences."""
    return complaints(_port(options), options.allow, "subscriber")


def _port(options: Options) -> Port:
    return Port(host=options.host, port=options.port, max_bytes=messages.MAX_TRANSPORT_BYTES)


@contextmanager
def open_sink(options: Options, context: PartContext) -> Iterator[Sink]:
    """Give a broadcaster that listens; where its port is taken it keeps trying, and says so in its health."""
    with _loop_in_thread(f"vtp-{context.name}") as loop:
        broadcaster = VtpBroadcaster(options, context, loop)
        serving = asyncio.run_coroutine_threadsafe(broadcaster.serve(), loop)
        broadcaster.wait_until_tried()
        try:
            yield broadcaster
        finally:
            loop.call_soon_threadsafe(broadcaster.stop)
            _finish(serving)


def _finish(serving: "Future[None]") -> None:
    try:
        serving.result(timeout=3 * _HURRY_S)
    except FutureTimeoutError:
        serving.cancel()


@contextmanager
def _loop_in_thread(name: str) -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
