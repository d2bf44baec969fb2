"""INTEGRAL: IBAS wake-up, refined, offline and weak positions, SPI-ACS triggers, pointings."""

import re

from adapters.codecs.gcn_classic.assemble import serial, whole
from adapters.codecs.gcn_classic.kinds import STATISTICAL_90, Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import number
from hub.model.notice import EventClass, Stage

_ALERT_IN_IVORN = re.compile(r"_(\d+)-(\d+)-\d+$")

KINDS = (
    Kind(number=51, name="INTEGRAL_POINTDIR", stage=Stage.INITIAL, event_class=EventClass.OTHER, is_event=False, localizes=False),
    Kind(
        number=52,
        name="INTEGRAL_SPIACS",
        instrument="SPI-ACS",
        stage=Stage.INITIAL,
        event_class=EventClass.SUB_GRB,  # a rate trigger without a direction, mostly cosmic rays and solar particles
        localizes=False,
    ),
    Kind(
        number=53,
        name="INTEGRAL_WAKEUP",
        instrument="IBIS",
        stage=Stage.INITIAL,
        event_class=EventClass.GRB,
        radius=STATISTICAL_90,
        is_recorded=True,
    ),
    Kind(
        number=54,
        name="INTEGRAL_REFINED",
        instrument="IBIS",
        stage=Stage.UPDATE,
        event_class=EventClass.GRB,
        radius=STATISTICAL_90,
        is_recorded=True,
    ),
    Kind(
        number=55,
        name="INTEGRAL_OFFLINE",
        instrument="IBIS",
        stage=Stage.UPDATE,
        event_class=EventClass.GRB,
        radius=STATISTICAL_90,
    ),
    Kind(
        number=56,
        name="INTEGRAL_WEAK",
        instrument="IBIS",
        stage=Stage.INITIAL,
        event_class=EventClass.SUB_GRB,
        radius=STATISTICAL_90,
    ),
)
"""INTEGRAL's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what an INTEGRAL packet says beyond the common parts.

    The event's number stands in the ivorn (``Refined_Pos_010042-1-942``: alert 10042, its packet 1). TrigID is the same number in
    the wake-up but mixes in the packet's number in the refined one (75578 = 10042 + 65536), so it cannot group.
    """
    found = _ALERT_IN_IVORN.search(packet.local_id)
    trigger = packet.get("TrigID")
    return Reading(
        event_id=(found[1].lstrip("0") or "0") if found else trigger or packet.local_id,
        sequence=whole(found[2]) if found else serial(packet, "Pkt_Ser_Num"),
        properties={
            "significance_sigma": number(packet.get("Inten_Sigma")),
            "timescale_s": number(packet.get("Time_Scale")),
            "time_error_s": number(packet.get("Time_Error")),
        },
        used=("Inten_Sigma", "Time_Scale", "Time_Error"),
    )


MISSION = Mission(name="INTEGRAL", kinds=KINDS, read=read)
"""INTEGRAL's dialect."""
