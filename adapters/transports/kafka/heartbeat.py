"""A topic on which something comes every second: what tells a quiet night from a deaf connection."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

OLD_S = 30.0
"""A heartbeat older than this is an alarm, seconds; GCN sends one each second."""

DEAF_S = 300.0
"""A connection that has been silent for so long after it was heard is given up for a new one, seconds."""


class Heartbeat:
    """Counts the time spent listening since the last heartbeat.

    Time in which the hub did something else does not count: a slow database is no deaf connection. The clock is a monotonic one.
    """

    def __init__(self, topic: str, *, old_s: float = OLD_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.topic = topic
        self._old_s = old_s
        self._monotonic = monotonic
        self._lock = Lock()
        self._is_expected = False
        self._has_come = False
        self._silence_s = 0.0
        self._since: float | None = None

    def expect(self) -> None:
        """Begin to count: the connection is there."""
        with self._lock:
            if not self._is_expected:
                self._is_expected = True
                self._silence_s = 0.0
                self._since = self._monotonic() if self._since is not None else None

    def beat(self) -> None:
        """Note a heartbeat."""
        with self._lock:
            self._has_come = True
            self._silence_s = 0.0
            self._since = self._monotonic() if self._since is not None else None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count the time inside."""
        with self._lock:
            self._since = self._monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._silence_s = self._silence()
                self._since = None

    def alarms(self) -> list[str]:
        """Return the alarm, where there is one."""
        with self._lock:
            silence = self._silence()
            if not self._is_expected or silence <= self._old_s:
                return []
            if not self._has_come:
                return [f"no heartbeat has come on {self.topic} in {silence:.0f} s: the connection may be deaf"]
            return [f"the last heartbeat on {self.topic} came {silence:.0f} s ago: the connection may be deaf"]

    def is_deaf(self) -> bool:
        """Return whether heartbeats came once and then none for so long that a new connection is worth a try.

        Where none has come at all it is not: the topic itself may be silent, and a new connection would change nothing.
        """
        with self._lock:
            return self._has_come and self._silence() > DEAF_S

    def facts(self) -> dict[str, Any]:
        """Return how old the last heartbeat is, in seconds of listening."""
        with self._lock:
            return {"heartbeat_age_s": round(self._silence(), 1) if self._has_come else None}

    def _silence(self) -> float:
        return self._silence_s + (self._monotonic() - self._since if self._since is not None else 0.0)
