"""One message of an observatory, understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.model.instant import Instant
from hub.model.sky import StatedPosition


class Messenger(StrEnum):
    """What carried the signal."""

    GW = "gw"
    EM = "em"
    NEUTRINO = "neutrino"


class Role(StrEnum):
    """VOEvent roles."""

    OBSERVATION = "observation"
    PREDICTION = "prediction"
    UTILITY = "utility"
    TEST = "test"


class Stage(StrEnum):
    """Where a message stands in the life of its event."""

    EARLY_WARNING = "early_warning"
    PRELIMINARY = "preliminary"
    INITIAL = "initial"
    UPDATE = "update"
    RETRACTION = "retraction"
    TEST = "test"


STAGE_ORDER: tuple[Stage, ...] = (
    Stage.TEST,
    Stage.EARLY_WARNING,
    Stage.PRELIMINARY,
    Stage.INITIAL,
    Stage.UPDATE,
    Stage.RETRACTION,
)
"""Order of stages among notices issued at the same moment."""


class EventClass(StrEnum):
    """Kinds of event that coincidence rules tell apart (the searches of RAVEN and their like)."""

    CBC = "cbc"
    BURST = "burst"
    GRB = "grb"
    SUB_GRB = "sub_grb"
    SUB_GRB_TARGETED = "sub_grb_targeted"
    FRB = "frb"
    HIGH_ENERGY_NEUTRINO = "hen"
    SUPERNOVA_NEUTRINO = "supernova_neutrino"
    XRAY_TRANSIENT = "xray_transient"
    OPTICAL_TRANSIENT = "optical_transient"
    OTHER = "other"


class CiteKind(StrEnum):
    """How one VOEvent speaks of another."""

    FOLLOWUP = "followup"
    SUPERSEDES = "supersedes"
    RETRACTION = "retraction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A reference to another VOEvent."""

    ivorn: str
    kind: CiteKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message understood. A codec makes it from bytes alone, without the sky map being read."""

    identity: str
    """Natural key: equal for a re-send of the same notice over any transport of the same format, e.g. ``ivorn|role``,
    ``igwn|S230518h|PRELIMINARY|2023-...``. Same identity with other bytes is a revision."""

    format: str
    """Wire format: ``voevent-1.1``, ``voevent-2.0``, ``voevent-2.1``, ``gcn-unified``, ``igwn-json``, ``igwn-avro``,
    ``snews2``."""

    ivorn: str | None
    stream: str
    """The stream's name, e.g. ``gcn.classic.voevent.FERMI_GBM_GND_POS``, ``gcn.notices.icecube.gold_bronze``,
    ``igwn.gwalert``."""

    mission: str
    """``Fermi``, ``Swift``, ``INTEGRAL``, ``IceCube``, ``LVK``, ``MAXI`` ..."""

    instrument: str | None
    messenger: Messenger
    role: Role
    stage: Stage
    event_class: EventClass
    event_key: str | None
    """Canonical event id: ``S230518h``, ``Fermi-524666471``, ``Swift-1093742``, ``IceCube-136918-45252263``, else
    ``MISSION-ID``; None for a message about no event (utility)."""

    aliases: tuple[str, ...] = ()
    """Other names of the event, e.g. ``GRB 170817A``, ``bn170817529``; without the event key."""

    t0: Instant | None = None
    """Time of the event itself."""

    issued_at: Instant | None = None
    """When the observatory issued this notice; None where it does not say (then t0, else reception, orders it)."""

    sequence: int = 0
    """The observatory's own number of this notice, orders notices issued at the same moment."""

    position: StatedPosition | None = None
    """None where the notice states no position, also where it writes 0,0 for that."""

    localizes: bool = True
    """Whether the position or map is a statement about the event's place (false for slews, light curves, pointings)."""

    systematic_model: str | None = None
    """Name of the systematic-error model that the position needs, e.g. ``fermi-gbm-ground``; None where systematics are in or
    unknown."""

    skymap: bytes | None = field(default=None, repr=False)
    """FITS bytes of the embedded map as they came (perhaps gzipped)."""

    skymap_refused: str | None = None
    """Why the codec left the embedded map out, as a sentence; None where there was none or it is in ``skymap``."""

    skymap_url: str | None = None
    """Where a map can be had; stored, never followed here."""

    far_hz: float | None = None
    """False-alarm rate in Hz (per-year values divided by 365.25 d)."""

    p_astro: float | None = None
    """Probability of astrophysical origin (signalness for neutrinos)."""

    classification: Mapping[str, float | None] = field(default_factory=dict)
    """Class name to probability; None where the notice names a class without one."""

    properties: Mapping[str, Any] = field(default_factory=dict)
    """Facts that rules may use, JSON values: ``significant``, ``search``, ``group``, ``pipeline``, ``instruments``,
    ``duration_s``, ``energy_tev`` ..."""

    vetoes: tuple[str, ...] = ()
    """Reasons for which this notice says that its event is none, e.g. ``classified as not a GRB``, ``star tracker lost lock``."""

    cites: tuple[Citation, ...] = ()
    depends_on: tuple[str, ...] = ()
    """Events because of which this observation was made (``ref_ID``, commanded, targeted)."""

    is_live: bool = False
    """True only for a real, current observation: role observation, tense current, no mock id (``MS``, ``TS``), no MDC search.
    Whatever is not live never causes a live announcement or a follow-up."""

    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the message that nothing above holds, kept as JSON values."""
