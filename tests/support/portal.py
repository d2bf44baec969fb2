"""LCO's own observation portal, running on loopback with PostgreSQL and Redis behind it, and the observatory's side of it.

A start takes a few seconds, because its database is a copy of one that was prepared; see `tests.support.portal_parts`. Every wait is
for a condition. The portal knows no other clock than the machine's, so that targets are chosen to be up whenever the test runs.
"""

import json
import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.model.instant import Instant
from tests.support import portal_parts as parts
from tests.support import postgres
from tests.support.portal_parts import PortalMissing

START_S = 240
"""How long the portal may take to give its first answer on a busy machine; a quiet one needs about five seconds."""

ANSWER_S = 120
"""How long one answer may take, seconds."""

# The portal expires requests in a job of its own, every few minutes; here it runs when a test asks.
_EXPIRE = """
import sys, django
django.setup()
from datetime import timedelta
from django.utils import timezone
from observation_portal.requestgroups.models import Window
from observation_portal.requestgroups.tasks import expire_requests
past = timezone.now() - timedelta(minutes=1)
Window.objects.filter(request__request_group_id=int(sys.argv[1])).update(start=past - timedelta(days=1), end=past)
expire_requests()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A visit that the observatory has put into its schedule."""

    number: int
    status_number: int
    """Of the status of its one configuration, which the telescope reports to."""


class Portal:
    """A running portal, and what the observatory does with it."""

    token = parts.USER_TOKEN
    proposal = parts.PROPOSAL
    poor_proposal = parts.POOR_PROPOSAL
    instrument = parts.INSTRUMENT
    filters = parts.FILTERS
    mode = parts.MODE

    def __init__(self, url: str, environment: Path, settings: dict[str, str]) -> None:
        self.url = url
        self._environment = environment
        self._settings = settings

    def groups(self) -> list[dict[str, Any]]:
        """Return everything that anybody has asked for, the newest first."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.ask("GET", f"/api/requestgroups/?limit=100&offset={len(found)}")
            found += page["results"]
            if len(found) >= page["count"]:
                return found

    def group(self, number: str) -> dict[str, Any]:
        """Return one request group."""
        return dict(self.ask("GET", f"/api/requestgroups/{number}/"))

    def schedule(self, number: str) -> Observation:
        """Put a request group's request into the schedule of the test site, at the beginning of its window."""
        request = self.group(number)["requests"][0]
        start = Instant.from_utc_iso(request["windows"][0]["start"])
        status = {"configuration": request["configurations"][0]["id"], "instrument_name": "xx03", "state": "PENDING"}
        place = {"site": "tst", "enclosure": "domb", "telescope": "1m0a"}
        times = {"start": start.plus_s(1).to_utc_iso(), "end": start.plus_s(1200).to_utc_iso()}
        body = {**place, **times, "request": request["id"], "priority": 10, "configuration_statuses": [status]}
        self.ask("POST", "/api/observations/", body)
        booked = self.ask("GET", f"/api/requests/{request['id']}/observations/")[-1]
        return Observation(number=booked["id"], status_number=booked["configuration_statuses"][0]["id"])

    def report(self, observation: Observation, state: str, *, took_s: float | None = None) -> None:
        """Say as the telescope how far a visit is: ATTEMPTED, COMPLETED, FAILED, NOT_ATTEMPTED; with the time that it took it is charged."""
        body: dict[str, Any] = {"state": state}
        if took_s is not None:
            start = Instant.from_unix_s(time.time())
            times = {"start": start.to_utc_iso(), "end": start.plus_s(took_s).to_utc_iso()}
            body["summary"] = {**times, "state": state, "time_completed": took_s, "events": []}
        self.ask("PATCH", f"/api/configurationstatus/{observation.status_number}/", body)

    def find_bad(self, observation: Observation) -> None:
        """Say that the data of a completed visit are of no use."""
        self.ask("PATCH", f"/api/observations/{observation.number}/", {"state": "BAD_DATA"})

    def expire(self, number: str) -> None:
        """Let the window of a request group be over, and the portal's own job look for those."""
        command = [parts.python(self._environment), "-c", _EXPIRE, number]
        done = subprocess.run(
            command, env=self._settings, capture_output=True, text=True, check=False, cwd=self._settings["HOME"]
        )
        assert done.returncode == 0, done.stderr

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return what the portal answers its own staff."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Token {parts.STAFF_TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with _opener().open(request, timeout=ANSWER_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from error


@contextmanager
def portal(**settings: str) -> Iterator[Portal]:
    """Give a portal that nobody has asked anything yet.

    Parameters
    ----------
    settings
        Environment variables of the portal beside those that it needs here.

    Raises
    ------
    PortalMissing
        It cannot be installed, or does not start, tried twice.
    """
    database, environment = parts.prepare(), parts.prepare_environment()
    with tempfile.TemporaryDirectory(prefix="mmhub-portal-") as temporary:
        home = Path(temporary)
        try:
            with (
                parts.sites(environment) as sites_url,
                parts.redis(home) as redis_socket,
                postgres.server(copy_of=database / "data") as database_url,
            ):
                needed = parts.settings_of(database_url=database_url, redis_socket=redis_socket, sites_url=sites_url, home=home)
                with _served(environment, needed | settings, home) as url:
                    yield Portal(url, environment, needed)
        except postgres.ServerMissing as error:
            raise PortalMissing(str(error)) from error


@contextmanager
def _served(environment: Path, settings: dict[str, str], home: Path) -> Iterator[str]:
    error = ""
    for attempt in ("first", "second"):
        log = home / f"{attempt}.log"
        # One process with threads: its copy of the sites is cached for 15 minutes, and is fetched once.
        command = [parts.python(environment), "-m", "gunicorn", "--bind=127.0.0.1:0", "--workers=1", "--threads=4"]
        command += ["--timeout=0", "--worker-tmp-dir", str(home), "observation_portal.wsgi"]
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=settings, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=home)
        try:
            url = _first_answer(process, log)
            if url is not None:
                yield url
                return
            error = log.read_text(errors="replace")[-300:]
        finally:
            parts.stop(process, signal.SIGINT)  # which gunicorn takes as: at once
    raise PortalMissing(f"the portal does not start: {error}")


def _first_answer(process: "subprocess.Popen[bytes]", log: Path) -> str | None:
    """Wait until the portal has looked at its instruments and its requests once; None where it does not come so far."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        listening = re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", log.read_text(errors="replace"))
        if listening is not None and all(_answers(listening[1] + path) for path in ("/api/instruments/", "/api/requestgroups/")):
            return listening[1]
        time.sleep(0.05)  # between two looks at a condition
    return None


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, headers={"Authorization": f"Token {parts.STAFF_TOKEN}"})
    try:
        with _opener().open(request, timeout=ANSWER_S) as answer:
            return bool(json.load(answer) is not None)
    except (OSError, ValueError):
        return False


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever the environment says
