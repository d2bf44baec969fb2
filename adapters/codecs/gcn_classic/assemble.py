"""A packet, its kind and what the mission's reader found, put together as a notice."""

from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.general import identity_of
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import (
    citations_of,
    event_time_of,
    extra_of,
    flag,
    is_live,
    issued_at_of,
    number,
    position_of,
    role_of,
)
from hub.errors import DecodeError
from hub.model.notice import CiteKind, EventClass, Notice, Role, Stage

TOPIC_PREFIX = "gcn.classic.voevent."
"""Topics of GCN's classic notices in VOEvent form begin so."""

MAX_SERIAL = 2**31
"""Serial numbers from here on are taken for garbage."""

MAX_ID_CHARS = 200
"""Longest event id that is accepted; real ones have some ten to forty characters."""

_VETO_FLAGS = {
    "Def_NOT_a_GRB": "flagged as definitely not a GRB",
    "StarTrack_Lost_Lock": "star tracker lost lock",
    "ImTrig_during_ST_LoL": "image trigger while the star tracker had lost lock",
    "Cosmic_Ray": "a cosmic ray",
    "Target_in_Flt_Catalog": "known source: in the flight catalogue",
    "Target_in_Gnd_Catalog": "known source: in the ground catalogue",
    "Target_in_Blk_Catalog": "known source: in the catalogue of blocked sources",
}
# Flags of Fermi, Swift and INTEGRAL; they stand in groups.
_NO_POSITION = ("unavailable/inappropriate",)
_NO_POINT_SOURCE = ("pointing_direction",)
_ALWAYS_USED = ("Packet_Type", "Coords_String")


def assemble(packet: Packet, topic: str | None, mission: Mission, kind: Kind, reading: Reading) -> Notice:
    """Return the notice of a GCN classic packet."""
    role, remark = role_of(packet)
    cites = citations_of(packet)
    coords = packet.get("Coords_String")
    position = None if coords in _NO_POSITION else position_of(packet, kind.radius)
    vetoes = tuple(dict.fromkeys([*([kind.veto] if kind.veto else []), *reading.vetoes, *_flag_vetoes(packet)]))
    is_retraction = flag(packet, "Retraction") or any(cite.kind is CiteKind.RETRACTION for cite in cites)
    name = reading.mission or mission.name
    return Notice(
        identity=identity_of(packet),
        format=f"voevent-{packet.version}",
        ivorn=packet.ivorn,
        stream=topic or TOPIC_PREFIX + kind.name,
        mission=name,
        instrument=reading.instrument or kind.instrument,
        messenger=reading.messenger,
        role=role,
        stage=Stage.RETRACTION if is_retraction else reading.stage or kind.stage,
        event_class=reading.event_class or kind.event_class,
        event_key=_event_key(role, kind, reading, name),
        aliases=reading.aliases,
        t0=event_time_of(packet),
        issued_at=issued_at_of(packet),
        sequence=reading.sequence,
        position=position,
        localizes=kind.localizes and coords not in _NO_POINT_SOURCE,
        systematic_model=kind.systematic_model if position is not None and position.region is not None else None,
        skymap_url=reading.skymap_url,
        far_hz=reading.far_hz,
        p_astro=reading.p_astro,
        classification=reading.classification,
        properties={key: value for key, value in reading.properties.items() if value is not None},
        vetoes=vetoes,
        cites=cites,
        depends_on=reading.depends_on,
        is_live=is_live(packet) and not kind.is_test and not reading.is_mock and kind.is_event,
        extra=extra_of(packet, {*_ALWAYS_USED, *reading.used}, [*([remark] if remark else []), *reading.remarks]),
    )


def is_vetoed_as_known_or_blind(packet: Packet) -> bool:
    """Return whether flags say that a trigger is a known source or happened without pointing knowledge."""
    names = [name for name in _VETO_FLAGS if name not in ("Def_NOT_a_GRB", "Cosmic_Ray")]
    return flag(packet, *names)


def trigger_class(packet: Packet, kind: Kind) -> EventClass:
    """Return the class of a burst trigger: other where it is a known source or the star tracker had lost its lock."""
    return EventClass.OTHER if is_vetoed_as_known_or_blind(packet) else kind.event_class


def serial(packet: Packet, *names: str) -> int:
    """Return the first whole number among some Params, 0 where there is none."""
    return next((whole(value) for name in names if (value := packet.get(name)) is not None), 0)


def whole(written: str) -> int:
    """Return a whole number that a database can hold, 0 where the text is none."""
    value = number(written)
    return int(value) if value is not None and abs(value) < MAX_SERIAL else 0


def _flag_vetoes(packet: Packet) -> list[str]:
    return [reason for name, reason in _VETO_FLAGS.items() if flag(packet, name)]


def _event_key(role: Role, kind: Kind, reading: Reading, mission: str) -> str | None:
    if role is Role.UTILITY or not kind.is_event or not reading.event_id:
        return None
    if len(reading.event_id) > MAX_ID_CHARS:
        raise DecodeError(f"the event id has {len(reading.event_id)} characters", format="voevent")
    return f"{mission}-{reading.event_id}" if reading.has_prefix else reading.event_id
