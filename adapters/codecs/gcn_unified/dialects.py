"""What each mission's corner of the unified schema means: a table, matched by schema path or by the fields of a message."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import DecodeError
from hub.model.notice import EventClass, Messenger

_SCHEMA = re.compile(r"gcn\.nasa\.gov/schema/[^/]+/gcn/notices/(.+?)(?:\.schema\.json)?/?$")

EVENT_FIELDS = ("id", "event_name", "trigger_time", "alert_datetime", "ra", "ref_ID")
"""Fields of which a message without a schema must have at least two to count as a notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One kind of message."""

    path: str
    """Beginning of the schema path below ``gcn/notices/``, compared without case; empty for the general dialect."""

    mission: str | None
    """Mission where the message names none."""

    event_class: EventClass
    messenger: Messenger = Messenger.EM
    instrument: str | None = None
    """Instrument where the message names none."""

    stream: str | None = None
    """Kafka topic where the transport did not say."""

    is_test: bool = False
    """Whether the schema itself is one for tests."""

    is_known_source: bool = False
    """Whether the event's name is that of a source in the catalogues."""

    is_event: bool = True
    """Whether messages are about an event (false: news about data)."""

    is_independent: bool = True
    """Whether the stated place is the mission's own finding (false: the place of another event went into it)."""

    is_untested: bool = False
    """Whether no recorded message of this kind is at hand: untested against real bytes."""


DIALECTS: tuple[Dialect, ...] = (
    Dialect(path="boom/", mission="Boom", event_class=EventClass.OPTICAL_TRANSIENT, stream="gcn.notices.boom.alert"),
    Dialect(path="burstcube/test", mission="BurstCube", event_class=EventClass.GRB, is_test=True),
    Dialect(path="burstcube/", mission="BurstCube", event_class=EventClass.GRB),
    Dialect(path="chime/", mission="CHIME", event_class=EventClass.FRB, stream="gcn.notices.chime.frb"),
    Dialect(path="dsa110/", mission="DSA-110", event_class=EventClass.FRB, stream="gcn.notices.dsa110.frb"),
    Dialect(
        path="einstein_probe/",
        mission="EinsteinProbe",
        event_class=EventClass.XRAY_TRANSIENT,
        stream="gcn.notices.einstein_probe.wxt.alert",
    ),
    Dialect(path="fermi/gbm/", mission="Fermi", instrument="GBM", event_class=EventClass.GRB, stream="gcn.notices.fermi.gbm"),
    Dialect(path="fermi/lat/", mission="Fermi", instrument="LAT", event_class=EventClass.OTHER, is_known_source=True),
    Dialect(path="glowbug/", mission="GLOWBUG", event_class=EventClass.GRB),
    Dialect(path="heasarc/", mission="HEASARC", event_class=EventClass.OTHER, is_event=False, is_untested=True),
    Dialect(
        path="icecube/lvk",
        mission="IceCube",
        event_class=EventClass.HIGH_ENERGY_NEUTRINO,
        messenger=Messenger.NEUTRINO,
        stream="gcn.notices.icecube.lvk_nu_track_search",
        is_independent=False,
    ),
    Dialect(
        path="icecube/",
        mission="IceCube",
        event_class=EventClass.HIGH_ENERGY_NEUTRINO,
        messenger=Messenger.NEUTRINO,
        stream="gcn.notices.icecube.gold_bronze_track_alerts",
    ),
    Dialect(
        path="km3net/",
        mission="KM3NeT",
        event_class=EventClass.HIGH_ENERGY_NEUTRINO,
        messenger=Messenger.NEUTRINO,
        stream="gcn.notices.km3net",
    ),
    Dialect(
        path="maxi/gsc.known",
        mission="MAXI",
        instrument="GSC",
        event_class=EventClass.XRAY_TRANSIENT,
        stream="gcn.notices.maxi.gsc.known",
        is_known_source=True,
    ),
    Dialect(
        path="maxi/",
        mission="MAXI",
        instrument="GSC",
        event_class=EventClass.XRAY_TRANSIENT,
        stream="gcn.notices.maxi.gsc.unknown",
    ),
    Dialect(
        path="neutrino/",
        mission=None,
        event_class=EventClass.HIGH_ENERGY_NEUTRINO,
        messenger=Messenger.NEUTRINO,
        is_untested=True,
    ),
    Dialect(
        path="superk/",
        mission="Super-Kamiokande",
        event_class=EventClass.SUPERNOVA_NEUTRINO,
        messenger=Messenger.NEUTRINO,
        stream="gcn.notices.superk.sn_alert",
    ),
    Dialect(path="svom/", mission="SVOM", event_class=EventClass.GRB, stream="gcn.notices.svom"),
    Dialect(
        path="swift/bat/guano",
        mission="Swift",
        instrument="BAT-GUANO",
        event_class=EventClass.SUB_GRB_TARGETED,
        stream="gcn.notices.swift.bat.guano",
    ),
    Dialect(path="swift/", mission="Swift", event_class=EventClass.GRB, is_untested=True),
)
"""The first whose path fits is taken, so the special ones stand before the general ones."""

