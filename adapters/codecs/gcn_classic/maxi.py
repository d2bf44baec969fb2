"""MAXI on the International Space Station: X-ray transients, unknown and known."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import number
from hub.model.notice import EventClass, Stage

_XRAY = EventClass.XRAY_TRANSIENT

KINDS = (
    Kind(number=134, name="MAXI_UNKNOWN", instrument="GSC", stage=Stage.INITIAL, event_class=_XRAY),
    Kind(
        number=135,
        name="MAXI_KNOWN",
        instrument="GSC",
        stage=Stage.INITIAL,
        event_class=_XRAY,
        veto="known source: in MAXI's catalogue",
        is_recorded=True,
    ),
    Kind(number=136, name="MAXI_TEST", instrument="GSC", stage=Stage.TEST, event_class=_XRAY, is_test=True),
)
"""MAXI's packet types; what their radius contains is not documented in the packet."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a MAXI packet says beyond the common parts."""
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        sequence=serial(packet, "Pkt_Ser_Num"),
        properties={
            "source_name": packet.get("Source_Name"),
            "source_class": packet.get("Event_Class"),
            "flux_mcrab": number(packet.get("Source_Flux")),
            "timescale": packet.get("Source_TimeScale"),
            "energy_band": packet.get("Source_EBand"),
        },
        used=("TrigID", "Pkt_Ser_Num", "Source_Name", "Event_Class", "Source_Flux", "Source_TimeScale", "Source_EBand"),
    )


MISSION = Mission(name="MAXI", kinds=KINDS, read=read)
"""MAXI's dialect."""
