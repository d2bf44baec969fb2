"""Comet, the VOEvent broker that most observatories run, and pygcn's client: in an environment of their own, on loopback.

Both come from PyPI in the versions of ``comet_requirements.txt``. Comet listens on every address, so that it is told to serve
nobody but this machine; its ports are free ones that the system chose, read from its log.
"""

import re
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hub.errors import HubError
from tests.support import caches

REQUIREMENTS = Path(__file__).parent / "comet_requirements.txt"
"""What is installed, everything pinned."""

START_S = 120
"""How long Comet may take to open its ports on a busy machine, seconds."""

SEND_S = 120
"""How long comet-sendvo may take, seconds."""

LOCAL_IVO = "ivo://comet.example/broker"
"""By which name Comet is known."""

# Comet's own minute between two iamalives is too long for a test; nothing else of it is changed.
_BROKER = """
import sys
from comet.protocol.broadcaster import VOEventBroadcasterFactory
VOEventBroadcasterFactory.IAMALIVE_INTERVAL = float(sys.argv[1])
from twisted.application.twist._twist import Twist
Twist.main(["twist", *sys.argv[2:]])
"""

_LISTENER = """
import itertools, logging, pathlib, sys
import gcn
logging.basicConfig(level=logging.DEBUG)
folder = pathlib.Path(sys.argv[2])
number = itertools.count()
def save(payload, root):
    partial = folder / "part"
    partial.write_bytes(payload)
    partial.rename(folder / f"{next(number)}.xml")
gcn.listen(host="127.0.0.1", port=int(sys.argv[1]), ivorn="ivo://pygcn.example/client", handler=save)
"""


class CometMissing(HubError):
    """Comet cannot be installed or started here."""


def prepare() -> Path:
    """Return the environment with Comet and pygcn, built where it is not there.

    Raises
    ------
    CometMissing
        pip does not bring the packages.
    """
    version = f"{sys.implementation.cache_tag}".encode()
    return caches.built(caches.place("comet", [REQUIREMENTS.read_bytes(), version]), _build)


def _build(folder: Path) -> None:
    venv.create(folder, with_pip=True, symlinks=True)
    command = [
        _python(folder),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "-r",
        str(REQUIREMENTS),
    ]
    installed = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if installed.returncode != 0:
        raise CometMissing(f"pip cannot install Comet: {installed.stderr.strip()[-300:]}")


def _python(folder: Path) -> str:
    # Scripts of a moved environment name the place where they were made; its interpreter finds its own.
    return str(folder / "bin" / "python")


class Process:
    """A program that saves each event it gets as a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return (self._folder / "log").read_text(errors="replace")

    def saved(self) -> list[bytes]:
        """Return the events that it has got."""
        return [path.read_bytes() for path in sorted((self._folder / "saved").iterdir()) if path.name != "part"]


class Comet(Process):
    """A running broker."""

    local_ivo = LOCAL_IVO

    @property
    def author_port(self) -> int:
        """Where authors send to."""
        return self._port("VOEventReceiverFactory")

    @property
    def subscriber_port(self) -> int:
        """Where subscribers connect."""
        return self._port("VOEventBroadcasterFactory")

    def is_open(self) -> bool:
        """Return whether all ports are open."""
        return "Starting reactor" in self.log

    def _port(self, factory: str) -> int:
        found = re.search(rf"{factory} \(WhitelistingFactory\) starting on (\d+)", self.log)
        assert found is not None, "Comet does not listen there"
        return int(found[1])


@contextmanager
def broker(*, remotes: Sequence[int] = (), iamalive_s: float = 60.0, filters: Sequence[str] = ()) -> Iterator[Comet]:
    """Give a Comet that takes events of authors and of remote brokers (ports of this machine) and broadcasts them.

    Raises
    ------
    CometMissing
        It cannot be installed, or does not start, tried twice.
    """
    parts = prepare()
    with tempfile.TemporaryDirectory(prefix="mmhub-comet-") as temporary:
        comet = None
        for attempt in ("first", "second"):
            folder = Path(temporary) / attempt
            (folder / "saved").mkdir(parents=True)
            command = [_python(parts), "-c", _BROKER, str(iamalive_s), "--log-format=text", "comet", "--verbose"]
            command += [f"--local-ivo={LOCAL_IVO}", f"--eventdb={folder / 'db'}"]
            command += ["--receive", "--receive-port=0", "--broadcast", "--broadcast-port=0", "--broadcast-test-interval=0"]
            command += ["--author-whitelist=127.0.0.1/32", "--subscriber-whitelist=127.0.0.1/32"]
            command += ["--save-event", f"--save-event-directory={folder / 'saved'}"]
            command += [f"--remote=127.0.0.1:{port}" for port in remotes]
            command += [f"--filter={text}" for text in filters]
            comet = Comet(_start(command, folder), folder)
            if _comes_up(comet):
                break
            _end(comet)
        else:
            raise CometMissing(f"Comet does not start: {comet.log[-300:] if comet else ''}")
        try:
            yield comet
        finally:
            _end(comet)


@contextmanager
def pygcn_listener(port: int) -> Iterator[Process]:
    """Give pygcn's client as a subscriber of a port of this machine."""
    parts = prepare()
    with tempfile.TemporaryDirectory(prefix="mmhub-pygcn-") as temporary:
        folder = Path(temporary)
        (folder / "saved").mkdir()
        client = Process(_start([_python(parts), "-c", _LISTENER, str(port), str(folder / "saved")], folder), folder)
        try:
            yield client
        finally:
            _end(client)


def sendvo(port: int, payload: bytes) -> "subprocess.CompletedProcess[str]":
    """Send an event with comet-sendvo; its return code is 0 where it was acknowledged."""
    parts = prepare()
    with tempfile.TemporaryDirectory(prefix="mmhub-sendvo-") as temporary:
        event = Path(temporary) / "event.xml"
        event.write_bytes(payload)
        command = [_python(parts), str(parts / "bin" / "comet-sendvo"), "--host=127.0.0.1", f"--port={port}", f"--file={event}"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SEND_S, cwd="/")


def _start(command: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)


def _comes_up(comet: Comet) -> bool:
    end = time.monotonic() + START_S
    while time.monotonic() < end and comet.process.poll() is None:
        if comet.is_open():
            return True
        time.sleep(0.02)
    return False


def _end(running: Process) -> None:
    running.process.terminate()
    try:
        running.process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.wait()
