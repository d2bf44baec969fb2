"""The reader for a VOEvent of unknown origin: nothing is assumed beyond the standard."""

from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import (
    RadiusMeaning,
    citations_of,
    event_time_of,
    extra_of,
    is_live,
    issued_at_of,
    position_of,
    role_of,
)
from hub.model.notice import Citation, CiteKind, EventClass, Messenger, Notice, Role, Stage

_KNOWN_AUTHORS = {
    ("gaia.cam.uk", "alerts"): ("Gaia", EventClass.OPTICAL_TRANSIENT),
    ("voevent.4pisky.org", "asassn"): ("ASAS-SN", EventClass.OPTICAL_TRANSIENT),
    ("hess", "grb"): ("HESS", EventClass.OTHER),
}
# Authority and resource of an ivorn to the mission's name and what it reports.


def read_general(packet: Packet, topic: str | None) -> Notice:
    """Return the notice of any VOEvent."""
    role, remark = role_of(packet)
    cites = citations_of(packet)
    mission, event_class = _KNOWN_AUTHORS.get((packet.authority, packet.resource), (packet.authority, None))
    return Notice(
        identity=identity_of(packet),
        format=f"voevent-{packet.version}",
        ivorn=packet.ivorn,
        stream=topic or f"voevent.{packet.authority}",
        mission=mission,
        instrument=None,
        messenger=_messenger(packet),
        role=role,
        stage=_stage(cites, role),
        event_class=event_class or _event_class(packet),
        event_key=None if role is Role.UTILITY else f"{mission}-{packet.local_id}",
        t0=event_time_of(packet),
        issued_at=issued_at_of(packet),
        position=position_of(packet, RadiusMeaning()),
        cites=cites,
        is_live=is_live(packet),
        extra=extra_of(packet, (), [remark] if remark else []),
    )


def identity_of(packet: Packet) -> str:
    """Return the natural key: identifiers compare without case; one may come as observation and as test (SNEWS)."""
    return f"voevent|{packet.ivorn.lower()}|{packet.role.lower()}"


def _stage(cites: tuple[Citation, ...], role: Role) -> Stage:
    kinds = {cite.kind for cite in cites}
    if CiteKind.RETRACTION in kinds:
        return Stage.RETRACTION
    if CiteKind.SUPERSEDES in kinds:
        return Stage.UPDATE
    return Stage.TEST if role is Role.TEST else Stage.INITIAL


def _messenger(packet: Packet) -> Messenger:
    concepts = " ".join(packet.why.all_concepts).lower()
    if "neutrino" in concepts or "icecube" in (packet.author_ivorn or "").lower():
        return Messenger.NEUTRINO
    return Messenger.GW if "gravitation" in concepts else Messenger.EM


def _event_class(packet: Packet) -> EventClass:
    concepts = " ".join(packet.why.all_concepts).lower()
    return EventClass.OPTICAL_TRANSIENT if "em.opt" in concepts else EventClass.OTHER
