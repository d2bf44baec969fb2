"""A TCP proxy that can be cut, stalled, slowed and made to lie: what networks do between a client and a server."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

CHUNK = 65_536

Pair = tuple[asyncio.StreamWriter, asyncio.StreamWriter]
"""To the client and to the server."""


class TcpProxy:
    """A running proxy; its methods are called from the thread of a test and have taken effect when they return."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        """Port on loopback that is forwarded to; may be changed while it runs, for new connections."""
        self.port = 0
        """Port on loopback that clients connect to."""
        self.delay_s = 0.0
        """Each piece is held back for so long, seconds."""
        self.accepted = 0
        """Connections so far."""
        self.carried = {"up": 0, "down": 0}
        """Bytes handed on to the server and to the client."""
        self._corrupt = 0
        self._is_cut = False
        self._flowing = asyncio.Event()
        self._deaf: set[Pair] = set()
        self._pairs: set[Pair] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None

    def cut(self) -> None:
        """Reset every connection and each new one, until `resume`."""
        self._do(self._cut())

    def stall(self) -> None:
        """Take bytes and deliver nothing, on old connections and new ones: half-open, as behind a router that lost its state."""
        self._do(self._stall())

    def deafen(self) -> None:
        """Let the connections of now carry nothing ever again, while new ones are well: a half-open link that nobody mends."""
        self._do(self._deafen())

    def resume(self) -> None:
        """Be well again. What was stalled stays lost, as on a real half-open link: those connections are reset."""
        self._do(self._resume())

    def corrupt(self, pieces: int = 1) -> None:
        """Flip a bit in each of the next pieces that go to the client."""
        self._corrupt = pieces

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._pairs)

    async def _cut(self) -> None:
        self._is_cut = True
        self._reset_all()

    async def _stall(self) -> None:
        self._flowing.clear()

    async def _deafen(self) -> None:
        self._deaf |= self._pairs

    async def _resume(self) -> None:
        was_whole = self._flowing.is_set()
        self._is_cut = False
        if not was_whole:
            self._reset_all()
        self._flowing.set()

    def _reset_all(self) -> None:
        for pair in list(self._pairs):
            for writer in pair:
                _reset(writer)
        self._pairs.clear()

    async def _open(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        self._reset_all()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._is_cut:
            _reset(writer)
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port, limit=CHUNK)
        except OSError:
            _reset(writer)
            return
        pair = (writer, up_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pump(reader, pair, "up"), self._pump(up_reader, pair, "down"))
        finally:
            self._pairs.discard(pair)
            self._deaf.discard(pair)
            for one in pair:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, pair: Pair, direction: str) -> None:
        writer = pair[1] if direction == "up" else pair[0]
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if not self._flowing.is_set() or pair in self._deaf:
                    continue  # swallowed, while the sender believes it was sent
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if direction == "down" and self._corrupt:
                    self._corrupt -= 1
                    data = data[:-1] + bytes([data[-1] ^ 1])
                self.carried[direction] += len(data)
                writer.write(data)
                await writer.drain()
            if self._flowing.is_set() and writer.can_write_eof():
                writer.write_eof()

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(timeout=30)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the peer sees a reset, not an orderly end."""
    transport = writer.transport
    if not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


@contextmanager
def tcp_proxy(target_port: int) -> Iterator[TcpProxy]:
    """Give a proxy in front of a loopback port, in a thread of its own."""
    proxy = TcpProxy(target_port)
    with closing(proxy._loop):
        thread = threading.Thread(target=proxy._loop.run_forever, name="tcp proxy")
        thread.start()
        try:
            proxy._do(proxy._open())
            yield proxy
            proxy._do(proxy._close())
        finally:
            proxy._loop.call_soon_threadsafe(proxy._loop.stop)
            thread.join()
