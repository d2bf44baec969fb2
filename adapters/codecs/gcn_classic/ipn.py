"""The Interplanetary Network: arrival times of one burst at several spacecraft."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import EventClass, Stage

KINDS = (
    Kind(number=31, name="IPN_RAW", stage=Stage.PRELIMINARY, event_class=EventClass.GRB, localizes=False),
    Kind(number=32, name="IPN_SEG", stage=Stage.UPDATE, event_class=EventClass.GRB, localizes=False),
    Kind(number=39, name="IPN_POS", stage=Stage.UPDATE, event_class=EventClass.GRB),
)
"""IPN's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what an IPN packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        sequence=serial(packet, "Pkt_Ser_Num"),
        used=("TrigID", "Pkt_Ser_Num"),
    )


MISSION = Mission(name="IPN", kinds=KINDS, read=read)
"""IPN's dialect."""
