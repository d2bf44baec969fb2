"""LIGO, Virgo and KAGRA: gravitational-wave notices, from the G events of O2 to the S events of today."""

import re

from adapters.codecs.gcn_classic.assemble import serial
from adapters.codecs.gcn_classic.kinds import Kind, Mission, Reading
from adapters.codecs.voevent.packet import Packet
from adapters.codecs.voevent.reading import far_hz, number, probability
from hub.model.notice import EventClass, Messenger, Stage

CLASSES = ("BNS", "NSBH", "BBH", "MassGap", "Terrestrial")
"""Exclusive classes; their probabilities sum to 1. In a Classification group today, at the top level in 2019."""

PROPERTIES = ("HasNS", "HasRemnant", "HasMassGap", "HasSSM", "ProbHasNS", "ProbHasRemnant")
"""Probabilities that do not exclude each other."""

_CBC = EventClass.CBC

KINDS = (
    Kind(number=150, name="LVC_PRELIMINARY", stage=Stage.PRELIMINARY, event_class=_CBC, is_recorded=True),
    Kind(number=151, name="LVC_INITIAL", stage=Stage.INITIAL, event_class=_CBC, is_recorded=True),
    Kind(number=152, name="LVC_UPDATE", stage=Stage.UPDATE, event_class=_CBC, is_recorded=True),
    Kind(number=153, name="LVC_TEST", stage=Stage.TEST, event_class=_CBC, is_test=True),
    Kind(number=154, name="LVC_COUNTERPART", stage=Stage.INITIAL, event_class=EventClass.OTHER),
    Kind(number=163, name="LVC_EARLY_WARNING", stage=Stage.EARLY_WARNING, event_class=_CBC, is_recorded=True),
    Kind(number=164, name="LVC_RETRACTION", stage=Stage.RETRACTION, event_class=_CBC, is_recorded=True),
)
"""LVC's packet types."""

_MOCK_ID = re.compile(r"[MT]S?\d", re.IGNORECASE)
_PLAIN = {
    "Group": "group",
    "Pipeline": "pipeline",
    "Search": "search",
    "EventPage": "event_page",
    "External_Observatory": "external_observatory",
    "External_Search": "external_search",
    "External_Ivorn": "external_ivorn",
    "External_GCN_Notice_Id": "external_gcn_notice_id",
    "joint_skymap_fits": "external_combined_skymap_url",
}
_NUMBERS = {
    "Duration": "duration_s",
    "duration": "duration_s",
    "CentralFreq": "central_frequency_hz",
    "frequency": "central_frequency_hz",
    "Time_Difference": "external_time_difference_s",
    "Time_Coincidence_FAR": "external_time_coincidence_far_hz",
    "Time_Sky_Position_Coincidence_FAR": "external_time_sky_position_coincidence_far_hz",
}
_FLAGS = {"Significant": "significant", "OpenAlert": "open_alert", "HardwareInj": "hardware_injection"}


def read(packet: Packet, kind: Kind) -> Reading:
    """Return what an LVC packet says beyond the common parts."""
    grace_id = packet.get("GraceID") or packet.local_id.partition("-")[0]
    if kind.number == 154:
        return _read_counterpart(packet, grace_id)
    stated = {name: probability(packet.get(name)) for name in CLASSES}
    classes = {name: value for name, value in stated.items() if value is not None}
    terrestrial = classes.get("Terrestrial")
    group = packet.get("Group")
    instruments = packet.get("Instruments")
    properties: dict[str, object] = {name: number(packet.get(name)) for name in PROPERTIES}
    properties |= {ours: packet.get(theirs) for theirs, ours in _PLAIN.items()}
    sizes = {ours: number(packet.get(theirs)) for theirs, ours in _NUMBERS.items()}
    properties |= {ours: size for ours, size in sizes.items() if size is not None}
    words = {ours: packet.get(theirs) for theirs, ours in _FLAGS.items()}
    properties |= {ours: word == "1" for ours, word in words.items() if word is not None}
    properties["instruments"] = [name.strip() for name in instruments.split(",")] if instruments else None
    return Reading(
        event_id=grace_id,
        has_prefix=False,
        messenger=Messenger.GW,
        event_class=_event_class(group),
        sequence=serial(packet, "Pkt_Ser_Num"),
        far_hz=far_hz(packet.param("FAR"), "Hz"),
        p_astro=None if terrestrial is None else max(0.0, 1.0 - terrestrial),
        classification=classes,
        properties=properties,
        skymap_url=packet.get("skymap_fits") or packet.get("skymap_fits_basic") or packet.get("skymap_fits_shib"),
        is_mock=_is_mock(packet, grace_id),
        used=(*CLASSES, *PROPERTIES, *_PLAIN, *_NUMBERS, *_FLAGS, "GraceID", "Pkt_Ser_Num", "FAR", "Instruments", "skymap_fits"),
    )


def _event_class(group: str | None) -> EventClass | None:
    return {"CBC": EventClass.CBC, "Burst": EventClass.BURST}.get(group or "")


def _is_mock(packet: Packet, grace_id: str) -> bool:
    """Return whether the event is a mock (MS..., M...), a test (TS..., T...), of a mock data challenge or injected."""
    return (
        _MOCK_ID.match(grace_id) is not None
        or (packet.get("Search") or "").upper() == "MDC"
        or (packet.get("Group") or "").lower() == "test"
        or packet.get("HardwareInj") == "1"
    )


def _read_counterpart(packet: Packet, grace_id: str) -> Reading:
    """Return a possible counterpart that somebody else saw: an event of its own, which depends on the GW event."""
    return Reading(
        event_id=f"{grace_id}-{packet.get('SourceSernum') or serial(packet, 'Pkt_Ser_Num')}",
        mission="LVC-COUNTERPART",
        sequence=serial(packet, "Pkt_Ser_Num"),
        depends_on=(grace_id,),
        is_mock=_is_mock(packet, grace_id),
        used=("GraceID",),
    )


MISSION = Mission(name="LVK", kinds=KINDS, read=read)
"""The gravitational-wave detectors' dialect."""
