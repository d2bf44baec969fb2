"""Konus-Wind: light curves of bursts; a single detector far from Earth, so no position."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import EventClass, Stage

KINDS = (Kind(number=59, name="KONUS_LC", stage=Stage.INITIAL, event_class=EventClass.GRB, localizes=False, is_recorded=True),)
"""Konus's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a Konus packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        sequence=serial(packet, "Pkt_Ser_Num"),
        properties={"light_curve_url": packet.get("Light_Curve")},
        used=("TrigID", "Pkt_Ser_Num", "Light_Curve"),
    )


MISSION = Mission(name="Konus", kinds=KINDS, read=read)
"""Konus's dialect."""
