"""The proxy does to connections what the tests of outages rest on."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.support.tcp_proxy import TcpProxy, tcp_proxy

WAIT_S = 30


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):  # a reset is what some tests are about
            while data := self.request.recv(4096):
                self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            with tcp_proxy(server.server_address[1]) as running:
                yield running
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def connected(proxy: TcpProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S) as client:
        yield client


def greet(proxy: TcpProxy) -> bytes:
    with connected(proxy) as client:
        return said_back(client, b"two")


def said_back(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    found = b""
    while len(found) < len(words):
        piece = client.recv(4096)
        if not piece:
            break
        found += piece
    return found


def test_bytes_pass_both_ways(proxy: TcpProxy):
    with connected(proxy) as client:
        assert said_back(client, b"hello") == b"hello"
        assert proxy.carried == {"up": 5, "down": 5}


def test_a_cut_resets_open_connections_and_new_ones_until_it_is_mended(proxy: TcpProxy):
    with connected(proxy) as client:
        assert said_back(client, b"one") == b"one"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        greet(proxy)
    proxy.resume()
    with connected(proxy) as client:
        assert said_back(client, b"three") == b"three"


def test_a_stalled_connection_takes_bytes_and_gives_none(proxy: TcpProxy):
    with connected(proxy) as client:
        assert said_back(client, b"one") == b"one"
        proxy.stall()
        client.sendall(b"two")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        proxy.resume()
        client.settimeout(WAIT_S)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connected(proxy) as client:
        assert said_back(client, b"three") == b"three"


def test_a_corrupted_piece_differs_in_one_bit(proxy: TcpProxy):
    with connected(proxy) as client:
        proxy.corrupt()
        assert said_back(client, b"abc") == b"abb"
        assert said_back(client, b"abc") == b"abc"


def test_a_deafened_connection_stays_deaf_and_a_new_one_is_well(proxy: TcpProxy):
    with connected(proxy) as old:
        assert said_back(old, b"one") == b"one"
        proxy.deafen()
        old.sendall(b"two")
        with connected(proxy) as new:
            assert said_back(new, b"three") == b"three"
        old.settimeout(0.2)
        with pytest.raises(TimeoutError):
            old.recv(1)
