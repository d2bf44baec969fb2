"""Suzaku: light curves of the wide-band all-sky monitor (until 2015)."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import EventClass, Stage

KINDS = (Kind(number=148, name="SUZAKU_LC", instrument="WAM", stage=Stage.INITIAL, event_class=EventClass.GRB, localizes=False),)
"""Suzaku's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a Suzaku packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        sequence=serial(packet, "Pkt_Ser_Num"),
        used=("TrigID", "Pkt_Ser_Num"),
    )


MISSION = Mission(name="Suzaku", kinds=KINDS, read=read)
"""Suzaku's dialect."""
