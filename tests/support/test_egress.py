"""Tests cannot reach anything but this machine, and cannot hide that they tried."""

import asyncio
import contextlib
import socket
import urllib.request

import pytest

from adapters.http import HttpClient, HttpOptions
from tests.support import egress

ELSEWHERE = "192.0.2.1"
"""An address for documentation (RFC 5737): nobody is there, but the packets would leave this machine."""


@pytest.fixture
def tried():
    """What was tried in a test that does so on purpose; it is forgotten before the test ends."""
    assert egress.attempts == []
    yield egress.attempts
    egress.attempts.clear()


def by_socket():
    with socket.socket() as door:
        door.connect((ELSEWHERE, 443))


def by_socket_without_exceptions():
    with socket.socket() as door:
        door.connect_ex((ELSEWHERE, 443))


def by_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.sendto(b"?", (ELSEWHERE, 53))


def by_ipv6():
    with socket.socket(socket.AF_INET6) as door:
        door.connect(("2001:db8::1", 443))


def by_name():
    with socket.socket() as door:
        door.connect(("observatory.example.org", 443))


def by_library():
    urllib.request.urlopen(f"http://{ELSEWHERE}/", timeout=5)


def by_event_loop():
    async def connect():
        await asyncio.open_connection(ELSEWHERE, 443)

    asyncio.run(connect())


def by_our_client():
    client = HttpClient(HttpOptions(hosts=("observatory.example.org",)), resolver=lambda *_: ["1.1.1.1"])
    client.get("https://observatory.example.org/")


WAYS = [
    by_socket,
    by_socket_without_exceptions,
    by_datagram,
    by_ipv6,
    by_name,
    by_library,
    by_event_loop,
    by_our_client,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_would_leave_this_machine_is_refused_and_remembered(tried, way):
    with pytest.raises(egress.EgressRefused, match="loopback only"):
        way()
    assert len(tried) == 1
    tried.clear()


def test_the_refusal_is_no_fault_of_a_network_that_a_client_may_forgive():
    assert not issubclass(egress.EgressRefused, OSError)


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        (("127.0.0.1", 1), True),
        (("127.8.9.1", 1), True),
        (("localhost", 1), True),
        (("::1", 1, 0, 0), True),
        (("::ffff:127.0.0.1", 1, 0, 0), True),
        ("/run/socket", True),
        (("0.0.0.0", 1), False),
        (("::ffff:1.1.1.1", 1, 0, 0), False),
        (("10.0.0.1", 1), False),
        (("fe80::1%eth0", 1, 0, 2), False),
        (("localhost.example.org", 1), False),
        (("", 1), False),
    ],
)
def test_only_loopback_is_this_machine(address, is_here):
    assert egress.is_here(address) is is_here


def test_loopback_is_reached():
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as other:
        assert other.getpeername() == door.getsockname()


def test_a_test_that_tried_and_swallowed_the_refusal_fails(tried):
    call = egress.demanded_none(None)
    next(call)
    with contextlib.suppress(egress.EgressRefused):
        by_socket()
    with pytest.raises(egress.EgressRefused, match=f"{ELSEWHERE}, port 443"):
        call.send(None)
    tried.clear()


def test_a_test_that_did_not_try_gives_what_it_gave(tried):
    call = egress.demanded_none(None)
    next(call)
    with pytest.raises(StopIteration) as ended:
        call.send("result")
    assert ended.value.value == "result"
