"""SVOM: VOEvents of GRM, ECLAIRs, MXT and VT, on topics of their own (``gcn.notices.svom.voevent.*``)."""

import re

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import UNKNOWN_RADIUS, Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import number
from hub.model.notice import EventClass, Stage

_GRB = EventClass.GRB

KINDS = (
    Kind(number=201, name="SVOM_GRM_TRIGGER", instrument="GRM", stage=Stage.INITIAL, event_class=_GRB, localizes=False),
    Kind(number=202, name="SVOM_ECLAIRS_WAKEUP", instrument="ECLAIRs", stage=Stage.INITIAL, event_class=_GRB),
    Kind(
        number=203,
        name="SVOM_ECLAIRS_CATALOG",
        instrument="ECLAIRs",
        stage=Stage.INITIAL,
        event_class=EventClass.OTHER,
        veto="known source: in the ECLAIRs catalogue",
    ),
    Kind(number=204, name="SVOM_ECLAIRS_SLEWING", instrument="ECLAIRs", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    Kind(
        number=205, name="SVOM_ECLAIRS_NOT_SLEWING", instrument="ECLAIRs", stage=Stage.UPDATE, event_class=_GRB, localizes=False
    ),
    Kind(number=209, name="SVOM_MXT_INITIAL", instrument="MXT", stage=Stage.UPDATE, event_class=_GRB),
    Kind(number=210, name="SVOM_MXT_UPDATE", instrument="MXT", stage=Stage.UPDATE, event_class=_GRB),
    Kind(number=211, name="SVOM_VT_CANDIDATE", instrument="VT", stage=Stage.UPDATE, event_class=_GRB),
    Kind(number=219, name="SVOM_RETRACTION", stage=Stage.RETRACTION, event_class=_GRB),
    Kind(number=576, name="SVOM_ECLAIRS", instrument="ECLAIRs", stage=Stage.INITIAL, event_class=_GRB, is_recorded=True),
)
"""SVOM's packet types."""

OTHER_KIND = Kind(number=0, name="SVOM_OTHER", stage=Stage.UPDATE, event_class=_GRB, radius=UNKNOWN_RADIUS)
"""Any other SVOM packet: it belongs to its burst, and its Instrument says whose it is."""

_BURST_IN_IVORN = re.compile(r"(sb\d{6,})", re.IGNORECASE)
_SWIFT_TRIGGER = "Swift_Trig_Id"


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a SVOM packet says beyond the common parts; Burst_Id groups."""
    found = _BURST_IN_IVORN.search(packet.local_id)
    burst = packet.get("Burst_Id") or (found[1] if found else packet.local_id)
    swift = packet.get(_SWIFT_TRIGGER)
    return Reading(
        event_id=burst,
        instrument=packet.get("Instrument"),
        sequence=serial(packet, "Pkt_Ser_Num"),
        depends_on=(f"Swift-{swift}",) if swift else (),
        properties={
            "snr": number(packet.get("SNR")),
            "timescale_s": number(packet.get("Timescale")) or None,
            "notice_level": packet.get("Notice_Level"),
            "trigger_type": packet.get("Trigger_Type"),
            "source_name": packet.get("Source_Name"),
        },
        used=("Burst_Id", "Instrument", "Pkt_Ser_Num", "SNR", "Timescale", "Notice_Level", "Trigger_Type", "Source_Name"),
    )


MISSION = Mission(name="SVOM", kinds=KINDS, read=read)
"""SVOM's dialect."""