GENERAL = Dialect(path="", mission=None, event_class=EventClass.OTHER)
"""A mission that the table does not know."""

_BY_MISSION = {
    "boom": "boom/",
    "burstcube": "burstcube/",
    "chime": "chime/",
    "dsa-110": "dsa110/",
    "einsteinprobe": "einstein_probe/",
    "einstein probe": "einstein_probe/",
    "ep": "einstein_probe/",
    "glowbug": "glowbug/",
    "icecube": "icecube/",
    "km3net": "km3net/",
    "maxi": "maxi/",
    "super-kamiokande": "superk/",
    "svom": "svom/",
}
_BY_PATH = {d.path: d for d in reversed(DIALECTS)}


def schema_path(message: Mapping[str, Any]) -> str | None:
    """Return the path of ``$schema`` below ``gcn/notices/``, None where the message names no such schema."""
    named = message.get("$schema")
    match = _SCHEMA.search(named) if isinstance(named, str) else None
    return match[1] if match else None


def is_unified(message: Mapping[str, Any]) -> bool:
    """Return whether the message is meant to be a unified notice."""
    if schema_path(message) is not None or is_boom_alert(message):
        return True
    reporter = message.get("mission") or message.get("instrument")
    known = sum(message.get(name) is not None for name in EVENT_FIELDS)
    return "$schema" not in message and isinstance(reporter, str) and known >= 2


def is_boom_alert(message: Mapping[str, Any]) -> bool:
    """Return whether this is BOOM's short form about one survey alert, which names no schema."""
    return {"candid", "objectId", "jd", "ra", "dec"} <= message.keys()


def dialect_of(message: Mapping[str, Any]) -> Dialect:
    """Return the dialect of a message: by its schema where it names one, else by its mission and instrument.

    Raises
    ------
    DecodeError
        Its schema is a core fragment, whose examples describe no event.
    """
    path = schema_path(message)
    if path is not None:
        if path.lower().startswith("core/"):
            raise DecodeError(f"{path.rsplit('/', 1)[-1]!r} is a building block of the GCN schema, not a notice")
        return _first(path.lower()) or GENERAL
    if is_boom_alert(message):
        return _BY_PATH["boom/"]
    return _by_names(message)


def _by_names(message: Mapping[str, Any]) -> Dialect:
    mission, instrument = (str(message.get(name) or "").lower() for name in ("mission", "instrument"))
    match mission:
        case "fermi":
            return _BY_PATH["fermi/lat/" if "lat" in instrument else "fermi/gbm/"]
        case "swift":
            return _BY_PATH["swift/bat/guano" if "guano" in instrument else "swift/"]
        case _:
            return (_first(_BY_MISSION[mission]) if mission in _BY_MISSION else None) or GENERAL


def _first(path: str) -> Dialect | None:
    return next((dialect for dialect in DIALECTS if path.startswith(dialect.path)), None)
