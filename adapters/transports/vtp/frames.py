"""Messages on a TCP stream: four bytes of length, most significant first, then as many bytes.

The length is looked at before anything is allocated: the first four bytes of a stray HTTP request read as about 1.2 GB.
"""

import asyncio

from hub.errors import Transient

MAX_BYTES = 1 << 20
"""Longest message that is read unless more is allowed, bytes; real VOEvents have 0.5 to 10 kB."""

MAX_BYTES_ALLOWED = 8 << 20
"""Most that may be allowed, bytes: a VOEvent with a whole sky map inside has a few MiB."""

_HEADER_BYTES = 4
_STRANGERS: tuple[tuple[bytes, str], ...] = (
    (b"GET ", "an HTTP client"),
    (b"POST", "an HTTP client"),
    (b"HEAD", "an HTTP client"),
    (b"PUT ", "an HTTP client"),
    (b"OPTI", "an HTTP client"),
    (b"DELE", "an HTTP client"),
    (b"PATC", "an HTTP client"),
    (b"CONN", "an HTTP client"),
    (b"PRI ", "an HTTP client"),
    (b"HTTP", "an HTTP server"),
    (b"SSH-", "an SSH peer"),
    (b"\x16\x03", "a TLS client"),
    (b"<?xm", "a peer that sends XML without its length"),
)


class BadFrame(Transient):
    """The peer does not speak the protocol, or is too slow: nothing after this can be read, so the connection must be closed."""


def framed(payload: bytes) -> bytes:
    r"""Return a message with its length before it.

    >>> framed(b"<a/>")
    b'\x00\x00\x00\x04<a/>'
    """
    return len(payload).to_bytes(_HEADER_BYTES, "big") + payload


async def read_frame(reader: asyncio.StreamReader, *, max_bytes: int, idle_s: float | None, whole_s: float) -> bytes | None:
    """Return the next message, None where the peer closed the connection between two messages.

    Parameters
    ----------
    reader
        The peer's bytes.
    max_bytes
        Longest message that is accepted.
    idle_s
        How long to wait for a message to begin, seconds; None for ever.
    whole_s
        How long a message may take from its first byte to its last, seconds.

    Raises
    ------
    BadFrame
        The message is too long, breaks off or comes too slowly.
    TimeoutError
        No message began in time.
    ConnectionError
        The connection broke.
    """
    async with asyncio.timeout(idle_s):
        header = await reader.read(1)
    if not header:
        return None
    n_bytes = 0
    try:
        async with asyncio.timeout(whole_s):
            header += await reader.readexactly(_HEADER_BYTES - 1)
            n_bytes = length(header, max_bytes)
            return await reader.readexactly(n_bytes)
    except TimeoutError as error:
        raise BadFrame(f"a message was not complete {whole_s:g} s after its first byte") from error
    except asyncio.IncompleteReadError as error:
        where = f"after {len(error.partial)} of {n_bytes} bytes" if n_bytes else "inside its length"
        raise BadFrame(f"the connection ended in the middle of a message, {where}") from error


def length(header: bytes, max_bytes: int) -> int:
    """Return the length that four bytes tell.

    Raises
    ------
    BadFrame
        It is more than the limit; the sentence says what the peer probably is.

    >>> length(bytes([0, 0, 1, 0]), 1000)
    256
    """
    n_bytes = int.from_bytes(header, "big")
    if n_bytes <= max_bytes:
        return n_bytes
    for first, name in _STRANGERS:
        if header.startswith(first):
            raise BadFrame(f"this is no VOEvent transport but {name}: its first bytes are {header!r}")
    if n_bytes > MAX_BYTES_ALLOWED and int.from_bytes(header, "little") <= max_bytes:
        raise BadFrame(f"the length {header.hex()} has its bytes in the wrong order: the most significant comes first")
    raise BadFrame(f"a message of {n_bytes} bytes is announced, more than the {max_bytes} allowed")
