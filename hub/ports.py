"""What the core asks of the outside world."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hub.errors import DecodeError
from hub.model.alert import AlertBatch, AlertDetail, ObjectStatement
from hub.model.annotation import ReportedObject
from hub.model.circular import Circular
from hub.model.coincidence import Coincidence, MemberKind
from hub.model.envelope import Envelope
from hub.model.followup import Intent
from hub.model.instant import Instant
from hub.model.notice import Citation, CiteKind, Notice, Role
from hub.model.outgoing import Outgoing, Subject
from hub.model.packets import PacketBatch
from hub.model.pointing import Pointing
from hub.model.sky import Skymap

Clock = Callable[[], Instant]
"""Tells the present moment; tests hand in their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedNotice:
    """The bytes were a notice."""

    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodedAlerts:
    """The bytes were survey alerts (a container may hold many); which of them may go on, `decode_packets` says."""

    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedContext:
    """The bytes were something that is kept but is no event: a circular, a transport message, a bare sky map."""

    kind: str
    """``circular``, ``transport``, ``skymap``, ``hub-message``."""

    format: str
    """``gcn-circular-json``, ``gcn-circular-text``, ``vtp-transport``, ``snews2-heartbeat``, ``fits`` ..."""

    summary: dict[str, Any] = field(default_factory=dict)
    """Facts for a listing, JSON values."""

    circular: Circular | None = None
    """The circular, where it is one and has a number."""

    reports: Iterable[ReportedObject] = ()
    """Objects of a registry of transients; can be gone through more than once, and is read row by row."""


Decoded = DecodedNotice | DecodedAlerts | DecodedContext
"""The closed set of what bytes can mean."""


class Decoder(Protocol):
    """Bytes to words, whatever the format: `adapters.codecs` behind one door."""

    def decode(self, envelope: Envelope) -> Decoded:
        """Return what the bytes say.

        Raises
        ------
        DecodeError
            They cannot be understood, with the reason as one sentence; `NotAMessage` where no format fits.
        """
        ...

    def decode_packets(self, payloads: Sequence[bytes], alert_stream: str | None = None) -> "AlertRows":
        """Decode many alert messages of one stream map into columns at once; a bad one does not stop the others."""
        ...

    def decode_details(self, payload: bytes, alert_stream: str | None = None) -> list[AlertDetail | DecodeError]:
        """Decode every alert of a message in full, cutouts and history included; a bad one of a container gives its fault.

        `Envelope.alert_stream` says by which map; None where the bytes alone must tell.

        Raises
        ------
        DecodeError
            It is no alert or cannot be understood as a whole.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlertRows:
    """Columns of a batch of messages, and what could not be read."""

    batches: tuple[AlertBatch, ...]
    """One per survey present."""

    message_index: tuple[NDArray[np.intp], ...]
    """For each batch, the index of the message that each row came from."""

    refused: tuple[tuple[int, str], ...]
    """Index of a message and the sentence why it was refused."""

    statements: tuple[tuple[int, ObjectStatement], ...] = ()
    """Index of a message, and what its broker says of the object."""

    held: tuple[tuple[int, str], ...] = ()
    """Index of a message whose schema nobody knows yet, and the sentence that says which: kept whole, to be read later."""


class SkymapReader(Protocol):
    """FITS bytes to a validated map, in a limited child process."""

    def read(self, data: bytes) -> tuple[Skymap, tuple[str, ...]]:
        """Return the map and remarks (renormalised, partial ...).

        Raises
        ------
        SkymapRefused
            With the reason as one sentence.
        """
        ...


OBJECT_RADIUS_ARCSEC = 10.0
"""Farthest that two detections of one object lie from each other; surveys associate within 1 to 3 arcsec."""


NEIGHBOUR_ARCSEC = 4.0
"""So near an object others are looked for that may be the same transient: the farthest, and what places of detections scatter."""


class AlertHistory(Protocol):
    """The memory of past alerts. Times are half-open ``[start, end)``; answers hold each (survey, source_id) once."""

    def append(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Store the rows that are not there yet, keyed by (survey, source_id), durably.

        Returns
        -------
        numpy.ndarray of bool
            For each row whether it was new; of rows with one id in a batch the first.

        Raises
        ------
        StorageError
            It cannot be stored, e.g. the disk is full: nothing may be acknowledged.
        """
        ...

    def in_region(self, lo: NDArray[np.int64], hi: NDArray[np.int64], start: Instant, end: Instant) -> list[AlertBatch]:
        """Return all alerts inside ascending disjoint order-29 ranges and the time window, one batch per survey."""
        ...

    def of_objects(self, survey: str, object_ids: Sequence[str], hpx29: NDArray[np.int64]) -> AlertBatch:
        """Return all alerts of some objects, ordered by time.

        Parameters
        ----------
        survey
            Of the objects.
        object_ids
            Their ids.
        hpx29
            For each the order-29 pixel of any of its detections: all others lie within `OBJECT_RADIUS_ARCSEC` of it.
        """
        ...

    def count(self) -> int:
        """Return how many alerts are stored."""
        ...


