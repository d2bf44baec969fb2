"""Announcements as notices in the vocabulary of GCN's unified schema: `schemas/hub/1/gcn_notice.schema.json`.

GCN has no schema for coincidences. Names, units and allowed values are those of its core schemas (nasa-gcn/gcn-schema 7.2: Alert,
Event, Reporter, DateTime, Localization, Statistics, FollowUp, AdditionalInfo); what is unknown is left out, as there.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from adapters.codecs.hub_content import as_context, clean, number
from hub.model.coincidence import Coincidence
from hub.model.notice import Role
from hub.ports import Announcement, DecodedContext

MEDIA_TYPE = "application/json"
"""Media type of what is rendered."""

FORMAT = "hub-gcn-unified"
"""Name of the format, when a hub's notice comes in."""

SCHEMA = "urn:mmhub:hub:1:gcn_notice"
"""Name and version of this format."""

_SCHEMAS = ("urn:mmhub:hub:", ":gcn_notice")
_MESSENGERS = {"gw": "GW", "em": "EM", "neutrino": "Neutrino"}
_CONTAINMENT = 0.9


class GcnUnifiedRenderer:
    """Renders announcements as unified notices: implements `hub.ports.Renderer`."""

    media_type = MEDIA_TYPE

    def render(self, announcement: Announcement) -> bytes:
        """Return the notice in UTF-8 without spaces; the same announcement gives the same bytes."""
        return json.dumps(_notice(announcement), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def is_message(message: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is meant to be such a notice of some hub, of whatever version."""
    named = message.get("$schema")
    return isinstance(named, str) and named.startswith(_SCHEMAS[0]) and named.endswith(_SCHEMAS[1])


def decode(message: Mapping[str, Any]) -> DecodedContext:
    """Return what a hub's notice is to the hub that receives it.

    Raises
    ------
    DecodeError
        It bears no ivorn.
    """
    return as_context(message, FORMAT)


def _notice(announcement: Announcement) -> dict[str, Any]:
    pair, first = announcement.coincidence, announcement.member_facts[0]
    said = {
        "$schema": SCHEMA,
        "ivorn": clean(announcement.ivorn),
        "mission": clean(announcement.author_ivorn).removeprefix("ivo://"),
        "instrument": clean(pair.kind),
        "messenger": _MESSENGERS.get(str(first.get("messenger")), "EM"),
        "id": [clean(pair.coincidence_id)],
        "event_name": [clean(str(facts["id"])) for facts in announcement.member_facts],
        "alert_datetime": announcement.issued_at.to_utc_iso(),
        "alert_type": _alert_type(announcement),
        "alert_tense": "test" if announcement.role is Role.TEST else "current",
        "record_number": pair.version,
        "trigger_time": pair.t0.to_utc_iso() if pair.t0 else None,
        **_place(announcement),
        **_rates(pair),
        "ref_type": _MESSENGERS.get(str(first.get("messenger"))),
        "ref_instrument": clean(str(first["mission"])) if first.get("mission") else None,
        "ref_ID": clean(announcement.key),
        "reference": {clean(cite.ivorn): cite.kind.value for cite in announcement.cites},
        "additional_info": "\n".join(clean(reason) for reason in pair.reasons),
    }
    return {name: value for name, value in said.items() if value is not None}


def _alert_type(announcement: Announcement) -> str:
    if announcement.is_retraction:
        return "retraction"
    return "update" if announcement.former else "initial"


def _place(announcement: Announcement) -> dict[str, Any]:
    ra, dec, radius = (number(value) for value in (announcement.ra_deg, announcement.dec_deg, announcement.radius_deg))
    if ra is None or dec is None:
        return {}
    if radius is None or radius <= 0:
        return {"ra": ra, "dec": dec}
    return {"ra": ra, "dec": dec, "ra_dec_error": radius, "containment_probability": _CONTAINMENT}


def _rates(pair: Coincidence) -> dict[str, Any]:
    """Return the joint false-alarm rate in Hz, with the sky where that is known, beside that of unrelated real events."""
    rates = pair.joint_rates
    if rates is None or not (_is_rate(rates.noise_hz) and _is_rate(rates.chance_hz)):
        return {}
    return {"far": rates.noise_hz, "random_association_far": rates.chance_hz}


def _is_rate(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value >= 0
