"""What LCO's observation portal is run from, built once per machine: its environment, and a database with users and proposals.

The portal comes from PyPI in the versions of ``portal_requirements.txt`` and lives in an environment of its own; nothing of the hub
imports it (its licence is GPL-3.0, and it needs a Python before 3.12). pyslalib among them has no wheel: pip compiles it, for which gfortran
must be there.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from hub.errors import HubError
from tests.support import caches, postgres

REQUIREMENTS = Path(__file__).parent / "portal_requirements.txt"
"""What is installed, everything pinned."""

INSTRUMENT = "1M0-SCICAM-SINISTRO"
"""What the one-metre imager of the portal's own test site is called here, as at LCO."""

FILTERS = ("gp", "rp", "ip")
"""What it can put into the light."""

MODE = "full_frame"
"""How it is read out unless asked otherwise."""

START_S = 120
"""How long Redis may take to open its socket on a busy machine, seconds."""

USER_TOKEN = "0" * 39 + "1"
"""Whom the hub speaks as: member of both proposals."""

STAFF_TOKEN = "0" * 39 + "2"
"""The observatory: sees everything, schedules and reports."""

PROPOSAL = "MMHUB2026"
"""Has 100 hours of each kind on each instrument."""

POOR_PROPOSAL = "MMHUB-EMPTY"
"""Has no time."""

# Semesters without end, so that a database that was prepared long ago still has one today.
_SETUP = f"""
import django
django.setup()
from django.core.management import call_command
from django.contrib.auth.models import User
from observation_portal.proposals.models import Membership, Proposal
def call(*words):
    try:
        call_command(*words)
    except SystemExit as end:
        assert not end.code, words
call("migrate", "--verbosity=0")
call("create_user", "--user=hub", "--email=hub@observatory.example", "--token={USER_TOKEN}")
call("create_user", "--user=staff", "--email=staff@observatory.example", "--token={STAFF_TOKEN}", "--superuser")
staff = User.objects.get(username="staff")
staff.profile.staff_view = True
staff.profile.save()
call("create_semester", "--id=always", "--start=2000-01-01T00:00:00+00:00", "--end=2200-01-01T00:00:00+00:00")
call("create_proposal", "--id={PROPOSAL}", "--active", "--pi=hub", "--time-allocation")
call("create_proposal", "--id={POOR_PROPOSAL}", "--active", "--pi=hub")
assert Membership.objects.filter(user__username="hub").count() == 2
assert Proposal.objects.get(id="{PROPOSAL}").timeallocation_set.filter(instrument_types__contains=["{INSTRUMENT}"]).count() == 1
"""


class PortalMissing(HubError):
    """The observation portal cannot be installed or started here."""


def prepare() -> Path:
    """Return the folder of the prepared database, built where it is not there, as is the environment that it is built with.

    Raises
    ------
    PortalMissing
        A program is missing, or pip does not bring the packages.
    """
    redis_server()
    environment = prepare_environment()
    made_from = [REQUIREMENTS.read_bytes(), Path(__file__).read_bytes()]
    return caches.built(caches.place("portal-database", made_from), lambda folder: _fill(folder, environment))


def prepare_environment() -> Path:
    """Return the environment with the portal, built where it is not there; errors as of `prepare`."""
    interpreter = _interpreter()
    return caches.built(
        caches.place("portal", [REQUIREMENTS.read_bytes(), b"python3.11"]),
        lambda folder: _install(folder, interpreter),
    )


def redis_server() -> str:
    """Return the program of Redis, which the portal hands its mails and the like to; raises `PortalMissing` without it."""
    found = shutil.which("redis-server")
    if found is None:
        raise PortalMissing("no redis-server, which Debian's package of that name has")
    return found


def python(environment: Path) -> str:
    """Return the interpreter of the environment; its scripts name the place where they were made and do not run."""
    return str(environment / "bin" / "python")


