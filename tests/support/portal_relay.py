"""A stretch of network between the hub and the portal on which answers, or questions, are lost."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from urllib.parse import urlsplit

from tests.support.web import raw_server


class Loss(StrEnum):
    """What happens to one exchange."""

    NONE = "none"
    ANSWER = "answer"
    """The portal does what it is asked, and the connection breaks before its answer."""

    QUESTION = "question"
    """The hub has sent everything, and the portal never gets it."""

    BAD_GATEWAY = "bad gateway"
    """The portal does what it is asked, and a server in front of it answers 502."""


class Relay:
    """Where to connect to, and what is lost."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.losses: list[Loss] = []
        """Of the exchanges to come, in order; then what is drawn."""

        self.draw: Callable[[], Loss] = lambda: Loss.NONE
        """Draws what is lost of an exchange; called from one thread at a time."""

        self.questions: list[str] = []
        """The first line of each request that came."""


@contextmanager
def relay(portal_url: str) -> Iterator[Relay]:
    """Give a relay in front of a portal."""
    drawing = threading.Lock()
    target = (urlsplit(portal_url).hostname, urlsplit(portal_url).port)

    def talk(connection: socket.socket, _over: object) -> None:
        question = _question(connection)
        between.questions.append(question.partition(b"\r\n")[0].decode())
        with drawing:
            loss = between.losses.pop(0) if between.losses else between.draw()
        if loss is Loss.QUESTION:
            return
        with socket.create_connection(target) as onward:
            onward.sendall(question)
            answer = b"".join(iter(lambda: onward.recv(65_536), b""))
        if loss is Loss.BAD_GATEWAY:
            answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        if loss is not Loss.ANSWER:
            connection.sendall(answer)

    between = Relay("")
    with raw_server(talk) as port:
        between.url = f"http://127.0.0.1:{port}"
        yield between


def _question(connection: socket.socket) -> bytes:
    """Return a whole request: its head and as much body as it announces."""
    said = b""
    while b"\r\n\r\n" not in said:
        piece = connection.recv(65_536)
        if not piece:
            return said
        said += piece
    head, _, body = said.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        piece = connection.recv(65_536)
        if not piece:
            break
        body += piece
    return head + b"\r\n\r\n" + body