@runtime_checkable
class FindsNeighbours(Protocol):
    """A history that also tells what lies around objects."""

    def with_neighbours(self, survey: str, object_ids: Sequence[str], hpx29: NDArray[np.int64]) -> list[AlertBatch]:
        """Return all alerts of some objects, and those of others of any survey that lie within `NEIGHBOUR_ARCSEC` of them.

        Parameters
        ----------
        survey, object_ids, hpx29
            As in `of_objects`.

        Returns
        -------
        list of AlertBatch
            One for each survey, each ordered by time; there may be alerts of objects that lie somewhat farther away.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a VOEvent about a coincidence has to say."""

    coincidence: Coincidence
    ivorn: str
    cites: tuple[Citation, ...]
    is_retraction: bool
    author_ivorn: str
    member_facts: tuple[dict[str, Any], ...]
    """For each member: ``id``, ``kind``, ``messenger`` or ``survey``, ``t0`` (UTC text), ``ivorn``, ``ra_deg``, ``dec_deg`` where
    known."""

    ra_deg: float | None
    dec_deg: float | None
    radius_deg: float | None
    """Best position of the pair with its 90 % radius; all None where there is none."""

    issued_at: Instant

    @property
    def subject(self) -> Subject:
        """What it is about."""
        if self.is_retraction:
            return Subject.RETRACTION
        has_object = any(member.kind is MemberKind.OBJECT for member in self.coincidence.members)
        return Subject.CANDIDATE if has_object else Subject.COINCIDENCE

    @property
    def key(self) -> str:
        """Canonical id of the first event: messages of one key stay in order."""
        return str(self.member_facts[0]["id"])

    @property
    def role(self) -> Role:
        """Observation for what is live; a retraction has the role of what it retracts, and only live pairs are announced."""
        return Role.OBSERVATION if self.coincidence.is_live or self.is_retraction else Role.TEST

    @property
    def former(self) -> Citation | None:
        """The hub's own message that this one supersedes or retracts; None for a first one."""
        return next((cite for cite in self.cites if cite.kind in (CiteKind.SUPERSEDES, CiteKind.RETRACTION)), None)


class Renderer(Protocol):
    """Words to one wire format."""

    media_type: str
    """Of what it renders, e.g. ``application/xml``."""

    def render(self, announcement: Announcement) -> bytes:
        """Return a message that is valid by its schema; the same announcement gives the same bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMessage:
    """What a message about a request to telescopes has to say."""

    ivorn: str
    author_ivorn: str
    word: str
    """``submitted``, ``completed``, ``cancelled`` or ``replaced``."""

    cites: tuple[Citation, ...]
    event_facts: Mapping[str, Any]
    """As ``member_facts`` of an `Announcement`."""

    intent: Intent
    pointings: tuple["OwnPointing", ...]
    reason: str
    """A sentence: why it was asked for, or what the network said."""

    issued_at: Instant

    @property
    def key(self) -> str:
        """Messages of one key stay in order."""
        return self.intent.event_id

    @property
    def role(self) -> Role:
        """Requests are made for observations only."""
        return Role.OBSERVATION

    @property
    def former(self) -> Citation | None:
        """The hub's own message that this one supersedes or retracts; None for a first one."""
        return next((cite for cite in self.cites if cite.kind in (CiteKind.SUPERSEDES, CiteKind.RETRACTION)), None)


@runtime_checkable
class PlanRenderer(Protocol):
    """A renderer that also has words for requests to telescopes."""

    media_type: str

    def render_plan(self, plan: PlanMessage) -> bytes:
        """Return a message that is valid by its schema; the same plan gives the same bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a source or a destination is."""

    state: str
    """One or two words: ``connecting``, ``listening``, ``sending``, ``silent`` ..."""

    alarms: tuple[str, ...] = ()
    """What a person must know, one sentence each; none when all is well."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    """Numbers and names for a page, JSON values: lag, last message, subscriptions, peers ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened once and must not be forgotten, such as a gap in a stream."""

    kind: str
    """``gap``, ``refused`` ..."""

    subject: str
    """What it happened to, e.g. ``topic/partition/first-end``: the same kind and subject of a source is the same incident."""

    text: str
    """One sentence for a person."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON values, e.g. ``topic``, ``partition``, ``first_offset``, ``end_offset``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A run of a partition that one `take` brought."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    """One behind the last message."""

    n_messages: int
    """Fewer than the offsets between, where the partition has control records or was compacted."""

    topic_id: str = ""
    """What the broker calls the topic: another one under the same name is another topic; empty where it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far the hub has stored a partition, whatever its broker believes."""

    next_offset: int
    topic_id: str
    """As in `Position`."""


