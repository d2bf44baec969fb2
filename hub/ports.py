"""What the core asks of the outside world."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hub.errors import DecodeError
from hub.model.alert import AlertBatch, AlertDetail
from hub.model.coincidence import Coincidence
from hub.model.envelope import Envelope
from hub.model.followup import Intent
from hub.model.instant import Instant
from hub.model.notice import Citation, Notice
from hub.model.outgoing import Outgoing
from hub.model.sky import Skymap

Clock = Callable[[], Instant]
"""Tells the present moment; tests hand in their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedNotice:
    """The bytes were a notice."""

    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodedAlerts:
    """The bytes were survey alerts (a container may hold many); which of them may go on, `decode_alert_batch` says."""

    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedContext:
    """The bytes were something that is kept but is no event: a circular, a transport message, a bare sky map."""

    kind: str
    """``circular``, ``transport``, ``skymap``."""

    format: str
    """``gcn-circular-json``, ``gcn-circular-text``, ``vtp-transport``, ``snews2-heartbeat``, ``fits`` ..."""

    summary: dict[str, Any] = field(default_factory=dict)
    """Facts for a listing, JSON values."""


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

    def decode_alert_batch(self, envelopes: Sequence[Envelope]) -> "AlertRows":
        """Decode many alert messages into columns at once; a bad one does not stop the others."""
        ...

    def decode_details(self, payload: bytes) -> list[AlertDetail | DecodeError]:
        """Decode every alert of a message in full, cutouts and history included; a bad one of a container gives its fault.

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


class AlertHistory(Protocol):
    """The memory of past alerts. Times are half-open ``[start, end)``."""

    def append(self, batch: AlertBatch) -> int:
        """Store the rows that are not there yet, keyed by (survey, source_id), durably; return how many were new."""
        ...

    def known(self, survey: str, source_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each source id whether it is stored."""
        ...

    def in_region(self, lo: NDArray[np.int64], hi: NDArray[np.int64], start: Instant, end: Instant) -> list[AlertBatch]:
        """Return all alerts inside ascending disjoint order-29 ranges and the time window, one batch per survey."""
        ...

    def of_objects(self, survey: str, object_ids: Sequence[str]) -> AlertBatch:
        """Return all alerts of some objects, ordered by time."""
        ...

    def count(self) -> int:
        """Return how many alerts are stored."""
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


class AnnouncementRenderer(Protocol):
    """Words to a wire format."""

    def render(self, announcement: Announcement) -> bytes:
        """Return a schema-valid VOEvent 2.0; the same announcement gives the same bytes."""
        ...


class MessageSource(Protocol):
    """A subscription that remembers its place; used from one thread."""

    def take(self, limit: int, timeout_s: float) -> list[Envelope]:
        """Return what has arrived, waiting at most the time-out for the first message.

        Raises
        ------
        Transient, Permanent
            Nothing can be had now, or ever without a person.
        """
        ...

    def acknowledge(self) -> None:
        """Commit the place behind everything that `take` has returned."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteState:
    """What a telescope network says of a request."""

    remote_id: str
    remote_state: str
    """The network's own word."""

    state: str
    """The same as a `RequestState` value."""

    reason: str = ""


class TelescopeNetwork(Protocol):
    """One network of telescopes. Only `submit` and `cancel` have effects; neither is ever repeated blindly."""

    name: str
    can_find: bool
    """Whether `find_by_marker` is possible."""

    is_simulated: bool
    """Whether no real telescope is behind it."""

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
