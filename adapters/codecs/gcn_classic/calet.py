"""CALET on the International Space Station: light curves of its burst monitor."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import EventClass, Stage

KINDS = (
    Kind(
        number=160, name="CALET_GBM_FLT_LC", instrument="CGBM", stage=Stage.INITIAL, event_class=EventClass.GRB, localizes=False
    ),
    Kind(number=161, name="CALET_GBM_GND_LC", instrument="CGBM", stage=Stage.UPDATE, event_class=EventClass.GRB, localizes=False),
)
"""CALET's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a CALET packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        sequence=serial(packet, "Pkt_Ser_Num"),
        used=("TrigID", "Pkt_Ser_Num"),
    )


MISSION = Mission(name="CALET", kinds=KINDS, read=read)
"""CALET's dialect."""