def no_places() -> Mapping[tuple[str, int], Place]:
    """Return the places of a source that has none."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartContext:
    """What the opener of a source, a destination or a telescope network gets from the hub."""

    name: str
    """Of the part in the settings, and in the books."""

    authority: str
    """IVOA authority of the hub, e.g. ``example.org/mmhub``."""

    data_dir: Path
    """Folder of everything that the hub keeps; relative paths of options lie in it."""

    clock: Clock
    report: Callable[[Incident], None]
    """Durable when it returns."""

    heard: Callable[[Instant], None] = lambda _: None
    """Writes down until when a source was listened to that does not repeat what is missed; durable when it returns."""

    last_heard: Callable[[], Instant | None] = lambda: None
    """Returns what was written down last, before this start too; None where nothing ever was."""

    places: Callable[[], Mapping[tuple[str, int], Place]] = no_places
    """How far each topic and partition of the source is stored."""

    packet_bytes: int = 16 * 2**20
    """Most bytes of payloads that a `PacketBatch` should hold."""

    seed: int = 0
    """Of what is simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What became of a message that was handed in; whatever it is, the message is durable."""

    state: str
    """``stored``, ``duplicate`` or ``dead``."""

    reason: str = ""
    """Why it was refused or is a duplicate, one sentence."""


Accept = Callable[[Envelope], Awaitable[Acceptance]]
"""Takes a message in; raises `StorageError` where it could not be made durable, and then nothing may be acknowledged."""


class MessageSource(Protocol):
    """A subscription that remembers its place; used from one thread, but for `health`."""

    def take(self, limit: int, timeout_s: float) -> list[Envelope]:
        """Return what has arrived, waiting at most the time-out for the first message.

        Raises
        ------
        Transient, Permanent
            Nothing can be had now, or ever without a person.
        """
        ...

    def positions(self) -> Sequence[Position]:
        """Return where the messages of the last `take` stood, those included that it kept to itself."""
        ...

    def acknowledge(self) -> None:
        """Commit the place behind everything that `take` has returned."""
        ...

    def health(self) -> Health:
        """Return how the subscription is; callable from any thread."""
        ...


@runtime_checkable
class PacketSource(Protocol):
    """A `MessageSource` of alert packets: it gives them by the batch instead."""

    def take_packets(self, limit: int, timeout_s: float) -> PacketBatch | None:
        """Return what has arrived, waiting at most the time-out for the first packet; None where nothing has.

        Raises
        ------
        Transient, Permanent
            As `MessageSource.take`.
        """
        ...

    def positions(self) -> Sequence[Position]:
        """Return where the packets of the last `take_packets` stood."""
        ...

    def acknowledge(self) -> None:
        """Commit the place behind everything that `take_packets` has returned."""
        ...

    def health(self) -> Health:
        """Return how the subscription is; callable from any thread."""
        ...


@runtime_checkable
class StayingSource(Protocol):
    """A source that others would take the place of while it is not asked for messages."""

    def stay(self, finished: threading.Event) -> None:
        """Keep the place while what was taken is being stored; to be called every second or so where that takes long.

        Parameters
        ----------
        finished
            Set once nothing is being stored: until then the place should not be given to others, where that can be helped.
        """
        ...


@runtime_checkable
class PushSource(Protocol):
    """A source that calls: it hands in each message and acknowledges it to its sender after that."""

    async def run(self, accept: Accept, stop: asyncio.Event) -> None:
        """Hand in what arrives until told to stop.

        Raises
        ------
        Transient, Permanent
            It cannot go on now, or ever without a person.
        """
        ...

    def health(self) -> Health:
        """Return how the source is; callable from any thread."""
        ...


class Sink(Protocol):
    """Somewhere messages go to."""

    def deliver(self, outgoing: Outgoing) -> None:
        """Send one message; sending it again does no harm.

        Raises
        ------
        Transient, Permanent
            It was not sent.
        """
        ...

    def health(self) -> Health:
        """Return how the destination is; callable from any thread."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteState:
    """What a telescope network says of a request."""

    remote_id: str
    remote_state: str
    """The network's own word."""

    state: str
    """The same as a `RequestState` value."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What would be sent to a telescope network, and what the network says to it."""

    payload: Mapping[str, Any]
    """In the network's words; empty where the intent cannot be written so."""

    reasons: tuple[str, ...]
    """Why it would be refused, sentences; empty where it would be taken."""

    duration_s: float | None = None
    """Time that would be charged, seconds; None where it would be refused, or the network does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What is left of something that a telescope network gives a limited amount of."""

    what: str
    """Of what: an account, an urgency, instruments."""

    unit: str
    """``hours`` or ``requests``."""

    allocated: float
    used: float
    until: Instant | None
    """When it lapses; None where the network does not tell."""

    @property
    def left(self) -> float:
        """What may still be used; below zero where more was used than given."""
        return self.allocated - self.used


