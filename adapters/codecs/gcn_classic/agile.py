"""AGILE: SuperAGILE bursts and alerts of the mini-calorimeter (until 2024)."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import EventClass, Stage

KINDS = (
    Kind(number=100, name="AGILE_GRB_WAKEUP", instrument="SuperAGILE", stage=Stage.INITIAL, event_class=EventClass.GRB),
    Kind(number=101, name="AGILE_GRB_GROUND", instrument="SuperAGILE", stage=Stage.UPDATE, event_class=EventClass.GRB),
    Kind(number=102, name="AGILE_GRB_REFINED", instrument="SuperAGILE", stage=Stage.UPDATE, event_class=EventClass.GRB),
    Kind(
        number=105, name="AGILE_MCAL_ALERT", instrument="MCAL", stage=Stage.INITIAL, event_class=EventClass.GRB, localizes=False
    ),
    Kind(number=107, name="AGILE_POINTDIR", stage=Stage.INITIAL, event_class=EventClass.OTHER, is_event=False, localizes=False),
    Kind(number=108, name="AGILE_TRANS", stage=Stage.INITIAL, event_class=EventClass.OTHER),
    Kind(
        number=109, name="AGILE_GRB_POS_TEST", instrument="SuperAGILE", stage=Stage.TEST, event_class=EventClass.GRB, is_test=True
    ),
)
"""AGILE's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what an AGILE packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        sequence=serial(packet, "Pkt_Ser_Num"),
        used=("TrigID", "Pkt_Ser_Num"),
    )


MISSION = Mission(name="AGILE", kinds=KINDS, read=read)
"""AGILE's dialect."""
