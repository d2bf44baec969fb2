"""The words in which a mission describes its packet types, and what its reader hands back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import RadiusMeaning
from hub.model.notice import EventClass, Messenger, Stage

UNKNOWN_RADIUS = RadiusMeaning()
"""The stream does not document what its radius means."""

STATISTICAL_90 = RadiusMeaning(containment=0.9, systematic_included=False)
"""A 90 % radius without systematic errors."""

CONTAINS_90 = RadiusMeaning(containment=0.9)
"""A 90 % radius of which it is not documented whether systematic errors are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One GCN packet type: a row of a mission's type table."""

    number: int
    """Packet_Type."""

    name: str
    """GCN's name of the type, which is also the last part of its topic."""

    stage: Stage
    event_class: EventClass
    instrument: str | None = None
    is_event: bool = True
    """False for pointings and targets of opportunity, which speak of no event."""

    localizes: bool = True
    """Whether the position is a statement about the event's place."""

    radius: RadiusMeaning = UNKNOWN_RADIUS
    systematic_model: str | None = None
    is_test: bool = False
    """Whether every packet of the type is a test, whatever its role says."""

    veto: str | None = None
    """Reason for which the type itself says that there is no new event."""

    is_recorded: bool = False
    """Whether real bytes of this type were read in a test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a mission's reader finds beyond what all packets share."""

    event_id: str | None
    """The mission's own id of the event, without the mission's name; None where there is none."""

    has_prefix: bool = True
    """Whether the mission's name stands before the id in the event key (not for ``S230518h``)."""

    mission: str | None = None
    """Name where it differs from the mission of the table."""

    instrument: str | None = None
    """Overrides the kind's."""

    messenger: Messenger = Messenger.EM
    stage: Stage | None = None
    """Overrides the kind's."""

    event_class: EventClass | None = None
    """Overrides the kind's."""

    aliases: tuple[str, ...] = ()
    sequence: int = 0
    far_hz: float | None = None
    p_astro: float | None = None
    classification: Mapping[str, float | None] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    vetoes: tuple[str, ...] = ()
    skymap_url: str | None = None
    depends_on: tuple[str, ...] = ()
    is_mock: bool = False
    """Whether the mission's own marks say that it is no real event."""

    remarks: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    """Names of the Params that the fields above hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mission:
    """One mission's dialect."""

    name: str
    kinds: tuple[Kind, ...]
    read: Callable[[Packet, Kind], Reading]
