"""Drains the outbox: at least once to every sink, with growing pauses after a passing fault."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.errors import Permanent, Transient
from hub.model.outgoing import Outgoing
from hub.ports import Clock, Sink
from hub.storage import outbox
from hub.storage.engine import Store
from hub.telemetry import get_logger

BATCH = 100
"""Messages taken from the outbox in one go."""

FIRST_PAUSE_S = 1.0
"""Pause after the first failure; doubles with each further one."""

LONGEST_PAUSE_S = 300.0
"""Longest pause between two tries."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchReport:
    """What one round did."""

    sent: int = 0
    delayed: int = 0
    failed: int = 0


class Dispatch:
    """Hands what is in the outbox to the sinks."""

    def __init__(self, *, store: Store, sinks: Mapping[str, Sink], clock: Clock) -> None:
        self._store = store
        self._sinks = sinks
        self._clock = clock

    def step(self) -> DispatchReport:
        """Send what is due to the open destinations, once each; what cannot be sent now is due again later."""
        sent = delayed = failed = 0
        with self._store.reading() as session:
            waiting = outbox.due(session, self._clock(), BATCH, self._sinks)
        for item in waiting:
            try:
                self._deliver(item.outgoing)
            except Transient as error:
                pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(item.tries, 30))  # 2**1024 is no float any more
                with self._store.transaction() as session:
                    outbox.mark_failed(session, item.outgoing, str(error), retry_at=self._clock().plus_s(pause))
                log.warning("message delayed", ivorn=item.outgoing.ivorn, reason=str(error), pause_s=pause)
                delayed += 1
            except Permanent as error:
                with self._store.transaction() as session:
                    outbox.mark_failed(session, item.outgoing, str(error), retry_at=None)
                log.error(  # noqa: TRY400 - the sentence says it all, a traceback would not help
                    "message not sent", ivorn=item.outgoing.ivorn, reason=str(error)
                )
                failed += 1
            else:
                with self._store.transaction() as session:
                    outbox.mark_sent(session, item.outgoing, self._clock())
                sent += 1
        return DispatchReport(sent=sent, delayed=delayed, failed=failed)

    def drain(self) -> DispatchReport:
        """Send until nothing is due."""
        total = DispatchReport()
        while True:
            report = self.step()
            total = DispatchReport(
                sent=total.sent + report.sent, delayed=total.delayed + report.delayed, failed=total.failed + report.failed
            )
            if not report.sent:
                return total

    def _deliver(self, outgoing: Outgoing) -> None:
        self._sinks[outgoing.destination].deliver(outgoing)
