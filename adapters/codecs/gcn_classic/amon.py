"""AMON: coincidences of neutrinos with gamma rays, found by the network itself; and ANTARES alerts without a packet type."""

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import far_hz, number
from hub.model.notice import EventClass, Messenger, Stage

KINDS = (
    Kind(number=168, name="GWHEN_COINC", stage=Stage.INITIAL, event_class=EventClass.HIGH_ENERGY_NEUTRINO),
    Kind(number=172, name="AMON_NU_EM_COINC", stage=Stage.INITIAL, event_class=EventClass.HIGH_ENERGY_NEUTRINO),
)
"""AMON's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what an AMON packet says beyond the common parts."""
    revision = serial(packet, "Rev", "rev")
    return Reading(
        event_id=packet.get("event_id") or packet.get("AMON_ID") or packet.get("TrigID") or packet.local_id,
        messenger=Messenger.NEUTRINO,
        stage=Stage.UPDATE if revision > 0 else None,
        sequence=revision or serial(packet, "Pkt_Ser_Num"),
        far_hz=far_hz(packet.param("FAR"), "yr^-1"),
        properties={"pvalue": number(packet.get("pvalue"))},
        used=("FAR", "pvalue", "Rev"),
    )


MISSION = Mission(name="AMON", kinds=KINDS, read=read)
"""AMON's dialect."""
