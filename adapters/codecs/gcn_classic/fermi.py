"""Fermi: GBM triggers and sub-threshold transients, LAT positions and monitored sources."""

import re
from functools import partial

from adapters.codecs.gcn_classic.assemble import serial, trigger_class
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import RadiusMeaning, number
from hub.model.notice import EventClass, Stage

_GBM_RADIUS = RadiusMeaning(containment=0.68, systematic_included=False)
# 1 sigma, statistical only; the systematic part is a mixture of two Fisher distributions (Connaughton et al. 2015, ApJS 216, 32).
_LAT_RADIUS = RadiusMeaning(systematic_included=False)

GRB_INDEX = 4
"""Most_Likely_Index of the class GRB."""

MIN_GRB_PERCENT = 50.0
"""A GRB that is less likely than this is vetoed (as RAVEN does)."""

MIN_RELIABILITY = 5.0
"""Sub-threshold transients below this reliability (0 to 10) are vetoed (as RAVEN does)."""

CLASS_NAMES: dict[float, str] = {
    0: "ERROR",
    1: "UNRELIABLE_LOCATION",
    2: "LOCAL_PARTICLES",
    3: "BELOW_HORIZON",
    4: "GRB",
    5: "GENERIC_SGR",
    6: "GENERIC_TRANSIENT",
    7: "DISTANT_PARTICLES",
    8: "SOLAR_FLARE",
    9: "CYG_X1",
    10: "SGR_1806_20",
    11: "GROJ_0422_32",
    19: "TGF",
}
"""Classes of GBM's flight software by Most_Likely_Index."""

_BURST_NAME = re.compile(r"\bbn(\d{9})\b")
_TRIGGER_IN_IVORN = re.compile(r"_(\d{9,10})[_-]")


_GBM = partial(Kind, instrument="GBM")
_LAT = partial(Kind, instrument="LAT", radius=_LAT_RADIUS)