class TelescopeNetwork(Protocol):
    """One network of telescopes. Only `submit` and `cancel` have effects; neither is ever repeated blindly."""

    name: str
    can_find: bool
    """Whether `find_by_marker` is possible."""

    can_cancel: bool
    """Whether `cancel` is possible; otherwise a person must ask by another way."""

    is_simulated: bool
    """Whether no real telescope is behind it."""

    host: str | None
    """Where its requests go; None for one inside the hub."""

    def dry_run(self, intent: Intent) -> DryRun:
        """Return what would be sent, and what the network says to it; it books nothing.

        Raises
        ------
        TransportError
            The network, which is asked, does not answer.
        """
        ...

    def quota(self) -> tuple[Quota, ...]:
        """Return what is left; nothing where the network has no limits or does not tell.

        Raises
        ------
        TransportError
            The network does not answer, or not to this account.
        """
        ...

    def validate(self, intent: Intent) -> list[str]:
        """Return the reasons for which the network cannot take this intent; empty where it can."""
        ...

    def submit(self, intent: Intent) -> RemoteState:
        """Ask for the observation, once.

        Raises
        ------
        NetworkRefused
            It said no.
        Transient
            Nothing was sent.
        TransportError
            The outcome is unknown.
        """
        ...

    def find_by_marker(self, intent_id: str) -> RemoteState | None:
        """Return the request that carries our id, None where there is none."""
        ...

    def status(self, remote_id: str) -> RemoteState:
        """Return the present state of a request."""
        ...

    def cancel(self, remote_id: str) -> RemoteState:
        """Withdraw a request; raises `NetworkRefused` where it is too late."""
        ...


@runtime_checkable
class ReportsPointings(Protocol):
    """Tells where others point, in the words that `hub.services.pointings` reads. It is asked, and nothing is changed there."""

    name: str
    is_of_events: bool
    """Whether what it tells is of the event that is asked about; else it tells of a time, whatever was observed and where."""

    def pointings_of(self, event_id: str, begin: Instant, end: Instant) -> Sequence[Mapping[str, Any]]:
        """Return rows of pointings, each with an ``id`` that stays the same.

        Raises
        ------
        NotFound
            It has no events of this kind, or not this one.
        TransportError
            It does not answer, or not to this account: that nothing is reported is another answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPointing:
    """One of the hub's own pointings, as registers are told of it."""

    pointing: Pointing
    camera: str
    """The instrument by its name in the policy."""

    ra_deg: float
    """Centre, ICRS."""

    dec_deg: float
    planned_at: Instant
    """When it was to be observed, whatever became of it."""


@runtime_checkable
class TakesReports(Protocol):
    """A register that is told of the hub's own pointings. Telling it twice makes none twice: what it has is looked up before."""

    name: str
    host: str | None

    def why_not_told(self, event_id: str, own: OwnPointing) -> str:
        """Return why it cannot be told of a pointing, a sentence, or the empty text. Nobody is asked."""
        ...

    def tell(self, event_id: str, own: OwnPointing, number: int | None) -> int:
        """Report a pointing as planned or completed, or what was planned as completed or cancelled; return its number there.

        Parameters
        ----------
        event_id
            Name of the event that the register knows.
        own
            With its present status.
        number
            Of what the register has of it; None where it has nothing, or nobody knows.

        Raises
        ------
        NetworkRefused
            It said no.
        Transient
            Nothing was stored.
        TransportError
            The outcome is unknown.
        """
        ...


@runtime_checkable
class WithdrawsPointings(Protocol):
    """A register at which the hub reports what it plans."""

    def cancel_all(self, event_id: str) -> int:
        """Withdraw everything that is planned for an event; return how many. It may be repeated.

        Raises
        ------
        NotFound
            It has no events of this kind.
        TransportError
            It does not answer, or something is still planned there.
        """
        ...
