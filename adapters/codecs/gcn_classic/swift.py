"""Swift: BAT triggers, known and sub-threshold sources, XRT and UVOT positions, slews and pointings."""

from functools import partial

from adapters.codecs.gcn_classic.assemble import serial, trigger_class
from adapters.codecs.gcn_classic.kinds import CONTAINS_90, Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import number
from hub.model.notice import EventClass, Stage

_GRB, _OTHER, _XRAY = EventClass.GRB, EventClass.OTHER, EventClass.XRAY_TRANSIENT


_KIND = partial(Kind, radius=CONTAINS_90)

KINDS = (
    _KIND(
        number=46, name="SWIFT_TOO_FOM", instrument=None, stage=Stage.INITIAL, event_class=_OTHER, is_event=False, localizes=False
    ),
    _KIND(
        number=47,
        name="SWIFT_TOO_SC_SLEW",
        instrument=None,
        stage=Stage.INITIAL,
        event_class=_OTHER,
        is_event=False,
        localizes=False,
    ),
    _KIND(number=60, name="SWIFT_BAT_GRB_ALERT", instrument="BAT", stage=Stage.PRELIMINARY, event_class=_GRB),
    _KIND(number=61, name="SWIFT_BAT_GRB_POS_ACK", instrument="BAT", stage=Stage.INITIAL, event_class=_GRB, is_recorded=True),
    _KIND(number=62, name="SWIFT_BAT_GRB_POS_NACK", instrument="BAT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(
        number=63,
        name="SWIFT_BAT_GRB_LC",
        instrument="BAT",
        stage=Stage.UPDATE,
        event_class=_GRB,
        localizes=False,
        is_recorded=True,
    ),
    _KIND(number=64, name="SWIFT_BAT_SCALEDMAP", instrument="BAT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(
        number=65, name="SWIFT_FOM_OBS", instrument=None, stage=Stage.UPDATE, event_class=_GRB, localizes=False, is_recorded=True
    ),
    _KIND(number=66, name="SWIFT_SC_SLEW", instrument=None, stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=67, name="SWIFT_XRT_POSITION", instrument="XRT", stage=Stage.UPDATE, event_class=_GRB, is_recorded=True),
    _KIND(number=68, name="SWIFT_XRT_SPECTRUM", instrument="XRT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=69, name="SWIFT_XRT_IMAGE", instrument="XRT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=70, name="SWIFT_XRT_LC", instrument="XRT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=71, name="SWIFT_XRT_CENTROID", instrument="XRT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=72, name="SWIFT_UVOT_DBURST", instrument="UVOT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=73, name="SWIFT_UVOT_FCHART", instrument="UVOT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=76, name="SWIFT_BAT_GRB_LC_PROC", instrument="BAT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=77, name="SWIFT_XRT_SPECTRUM_PROC", instrument="XRT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=78, name="SWIFT_XRT_IMAGE_PROC", instrument="XRT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=79, name="SWIFT_UVOT_DBURST_PROC", instrument="UVOT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=80, name="SWIFT_UVOT_FCHART_PROC", instrument="UVOT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(number=81, name="SWIFT_UVOT_POS", instrument="UVOT", stage=Stage.UPDATE, event_class=_GRB, is_recorded=True),
    _KIND(number=82, name="SWIFT_BAT_GRB_POS_TEST", instrument="BAT", stage=Stage.TEST, event_class=_GRB, is_test=True),
    _KIND(
        number=83,
        name="SWIFT_POINTDIR",
        instrument=None,
        stage=Stage.INITIAL,
        event_class=_OTHER,
        is_event=False,
        localizes=False,
        is_recorded=True,
    ),
    _KIND(number=84, name="SWIFT_BAT_TRANS", instrument="BAT", stage=Stage.INITIAL, event_class=_XRAY),
    _KIND(number=89, name="SWIFT_UVOT_POS_NACK", instrument="UVOT", stage=Stage.UPDATE, event_class=_GRB, localizes=False),
    _KIND(
        number=97,
        name="SWIFT_BAT_QL_POS",
        instrument="BAT",
        stage=Stage.PRELIMINARY,
        event_class=_GRB,
        localizes=False,
        is_recorded=True,
    ),
    _KIND(number=98, name="SWIFT_BAT_SUB_THRESHOLD", instrument="BAT", stage=Stage.INITIAL, event_class=EventClass.SUB_GRB),
    _KIND(number=99, name="SWIFT_BAT_SLEW_POS", instrument="BAT", stage=Stage.INITIAL, event_class=_GRB),
    _KIND(
        number=103,
        name="SWIFT_ACTUAL_POINTDIR",
        instrument=None,
        stage=Stage.INITIAL,
        event_class=_OTHER,
        is_event=False,
        localizes=False,
    ),
    _KIND(
        number=133,
        name="SWIFT_BAT_MONITOR",
        instrument="BAT",
        stage=Stage.INITIAL,
        event_class=_XRAY,
        veto="known source: monitored by BAT",
    ),
    _KIND(number=140, name="SWIFT_BAT_SUBSUB", instrument="BAT", stage=Stage.INITIAL, event_class=EventClass.SUB_GRB),
    _KIND(
        number=141,
        name="SWIFT_BAT_KNOWN_SRC",
        instrument="BAT",
        stage=Stage.INITIAL,
        event_class=_OTHER,
        veto="known source: in BAT's catalogue",
        is_recorded=True,
    ),
)
"""Swift's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a Swift packet says beyond the common parts.

    TrigID groups the packets of a burst. It is negative for sources below the trigger threshold.
    """
    return Reading(
        event_id=packet.get("TrigID") or packet.local_id,
        event_class=trigger_class(packet, kind),
        sequence=serial(packet, "Pkt_Ser_Num"),
        properties={
            "rate_significance_sigma": number(packet.get("Rate_Signif")) or None,
            "image_significance_sigma": number(packet.get("Image_Signif")) or None,
            "significance_sigma": number(packet.get("Det_Signif")) or None,
            "integration_time_s": number(packet.get("Integ_Time")),
            # Not an alias: the day's name without its letter belongs to every burst of the day.
            "source_name": next(iter(packet.why.all_names), None),
        },
        used=("TrigID", "Pkt_Ser_Num", "Rate_Signif", "Image_Signif", "Det_Signif", "Integ_Time"),
    )


MISSION = Mission(name="Swift", kinds=KINDS, read=read)
"""Swift's dialect."""