KINDS = (
    _GBM(number=110, name="FERMI_GBM_ALERT", stage=Stage.PRELIMINARY, event_class=EventClass.GRB, is_recorded=True),
    _GBM(
        number=111,
        name="FERMI_GBM_FLT_POS",
        stage=Stage.INITIAL,
        event_class=EventClass.GRB,
        radius=_GBM_RADIUS,
        systematic_model="fermi-gbm-flight",
        is_recorded=True,
    ),
    _GBM(
        number=112,
        name="FERMI_GBM_GND_POS",
        stage=Stage.UPDATE,
        event_class=EventClass.GRB,
        radius=_GBM_RADIUS,
        systematic_model="fermi-gbm-ground",
        is_recorded=True,
    ),
    _GBM(number=113, name="FERMI_GBM_LC", stage=Stage.UPDATE, event_class=EventClass.GRB, localizes=False),
    _GBM(
        number=114,
        name="FERMI_GBM_GND_INTERNAL",
        stage=Stage.UPDATE,
        event_class=EventClass.GRB,
        radius=_GBM_RADIUS,
        systematic_model="fermi-gbm-ground",
    ),
    _GBM(
        number=115,
        name="FERMI_GBM_FIN_POS",
        stage=Stage.UPDATE,
        event_class=EventClass.GRB,
        radius=_GBM_RADIUS,
        systematic_model="fermi-gbm-final",
        is_recorded=True,
    ),
    _GBM(number=116, name="FERMI_GBM_ALERT_INTERNAL", stage=Stage.PRELIMINARY, event_class=EventClass.GRB),
    _GBM(
        number=117,
        name="FERMI_GBM_FLT_INTERNAL",
        stage=Stage.INITIAL,
        event_class=EventClass.GRB,
        radius=_GBM_RADIUS,
        systematic_model="fermi-gbm-flight",
    ),
    _GBM(number=118, name="FERMI_GBM_TRANS", stage=Stage.INITIAL, event_class=EventClass.OTHER, radius=_GBM_RADIUS),
    _GBM(
        number=119,
        name="FERMI_GBM_POS_TEST",
        stage=Stage.TEST,
        event_class=EventClass.GRB,
        radius=_GBM_RADIUS,
        systematic_model="fermi-gbm-flight",
        is_test=True,
    ),
    _GBM(
        number=131,
        name="FERMI_GBM_SUBTHRESH",
        stage=Stage.INITIAL,
        event_class=EventClass.SUB_GRB,
        radius=_GBM_RADIUS,
        is_recorded=True,
    ),
    _GBM(
        number=146,
        name="FERMI_GBM_FIN_INTERNAL",
        stage=Stage.UPDATE,
        event_class=EventClass.GRB,
        radius=_GBM_RADIUS,
        systematic_model="fermi-gbm-final",
    ),
    _LAT(number=120, name="FERMI_LAT_POS_INI", stage=Stage.INITIAL, event_class=EventClass.GRB),
    _LAT(number=121, name="FERMI_LAT_POS_UPD", stage=Stage.UPDATE, event_class=EventClass.GRB),
    _LAT(number=122, name="FERMI_LAT_POS_DIAG", stage=Stage.UPDATE, event_class=EventClass.GRB, localizes=False),
    _LAT(number=123, name="FERMI_LAT_TRANS", stage=Stage.INITIAL, event_class=EventClass.OTHER),
    _LAT(number=124, name="FERMI_LAT_POS_TEST", stage=Stage.TEST, event_class=EventClass.GRB, is_test=True),
    _LAT(
        number=125,
        name="FERMI_LAT_MONITOR",
        stage=Stage.INITIAL,
        event_class=EventClass.OTHER,
        veto="known source: monitored by LAT",
        is_recorded=True,
    ),
    _LAT(number=127, name="FERMI_LAT_GND", stage=Stage.UPDATE, event_class=EventClass.GRB),
    _LAT(number=128, name="FERMI_LAT_OFFLINE", stage=Stage.UPDATE, event_class=EventClass.GRB),
    Kind(number=126, name="FERMI_SC_SLEW", stage=Stage.UPDATE, event_class=EventClass.OTHER, is_event=False, localizes=False),
    Kind(number=129, name="FERMI_POINTDIR", stage=Stage.UPDATE, event_class=EventClass.OTHER, is_event=False, localizes=False),
    Kind(
        number=144,
        name="FERMI_SC_SLEW_INTERNAL",
        stage=Stage.UPDATE,
        event_class=EventClass.OTHER,
        is_event=False,
        localizes=False,
    ),
)
"""Fermi's packet types."""


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what a Fermi packet says beyond the common parts."""
    classification, vetoes = _classified(packet)
    reliability = number(packet.get("Reliability"))
    if reliability is not None and reliability < MIN_RELIABILITY:
        vetoes = (*vetoes, f"reliability {reliability:g} of 10 is below {MIN_RELIABILITY:g}")
    urls = " ".join(param.value for param in packet.params if "URL" in param.name)
    burst = _BURST_NAME.search(urls)
    return Reading(
        event_id=_trigger(packet),
        aliases=(f"bn{burst[1]}",) if burst else (),
        event_class=trigger_class(packet, kind),
        sequence=serial(packet, "Sequence_Num", "Record_Num"),
        classification=classification,
        vetoes=vetoes,
        properties={
            "significance_sigma": number(packet.get("Burst_Signif") or packet.get("Data_Signif")) or None,
            "trigger_timescale_s": number(packet.get("Trig_Timescale")),
            "data_timescale_s": number(packet.get("Data_Timescale") or packet.get("Data_Integ")) or None,
            "duration_s": number(packet.get("Trans_Duration")),
            "hardness_ratio": number(packet.get("Hardness_Ratio")) or None,
            "long_short": _unless_unknown(packet.get("Long_short")),
            "duration_class": _unless_unknown(packet.get("Duration_class")),
            "spectral_class": _unless_unknown(packet.get("Spectral_class")),
            "reliability": reliability,
            "source_name": packet.get("SourceName"),
        },
        skymap_url=packet.get("HealPix_URL") or packet.get("LocationMap_URL"),
        used=("TrigID", "Trans_Num", "Sequence_Num", "Reliability", "HealPix_URL"),
    )


def _trigger(packet: Packet) -> str | None:
    """Return the trigger number, seconds of Fermi's clock; older sub-threshold packets have it in the ivorn only."""
    written = packet.get("TrigID") or packet.get("Trans_Num")
    if written and written.strip("0"):
        return written
    found = _TRIGGER_IN_IVORN.search(packet.local_id)
    return found[1] if found else packet.local_id


def _classified(packet: Packet) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """Return the classes with their probabilities, and why they rule out a GRB."""
    classes: dict[str, float | None] = {}
    for which in ("Most_Likely", "Sec_Most_Likely"):
        index, percent = number(packet.get(f"{which}_Index")), number(packet.get(f"{which}_Prob"))
        if index is not None and not (index == 0 and not percent):
            classes.setdefault(_class_name(index), percent / 100 if percent is not None and 0 <= percent <= 100 else None)
    index, percent = number(packet.get("Most_Likely_Index")), number(packet.get("Most_Likely_Prob"))
    if index is None:
        return classes, ()
    if index != GRB_INDEX:
        return classes, (f"classified as {_class_name(index)}, not a GRB",)
    if percent is not None and percent < MIN_GRB_PERCENT:
        return classes, (f"a GRB with only {percent:g} % probability",)
    return classes, ()


def _class_name(index: float) -> str:
    return CLASS_NAMES.get(index, f"CLASS_{index:g}")


def _unless_unknown(word: str | None) -> str | None:
    return None if word is None or word.lower() == "unknown" else word


MISSION = Mission(name="Fermi", kinds=KINDS, read=read)
"""Fermi's dialect."""
