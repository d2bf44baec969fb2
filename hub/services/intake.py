"""Envelopes to stored notices and alert rows: raw bytes first, then what they mean, and only then an acknowledgement.

Notices, circulars and containers are kept as raw bytes and counted as received before anyone looks inside; a crash from there on
is made good by `Intake.resume`. Alert packets are not kept one by one: `hub.services.alert_intake` takes them in, and an
interrupted batch comes again from its source, which was not acknowledged.

The hub's own messages come back from whoever relays them. One that stands in the outbox is an echo and counts as a duplicate; one
that bears the hub's authority and was never written here is refused.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sqlalchemy.orm import Session

from hub.errors import DecodeError, SchemaUnknown, SkymapRefused, StorageError
from hub.model.envelope import Envelope, Trust
from hub.model.event import StoredNotice, assemble
from hub.model.ivorn import is_under
from hub.model.notice import Notice, Role
from hub.model.outgoing import HUB_FRAME
from hub.model.packets import PacketBatch
from hub.model.sky import Localization, LocalizationSource
from hub.ports import AlertHistory, Clock, DecodedAlerts, DecodedContext, DecodedNotice, Decoder, Position, SkymapReader
from hub.science.localization import localization_from_skymap
from hub.science.localization_table import LocalizationTable
from hub.science.skymap_rules import peak_disagrees
from hub.services import annotations, circulars, echo
from hub.services.alert_intake import AlertIntake, AppendedAlerts, Hears, PacketReport, dead_letter
from hub.services.correlation import EVENT_JOB
from hub.services.relay import Relay
from hub.storage import contexts, deadletters, envelopes, events, jobs, localizations, notices, outbox
from hub.storage.circulars import Addition as CircularAddition
from hub.storage.deadletters import LetterKind
from hub.storage.engine import Store
from hub.storage.envelopes import MessageState
from hub.storage.notices import Addition
from hub.telemetry import get_logger

log = get_logger(__name__)

T = TypeVar("T")

Wishes = Callable[[Session, str, Sequence[StoredNotice]], None]
"""Told of an event and its notices in the transaction that changes them, to ask for what they lack."""

_FRAMED = b"\x00"
"""First byte of a packet in Confluent framing."""

_MOCK_ID = re.compile(r"(MS|TS)\d{6}[a-z]+|M\d+")
"""Event ids that only mock events have: LVK's ``MS230518a`` and ``TS...``, trigger numbers with an M before them."""

REPORTS = "reports"
"""Kind of a context that brings the objects of a registry of transients."""

_UNUSABLE_MAP = "The sky map is not usable"
"""Begins the remark on a notice whose map was refused, by its codec or by the reader of maps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """What intake must know of its hub."""

    authority: str
    """IVOA authority of this hub; its own messages are not taken in again."""

    echo_of: Mapping[str, str] = field(default_factory=dict)
    """Source to the destination whose messages it brings back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one envelope."""

    state: MessageState
    kind: str
    """``notice``, ``alert``, ``rejected``, ``known`` (bytes settled before), or the kind of a context: ``circular`` ..."""

    event_id: str | None = None
    notice_id: str | None = None
    is_revision: bool = False
    reason: str = ""
    """Why it was refused, or why it is a duplicate."""

    n_alerts: int = 0
    """Alerts read from it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntakeReport:
    """What one call took in. Everything in it is durable: the caller may acknowledge, then match."""

    outcomes: tuple[Outcome, ...]
    """One for each envelope, in their order."""

    event_ids: frozenset[str]
    """Events whose notices changed; each has an open job."""

    alerts: tuple[AppendedAlerts, ...]


