"""ANTARES: neutrino alerts that GCN carried without a packet type (until 2022)."""

from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import number
from hub.model.notice import EventClass, Messenger, Stage

ALERT = Kind(number=0, name="ANTARES_ALERT", stage=Stage.INITIAL, event_class=EventClass.HIGH_ENERGY_NEUTRINO, is_recorded=True)
"""The only kind; it has no packet type."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what an ANTARES packet says beyond the common parts."""
    is_real = packet.get("isRealAlert")
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        messenger=Messenger.NEUTRINO,
        properties={
            "pvalue": number(packet.get("pvalue")),
            "ranking": number(packet.get("ranking")),
            "hits": number(packet.get("N_Hits")),
        },
        is_mock=is_real is not None and is_real.lower() not in ("true", "1"),
        used=("TrigID", "pvalue", "ranking", "N_Hits", "isRealAlert"),
    )


MISSION = Mission(name="ANTARES", kinds=(ALERT,), read=read)
"""ANTARES' dialect."""
