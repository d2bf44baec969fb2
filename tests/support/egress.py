"""Refuse every connection of a test process that leaves this machine, and remember that somebody tried.

A dependency that posts by itself, to an address of its own, has sent test requests to a real observatory before
(skyportal/skyportal#6676), and a failure that is taken for a refusal lets such a test pass. So a connection is refused with an
error that is no `OSError`, and the test in which it was tried fails, whatever was made of the error.

Processes that a test starts are not watched: they are started with addresses on loopback.
"""

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Generator, Iterator
from typing import Any

_GUARDED = ("connect", "connect_ex", "sendto")
"""Methods of a socket that name where to."""

attempts: list[str] = []
"""Where somebody tried to connect to since the list was emptied."""


class EgressRefused(Exception):
    """A connection that would have left this machine; no `OSError`, which a client would take for a fault of the network."""


def is_here(address: object) -> bool:
    """Return whether an address of a socket is this machine itself; a path of a Unix socket is, a name other than localhost is not."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0]).partition("%")[0]
    if host.lower() == "localhost":
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Refuse what leaves this machine as long as the context lasts."""
    for name in _GUARDED:
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    try:
        yield
    finally:
        for name in _GUARDED:
            delattr(socket.socket, name)  # what is left are the methods of the class in C


def demanded_none(item: object) -> Generator[None, Any, Any]:
    """Run a test and fail it where somebody tried to leave this machine meanwhile: the body of a wrapper of its call."""
    attempts.clear()
    result = yield
    if attempts:
        raise EgressRefused(f"a test tried to connect to {'; '.join(attempts)}: tests speak to loopback only")
    return result


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *arguments: Any) -> Any:
        address = arguments[-1]
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_here(address):
            attempts.append(f"{address[0]}, port {address[1]}")
            self.close()  # libraries close theirs after an OSError only
            raise EgressRefused(f"a test tried to connect to {attempts[-1]}: tests speak to loopback only")
        return method(self, *arguments)

    return guarded