def settings_of(*, database_url: str, redis_socket: Path, sites_url: str, home: Path) -> dict[str, str]:
    """Return the environment variables that the portal reads, and no others."""
    host = parse_qs(urlsplit(database_url).query)["host"][0]
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "DJANGO_SETTINGS_MODULE": "observation_portal.settings",
        "DB_HOST": host,
        "DB_NAME": "postgres",
        "DB_USER": "hub",
        "CONFIGDB_URL": sites_url,
        "DOWNTIMEDB_URL": f"{sites_url}/",
        "DRAMATIQ_BROKER_URL": f"unix://{redis_socket}",
    }


@contextmanager
def redis(folder: Path) -> Iterator[Path]:
    """Give the socket of a Redis that keeps nothing; raises `PortalMissing` where it does not start."""
    socket = folder / "redis.sock"
    command = [
        redis_server(),
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    ]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        end = time.monotonic() + START_S
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise PortalMissing(f"Redis does not start: {(folder / 'redis.log').read_text(errors='replace')[-300:]}")
            time.sleep(0.02)  # between two looks at a condition
        yield socket
    finally:
        stop(process)


@contextmanager
def sites(environment: Path) -> Iterator[str]:
    """Give the URL of a server in place of LCO's configuration database: the portal's own test site, and no downtime."""
    body = json.dumps(_test_site(environment)).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = body if self.path == "/sites/" else b'{"count": 0, "next": null, "previous": null, "results": []}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's word
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def stop(process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGTERM) -> None:
    """End a process by a signal, or by force where it does not heed it, and wait for its end."""
    process.send_signal(how)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(environment: Path, program: str, settings: Mapping[str, str]) -> None:
    """Run a program inside the portal.

    Raises
    ------
    PortalMissing
        It fails, with the end of what it printed.
    """
    command = [python(environment), "-c", program]
    done = subprocess.run(command, env=dict(settings), capture_output=True, text=True, check=False, cwd=settings["HOME"])
    if done.returncode != 0:
        raise PortalMissing(f"the portal does not do what it should: {(done.stdout + done.stderr).strip()[-500:]}")


def _interpreter() -> str:
    if sys.version_info[:2] == (3, 11):
        return sys.executable
    found = shutil.which("python3.11")
    if found is None:
        raise PortalMissing("the portal needs Python 3.11, and there is no python3.11")
    return found


def _install(folder: Path, interpreter: str) -> None:
    if shutil.which("gfortran") is None:
        raise PortalMissing("no gfortran, which one of the portal's packages is compiled with")
    _demand([interpreter, "-m", "venv", "--symlinks", str(folder)])
    install = [python(folder), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _demand([*install, "-r", str(REQUIREMENTS)])


def _demand(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise PortalMissing(f"the portal cannot be installed: {(done.stdout + done.stderr).strip()[-500:]}")


def _fill(folder: Path, environment: Path) -> None:
    try:
        with (
            tempfile.TemporaryDirectory(prefix="mmhub-portal-") as home,
            sites(environment) as sites_url,
            redis(Path(home)) as redis_socket,
            postgres.server(keep_as=folder / "data") as database_url,
        ):
            settings = settings_of(database_url=database_url, redis_socket=redis_socket, sites_url=sites_url, home=Path(home))
            run(environment, _SETUP, settings)
    except postgres.ServerMissing as error:
        raise PortalMissing(str(error)) from error


def _test_site(environment: Path) -> object:
    found = next(environment.glob("lib/python3*/site-packages/observation_portal/common/test_data/configdb.json"))
    said = found.read_text().replace("1M0-SCICAM-SBIG", INSTRUMENT).replace('"1m0_sbig_2"', f'"{MODE}"')
    document = json.loads(said)
    for site in document["results"]:
        for enclosure in site["enclosure_set"]:
            for telescope in enclosure["telescope_set"]:
                for instrument in telescope["instrument_set"]:
                    if instrument["instrument_type"]["code"] == INSTRUMENT:
                        _give_filters(instrument)
    return document


def _give_filters(instrument: dict[str, list[dict[str, list[dict[str, object]]]]]) -> None:
    for camera in instrument["science_cameras"]:
        for group in camera["optical_element_groups"]:
            group["optical_elements"] = [{"name": name, "code": name, "schedulable": True} for name in FILTERS]
            group["default"] = FILTERS[0]  # type: ignore[assignment] - a text among the lists