class Intake:
    """Takes messages in. Several may run at once on one database."""

    def __init__(
        self,
        *,
        store: Store,
        decoder: Decoder,
        skymaps: SkymapReader,
        localizations: LocalizationTable,
        history: AlertHistory,
        clock: Clock,
        settings: IntakeSettings,
        relay: Relay | None = None,
        wishes: Wishes | None = None,
        hears: Hears | None = None,
    ) -> None:
        self._store = store
        self._decoder = decoder
        self._skymaps = skymaps
        self._localizations = localizations
        self._alerts = AlertIntake(store=store, decoder=decoder, history=history, clock=clock, hears=hears)
        self._clock = clock
        self._authority = settings.authority
        self._echo_of = settings.echo_of
        self._relay = relay
        self._wishes = wishes

    def accept(self, arrived: Sequence[Envelope]) -> IntakeReport:
        """Take in some envelopes; when this returns, all of them may be acknowledged.

        A message that cannot be used becomes a dead letter and stops no other.

        Raises
        ------
        StorageError
            The database does not take it: none may be acknowledged.
        """
        run = _Run(len(arrived))
        framed: dict[tuple[str, str | None, Trust], list[int]] = {}
        others: list[int] = []
        for index, envelope in enumerate(arrived):
            alike = (envelope.source, envelope.alert_stream, envelope.trust)
            place = framed.setdefault(alike, []) if is_alert_packet(envelope) else others
            place.append(index)
        with self._store.transaction() as session:
            states = {index: envelopes.receive(session, arrived[index]).state for index in others}
        for index in others:
            self._understand(index, arrived[index], states[index], run)
        self._open(run)
        for places in framed.values():
            self._packets(arrived, places, run)
        return run.report()

    def accept_packets(self, batch: PacketBatch, runs: Sequence[Position] = (), *, in_full: bool = True) -> PacketReport:
        """Take in a batch of alert packets and note where they stood; see `AlertIntake.accept`."""
        return self._alerts.accept(batch, runs, in_full=in_full)

    def take_up(self, source: str, runs: Sequence[Position]) -> None:
        """Note where partitions are taken up, or what had no content; see `AlertIntake.take_up`."""
        self._alerts.take_up(source, runs)

    def retry(self, digest: str) -> IntakeReport | None:
        """Take a dead letter (whole digest) in again; return None where there is no such letter."""
        run = _Run(1)
        with self._store.transaction() as session:
            envelope = envelopes.reopen(session, digest)
        if envelope is None:
            return None
        self._understand(0, envelope, MessageState.RECEIVED, run)
        self._open(run)
        return run.report()

    def resume(self) -> IntakeReport:
        """Finish what was in flight when the hub stopped; to be called once after each start, before anything new is accepted."""
        with self._store.reading() as session:
            waiting = envelopes.pending(session)
        run = _Run(len(waiting))
        for index, envelope in enumerate(waiting):
            self._understand(index, envelope, MessageState.RECEIVED, run)
        self._open(run)
        return run.report()

    # ------------------------------------------------------------------------------------------------------- one message

    def _understand(self, index: int, envelope: Envelope, state: MessageState, run: "_Run") -> None:
        """Understand a received message and store what it says, or why it says nothing; a container is put aside to be opened."""
        outcome = self._settled(envelope, lambda: self._said(envelope, state, run))
        if outcome is not None:
            run.outcomes[index] = outcome
        else:
            run.containers.setdefault((envelope.source, envelope.alert_stream, envelope.trust), []).append((index, envelope))

    def _said(self, envelope: Envelope, state: MessageState, run: "_Run") -> Outcome | None:
        """Store what a message says; None where it is a container of alerts."""
        if state in (MessageState.STORED, MessageState.DUPLICATE):
            return self._known(envelope, run)
        match self._decoder.decode(envelope):
            case DecodedNotice(notice=notice):
                return self._notice(envelope, notice, run)
            case DecodedAlerts():
                return None
            case DecodedContext(kind="hub-message", summary={"ivorn": str(ivorn)}) if is_under(ivorn, self._authority):
                return self._echo(envelope, ivorn)
            case DecodedContext() as context:
                return self._context(envelope, context)

    def _settled(self, envelope: Envelope, settle: "Callable[[], T]") -> "T | Outcome":
        """Return what settling a message led to; one that cannot be used is kept with the reason and stops no other."""
        try:
            return settle()
        except SchemaUnknown as error:
            return self._refuse(envelope, error.reason, error.format, LetterKind.HELD)
        except DecodeError as error:
            return self._refuse(envelope, error.reason, error.format)
        except StorageError:
            raise
        except Exception as error:  # one bad message must not stop the others
            log.exception("message broke intake", source=envelope.source, digest=envelope.digest)
            return self._refuse(envelope, f"internal error: {type(error).__name__}", None)

    def _known(self, envelope: Envelope, run: "_Run") -> Outcome:
        """Count bytes that are settled; a trusted source makes notices trusted that only untrusted ones had brought."""
        ivorn = self._ivorn_of(envelope) if envelope.source in self._echo_of else None
        with self._store.transaction() as session:
            if ivorn is not None:
                self._returned(session, envelope, ivorn)
            if envelope.trust is Trust.TRUSTED:
                self._trust(session, envelope, run)
                circulars.trust(session, envelope.digest)
            envelopes.finish(session, envelope.digest, envelope.source, MessageState.DUPLICATE)
        return Outcome(state=MessageState.DUPLICATE, kind="known", reason="the same bytes are stored already")

    def _trust(self, session: Session, envelope: Envelope, run: "_Run") -> None:
        """Believe notices that only untrusted sources had brought, and relay what was not relayed for that reason."""
        for stored in notices.untrusted(session, envelope.digest):
            self._pass_on(session, envelope, stored.notice, event_id_of(stored.notice))
        for event_id in notices.trust(session, envelope.digest):
            self._event_changed(session, event_id, run)

    def _context(self, envelope: Envelope, context: DecodedContext) -> Outcome:
        if context.kind == REPORTS:
            return self._reports(envelope, context)
        state = MessageState.STORED
        with self._store.transaction() as session:
            contexts.add(session, envelope.digest, context, envelope.received_at)
            if context.circular is not None:
                addition = circulars.take(
                    session,
                    context.circular,
                    digest=envelope.digest,
                    received_at=envelope.received_at,
                    is_trusted=envelope.trust is Trust.TRUSTED,
                )
                state = MessageState.DUPLICATE if addition is CircularAddition.DUPLICATE else state
            deadletters.remove(session, envelope.digest)
            envelopes.finish(session, envelope.digest, envelope.source, state)
        return Outcome(state=state, kind=context.kind)

    def _reports(self, envelope: Envelope, context: DecodedContext) -> Outcome:
        """Take in what a registry says of its objects. Like a container, it is kept only where a part of it was refused."""
        if envelope.trust is not Trust.TRUSTED:
            raise DecodeError(
                "objects of a registry are believed only where they come from a trusted source", format=context.format
            )
        n_new = annotations.record_reports(self._store, context.reports, envelope.received_at)
        state = MessageState.STORED if n_new else MessageState.DUPLICATE
        with self._store.transaction() as session:
            contexts.add(session, envelope.digest, context, envelope.received_at)
            deadletters.remove(session, envelope.digest)
            if context.summary.get("n_refused"):
                envelopes.finish(session, envelope.digest, envelope.source, state)
            else:
                deliveries = envelopes.release(session, envelope.digest, envelope.source)
                stored = int(n_new > 0 and deliveries > 0)
                envelopes.count_alerts(
                    session, envelope.source, received=0, stored=stored, duplicates=deliveries - stored, dead_letters=0
                )
        log.info("registry read", format=context.format, n_new=n_new, **context.summary)
        return Outcome(state=state, kind=context.kind)

    def _refuse(self, envelope: Envelope, reason: str, wire_format: str | None, kind: LetterKind = LetterKind.REFUSED) -> Outcome:
        """Keep the bytes with the reason."""
        with self._store.transaction() as session:
            dead_letter(session, envelope, reason, at=self._clock(), wire_format=wire_format, kind=kind)
            envelopes.finish(session, envelope.digest, envelope.source, MessageState.DEAD)
        return Outcome(state=MessageState.DEAD, kind="rejected", reason=reason)

    # ------------------------------------------------------------------------------------------------------------ notices

    def _notice(self, envelope: Envelope, notice: Notice, run: "_Run") -> Outcome:
        """Store a notice with its event, its map, its outcome and the job that follows from it, in one transaction."""
        if notice.ivorn is not None and is_under(notice.ivorn, self._authority):
            return self._echo(envelope, notice.ivorn)
        localization, remarks = self._localize(notice)
        event_id = event_id_of(notice)
        stored = StoredNotice(
            notice_id=notices.notice_id(notice.identity, envelope.digest),
            notice=notice,
            received_at=envelope.received_at,
            is_trusted=envelope.trust is Trust.TRUSTED,
            digest=envelope.digest,
            localization_id=localization.localization_id if localization else None,
            is_placeless=localization is not None and localization.source is LocalizationSource.WHOLE_SKY,
            remarks=remarks,
        )
        with self._store.transaction() as session:
            addition = notices.add(session, stored, event_id)
            if addition is not Addition.DUPLICATE:
                if localization is not None:
                    localizations.save(session, localization)
                if event_id is not None:
                    self._event_changed(session, event_id, run)
                self._pass_on(session, envelope, notice, event_id)
            elif stored.is_trusted:
                self._trust(session, envelope, run)
            if notice.ivorn is not None and envelope.source in self._echo_of:
                self._returned(session, envelope, notice.ivorn)
            state = MessageState.DUPLICATE if addition is Addition.DUPLICATE else MessageState.STORED
            deadletters.remove(session, envelope.digest)
            envelopes.finish(session, envelope.digest, envelope.source, state)
        log.info("notice " + addition.value, stream=notice.stream, event_id=event_id, ivorn=notice.ivorn)  # noqa: G003 - four constants
        return Outcome(
            state=state,
            kind="notice",
            event_id=event_id,
            notice_id=stored.notice_id,
            is_revision=addition is Addition.REVISION,
        )

    def _echo(self, envelope: Envelope, ivorn: str) -> Outcome:
        """Count our own message that came back; refuse one that only claims to be ours."""
        with self._store.transaction() as session:
            if outbox.get(session, ivorn) is not None:
                is_same = self._returned(session, envelope, ivorn)
                deadletters.remove(session, envelope.digest)
                envelopes.finish(session, envelope.digest, envelope.source, MessageState.DUPLICATE)
                changed = "" if is_same else ", with other bytes than were sent there"
                return Outcome(state=MessageState.DUPLICATE, kind="notice", reason=f"an echo of this hub's own {ivorn}{changed}")
        return self._refuse(envelope, f"{ivorn} bears this hub's authority, but this hub never wrote it", None)

    def _returned(self, session: Session, envelope: Envelope, ivorn: str) -> bool:
        """Record that a message came back from where it was sent to; return whether its bytes are those that were sent."""
        destination = self._echo_of.get(envelope.source)
        names = echo.returned(session, ivorn=ivorn, payload=envelope.payload, destination=destination, at=self._clock())
        return bool(names)

    def _ivorn_of(self, envelope: Envelope) -> str | None:
        """Return the ivorn of bytes that are settled; None where they have none or were refused."""
        try:
            match self._decoder.decode(envelope):
                case DecodedNotice(notice=notice):
                    return notice.ivorn
                case DecodedContext(kind="hub-message", summary={"ivorn": str(ivorn)}):
                    return ivorn
                case _:
                    return None
        except DecodeError:
            return None

    def _pass_on(self, session: Session, envelope: Envelope, notice: Notice, event_id: str | None) -> None:
        if self._relay is not None:
            came_from = self._echo_of.get(envelope.source)
            self._relay.relay(session, envelope, notice, event_id=event_id, came_from=came_from, at=self._clock())

    def _event_changed(self, session: Session, event_id: str, run: "_Run") -> None:
        known = notices.of_event(session, event_id)
        events.save(session, assemble(event_id, known))
        if self._wishes is not None:
            self._wishes(session, event_id, known)
        jobs.put(session, EVENT_JOB, event_id)
        run.event_ids.add(event_id)

    def _localize(self, notice: Notice) -> tuple[Localization | None, tuple[str, ...]]:
        """Return where the notice says its event lies, or what stands for that, and what was wrong with its map."""
        place, remarks = self._stated_place(notice)
        return (place if place is not None else self._localizations.stand_in(notice)), remarks

    def _stated_place(self, notice: Notice) -> tuple[Localization | None, tuple[str, ...]]:
        """Return where the notice says its event lies, by its map or else by its position, and what was wrong with the map."""
        if not notice.localizes:
            return None, ()
        remarks: tuple[str, ...] = () if notice.skymap_refused is None else (f"{_UNUSABLE_MAP}: {notice.skymap_refused}",)
        if self._localizations.prefers_position(notice) and (place := self._localizations.place_of(notice)) is not None:
            return place, remarks
        if notice.skymap is not None:
            try:
                skymap, remarks = self._skymaps.read(notice.skymap)
            except SkymapRefused as error:
                remarks = (f"{_UNUSABLE_MAP}: {error}",)
            else:
                if notice.position is not None and peak_disagrees(skymap, notice.position):
                    remarks += ("The densest place of the sky map lies outside the stated error region.",)
                return localization_from_skymap(skymap, remarks), remarks
        return self._localizations.place_of(notice), remarks

    # ------------------------------------------------------------------------------------------------------------- alerts

    def _packets(self, arrived: Sequence[Envelope], places: Sequence[int], run: "_Run") -> None:
        """Take in alert packets of one source and stream map."""
        batch = PacketBatch.of([arrived[place] for place in places])
        report = self._alerts.accept(batch, envelope=lambda index: arrived[places[index]])
        run.alerts += report.alerts
        for index, place in enumerate(places):
            run.outcomes[place] = _alert_outcome(report, index)

    def _open(self, run: "_Run") -> None:
        """Open the containers that were put aside: alerts count one by one, those of one that are refused as a dead letter.

        The letter keeps it; a container without a refused alert is not kept: its source has it.
        """
        for found in run.containers.values():
            distinct = {envelope.digest: (index, envelope) for index, envelope in reversed(found)}
            first = sorted(distinct.values(), key=lambda one: one[0])
            try:
                self._opened(first, run)
            except StorageError:
                raise
            except Exception:  # one bad container must not stop the others: each is opened by itself
                log.exception("containers are opened one by one", n=len(first))
                for one in first:
                    self._opened_alone(one, run)
            for index, envelope in found:
                if index not in run.outcomes:
                    same = run.outcomes[distinct[envelope.digest][0]]
                    run.outcomes[index] = replace(same, state=MessageState.DUPLICATE, reason="it came twice at once")

    def _opened(self, containers: Sequence[tuple[int, Envelope]], run: "_Run") -> None:
        """Open different containers of one source and stream map together."""
        report = self._alerts.open([envelope for _, envelope in containers])
        run.alerts += report.alerts
        for number, (index, _) in enumerate(containers):
            run.outcomes[index] = _alert_outcome(report, number)

    def _opened_alone(self, container: tuple[int, Envelope], run: "_Run") -> None:
        refused = self._settled(container[1], lambda: self._opened([container], run))
        if refused is not None:
            run.outcomes[container[0]] = refused


