"""A line on standard error that shows how far a long verb is; nothing where nobody looks."""

import sys
import time
from types import TracebackType
from typing import Self

PAUSE_S = 0.2
"""Time between two updates, seconds."""


class Progress:
    """Counts up to a total; shows itself only on a terminal and only after the first second."""

    def __init__(self, what: str, *, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._begun = self._shown = time.monotonic()
        self._is_visible = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._is_visible:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def advance(self, number: int, note: str = "") -> None:
        """Count some more, and perhaps show it."""
        self._done += number
        moment = time.monotonic()
        if not sys.stderr.isatty() or moment - self._begun < 1.0 or moment - self._shown < PAUSE_S:
            return
        self._shown, self._is_visible = moment, True
        sys.stderr.write(f"\r\x1b[K{self._what}: {self._done} of {self._total}{'  ' + note if note else ''}")
        sys.stderr.flush()
