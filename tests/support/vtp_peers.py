"""The other end of a VTP connection, in plain blocking sockets: polite, or as ill-behaved as a test wants."""

import asyncio
import queue
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from adapters.transports.vtp import messages
from adapters.transports.vtp.frames import framed
from adapters.transports.vtp.messages import EventHead, TransportRole
from hub.errors import StorageError
from hub.model.instant import Instant
from hub.model.notice import Role
from hub.model.outgoing import Outgoing
from hub.ports import Acceptance, PartContext

PATIENCE_S = 60.0
"""How long anything may take on a busy machine before a test fails, seconds."""

LOCAL_IVO = "ivo://peer.example/test"
"""Name of the other end."""

HUB_IVO = "ivo://hub.example/hub"
"""Name of this end."""


def now():
    return Instant.from_unix_s(time.time())


def context(name="vtp", incidents=None):
    """Return what an opener gets."""
    report = (incidents if incidents is not None else []).append
    return PartContext(name=name, authority="example.org/mmhub", clock=now, report=report, data_dir=Path("unused"))


def wait_until(condition, what):
    """Wait until a condition holds and return what it gave."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.005)
    return found


class Store:
    """Takes messages in like the hub: the same bytes twice are a duplicate, what holds ``refuse-me`` is refused."""

    def __init__(self):
        self.payloads = []
        self.envelopes = []
        self.calls = Counter()
        self.is_broken = False
        self.breaks_on = None
        """A payload on which an error of the hub's own happens."""

        self.gate = threading.Event()
        self.gate.set()

    async def __call__(self, envelope):
        self.calls[envelope.payload] += 1
        await asyncio.to_thread(self.gate.wait, PATIENCE_S)
        if envelope.payload == self.breaks_on:
            raise ZeroDivisionError
        if self.is_broken:
            raise StorageError("the disk is full")
        if envelope.payload in self.payloads:
            return Acceptance(state="duplicate")
        if b"refuse-me" in envelope.payload:
            self.payloads.append(envelope.payload)
            return Acceptance(state="dead", reason="the event asks to be refused")
        self.payloads.append(envelope.payload)
        self.envelopes.append(envelope)
        return Acceptance(state="stored")


@contextmanager
def running(source, accept):
    """Run a source in a loop of its own until the context ends; an error of the source is raised there."""
    stop_it = []
    started = threading.Event()
    failed = []

    async def main():
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop_it.append(lambda: loop.call_soon_threadsafe(stop.set))
        started.set()
        await source.run(accept, stop)

    def body():
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            failed.append(error)

    thread = threading.Thread(target=body, name="source")
    thread.start()
    assert started.wait(PATIENCE_S)
    try:
        yield source
    finally:
        if thread.is_alive():
            stop_it[0]()
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the source does not stop"
        if failed:
            raise failed[0]


class RawPeer:
    """A connection that does only what it is told to."""

    def __init__(self, connection):
        connection.settimeout(PATIENCE_S)
        self.connection = connection
        self.thread = None

    @classmethod
    def connect(cls, port, *, receive_buffer=None):
        connection = socket.socket()
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE_S)
        connection.connect(("127.0.0.1", port))
        return cls(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.thread is not None:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.thread.join(PATIENCE_S)
        self.connection.close()

    def send(self, payload):
        self.connection.sendall(framed(payload))

    def send_raw(self, data):
        self.connection.sendall(data)

    def receive(self):
        """Return the next payload, None where the other side has closed the connection."""
        header = self._exactly(4)
        return None if header is None else self._exactly(int.from_bytes(header, "big"))

    def read(self):
        """Return the next message in words, None where the other side has closed the connection."""
        payload = self.receive()
        return None if payload is None else messages.read(payload)

    def next_event(self):
        """Return the payload of the next event, answering whatever else comes; None where the connection is closed."""
        while (payload := self.receive()) is not None:
            message = messages.read(payload)
            if isinstance(message, EventHead):
                return payload
            if message.role is TransportRole.IAMALIVE:
                self.send(messages.iamalive(LOCAL_IVO, now(), to=message.origin))
        return None

    def next_answer(self):
        """Return the next ack or nak; None where the connection is closed."""
        while (message := self.read()) is not None:
            if message.role in (TransportRole.ACK, TransportRole.NAK):
                return message
        return None

    def ack(self, payload):
        self.send(messages.ack(LOCAL_IVO, now(), ivorn=messages.read(payload).ivorn))

    def answer_from_now_on(self):
        """Answer everything, events with ack, in a thread; events are put into `events`, None at the end."""
        self._in_a_thread(self.ack)

    def ignore_from_now_on(self):
        """The same, but say nothing to events: it lives and acknowledges none."""
        self._in_a_thread(lambda _: None)

    def refuse_from_now_on(self):
        """The same, but answer events with nak."""
        self._in_a_thread(
            lambda payload: self.send(messages.nak(LOCAL_IVO, now(), ivorn=messages.ivorn_in(payload), reason="no"))
        )

    def close_at_next_event(self):
        """Close the connection when an event comes, without an answer."""
        self._in_a_thread(lambda _: self.connection.shutdown(socket.SHUT_RDWR))

    def _in_a_thread(self, answer):
        self.events = queue.Queue()

        def body():
            with suppress(OSError):
                while (payload := self.next_event()) is not None:
                    answer(payload)
                    self.events.put(payload)
            self.events.put(None)

        self.thread = threading.Thread(target=body, name="peer")
        self.thread.start()

    def is_closed(self):
        """Read until the other side closes the connection; a time-out is an error."""
        while self.receive() is not None:
            pass
        return True

    def _exactly(self, n_bytes):
        data = b""
        while len(data) < n_bytes:
            try:
                more = self.connection.recv(n_bytes - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data


class HeldBack:
    """Keeps a subscriber that lost its connection from the next one until it is let go, so that its alarm can be looked at."""

    def __init__(self, n_free=0):
        self._turns = threading.Semaphore(n_free)

    def context(self):
        """Return what an opener gets: a gap is written down before the connection counts, and that takes until `let_go`."""
        return replace(context("upstream"), report=lambda _: self._turns.acquire(timeout=PATIENCE_S))

    def let_go(self, n=1):
        self._turns.release(n)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.let_go(100)


@contextmanager
def listener(port=0):
    """Give a listening socket on a port of this machine, a free one where none is named, and the port."""
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(PATIENCE_S)
        yield server, server.getsockname()[1]


def accepted(server):
    """Return the next connection to a listening socket."""
    return RawPeer(server.accept()[0])


def outgoing(payload, *, subject="coincidence", role="observation"):
    """Return a message on its way out."""
    return Outgoing(
        ivorn=messages.ivorn_in(payload),
        media_type="application/xml",
        payload=payload,
        destination="vtp",
        subject=subject,
        role=Role(role),
        cites=(),
        created_at=now(),
    )
