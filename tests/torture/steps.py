"""Run as a program: ``mmhub run ingest`` that notes what it is doing, so that whoever kills it can tell where the blow fell.

Arguments: file of the notes, ``careful`` or ``careless``, then the words of ``mmhub``. A careless hub acknowledges what it has
only received, over Kafka as over VTP: it exists to show that the harness finds that out. Nothing else differs from the hub itself.
"""

import functools
import mmap
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = (
    "starting",
    "waiting",
    "taking in",
    "handing in",
    "receiving",
    "decoding",
    "storing",
    "appending",
    "matching",
    "correlating",
    "placing",
    "acknowledging",
    "answering",
)
"""What a hub that takes in may be doing, several at once as it has several sources: ``taking in`` is the way of what Kafka
brought into the database, ``handing in`` that of a VOEvent from its socket, ``placing`` the writing of a Kafka partition's place, ``acknowledging`` the commit of offsets,
``answering`` the ack of VTP."""

NOT_FOR_INGEST = ("astroplan", "ligo.skymap")
"""Packages that a hub which only takes in must not load: they cost seconds at each start."""

_LOOKS = len(STEPS)
_FOUND = len(STEPS) + 1


class Notes:
    """How many threads are inside each step, in memory that outlives the process."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(4 * (len(STEPS) + 2)))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget the steps of the life before."""
        self._memory[: 4 * len(STEPS)] = bytes(4 * len(STEPS))

    def read(self) -> list[str]:
        """Return the steps that some thread is inside."""
        return [name for name, number in zip(STEPS, self._numbers(), strict=False) if number > 0]

    def looked(self) -> tuple[int, int]:
        """Return how often any life looked for packages that it must not have, and how often it had one."""
        numbers = self._numbers()
        return numbers[_LOOKS], numbers[_FOUND]

    def look(self) -> None:
        """Look for packages that the process must not have."""
        self._add(_LOOKS, 1)
        self._add(_FOUND, int(any(name in sys.modules for name in NOT_FOR_INGEST)))

    def add(self, step: str, change: int) -> None:
        """Count a thread in or out."""
        self._add(STEPS.index(step), change)

    def _add(self, place: int, change: int) -> None:
        with self._lock:
            (number,) = struct.unpack_from("<i", self._memory, 4 * place)
            struct.pack_into("<i", self._memory, 4 * place, number + change)

    def _numbers(self) -> tuple[int, ...]:
        return struct.unpack(f"<{len(STEPS) + 2}i", self._memory[:])

    def during(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its step noted."""

        @functools.wraps(function)
        def noted(*arguments: Any, **named: Any) -> Any:
            self.add(step, 1)
            try:
                return function(*arguments, **named)
            finally:
                self.add(step, -1)

        return noted

    def during_async(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function with its step noted."""

        @functools.wraps(function)
        async def noted(*arguments: Any, **named: Any) -> Any:
            self.add(step, 1)
            try:
                return await function(*arguments, **named)
            finally:
                self.add(step, -1)

        return noted


def main() -> None:
    """Put the notes in, then be the hub."""
    notes = Notes(Path(sys.argv[1]))
    notes.clear()
    notes.add("starting", 1)
    is_careless = sys.argv[2] == "careless"

    from adapters.codecs.decoder import WireDecoder
    from adapters.transports.kafka.consumer import KafkaSource
    from adapters.transports.vtp.link import Link
    from hub.__main__ import main as mmhub
    from hub.runtime.sources import SourceLoop
    from hub.services.alert_intake import AlertIntake
    from hub.services.correlation import Correlation
    from hub.services.intake import Intake
    from hub.storage import positions

    for owner, name, step in (
        (KafkaSource, "_taking", "waiting"),
        (KafkaSource, "acknowledge", "acknowledging"),
        (Intake, "accept", "receiving"),
        (AlertIntake, "accept", "receiving"),
        (WireDecoder, "decode", "decoding"),
        (WireDecoder, "decode_packets", "decoding"),
        (Intake, "_notice", "storing"),
        (AlertIntake, "_append", "appending"),
        (Correlation, "on_alerts", "matching"),
        (Correlation, "on_event", "correlating"),
        (positions, "advance", "placing"),
    ):
        setattr(owner, name, notes.during(step, getattr(owner, name)))
    take, take_from_kafka = SourceLoop._take, notes.during("taking in", SourceLoop._take)

    def take_from_anywhere(loop: Any, envelopes: Any) -> Any:
        return (take_from_kafka if isinstance(loop._source, KafkaSource) else take)(loop, envelopes)

    SourceLoop._take = take_from_anywhere  # type: ignore[method-assign]
    SourceLoop._take_packets = notes.during("taking in", SourceLoop._take_packets)  # type: ignore[method-assign]
    SourceLoop._accept = notes.during_async("handing in", SourceLoop._accept)  # type: ignore[method-assign]
    Link.send = notes.during_async("answering", Link.send)  # type: ignore[method-assign]
    if is_careless:
        _acknowledge_first()
    _end_of_start(notes)
    sys.argv[1:] = sys.argv[3:]
    sys.exit(mmhub())


def _end_of_start(notes: Notes) -> None:
    """Note when the first source is asked for messages, and look then and later at what was imported."""
    from adapters.transports.kafka.consumer import KafkaSource

    take = KafkaSource._taking
    has_begun = threading.Lock()

    def watched(source: Any, fetch: Any, timeout_s: float) -> Any:
        if has_begun.acquire(blocking=False):  # once, never released
            notes.add("starting", -1)
        notes.look()
        return take(source, fetch, timeout_s)

    KafkaSource._taking = watched  # type: ignore[method-assign]


def _acknowledge_first() -> None:
    """Swap the order: the offset is committed, and the author answered, before anything is stored."""
    from adapters.transports.kafka.consumer import KafkaSource
    from adapters.transports.vtp import messages
    from adapters.transports.vtp.handing_in import hand_in
    from adapters.transports.vtp.receiver import VtpReceiver

    take = KafkaSource._taking

    def hasty_take(source: Any, fetch: Any, timeout_s: float) -> Any:
        found = take(source, fetch, timeout_s)
        if found:
            source.acknowledge()
        return found

    async def hasty_answer(receiver: Any, link: Any, frame: bytes, accept: Any) -> bool:
        message: Any = messages.read(frame)
        await link.send(messages.ack(receiver._local_ivo, receiver._context.clock(), ivorn=message.ivorn))
        await hand_in(accept, receiver._envelope(frame))
        return True

    KafkaSource._taking = hasty_take  # type: ignore[method-assign]
    VtpReceiver._answer = hasty_answer  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
