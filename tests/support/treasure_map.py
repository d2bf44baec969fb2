"""A Treasure Map on loopback, with what its server was seen or read to do, slips included (TheTreasureMap/gwtm).

Accepted without a word: duplicates, a right ascension of 400 degrees, a completed pointing that is cancelled (the count is 0).
What is wrong with a single pointing of several stands in ``ERRORS`` of a 200; a pointing that breaks the schema is a 422 for all.
"""

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKENS = {"token-of-the-hub": "hub", "token-of-somebody": "somebody"}
"""Accounts by their tokens."""

INSTRUMENTS = {10: "Imager", 11: "Mosaic"}
SQUARE = "POLYGON ((-0.5 -0.5, 0.5 -0.5, 0.5 0.5, -0.5 0.5, -0.5 -0.5))"
FOOTPRINTS = {
    10: [SQUARE],
    11: [
        "POLYGON ((-1 -0.5, 0 -0.5, 0 0.5, -1 0.5, -1 -0.5))",
        "POLYGON ((0 -0.5, 1 -0.5, 1 0.5, 0 0.5, 0 -0.5))",
    ],
}
"""Outlines of the detectors of each instrument, around RA 0, Dec 0."""

BANDS = {"g", "r", "i", "z", "u", "V", "R", "B", "clear", "open", "other", "XRT"}
STATUSES = ("planned", "completed", "cancelled")


class Refused(Exception):
    def __init__(self, status, detail):
        self.status, self.detail = status, detail


class MapServer:
    """What the map holds, and how it misbehaves on demand."""

    def __init__(self):
        self.url = ""
        self.rows = []
        self.events = {"S230518h", "S190425z", "MS230518h"}
        self.asked = []
        self.faults = []
        """What happens to the next posts: ``drop`` (stored, then silence), ``error`` (stored, then 500), ``busy``, ``lost``."""
        self.lock = threading.Lock()

    def posts(self, path):
        return [body for method, asked, body in self.asked if (method, asked) == ("POST", path)]

    def add(self, user, *, event="S230518h", **row):
        """Put a pointing of somebody's there, as it would be after a post."""
        with self.lock:
            return self._add(user, event, {"status": "completed", **row})

    def answer(self, method, path, query, body, token):
        """Return a status, None for a connection that breaks, and what is said."""
        self.asked.append((method, path, body))
        user = TOKENS.get(token)
        if user is None:
            return 401, {"detail": {"message": "Invalid API token"}}
        fault = self.faults.pop(0) if method == "POST" and self.faults else ""
        if fault == "lost":
            return None, None
        if fault == "busy":
            return 429, {"detail": "Too Many Requests"}
        try:
            said = self.get(path, query) if method == "GET" else self.post(user, path, body)
        except Refused as refusal:
            return refusal.status, {"detail": refusal.detail}
        return {"drop": (None, None), "error": (500, {"detail": "Internal Server Error"})}.get(fault, (200, said))

    def get(self, path, query):
        if path == "/api/v1/footprints":
            numbers = [int(query["id"])] if "id" in query else list(FOOTPRINTS)
            return [
                {"id": 100 * number + index, "instrumentid": number, "footprint": text}
                for number in numbers
                for index, text in enumerate(FOOTPRINTS.get(number, []))
            ]
        if path != "/api/v1/pointings":
            raise Refused(404, "Not Found")
        ids = set(json.loads(query["ids"])) if "ids" in query else None
        return [
            {key: value for key, value in row.items() if key != "event"}
            for row in self.rows
            if query.get("graceid") in (None, row["event"])
            and query.get("status") in (None, row["status"])
            and query.get("instrument") in (None, str(row["instrumentid"]))
            and (ids is None or row["id"] in ids)
        ]

    def post(self, user, path, body):
        match path:
            case "/api/v1/pointings":
                return self._pointings(user, body)
            case "/api/v1/update_pointings":
                if body.get("status") != "cancelled" or not body.get("ids"):
                    raise Refused(422, [{"loc": ["body"], "msg": "Only 'cancelled' status updates are currently supported"}])
                n = self._cancel(user, lambda row: row["id"] in body["ids"])
                return {"message": f"Updated {n} pointings successfully."}
            case "/api/v1/cancel_all":
                if body["instrumentid"] not in INSTRUMENTS:
                    raise Refused(404, {"message": f"Instrument with ID {body['instrumentid']} not found"})
                wanted = (body["graceid"], body["instrumentid"])
                n = self._cancel(user, lambda row: (row["event"], row["instrumentid"]) == wanted)
                return {"message": f"Updated {n} Pointings successfully"}
        raise Refused(404, "Not Found")

    def _pointings(self, user, body):
        asked = body.get("pointings") or [body["pointing"]]
        if faults := [text for one in asked for text in self._schema(one)]:
            raise Refused(422, [{"loc": ["body", "pointings"], "msg": f"Value error, {'; '.join(faults)}"}])
        if body["graceid"] not in self.events:
            reason = f"The graceid '{body['graceid']}' does not exist in the database"
            raise Refused(400, {"message": "Invalid graceid", "errors": [{"message": reason}]})
        numbers, errors = [], []
        for one in asked:
            if one.get("id"):
                row = next((row for row in self.rows if row["id"] == one["id"] and row["username"] == user), None)
                if row is None or row["status"] != "planned":
                    errors.append([f"Object: {one}", [f"400: Pointing with ID {one['id']} not found or not owned by you"]])
                    continue
                row |= {"status": "completed", "time": one.get("time") or row["time"]}
                numbers.append(row["id"])
            elif one.get("instrumentid") not in INSTRUMENTS:
                errors.append([f"Object: {one}", [f"400: Instrument with ID {one.get('instrumentid')} not found"]])
            else:
                numbers.append(self._add(user, body["graceid"], one))
        return {"pointing_ids": numbers, "ERRORS": errors, "WARNINGS": [], "DOI": None}

    def _schema(self, one):
        if one.get("id"):
            return
        needed = {"completed": ("depth", "depth_unit", "band", "time"), "planned": ("time",)}
        for key in needed.get(one.get("status", "completed"), ()):
            if not one.get(key):
                yield f"{key} is required for {one.get('status', 'completed')} observations"
        if one.get("ra") is None and not one.get("position"):
            yield "Position information required (either position string or ra/dec coordinates)"

    def _add(self, user, event, one):
        number = 11 + len(self.rows)
        position = one.get("position") or f"POINT ({one['ra']!r} {one['dec']!r})"
        row = {key: one.get(key) for key in ("depth", "depth_unit", "band", "pos_angle", "time", "status", "instrumentid")}
        row["band"] = row["band"] if row["band"] in BANDS else None
        self.rows.append(
            row
            | {"id": number, "event": event, "position": position, "username": user}
            | {"instrument_name": INSTRUMENTS.get(one.get("instrumentid"))}
        )
        return number

    def _cancel(self, user, wanted):
        found = [row for row in self.rows if row["status"] == "planned" and row["username"] == user and wanted(row)]
        for row in found:
            row["status"] = "cancelled"
        return len(found)


@contextmanager
def treasure_map():
    """Serve a map on a free port of 127.0.0.1."""
    state = MapServer()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer("GET", None)

        def do_POST(self):
            self.answer("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def answer(self, method, body):
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            with state.lock:
                status, said = state.answer(method, parts.path, query, body, self.headers.get("api_token", ""))
            if status is None:
                self.close_connection = True  # not a byte
                return
            data = json.dumps(said).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "7")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
