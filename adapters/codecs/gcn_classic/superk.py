"""Super-Kamiokande: supernova bursts of neutrinos."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import EventClass, Messenger, Stage

KINDS = (Kind(number=175, name="SK_SN", stage=Stage.INITIAL, event_class=EventClass.SUPERNOVA_NEUTRINO),)
"""Super-K's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a Super-K packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        messenger=Messenger.NEUTRINO,
        sequence=serial(packet, "Pkt_Ser_Num"),
        used=("TrigID", "Pkt_Ser_Num"),
    )


MISSION = Mission(name="Super-K", kinds=KINDS, read=read)
"""Super-K's dialect."""
