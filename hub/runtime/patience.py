"""Work on a batch that must not be lost: done again until it succeeds, while the source keeps its place.

The work has a thread of its own, so that the source can be told to stay meanwhile: a Kafka group gives away the partitions of a
member that does not ask for messages. A store that takes nothing (a full disk, a database that is away) is tried again with
growing pauses; nothing is acknowledged and nothing more is taken until it takes the batch.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from hub.errors import StorageError
from hub.ports import StayingSource
from hub.telemetry import get_logger

log = get_logger("sources")

T = TypeVar("T")

STAY_AFTER_S = 5.0
"""Work that takes longer makes the source stop fetching, seconds."""

STAY_S = 1.0
"""Time between two signs of life of a source that stays, seconds."""

FIRST_PAUSE_S = 0.5
"""Pause after the first failure, seconds; doubles with each further one."""

LONGEST_PAUSE_S = 30.0
"""No pause is longer, seconds."""


_NOTHING_UNDER_WAY = threading.Event()
_NOTHING_UNDER_WAY.set()


class Stopped(Exception):
    """The stop came before the work could be done."""


class PatientWork:
    """Does one thing after the other; used from one thread, but for `failure` and `is_slow`.

    Parameters
    ----------
    is_stopped
        Whether to give up.
    on_change
        Called when the work begins to fail or succeeds again.
    first_pause_s, stay_after_s
        As the constants.
    """

    def __init__(
        self,
        is_stopped: Callable[[], bool],
        *,
        on_change: Callable[[], None] = lambda: None,
        first_pause_s: float = FIRST_PAUSE_S,
        stay_after_s: float = STAY_AFTER_S,
    ) -> None:
        self._is_stopped = is_stopped
        self._on_change = on_change
        self._first_pause_s = first_pause_s
        self._stay_after_s = stay_after_s
        self.failure: str | None = None
        """Why the store takes nothing, one sentence; None while it does."""
        self.is_slow = False
        """Whether the source stays because work takes long."""
        self.n_failures = 0
        """Failures since the beginning."""

    def do(self, source: object, work: Callable[[], T]) -> T:
        """Return what the work returns, however often it must be begun.

        Raises
        ------
        Stopped
            The stop came while the store took nothing.
        """
        n_failures = 0
        while True:
            try:
                found = self._beside(source, work)
            except StorageError as error:
                n_failures += 1
                self.n_failures += 1
                self._tell(str(error))
                log.warning("batch not stored, nothing acknowledged", reason=str(error), failures=n_failures)
                self._pause(source, min(LONGEST_PAUSE_S, self._first_pause_s * 2.0 ** min(n_failures - 1, 40)))
            else:
                self._tell(None)
                return found

    def _tell(self, failure: str | None) -> None:
        is_news = (failure is None) != (self.failure is None)
        self.failure = failure
        if is_news:
            self._on_change()

    def _beside(self, source: object, work: Callable[[], T]) -> T:
        """Do the work in a thread, and let the source stay where it takes long."""
        if not isinstance(source, StayingSource):
            return work()
        done = threading.Event()
        results: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                errors.append(error)
            finally:
                done.set()

        threading.Thread(target=run, name="batch", daemon=True).start()
        try:
            self.is_slow = not done.wait(self._stay_after_s)
            while not done.wait(STAY_S if self.is_slow else 0.0):
                source.stay(done)
        finally:
            self.is_slow = False
        if errors:
            raise errors[0]
        return results[0]

    def _pause(self, source: object, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            if self._is_stopped():
                raise Stopped
            if isinstance(source, StayingSource):
                source.stay(_NOTHING_UNDER_WAY)
            time.sleep(min(left_s, STAY_S, 0.2))
        if self._is_stopped():
            raise Stopped
