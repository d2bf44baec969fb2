"""All missions' packet types by number, and the door of this package."""

from adapters.codecs.gcn_classic import (
    agile,
    amon,
    antares,
    calet,
    counterpart,
    fermi,
    gecam,
    hawc,
    icecube,
    integral,
    ipn,
    konus,
    lvc,
    maxi,
    moa,
    snews,
    superk,
    suzaku,
    svom,
    swift,
)
from adapters.codecs.gcn_classic.assemble import assemble
from adapters.codecs.gcn_classic.kinds import Kind, Mission
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import Notice

MISSIONS: tuple[Mission, ...] = (
    fermi.MISSION,
    swift.MISSION,
    integral.MISSION,
    icecube.MISSION,
    lvc.MISSION,
    maxi.MISSION,
    svom.MISSION,
    snews.MISSION,
    superk.MISSION,
    konus.MISSION,
    ipn.MISSION,
    amon.MISSION,
    antares.MISSION,
    hawc.MISSION,
    calet.MISSION,
    agile.MISSION,
    gecam.MISSION,
    suzaku.MISSION,
    moa.MISSION,
    counterpart.MISSION,
)
"""Every mission that is read."""

_AUTHORITIES = frozenset({"nasa.gsfc.gcn", "nasa.gsfc.tan", "gwnet", "org.svom", "lvk.internal"})
# A Packet_Type means GCN's table only in packets of these; anybody may use the word for something else.

_MAX_DIGITS = 8


def read_classic(packet: Packet, topic: str | None) -> Notice | None:
    """Return the notice of a GCN classic packet, None where the packet is none."""
    found = _mission_of(packet)
    if found is None:
        return None
    mission, kind = found
    return assemble(packet, topic, mission, kind, mission.read(packet, kind))


def _mission_of(packet: Packet) -> tuple[Mission, Kind] | None:
    author = (packet.author_ivorn or "").lower()
    if packet.authority not in _AUTHORITIES and "nasa.gsfc" not in author:
        return None
    if packet.resource == "antares_alert":
        return antares.MISSION, antares.ALERT
    written = packet.get("Packet_Type") or ""
    number = int(written) if written.isascii() and written.isdigit() and len(written) < _MAX_DIGITS else 0
    found = next(((mission, kind) for mission in MISSIONS for kind in mission.kinds if number and kind.number == number), None)
    if found is None and (packet.authority == "org.svom" or packet.resource == "svom"):
        return svom.MISSION, svom.OTHER_KIND
    return found
