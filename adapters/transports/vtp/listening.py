"""A TCP port that hands each connection that may come in to a function, and waits for all of them at the end."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from adapters.transports.vtp.admission import Admission, NotAdmitted
from adapters.transports.vtp.link import Link, reason_of
from hub.errors import Transient

Converse = Callable[[Link], Awaitable[None]]
"""Talks with a peer until it is gone; closing is done for it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where to listen."""

    host: str
    port: int
    """0 for any free one."""

    max_bytes: int
    """Longest message that is read."""


@asynccontextmanager
async def listening(port: Port, admission: Admission, converse: Converse, *, grace_s: float) -> AsyncIterator[int]:
    """Give the number of the port that is listened on.

    At the end nobody is let in any more; who is inside has a while to finish, and is cut then.

    Raises
    ------
    Transient
        The port cannot be listened on now, with the reason.
    """
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        link = Link(reader, writer, max_bytes=port.max_bytes)
        try:
            with admission.entered(link.address):
                await converse(link)
        except NotAdmitted as refusal:
            log.warning("connection refused", peer=link.peer, port=port.port, reason=str(refusal))
        except asyncio.CancelledError:  # only by the end of the port, below
            link.abort()
        finally:
            await link.close()
            under_way.discard(task)

    try:
        server = await asyncio.start_server(serve, port.host, port.port, backlog=128)
    except OSError as error:
        raise Transient(f"cannot listen on {port.host} port {port.port}: {reason_of(error)}") from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if under_way:
            _, late = await asyncio.wait(tuple(under_way), timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        await server.wait_closed()


def complaints(port: Port, allow: Sequence[str], who: str) -> list[str]:
    """Try whether a port can be listened on, and return what is wrong in sentences; ``who`` is whom it is for."""
    found = [] if allow else [f"No {who} may connect to port {port.port}: name addresses or networks in 'allow'."]
    try:
        with socket.create_server((port.host, port.port), family=socket.AF_INET6 if ":" in port.host else socket.AF_INET):
            pass
    except OSError as error:
        maybe = "; perhaps the hub runs already" if error.errno == errno.EADDRINUSE else ""
        found.append(f"The address {port.host} port {port.port} cannot be listened on: {reason_of(error)}{maybe}.")
    return found
