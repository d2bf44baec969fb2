"""``mmhub run`` as a process of its own, which tests kill, and what it left in its database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from hub.storage import envelopes
from hub.storage.engine import is_current, open_store
from tests.conftest import REPOSITORY

SOURCE = "stream"
"""Name of the source in the settings that the tests write."""

WAIT_S = 240
"""How long anything may take on a machine that is busy with other tests."""


class RunningHub:
    """A process; several may share a folder, as workers do."""

    def __init__(self, config: Path, name: str, role: str = "ingest", *words: str) -> None:
        self.log = config.parent / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MMHUB_")}
        # The alerts of the tests have fixed dates, and the hub has the clock of this machine.
        environment |= {"MMHUB_ARCHIVE__KEEP_DAYS": "100000", "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-m", "hub", "--config", str(config), "run", role, *words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=config.parent, env=environment
            )

    def children(self) -> list[int]:
        """Return the ids of the processes that it started and that live."""
        pid = self.process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(child) for child in found.read_text().split()] if found.exists() else []

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Keep it and its children from going on, wherever they are in their work, until the end of the context."""
        family = [self.process.pid, *self.children()]
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in family:
                with suppress(ProcessLookupError):  # killed meanwhile
                    os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it by SIGKILL; harmless where it has ended."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end by SIGTERM, wait, return its code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def until(condition: Callable[[], bool], sentence: str | Callable[[], str], hubs: Collection[RunningHub] = ()) -> None:
    """Wait for a condition; fail with the sentence in the end, and at once where a hub ends by itself."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        for hub in hubs:
            assert hub.process.poll() is None, f"the hub ended by itself: {hub.log.read_text()[-2000:]}"
        logs = "".join(hub.log.read_text()[-1500:] for hub in hubs) if time.monotonic() > deadline else ""
        assert time.monotonic() < deadline, f"{sentence() if callable(sentence) else sentence} {logs}"
        time.sleep(0.05)  # between two looks at a condition


class Books:
    """What a hub's database says, read from outside."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "hub.sqlite"
        self._url = f"sqlite:///{self._file}"

    def stored(self, source: str) -> int:
        """Return how many messages of a source are stored, each counted once; 0 while there is no database."""
        return next((one.stored for one in self.counts() if one.source == source), 0)

    def counts(self) -> list[envelopes.SourceCounts]:
        """Return the books of all sources; none while the hub that begins has not made its tables."""
        if not self._file.exists() or self._file.stat().st_size == 0 or not is_current(self._url):
            return []
        store = open_store(self._url)
        try:
            with store.reading() as session:
                return envelopes.counts(session)
        finally:
            store.close()

    def has_all(self, digests: Collection[str]) -> bool:
        """Return whether the bytes with these SHA-256 are all there and stored."""
        store = open_store(self._url)
        try:
            with store.reading() as session:
                found = (envelopes.raw(session, digest) for digest in digests)
                return all(one is not None and one.state is envelopes.MessageState.STORED for one in found)
        finally:
            store.close()
