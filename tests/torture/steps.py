"""Run as a program: ``mmhub run ingest`` that notes what it is doing, so that whoever kills it can tell where the blow fell.

Arguments: file of the notes, ``careful`` or ``careless``, then the words of ``mmhub``. A careless hub acknowledges what it has
only received: it exists to show that the harness finds that out. Nothing else differs from the hub itself.
"""

import functools
import mmap
import os
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = ("starting", "waiting", "receiving", "decoding", "storing", "appending", "matching", "correlating", "acknowledging")
"""What a hub that takes in may be doing; several at once, as it has several sources."""


class Notes:
    """How many threads are inside each step, in memory that outlives the process."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(4 * len(STEPS)))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget the life before."""
        self._memory[:] = bytes(len(self._memory))

    def read(self) -> list[str]:
        """Return the steps that some thread is inside."""
        numbers = struct.unpack(f"<{len(STEPS)}i", self._memory[:])
        return [name for name, number in zip(STEPS, numbers, strict=True) if number > 0]

    def add(self, step: str, change: int) -> None:
        """Count a thread in or out."""
        place = 4 * STEPS.index(step)
        with self._lock:
            (number,) = struct.unpack_from("<i", self._memory, place)
            struct.pack_into("<i", self._memory, place, number + change)

    def during(self, step: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method with its step noted."""

        @functools.wraps(method)
        def noted(*arguments: Any, **named: Any) -> Any:
            self.add(step, 1)
            try:
                return method(*arguments, **named)
            finally:
                self.add(step, -1)

        return noted


def main() -> None:
    """Patch what is noted, then be the hub."""
    notes = Notes(Path(sys.argv[1]))
    notes.clear()
    notes.add("starting", 1)
    careless = sys.argv[2] == "careless"

    from adapters.codecs.decoder import WireDecoder
    from adapters.transports.kafka.consumer import KafkaSource
    from hub.__main__ import main as mmhub
    from hub.services.correlation import Correlation
    from hub.services.intake import Intake

    for owner, method, step in (
        (KafkaSource, "take", "waiting"),
        (KafkaSource, "acknowledge", "acknowledging"),
        (Intake, "accept", "receiving"),
        (WireDecoder, "decode", "decoding"),
        (Intake, "_notice", "storing"),
        (Intake, "_append", "appending"),
        (Correlation, "on_alerts", "matching"),
        (Correlation, "on_event", "correlating"),
    ):
        setattr(owner, method, notes.during(step, getattr(owner, method)))

    take = KafkaSource.take

    def first_take(source: Any, limit: int, timeout_s: float) -> Any:
        notes.add("starting", -1)
        KafkaSource.take = take  # type: ignore[method-assign]
        return take(source, limit, timeout_s)

    KafkaSource.take = first_take  # type: ignore[method-assign]
    if careless:

        def hasty(source: Any, limit: int, timeout_s: float) -> Any:
            found = take(source, limit, timeout_s)
            if found:
                source.acknowledge()
            return found

        take = hasty
    sys.argv[1:] = sys.argv[3:]
    sys.exit(mmhub())


if __name__ == "__main__":
    os.environ.pop("PYTHONSTARTUP", None)
    main()
