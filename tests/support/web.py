"""Servers on loopback for the outgoing client: a well-behaved one with TLS, one that does whatever a test says, and a canary."""

import contextlib
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme


class Web:
    """A running server: what it was asked, and what it answers (path to function of the request, or to bytes)."""

    def __init__(self, server, authority_pem):
        self._server = server
        self.authority_pem = authority_pem
        self.port = server.server_address[1]
        self.asked = server.asked
        self.pages = server.pages

    def paths(self):
        return [one.path for one in self.asked]

    def answer_all(self, page):
        """Answer every path that has no page of its own with this one."""
        self._server.any_page = page


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.sent_body = self.rfile.read(length)
        self.server.asked.append(self)
        page = self.server.pages.get(self.path, self.server.any_page)
        status, headers, body = page(self) if callable(page) else page
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may have seen enough
            self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - the library's names

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context):
        self.asked = []
        self.pages = {}
        self.any_page = (404, {}, b"no such page")
        self._context = context
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self):
        plain, address = super().get_request()
        if self._context is None:
            return plain, address
        plain.settimeout(20)
        return self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request, client_address):
        pass  # a client that goes away early is what many tests are about


@contextlib.contextmanager
def web(folder, *names):
    """Serve https for some names on a free port of 127.0.0.1, with the certificate of an authority of its own; http without names."""
    context, pem = None, None
    if names:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        pem = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(pem))
    server = _Server(context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Web(server, pem)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def raw_server(talk):
    """Give the port of a server that hands each connection to a function, with an event that says that the test is over."""
    door = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve():
        while True:
            try:
                connection, _ = door.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20)
                talk(connection, over)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield door.getsockname()[1]
    finally:
        over.set()
        with contextlib.suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()


class Canary:
    """Something that nobody may ever connect to."""

    def __init__(self, port):
        self.port = port
        self.visits = 0


@contextlib.contextmanager
def canary():
    """Give a listener on 127.0.0.1 (and on every other address of this machine) that counts connections."""
    door = socket.create_server(("0.0.0.0", 0), backlog=64)
    found = Canary(door.getsockname()[1])

    def count():
        while True:
            try:
                connection, _ = door.accept()
            except OSError:
                return
            found.visits += 1
            connection.close()

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        with contextlib.suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()
