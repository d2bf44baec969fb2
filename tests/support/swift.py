"""Swift's service for targets of opportunity on loopback, as far as its client swifttools 4.0.5 shows what it does.

A login gives a session cookie; a request is a form, and its answer has a ``status`` of a word or of an object; with
``validate_only`` or ``debug`` nothing is kept. What the real one does besides is not known.
"""

import json
import threading
from contextlib import contextmanager, suppress
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

USER, SECRET = "hub", "the-secret-of-the-hub"
SESSION = "c0ffee"


class SwiftServer:
    """What the service holds, and how it misbehaves on demand."""

    def __init__(self):
        self.root = ""
        self.forms = []
        """Every form that was posted, as text by name."""
        self.entries = []
        """Requests that were kept."""
        self.logins = 0
        self.faults = []
        """What happens to the next forms: ``drop`` (kept, then silence), ``error`` (kept, then 500), ``busy``, ``lost``, ``odd``."""
        self.bare_status = False
        """Whether the status is a word with the rest beside it, the other shape that the client knows."""
        self.lock = threading.Lock()

    def login(self, body):
        self.logins += 1
        return (200, {}) if (body.get("username"), body.get("password")) == (USER, SECRET) else (401, {"detail": "Unauthorized"})

    def form(self, form):
        self.forms.append(form)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "lost":
            return None, None
        if fault == "busy":
            return 429, {"detail": "Too Many Requests"}
        if fault == "odd":
            return 200, {"status": {"status": "Pending", "errors": [], "warnings": []}}
        if float(form["exposure"]) > 10_000:
            return 200, self._said("Rejected", ["Exposure time is longer than what is left"])
        if float(form["dec"]) > 80:
            return 422, {"detail": [{"loc": ["body", "dec"], "msg": "the Sun is there"}]}
        if form.get("validate_only") == "true":
            return 200, {"status": "Validated"}
        if form.get("debug") == "true":
            return 200, self._said("Accepted", [])
        number = 20_000 + len(self.entries)
        self.entries.append(
            {"too_id": number, "target_name": form["target_name"], "username": USER, "decision": None, "done": None}
        )
        if fault == "drop":
            return None, None
        return (500, {"detail": "Internal Server Error"}) if fault == "error" else (200, self._said("Accepted", [], number))

    def listing(self, query):
        found = [one for one in self.entries if query.get("too_id") in (None, str(one["too_id"]))]
        begin, limit = int(query.get("offset", 0)), int(query.get("limit", 10))
        return 200, {"entries": found[begin : begin + limit], "status": {"status": "Accepted", "errors": [], "warnings": []}}

    def _said(self, word, errors, number=None):
        if self.bare_status:
            return {"status": word, "errors": errors, "warnings": [], "too_id": number}
        return {"status": {"status": word, "errors": errors, "warnings": [], "too_id": number, "jobnumber": 7}}


@contextmanager
def swift():
    """Serve Swift on a free port of 127.0.0.1."""
    state = SwiftServer()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            self.reply(*(self.refusal() or state.listing(query)))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            with state.lock:
                if self.path.endswith("/login"):
                    status, said = state.login(json.loads(body))
                    self.reply(status, said, cookie=status == 200)
                else:
                    form = {key: values[-1] for key, values in parse_qs(body, keep_blank_values=True).items()}
                    self.reply(*(self.refusal() or state.form(form)))

        def refusal(self):
            cookie = SimpleCookie(self.headers.get("Cookie", ""))
            known = "session" in cookie and cookie["session"].value == SESSION
            return None if known else (401, {"detail": "Not authenticated"})

        def reply(self, status, said, *, cookie=False):
            if status is None:
                self.close_connection = True  # not a byte
                return
            data = json.dumps(said).encode()
            self.send_response(status)
            if cookie:
                self.send_header("Set-Cookie", f"session={SESSION}; Path=/; HttpOnly")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    state.root = f"http://127.0.0.1:{server.server_port}/api/v4"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
