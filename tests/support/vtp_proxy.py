"""A TCP forwarder between two peers that a test can cut, mute or point elsewhere."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PIECE = 1 << 16


class Proxy:
    """Forwards connections of one port of this machine to another."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self.port: int = server.getsockname()[1]
        """Where to connect."""

        self.target: int | None = None
        """Port that new connections are forwarded to; None refuses them."""

        self.is_mute = False
        """Whether what clients say is swallowed, as on a line that is dead in one direction."""

        self.n_accepted = 0
        """Connections so far."""

    def cut(self) -> None:
        """Break all connections."""
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        """Accept until the listening socket is closed."""
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                if self.target is None:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self.n_accepted += 1
            self._pairs.append((client, server))
            for source, sink, is_client in ((client, server, True), (server, client, False)):
                thread = threading.Thread(target=self._pump, args=(source, sink, is_client))
                thread.start()
                self._threads.append(thread)

    def close(self) -> None:
        """Break everything and wait for the threads."""
        self.cut()
        for thread in self._threads:
            thread.join(60)
        for pair in self._pairs:
            for end in pair:
                end.close()

    def _pump(self, source: socket.socket, sink: socket.socket, is_client: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                if not (is_client and self.is_mute):
                    sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(target: int | None = None) -> Iterator[Proxy]:
    """Give a forwarder on a free port."""
    server = socket.create_server(("127.0.0.1", 0))
    forwarder = Proxy(server)
    forwarder.target = target
    thread = threading.Thread(target=forwarder.serve, name="proxy")
    thread.start()
    try:
        yield forwarder
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        server.close()
        thread.join(60)
        forwarder.close()
