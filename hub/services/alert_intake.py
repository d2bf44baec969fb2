"""Packets of alerts into the archive and the books, many at once.

Nothing on this road is made for each packet but its columns; a packet becomes an `Envelope` only where it is refused or held. The
order is the promise: rows are archived, durably; then one transaction takes the books, the dead letters, what brokers say and the
places; only then the batch is matched and acknowledged. A crash between any two of them makes the batch come again, and its rows
are known then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from hub.model.alert import AlertBatch, ObjectStatement, Provenance, concatenate
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.model.packets import PacketBatch
from hub.ports import AlertHistory, AlertRows, Clock, Decoder, Place, Position
from hub.services import annotations
from hub.storage import deadletters, envelopes, positions
from hub.storage.deadletters import LetterKind
from hub.storage.engine import Store
from hub.storage.envelopes import MessageState
from hub.telemetry import get_logger
from hub.version import VERSION

log = get_logger(__name__)

Hears = Callable[[str, str | None, str, Sequence[str]], None]
"""Told the source, the stream map, the survey and the topics of alerts before they are kept: `Listening.hears`."""

HOLDS_NOTHING = "it holds no alert"
"""Why a packet is refused that led to no row and to no other reason: whatever comes in must be somewhere."""

_FRAME_BYTES = 5
"""Length of Confluent framing: a zero, then the number of the schema, big-endian."""


@runtime_checkable
class RemembersPlaces(Protocol):
    """A history that remembers which packet brought each row."""

    def is_from(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Return for each alert whether the row that is stored came from the packet that the batch's provenance names."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AppendedAlerts:
    """Rows that are in the archive now, known ones included: matching them again does no harm, and missing them would."""

    batch: AlertBatch
    """Each alert once."""

    message: NDArray[np.intp]
    """For each row the index of the packet that brought it."""

    payloads: tuple[bytes, ...]
    """The packet of each row."""

    is_new: NDArray[np.bool_]
    """Whether the archive did not have the row before, or has it only because this very packet was not booked then."""

    n_repeats: int = 0
    """Rows left out, because another row of the same packets has their id and holds as well or better."""

    @property
    def n_new(self) -> int:
        """How many rows are new."""
        return int(np.count_nonzero(self.is_new))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PacketReport:
    """What became of a batch. All of it is durable."""

    alerts: tuple[AppendedAlerts, ...]
    """One for each survey."""

    n_alerts: NDArray[np.intp]
    """Rows of each packet."""

    is_fresh: NDArray[np.bool_]
    """Whether a packet brought a new row."""

    reasons: Mapping[int, str]
    """Index of each packet that was refused or held, wholly or in part, and the sentence why."""

    n_statements_left: int = 0
    """Statements of brokers that were not recorded."""


class AlertIntake:
    """Takes packets in. Several may run at once on one archive and one database."""

    def __init__(
        self, *, store: Store, decoder: Decoder, history: AlertHistory, clock: Clock, hears: Hears | None = None
    ) -> None:
        self._store = store
        self._decoder = decoder
        self._history = history
        self._clock = clock
        self._hears = hears
        self._booked: dict[tuple[str, str, int], int] = {}
        """Offset up to which this process itself has booked a partition, and all before it was found to be booked too.

        Forgotten where a partition is taken up, which a run of no messages tells: another process may have had it since.
        """

    def accept(
        self,
        batch: PacketBatch,
        runs: Sequence[Position] = (),
        *,
        envelope: Callable[[int], Envelope] | None = None,
        in_full: bool = True,
    ) -> PacketReport:
        """Take in a batch; when this returns, all of it is durable and may be matched.

        Parameters
        ----------
        batch
            The packets, at least one.
        runs
            Where they stood: written down in the transaction of the books.
        envelope
            Gives a packet as the message that it came as; made from the batch where not given.
        in_full
            Whether to record what brokers say of objects. The rows themselves are taken in always.

        Raises
        ------
        StorageError
            The archive or the database does not take it: nothing may be acknowledged.
        """
        rows = self._decoded(batch.payloads, batch.alert_stream)
        booked = self._doubts(batch, runs)
        appended = self._append(rows, batch)
        n_new = sum(one.n_new for one in appended)
        if booked is not None:
            appended = tuple(self._with_unbooked(one, booked) for one in appended)
        has_unbooked = sum(one.n_new for one in appended) > n_new
        report = _report(len(batch), rows, appended, in_full=in_full)
        held = {index for index, _ in rows.held}
        make = envelope or batch.envelope
        with self._store.transaction() as session:
            letters = sum(
                dead_letter(session, make(index), reason, at=self._clock(), kind=_kind(index in held))
                for index, reason in report.reasons.items()
            )
            if in_full:
                _record_statements(session, rows, batch)
            positions.advance(session, batch.source, sorted(runs, key=lambda run: (run.topic, run.partition)))
            # Received is what came, the others are what was done with it: a row or a packet that is lost on the way shows.
            entries = report.n_alerts.copy()
            entries[list(report.reasons)] += 1
            envelopes.count_alerts(
                session,
                batch.source,
                received=int(entries.sum()),
                stored=sum(one.n_new for one in appended),
                duplicates=sum(one.n_repeats + len(one.is_new) - one.n_new for one in appended) + len(report.reasons) - letters,
                dead_letters=letters,
            )
        if not has_unbooked:  # else the batch that was interrupted may have been longer than this one
            self._booked |= {(batch.source, run.topic, run.partition): run.next_offset for run in runs if run.n_messages}
        return report

    def take_up(self, source: str, runs: Sequence[Position]) -> None:
        """Note where partitions are taken up, or what had no content, and trust no books of before.

        Raises
        ------
        StorageError
            The database does not take it.
        """
        for run in runs:
            self._booked.pop((source, run.topic, run.partition), None)
        with self._store.transaction() as session:
            positions.advance(session, source, runs)

    def _doubts(self, batch: PacketBatch, runs: Sequence[Position]) -> Mapping[tuple[str, int], Place] | None:
        """Return how far the books go where packets may be archived and not booked: somebody died, or failed, in between.

        None where each partition goes on from what this process booked last.
        """
        places = [((batch.source, run.topic, run.partition), run.first_offset) for run in runs]
        is_certain = all(run.n_messages for run in runs) and all(self._booked.get(place) == first for place, first in places)
        for place, _ in places:
            self._booked.pop(place, None)  # until it is booked
        if is_certain:
            return None
        with self._store.reading() as session:
            return positions.places(session, batch.source)

    def _with_unbooked(self, one: AppendedAlerts, booked: Mapping[tuple[str, int], Place]) -> AppendedAlerts:
        """Count as new also the rows that these very packets brought when they came before, without being booked."""
        provenance = one.batch.provenance
        if provenance is None or not isinstance(self._history, RemembersPlaces):
            return one
        known = [
            row
            for row in np.flatnonzero(~one.is_new).tolist()
            if (place := booked.get((provenance.topic.text(row), int(provenance.partition[row])))) is None
            or int(provenance.offset[row]) >= place.next_offset
        ]
        if not known:
            return one
        is_new = one.is_new.copy()
        is_new[known] = self._history.is_from(one.batch.take(np.array(known, dtype=np.intp)))
        return replace(one, is_new=is_new)

    def open(self, containers: Sequence[Envelope]) -> PacketReport:
        """Take in containers that were received as messages: one whose alerts are all good is not kept, its source has it.

        They are archived together and booked in one transaction: a survey that sends containers of one alert each would else cost
        a file and a commit for every alert.

        Parameters
        ----------
        containers
            Of one source and stream map, all different; at least one.

        Raises
        ------
        DecodeError
            One cannot be understood.
        StorageError
            The archive or the database does not take them.
        """
        batch = PacketBatch.of(containers)
        rows = self._decoder.decode_packets(batch.payloads, batch.alert_stream)
        appended = self._append(rows, batch)
        report = _report(len(batch), rows, appended, in_full=True)
        n_new = np.zeros(len(batch), dtype=np.intp)
        for one in appended:
            n_new += np.bincount(one.message[one.is_new], minlength=len(batch))
        held = {index for index, _ in rows.held}
        with self._store.transaction() as session:
            _record_statements(session, rows, batch)
            for index, container in enumerate(containers):
                self._book(
                    session,
                    container,
                    n_rows=int(report.n_alerts[index]),
                    n_new=int(n_new[index]),
                    reason=report.reasons.get(index),
                    kind=_kind(index in held),
                )
        return report

    def _book(
        self, session: Session, container: Envelope, *, n_rows: int, n_new: int, reason: str | None, kind: LetterKind
    ) -> None:
        """Count the alerts of a container and forget its bytes, or keep them with the reason why some are refused."""
        if reason is None:
            deadletters.remove(session, container.digest)
            deliveries = envelopes.release(session, container.digest, container.source)
            added, repeats = n_rows - 1, deliveries - 1
        else:
            dead_letter(session, container, reason, at=self._clock(), kind=kind)
            envelopes.finish(session, container.digest, container.source, MessageState.DEAD)
            deliveries, added, repeats = 1, n_rows, 0
        if deliveries:  # else another worker has booked it
            envelopes.count_alerts(
                session, container.source, received=added, stored=n_new, duplicates=n_rows - n_new + repeats, dead_letters=0
            )

    def _append(self, rows: AlertRows, batch: PacketBatch) -> tuple[AppendedAlerts, ...]:
        """Archive rows with where their packets stand, each alert once.

        Raises
        ------
        StorageError
            The archive does not take them.
        """
        found = []
        for alerts, message in zip(rows.batches, rows.message_index, strict=True):
            if self._hears is not None:
                self._hears(batch.source, batch.alert_stream, alerts.survey, _topics(batch, message))
            best = alerts.best()
            n_repeats = len(alerts) - len(best)
            unique, origin = (alerts.take(best), message[best]) if n_repeats else (alerts, message)
            placed = _placed(unique, origin, batch)
            found.append(
                AppendedAlerts(
                    batch=placed,
                    message=origin,
                    payloads=tuple(batch.payloads[index] for index in origin.tolist()),
                    is_new=self._history.append(placed),
                    n_repeats=n_repeats,
                )
            )
        return tuple(found)

    def _decoded(self, payloads: Sequence[bytes], alert_stream: str | None) -> AlertRows:
        """Return what the packets say; one that breaks the decoder is refused and stops no other."""
        try:
            return self._decoder.decode_packets(payloads, alert_stream)
        except Exception as error:  # one bad message must not stop the others
            if len(payloads) == 1:
                log.exception("alert broke intake")
                return AlertRows(batches=(), message_index=(), refused=((0, f"internal error: {type(error).__name__}"),))
        half = len(payloads) // 2
        return _joined(self._decoded(payloads[:half], alert_stream), self._decoded(payloads[half:], alert_stream), half)


def _reasons(rows: AlertRows) -> dict[int, str]:
    """Return one sentence for each refused or held message; of a container the first, and how many more there are."""
    found: dict[int, list[str]] = {}
    for index, reason in (*rows.refused, *rows.held):
        found.setdefault(index, []).append(reason)
    return {
        index: reasons[0] if len(reasons) == 1 else f"{reasons[0]} (and {len(reasons) - 1} more of its alerts)"
        for index, reasons in sorted(found.items())
    }


def _record_statements(session: Session, rows: AlertRows, batch: PacketBatch) -> None:
    """Keep what brokers say of the objects, where they came from a trusted source."""
    if batch.trust is Trust.TRUSTED and rows.statements:
        said: list[ObjectStatement] = [statement for _, statement in rows.statements]
        annotations.record(session, annotations.of_alerts(said, batch.received_at))


def dead_letter(
    session: Session,
    envelope: Envelope,
    reason: str,
    *,
    at: Instant,
    wire_format: str | None = None,
    kind: LetterKind = LetterKind.REFUSED,
) -> bool:
    """Keep the bytes of a message with the reason why it cannot be used; return whether they were not kept before."""
    if kind is LetterKind.HELD and wire_format is None:
        wire_format = deadletters.of_schema(int.from_bytes(envelope.payload[1:_FRAME_BYTES], "big"))
    log.warning("message refused", source=envelope.source, digest=envelope.digest, kind=kind.value, reason=reason)
    return deadletters.add(session, envelope, reason=reason, format=wire_format, adapter_version=VERSION, at=at, kind=kind)


def _report(n_packets: int, rows: AlertRows, appended: Sequence[AppendedAlerts], *, in_full: bool) -> PacketReport:
    n_alerts = np.zeros(n_packets, dtype=np.intp)
    is_fresh = np.zeros(n_packets, dtype=np.bool_)
    for message in rows.message_index:
        n_alerts += np.bincount(message, minlength=n_packets)
    for one in appended:
        is_fresh[one.message[one.is_new]] = True
    reasons = _reasons(rows)
    reasons |= {index: HOLDS_NOTHING for index in np.flatnonzero(n_alerts == 0).tolist() if index not in reasons}
    return PacketReport(
        alerts=tuple(appended),
        n_alerts=n_alerts,
        is_fresh=is_fresh,
        reasons=reasons,
        n_statements_left=0 if in_full else len(rows.statements),
    )


def _kind(is_held: bool) -> LetterKind:
    return LetterKind.HELD if is_held else LetterKind.REFUSED


def _topics(batch: PacketBatch, message: NDArray[np.intp]) -> tuple[str, ...]:
    """Return the topics of some packets, ascending; the empty text of those that came by none."""
    values = batch.topic.values
    return (
        values if len(values) == 1 else tuple(sorted({values[code] for code in np.unique(batch.topic.codes[message]).tolist()}))
    )


def _placed(alerts: AlertBatch, message: NDArray[np.intp], batch: PacketBatch) -> AlertBatch:
    """Return rows with where their packets stand."""
    if alerts.provenance is None and not (batch.offset >= 0).any():
        return alerts  # nobody said anything
    known = alerts.provenance or Provenance.unknown(len(alerts))
    place = replace(known, topic=batch.topic.take(message), partition=batch.partition[message], offset=batch.offset[message])
    return replace(alerts, provenance=place)


def _joined(one: AlertRows, two: AlertRows, shift: int) -> AlertRows:
    """Return the rows of two runs of packets, the second of which begins at an index."""
    parts: dict[str, tuple[list[AlertBatch], list[NDArray[np.intp]]]] = {}
    for rows, by in ((one, 0), (two, shift)):
        for alerts, message in zip(rows.batches, rows.message_index, strict=True):
            batches, messages = parts.setdefault(alerts.survey, ([], []))
            batches.append(alerts)
            messages.append(message + by)
    return AlertRows(
        batches=tuple(concatenate(batches) for batches, _ in parts.values()),
        message_index=tuple(np.concatenate(messages) for _, messages in parts.values()),
        refused=(*one.refused, *((index + shift, reason) for index, reason in two.refused)),
        statements=(*one.statements, *((index + shift, statement) for index, statement in two.statements)),
        held=(*one.held, *((index + shift, reason) for index, reason in two.held)),
    )
