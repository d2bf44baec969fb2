"""Ports of this machine for tests: one that is free and stays so for a hub that starts later, and one that refuses everybody."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

RANGE = range(20_000, 32_000)
"""Below the ports that the system gives to clients and to listeners that name none, so that none of those takes one in between."""


def free_ports(number: int) -> list[int]:
    """Return ports of loopback that nobody has, at random, so that another test is not likely to choose them too."""
    found: list[int] = []
    # Not the seeded generator of the tests: two workers would try the same ports.
    for port in random.SystemRandom().sample(RANGE, 400):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == number:
            return found
    raise AssertionError("no free ports on loopback")


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]


@contextmanager
def refusing_port() -> Iterator[int]:
    """Give a port that refuses connections: it is taken, so that nobody else can have it, and nobody listens on it."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        yield door.getsockname()[1]
