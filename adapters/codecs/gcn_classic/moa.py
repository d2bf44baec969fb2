"""MOA: microlensing events, which are no bursts."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import EventClass, Stage

KINDS = (Kind(number=139, name="MOA", stage=Stage.INITIAL, event_class=EventClass.OTHER, veto="microlensing"),)
"""MOA's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a MOA packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("Event_ID") or packet.get("TrigID") or packet.local_id,
        sequence=serial(packet, "Pkt_Ser_Num"),
        used=("TrigID", "Pkt_Ser_Num"),
    )


MISSION = Mission(name="MOA", kinds=KINDS, read=read)
"""MOA's dialect."""
