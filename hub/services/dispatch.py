"""Drains the outbox: at least once to every destination, each at its own pace.

Within a destination messages keep their order. A passing fault stops its round, and nothing behind the message that could not be
sent goes before it; a lasting fault gives that one message up. Destinations know nothing of each other: each is driven by a
thread of its own, and whatever one does is no delay to another.

A message is sent again, with the same bytes, where the hub dies between sending it and writing that down. Receivers tell by the
ivorn, which every format carries, that it is a repeat.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from hub.errors import Permanent, Transient
from hub.model.instant import Instant
from hub.ports import Clock, Sink
from hub.services.instance import is_gone, this_process
from hub.storage import leases, outbox
from hub.storage.engine import Store
from hub.storage.outbox import OutboxEntry
from hub.telemetry import get_logger

BATCH = 20
"""Messages taken from the outbox in one go; some have megabytes."""

FIRST_PAUSE_S = 1.0
"""Pause after the first failure; doubles with each further one."""

LONGEST_PAUSE_S = 60.0
"""Longest pause between two tries."""

LEASE_S = 30.0
"""How long a process that has fallen silent keeps others from sending to its destinations. A sink that is held up for longer is
taken over, and then both send the same message."""

log = get_logger(__name__)

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchReport:
    """What one round did."""

    sent: int = 0
    delayed: int = 0
    failed: int = 0

    def __add__(self, other: "DispatchReport") -> "DispatchReport":
        return DispatchReport(
            sent=self.sent + other.sent, delayed=self.delayed + other.delayed, failed=self.failed + other.failed
        )


class Dispatch:
    """Hands what is in the outbox to the sinks. Safe to share between threads that drive different destinations.

    Parameters
    ----------
    store
        The outbox.
    sinks
        Open destinations by name; looked up in each round, so that one may be opened anew in between. Messages to any other
        destination wait.
    clock
        Tells the present moment.
    """

    def __init__(self, *, store: Store, sinks: Mapping[str, Sink], clock: Clock) -> None:
        self._store = store
        self._sinks = sinks
        self._clock = clock
        self._holder = f"{this_process()}/{next(_numbers)}"
        self._held: dict[str, Instant] = {}

    @property
    def destinations(self) -> tuple[str, ...]:
        """The open destinations."""
        return tuple(self._sinks)

    def step(self, destination: str) -> DispatchReport:
        """Send what is due to one destination, once each, in order; what cannot be sent now is due again later.

        Nothing is sent while another process holds the destination's lease.

        Raises
        ------
        StorageError
            The outbox cannot be read or written: what was sent may be sent again.
        """
        sink = self._sinks.get(destination)
        if sink is None:
            return DispatchReport()
        # What is due is looked up under the lease: another process may have sent it before we had it.
        had_lease = self._has_lease(destination)
        found = self._due(destination, BATCH if had_lease else 1)
        if not found or not self._hold(destination):
            return DispatchReport()
        report = DispatchReport()
        for item in found if had_lease else self._due(destination, BATCH):
            if not self._hold(destination):
                break
            outcome = self._send(sink, item)
            report += outcome
            if outcome.delayed:
                break
        return report

    def step_all(self) -> DispatchReport:
        """Send what is due to every open destination, one after the other."""
        report = DispatchReport()
        for destination in self.destinations:
            report += self.step(destination)
        return report

    def drain(self) -> DispatchReport:
        """Send until nothing is due."""
        total = DispatchReport()
        while True:
            report = self.step_all()
            total += report
            if not report.sent:
                return total

    def release(self, destination: str) -> None:
        """Let another process send to a destination at once; to be called when its loop ends."""
        if self._held.pop(destination, None) is not None:
            with self._store.transaction() as session:
                leases.release(session, _lease(destination), self._holder)

    def release_all(self) -> None:
        """Let another process send to all destinations at once; to be called when the hub closes."""
        for destination in tuple(self._held):
            self.release(destination)

    def _due(self, destination: str, limit: int) -> list[OutboxEntry]:
        with self._store.reading() as session:
            return outbox.due(session, destination, self._clock(), limit)

    def _send(self, sink: Sink, item: OutboxEntry) -> DispatchReport:
        """Deliver one message and write down what came of it."""
        outgoing = item.outgoing
        bound = log.bind(ivorn=outgoing.ivorn, destination=outgoing.destination)
        try:
            sink.deliver(outgoing)
        except Transient as error:
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(item.tries, 30))  # 2**1024 is no float any more
            with self._store.transaction() as session:
                outbox.mark_failed(session, outgoing, str(error), retry_at=self._clock().plus_s(pause))
            bound.warning("message delayed", reason=str(error), pause_s=pause)
            return DispatchReport(delayed=1)
        except Permanent as error:
            with self._store.transaction() as session:
                outbox.mark_failed(session, outgoing, str(error), retry_at=None)
            bound.error("message not sent", reason=str(error))
            return DispatchReport(failed=1)
        with self._store.transaction() as session:
            outbox.mark_sent(session, outgoing, self._clock())
        return DispatchReport(sent=1)

    def _has_lease(self, destination: str) -> bool:
        """Return whether the lease is ours for a good while, as far as this process knows."""
        until = self._held.get(destination)
        return until is not None and LEASE_S / 2 < until.minus(self._clock()) <= LEASE_S

    def _hold(self, destination: str) -> bool:
        """Return whether the lease is ours for a good while; take it or make it last where that is possible."""
        if self._has_lease(destination):
            return True
        now = self._clock()
        until = now.plus_s(LEASE_S)
        name = _lease(destination)
        with self._store.transaction() as session:
            former = leases.holder_of(session, name)
            dead = former if former is not None and is_gone(former) else None
            is_ours = leases.acquire(session, name, self._holder, now=now, until=until, instead_of=dead)
        if is_ours:
            self._held[destination] = until
        else:
            self._held.pop(destination, None)
        return is_ours


def _lease(destination: str) -> str:
    return f"dispatch/{destination}"
