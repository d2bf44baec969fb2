"""The hub that is killed, and the author who sends to it whatever happens."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.torture import night
from tests.torture.steps import Notes

PATIENCE_S = 240.0
"""Nothing may take longer without any progress, seconds."""

AIMING_S = 20.0
"""How long a life goes on while the step that it is to end in is not seen, seconds."""

NUDGE_S = 0.5
"""A hub in which the step is not seen gets something to do so often, seconds."""


class Victim:
    """The hub, which is started again whenever it was killed."""

    def __init__(self, folder: Path, *, careless: bool) -> None:
        self.folder = folder
        self.notes = Notes(folder / "steps")
        self._careless = careless
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self.notes.clear()
        self.notes.add("starting", 1)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MMHUB_")}
        # The alerts of the night have fixed dates, and the hub has the clock of this machine.
        environment["MMHUB_ARCHIVE__KEEP_DAYS"] = "100000"
        command = [sys.executable, "-m", "tests.torture.steps", str(self.folder / "steps")]
        command += ["careless" if self._careless else "careful", "--config", str(self.folder / "mmhub.toml"), "run", "ingest"]
        with (self.folder / "said").open("ab") as said:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    def await_work(self) -> None:
        """Return when it has begun to take in."""
        begin = time.monotonic()
        while "starting" in self.notes.read():
            self.check()
            assert time.monotonic() - begin < PATIENCE_S, f"the hub does not begin: {self.tail()}"
            time.sleep(0.005)

    def check(self) -> None:
        """Hold it to being alive."""
        assert self._process is not None
        assert self._process.poll() is None, f"the hub ended by itself: {self.tail()}"

    def kill(self) -> list[str]:
        """Kill it and return what it was doing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        return self.notes.read()

    def kill_in(self, step: str, nudge: Callable[[], None]) -> list[str]:
        """Kill it in a step: whenever that step is seen it is halted, and killed if it stands there, else let go on.

        Where the step does not come it is nudged, and killed all the same after `AIMING_S`. Returns what it was doing.
        """
        assert self._process is not None
        if step != "starting":
            self.await_work()
        begin = nudged = time.monotonic()
        while time.monotonic() - begin < AIMING_S:
            self.check()
            if time.monotonic() - nudged > NUDGE_S:
                nudge()
                nudged = time.monotonic()
            if step in self.notes.read():
                self._process.send_signal(signal.SIGSTOP)
                _, status = os.waitpid(self._process.pid, os.WUNTRACED)
                assert os.WIFSTOPPED(status), f"the hub ended by itself: {self.tail()}"
                if step in self.notes.read():
                    break
                self._process.send_signal(signal.SIGCONT)
            time.sleep(0.0005)
        return self.kill()

    def stop(self) -> int:
        """Ask it to end, if it lives, and return its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def tail(self) -> str:
        """Return the end of what it said."""
        return (self.folder / "said").read_text(errors="replace")[-3000:]


class Author(threading.Thread):
    """Sends VOEvents to the hub's receiver, each until it is acknowledged, as an author who must not lose any."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._waiting: list[int] = []
        self._stopped = threading.Event()
        self.refused: list[str] = []
        """What the hub answered instead of an acknowledgement, the first few."""

    def give(self, numbers: Iterable[int]) -> None:
        """Have these sent too."""
        self._waiting.extend(numbers)

    def is_done(self) -> bool:
        """Tell whether everything that was given is acknowledged."""
        return not self._waiting

    def stop(self) -> None:
        """End, whatever is left."""
        self._stopped.set()
        self.join(60)

    def run(self) -> None:
        """Send all of them."""
        while not self._stopped.is_set():
            if self._waiting and self._is_acknowledged(night.burst(self._waiting[0])):
                del self._waiting[0]
            else:
                self._stopped.wait(0.02)

    def _is_acknowledged(self, payload: bytes) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=30) as line:
                line.sendall(struct.pack(">I", len(payload)) + payload)
                (length,) = struct.unpack(">I", _exactly(line, 4))
                answer = _exactly(line, length)
        except (OSError, EOFError):
            return False
        if b'role="ack"' in answer:
            return True
        if len(self.refused) < 5:
            self.refused.append(answer.decode(errors="replace"))
        return False


def _exactly(line: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = line.recv(size - len(found))
        if not more:
            raise EOFError
        found += more
    return found
