"""How fast alerts pass, and how late they are: what a worker tells of itself."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.errors import StorageError
from hub.model.instant import Instant
from hub.services.alert_intake import PacketReport

EXPOSURE_S = 30.0
"""Length of an exposure, seconds, where only its middle is known: that of Rubin's visits and of ZTF's."""

LATEST = 20_000
"""Alerts that the quantiles are of: two visits of Rubin."""

RATE_S = 60.0
"""Alerts per second are counted over this time, seconds."""

PROMISED_S = 60.0
"""Rubin means to pass 98 % of its alerts on within this time from readout, seconds."""

FUTURE_S = -60.0
"""An alert matched so long before its readout, seconds, has a wrong date, or the machine a wrong clock: it is not timed."""

AHEAD_S = 600.0
"""How far alerts are dated ahead is told for so long after the last of them, seconds."""

ROWS_S = 10.0
"""The rows of the archive are counted anew after this, seconds."""

ROWS_SHARE = 0.01
"""Counting them takes no larger share of the time: it takes longer the more nights there are."""

_COUNTED = ("alerts", "alerts_new", "matched", "packets_not_kept", "statements_not_recorded", "dated_ahead")


class AlertMeter:
    """Counts what one loop takes in; written to from its thread, read from any.

    Parameters
    ----------
    clock
        Tells when a batch was matched.
    n_archived
        Returns how many rows the archive has; None where nobody knows.
    monotonic
        Tells the time for rates.
    """

    def __init__(
        self,
        clock: Callable[[], Instant],
        n_archived: Callable[[], int] | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._n_archived = n_archived
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._taken: deque[tuple[float, int]] = deque()
        self._latencies = np.full(LATEST, np.nan, dtype=np.float32)
        self._n_timed = 0
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._ahead: tuple[float, float] | None = None
        self._rows: int | None = None
        self._rows_at: Instant | None = None
        self._rows_due = float("-inf")

    def note(self, report: PacketReport, *, n_matched: int, in_full: bool) -> None:
        """Count a batch whose matching is done."""
        now = self._clock()
        n_alerts = int(report.n_alerts.sum())
        late = [_since_readout_s(one.batch.mid_tai_us[one.is_new], now) for one in report.alerts]
        with self._lock:
            self._taken.append((self._monotonic(), n_alerts))
            self._counts["alerts"] += n_alerts
            self._counts["alerts_new"] += sum(map(len, late))
            self._counts["matched"] += n_matched
            self._counts["packets_not_kept"] += 0 if in_full else n_matched
            self._counts["statements_not_recorded"] += report.n_statements_left
            for some in late:
                timed = some[some >= FUTURE_S]
                self._counts["dated_ahead"] += len(some) - len(timed)
                if len(timed) < len(some):
                    self._ahead = (self._monotonic(), -float(some.min()))
                self._remember(timed)

    def facts(self) -> dict[str, Any]:
        """Return the numbers, JSON values; callable from any thread."""
        with self._lock:
            now = self._monotonic()
            while self._taken and now - self._taken[0][0] > RATE_S:
                self._taken.popleft()
            n_lately = sum(number for _, number in self._taken)
            known = self._latencies[: min(self._n_timed, LATEST)].copy()
            ahead_s = None if self._ahead is None or now - self._ahead[0] > AHEAD_S else round(self._ahead[1], 3)
            found = {**self._counts, "alerts_per_s": round(n_lately / RATE_S, 2), "ahead_s": ahead_s}
        self._count_rows(now)
        counted_at = None if self._rows_at is None else self._rows_at.to_utc_iso()
        return {**found, **_quantiles(known), "archive_rows": self._rows, "archive_rows_at": counted_at}

    def _remember(self, seconds: NDArray[np.float32]) -> None:
        some = seconds[-LATEST:]
        at = np.arange(self._n_timed, self._n_timed + len(some)) % LATEST
        self._latencies[at] = some
        self._n_timed += len(some)

    def _count_rows(self, now: float) -> None:
        if self._n_archived is None or now < self._rows_due:
            return
        begun = self._monotonic()
        with suppress(StorageError):  # then the last number stands, with its time
            self._rows, self._rows_at = self._n_archived(), self._clock()
        ended = self._monotonic()
        self._rows_due = ended + max(ROWS_S, (ended - begun) / ROWS_SHARE)


def _since_readout_s(mid_tai_us: NDArray[np.int64], now: Instant) -> NDArray[np.float32]:
    seconds: NDArray[np.float32] = ((now.tai_us - mid_tai_us) / 1e6 - EXPOSURE_S / 2).astype(np.float32)
    return seconds


def _quantiles(seconds: NDArray[np.float32]) -> dict[str, Any]:
    """Return how long after the readout new alerts were matched, and which share of them in the time that Rubin promises."""
    if not len(seconds):
        return {"matched_p50_s": None, "matched_p98_s": None, "within_60_s": None, "n_timed": 0}
    p50, p98 = np.quantile(seconds, [0.5, 0.98]).tolist()
    return {
        "matched_p50_s": round(p50, 3),
        "matched_p98_s": round(p98, 3),
        "within_60_s": round(float(np.mean(seconds <= PROMISED_S)), 4),
        "n_timed": len(seconds),
    }
