"""SNEWS, the network of supernova neutrino detectors, in its classic form."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import flag
from hub.model.notice import EventClass, Messenger, Stage

KINDS = (Kind(number=149, name="SNEWS", stage=Stage.INITIAL, event_class=EventClass.SUPERNOVA_NEUTRINO, is_recorded=True),)
"""SNEWS' packet type."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a SNEWS packet says beyond the common parts; it names the detectors by letters."""
    taking_part = [letter for letter in "ABCDEFGH" if flag(packet, f"Detector_{letter}_Participate")]
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        messenger=Messenger.NEUTRINO,
        sequence=serial(packet, "Pkt_Ser_Num"),
        properties={"detectors": taking_part, "subtype": packet.get("SubType")},
        used=("TrigID", "Pkt_Ser_Num", "SubType"),
    )


MISSION = Mission(name="SNEWS", kinds=KINDS, read=read)
"""SNEWS' dialect."""
