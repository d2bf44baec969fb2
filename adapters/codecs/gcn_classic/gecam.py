"""GECAM: bursts by its flight software and by ground analysis."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import EventClass, Stage

KINDS = (
    Kind(number=188, name="GECAM_FLT", stage=Stage.INITIAL, event_class=EventClass.GRB),
    Kind(number=189, name="GECAM_GND", stage=Stage.UPDATE, event_class=EventClass.GRB),
)
"""GECAM's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a GECAM packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        sequence=serial(packet, "Pkt_Ser_Num"),
        used=("TrigID", "Pkt_Ser_Num"),
    )


MISSION = Mission(name="GECAM", kinds=KINDS, read=read)
"""GECAM's dialect."""
