"""One TCP connection that speaks frames."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from pydantic import AfterValidator, Field

from adapters.transports.vtp.frames import MAX_BYTES, MAX_BYTES_ALLOWED, framed, read_frame
from hub.errors import Transient

SEND_S = 20.0
"""How long a peer may take to make room for a message, seconds."""

_WHOLE_S = 60.0  # a message from its first byte to its last
_CLOSE_S = 2.0
_LINGER_S = 2.0


def _ivoid(text: str) -> str:
    if not text.startswith("ivo://") or len(text) < 10 or any(sign.isspace() or not sign.isprintable() for sign in text):
        raise ValueError(f"{text!r} is no identifier such as ivo://org.example/hub")
    return text


LOCAL_IVO = "By which name this end is known to its peers, an IVOID; unset: ivo:// and hub.authority"
"""What the option of every part means."""

LocalIvo = Annotated[str, AfterValidator(_ivoid), Field(max_length=200)]
"""An IVOID of one end."""

MessageBytes = Annotated[int, Field(ge=1_000, le=MAX_BYTES_ALLOWED, description="Longest message that is read, bytes")]
"""Option of a part that takes events."""


class Lost(Transient):
    """The connection is of no use any more; the text says why."""


class Link:
    """An open connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, max_bytes: int = MAX_BYTES) -> None:
        self._reader = reader
        self._writer = writer
        self._max_bytes = max_bytes
        peer = writer.get_extra_info("peername") or ("unknown", 0)
        self.address: str = peer[0]
        """Of the peer."""

        self.peer = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
        """Address and port of the peer."""

        connection = writer.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def receive(self, *, idle_s: float | None, whole_s: float = _WHOLE_S) -> bytes:
        """Return the next message.

        Raises
        ------
        Lost
            The peer closed the connection, or it broke.
        BadFrame
            The peer does not speak the protocol.
        TimeoutError
            No message began in time.
        """
        try:
            frame = await read_frame(self._reader, max_bytes=self._max_bytes, idle_s=idle_s, whole_s=whole_s)
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                raise
            raise Lost(f"the connection broke: {error.strerror or error}") from error
        if frame is None:
            raise Lost("the peer closed the connection")
        return frame

    async def send(self, payload: bytes, *, timeout_s: float = SEND_S) -> None:
        """Send a message; return when the operating system has it, or nearly.

        Raises
        ------
        Lost
            The connection is closed, or the peer does not read.
        """
        if self._writer.is_closing():
            raise Lost("the connection is closed")
        try:
            self._writer.write(framed(payload))
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()
        except TimeoutError as error:
            raise Lost(f"the peer has not read anything for {timeout_s:g} s") from error
        except OSError as error:
            raise Lost(f"the connection broke: {error.strerror or error}") from error

    async def linger(self) -> None:
        """Throw away what the peer still sends, for a while: closing at once would take the last answer from it (RST)."""
        left = MAX_BYTES_ALLOWED
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while left > 0 and (piece := await self._reader.read(1 << 16)):
                    left -= len(piece)

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close when everything is sent, or after a short time."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._writer.wait_closed()
        if not self._writer.transport.is_closing() or self._writer.transport.get_write_buffer_size():
            self.abort()


@asynccontextmanager
async def connected(host: str, port: int, *, timeout_s: float, max_bytes: int) -> AsyncIterator[Link]:
    """Give a connection to a peer.

    Raises
    ------
    Lost
        There is none to be had, with the reason.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError as error:
        raise Lost(f"no answer within {timeout_s:g} s") from error
    except OSError as error:
        raise Lost(reason_of(error)) from error
    link = Link(reader, writer, max_bytes=max_bytes)
    try:
        yield link
    finally:
        await link.close()


def reason_of(error: OSError) -> str:
    """Return what the operating system says of a fault, in a few words."""
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved: {error.strerror}"
    if error.errno is None:  # several addresses were tried, and the text names them all
        return str(error)[:200]
    return os.strerror(error.errno).lower()
