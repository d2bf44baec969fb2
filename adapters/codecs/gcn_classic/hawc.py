"""HAWC: its burst monitor, distributed by AMON."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import far_hz, number
from hub.model.notice import EventClass, Stage

KINDS = (Kind(number=171, name="HAWC_BURST_MONITOR", stage=Stage.INITIAL, event_class=EventClass.GRB),)
"""HAWC's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a HAWC packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("event_id") or packet.get("AMON_ID") or packet.get("TrigID") or packet.local_id,
        sequence=serial(packet, "Pkt_Ser_Num"),
        far_hz=far_hz(packet.param("FAR"), "yr^-1"),
        properties={"pvalue": number(packet.get("pvalue"))},
        used=("Pkt_Ser_Num", "FAR"),
    )


MISSION = Mission(name="HAWC", kinds=KINDS, read=read)
"""HAWC's dialect."""
