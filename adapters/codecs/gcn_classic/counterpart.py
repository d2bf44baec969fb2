"""Counterparts of bursts that observers report to GCN: an event of its own, which depends on the burst."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from hub.model.notice import EventClass, Stage

KINDS = (Kind(number=45, name="GRB_CNTRPART", stage=Stage.INITIAL, event_class=EventClass.OPTICAL_TRANSIENT, is_recorded=True),)
"""Packet types of counterparts."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a counterpart packet says beyond the common parts.

    Its TrigID is the burst's, of whatever mission; only for a Swift telescope is it certain whose number it is.
    """
    telescope = packet.get("Telescope") or ""
    trigger = packet.get("TrigID")
    is_swift = telescope.lower().startswith("swift")
    return Reading(
        event_id=trigger or packet.local_id,
        instrument=telescope or None,
        event_class=EventClass.XRAY_TRANSIENT if telescope.upper().endswith(("XRT", "MXT", "FXT")) else None,
        sequence=serial(packet, "Pkt_Ser_Num"),
        properties={"submitter": packet.get("Submitter")},
        depends_on=(f"Swift-{trigger}",) if is_swift and trigger else (),
        used=("TrigID", "Telescope", "Submitter", "Pkt_Ser_Num"),
    )


MISSION = Mission(name="COUNTERPART", kinds=KINDS, read=read)
"""The dialect of counterparts."""
