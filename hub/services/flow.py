"""The whole flow in one place: take in, correlate, dispatch. What every entrance to the hub calls, whatever brings the bytes."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hub.model.envelope import Envelope
from hub.model.packets import PacketBatch
from hub.ports import Position
from hub.services.alert_intake import PacketReport
from hub.services.consequences import Consequences
from hub.services.correlation import Correlation, CorrelationReport
from hub.services.dispatch import Dispatch, DispatchReport
from hub.services.followup import FollowupService
from hub.services.intake import Intake, IntakeReport, Outcome, is_alert_packet


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReport:
    """What one batch of messages led to."""

    outcomes: tuple[Outcome, ...]
    """One for each envelope, in their order."""

    event_ids: frozenset[str] = frozenset()
    """Events whose notices changed."""

    correlation: CorrelationReport = field(default_factory=CorrelationReport)


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketFlowReport:
    """What one batch of alert packets led to."""

    intake: PacketReport
    correlation: CorrelationReport


class Flow:
    """Bytes in, coincidences, VOEvents and follow-up requests out. Safe to share between threads: one takes in at a time."""

    def __init__(
        self,
        *,
        intake: Intake,
        correlation: Correlation,
        dispatch: Dispatch,
        followups: FollowupService | None,
        consequences: Consequences | None = None,
    ) -> None:
        self._intake = intake
        self._correlation = correlation
        self._dispatch = dispatch
        self._followups = followups
        self._consequences = consequences
        self._turn = threading.Lock()
        self._woken: tuple[Callable[[], None], ...] = ()

    def wakes(self, *woken: Callable[[], None]) -> None:
        """Have some functions called whenever something may have to be sent; they must return at once."""
        self._woken += woken

    def take(self, envelopes: Sequence[Envelope]) -> FlowReport:
        """Take in some messages and everything that follows from them inside the hub; when this returns they may be acknowledged.

        Raises
        ------
        StorageError
            The database does not take it: nothing may be acknowledged.
        """
        with self._turn:
            return self._correlate(self._intake.accept(envelopes))

    def take_packets(self, batch: PacketBatch, runs: Sequence[Position] = (), *, in_full: bool = True) -> PacketFlowReport:
        """Take in a batch of alert packets and everything that follows; when this returns they may be acknowledged.

        Jobs are left to others: matching a batch waits for no event's past.

        Parameters
        ----------
        batch
            The packets.
        runs
            Where they stood: written down together with the books.
        in_full
            Whether to keep, beside the rows, the whole packets of what matches and what brokers say of objects.

        Raises
        ------
        StorageError
            The archive or the database does not take it: nothing may be acknowledged, and the batch must come again.
        """
        with self._turn:
            report = self._intake.accept_packets(batch, runs, in_full=in_full)
            done = CorrelationReport()
            for appended in report.alerts:
                done += self._correlation.on_alerts(appended.batch, appended.payloads if in_full else None)
        if done.versions or done.candidates:
            self._wake()
        return PacketFlowReport(intake=report, correlation=done)

    def take_up(self, source: str, runs: Sequence[Position]) -> None:
        """Note where partitions are taken up, or what had no content.

        Raises
        ------
        StorageError
            The database does not take it.
        """
        self._intake.take_up(source, runs)

    def work(self) -> CorrelationReport:
        """Do the jobs that others left: processes that only took messages in, or a crash."""
        with self._turn:
            return self._correlate(IntakeReport(outcomes=(), event_ids=frozenset(), alerts=())).correlation

    def resume(self) -> FlowReport:
        """Finish what a crash interrupted; to be called once after each start, before anything new is taken in."""
        with self._turn:
            return self._correlate(self._intake.resume())

    def replay(self, digest: str) -> Outcome | None:
        """Take a dead letter in again, with everything that follows; None where there is no such letter."""
        with self._turn:
            report = self._intake.retry(digest)
            return None if report is None else self._correlate(report).outcomes[0]

    def step(self) -> int:
        """Send what is due to the open destinations, one after the other, and follow up; return how many things moved."""
        report = self._dispatch.step_all()
        return report.sent + report.failed + self.follow_up()

    def send(self, destination: str) -> DispatchReport:
        """Send what is due to one destination; to be called from a thread of its own, as others do for other destinations."""
        return self._dispatch.step(destination)

    def follow_up(self) -> int:
        """Take each follow-up request a step further; return how many moved."""
        moved = self._followups.step() if self._followups is not None else 0
        if self._consequences is not None and self._consequences.step(moved=moved > 0):
            self._wake()
        return moved

    def _correlate(self, report: IntakeReport) -> FlowReport:
        done = CorrelationReport()
        for appended in report.alerts:
            done += self._correlation.on_alerts(appended.batch, appended.payloads)
        done += self._correlation.run_jobs()
        self._wake()
        return FlowReport(outcomes=report.outcomes, event_ids=report.event_ids, correlation=done)

    def _wake(self) -> None:
        for wake in self._woken:
            wake()


def in_batches(envelopes: Iterable[Envelope], size: int) -> Iterator[list[Envelope]]:
    """Yield runs of alert packets together, at most ``size`` of them, and every other message by itself, in the same order."""
    batch: list[Envelope] = []
    for envelope in envelopes:
        is_packet = is_alert_packet(envelope)
        if batch and (not is_packet or len(batch) >= size):
            yield batch
            batch = []
        if is_packet:
            batch.append(envelope)
        else:
            yield [envelope]
    if batch:
        yield batch
