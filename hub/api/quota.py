"""How much each caller may do: a bucket that fills again at a steady rate."""

import time
from collections.abc import Callable


class Quota:
    """Counts what each caller does; kept in memory, so a restart begins anew."""

    def __init__(self, number: int, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._number = number
        self._rate = number / per_s
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and when that was

    def wait_s(self, who: str) -> float:
        """Return how long a caller has to wait before the next thing, seconds; 0 where it may go on."""
        return max(0.0, (1.0 - self._left(who)) / self._rate)

    def spend(self, who: str) -> None:
        """Count one thing."""
        self._buckets[who] = (self._left(who) - 1.0, self._clock())

    def _left(self, who: str) -> float:
        left, at = self._buckets.get(who, (float(self._number), 0.0))
        return min(self._number, left + (self._clock() - at) * self._rate)