class _Run:
    """What one call has done so far."""

    def __init__(self, n_envelopes: int) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self.event_ids: set[str] = set()
        self.alerts: list[AppendedAlerts] = []
        self.containers: dict[tuple[str, str | None, Trust], list[tuple[int, Envelope]]] = {}
        """Of alerts, to be opened together: by source and stream map, each with its place among the envelopes."""
        self._n_envelopes = n_envelopes

    def report(self) -> IntakeReport:
        """Return it, with an outcome for each envelope."""
        return IntakeReport(
            outcomes=tuple(self.outcomes[index] for index in range(self._n_envelopes)),
            event_ids=frozenset(self.event_ids),
            alerts=tuple(self.alerts),
        )


def event_id_of(notice: Notice) -> str | None:
    """Return the id of the event that a notice belongs to; a test message never joins a real event.

    ``ID-test`` for a test message, unless the id itself is a mock's (`MS...`, `TS...`, M and digits): then all of it is a test.
    """
    if notice.event_key is None or notice.role is not Role.TEST or _MOCK_ID.fullmatch(notice.event_key):
        return notice.event_key
    return f"{notice.event_key}-test"


def is_alert_packet(envelope: Envelope) -> bool:
    """Return whether an envelope takes the road of alert packets, many at once; the hub's own messages have the same framing."""
    payload = envelope.payload
    return envelope.alert_stream is not None or (payload[:1] == _FRAMED and not payload.startswith(HUB_FRAME))


def _alert_outcome(report: PacketReport, index: int) -> Outcome:
    n_alerts, reason = int(report.n_alerts[index]), report.reasons.get(index)
    if reason is not None:
        return Outcome(state=MessageState.DEAD, kind="rejected", reason=reason, n_alerts=n_alerts)
    if report.is_fresh[index]:
        return Outcome(state=MessageState.STORED, kind="alert", n_alerts=n_alerts)
    return Outcome(state=MessageState.DUPLICATE, kind="alert", reason="its alerts are known", n_alerts=n_alerts)
