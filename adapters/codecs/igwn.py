"""Public gravitational-wave alerts (igwn-gwalert-schema), as JSON or in an Avro object container."""

import re
from collections.abc import Mapping
from typing import Any

from adapters.codecs.avro_record import read_single_record
from adapters.codecs.embedded_map import embedded_map
from adapters.codecs.json_fields import Fields, finite, json_value
from hub.errors import DecodeError
from hub.model.notice import EventClass, Messenger, Notice, Role, Stage
from hub.ports import DecodedNotice

FORMAT_JSON = "igwn-json"
FORMAT_AVRO = "igwn-avro"
STREAM = "igwn.gwalert"
"""Kafka topic of the alerts, where the transport did not say."""

AVRO_NAME = re.compile(r"igwn\.alerts\.(?:v\d+_\d+\.)?Alert")
"""Full name of the record in the container's schema."""

_INSTRUMENT = re.compile(r"[A-Za-z0-9_-]{1,16}")
_REAL = re.compile(r"S\d{6}[a-z]+")
_STAGES = {
    "EARLYWARNING": Stage.EARLY_WARNING,
    "PRELIMINARY": Stage.PRELIMINARY,
    "INITIAL": Stage.INITIAL,
    "UPDATE": Stage.UPDATE,
    "RETRACTION": Stage.RETRACTION,
}


def is_alert(message: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is such an alert."""
    return "superevent_id" in message and "alert_type" in message


def decode(message: Mapping[str, Any], *, topic: str | None) -> DecodedNotice:
    """Return the notice of a JSON alert.

    Raises
    ------
    DecodeError
        It does not say which event it is about, when, or what kind of message it is.
    """
    return _decoded(message, FORMAT_JSON, topic)


def decode_avro(payload: bytes, *, topic: str | None) -> DecodedNotice:
    """Return the notice of an alert in an object container; maps are bytes there, all else is as in JSON.

    Raises
    ------
    DecodeError
        The container is refused (see `adapters.codecs.avro_record`), or as for `decode`.
    """
    return _decoded(read_single_record(payload, AVRO_NAME), FORMAT_AVRO, topic)


def _decoded(message: Mapping[str, Any], name: str, topic: str | None) -> DecodedNotice:
    try:
        return DecodedNotice(notice=_notice(message, name, topic))
    except DecodeError as error:
        raise DecodeError(error.reason, format=name) from error


def _notice(message: Mapping[str, Any], name: str, topic: str | None) -> Notice:
    fields = Fields(message)
    superevent_id, alert_type = fields.text("superevent_id"), fields.text("alert_type")
    created = fields.demand_instant("time_created")
    stage = _STAGES.get(alert_type or "")
    if superevent_id is None or re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", superevent_id) is None:
        raise DecodeError("the field 'superevent_id' is not the id of an event")
    if stage is None:
        raise DecodeError(f"the field 'alert_type' is none of {', '.join(_STAGES)}")
    if created is None:
        raise DecodeError("the field 'time_created' is missing")
    event = _event(fields, stage)
    t0 = event.demand_instant("time")
    if t0 is None and stage is not Stage.RETRACTION:
        raise DecodeError("the event has no time")
    group, search = event.text("group"), event.text("search")
    classes = event.probabilities("classification")
    terrestrial = classes.get("Terrestrial")
    instruments = tuple(name for name in event.texts("instruments") if _INSTRUMENT.fullmatch(name))[:16]
    skymap, refusal = embedded_map(event.take("skymap"))
    is_real = _REAL.fullmatch(superevent_id) is not None and (search or "").upper() != "MDC"
    far = finite(event.peek("far"))
    return Notice(
        identity=f"igwn|{superevent_id}|{alert_type}|{created.to_utc_iso()}",
        format=name,
        ivorn=None,
        stream=topic or STREAM,
        mission="LVK",
        instrument=",".join(instruments) or None,
        messenger=Messenger.GW,
        role=Role.OBSERVATION if is_real else Role.TEST,
        stage=stage,
        event_class=_event_class(group),
        event_key=superevent_id,
        t0=t0,
        issued_at=created,
        skymap=skymap,
        skymap_refused=refusal,
        far_hz=event.number("far") if far is not None and far >= 0.0 else None,
        p_astro=None if terrestrial is None else 1.0 - terrestrial,
        classification=classes,
        properties=_properties(event, group, search, instruments) | _external(fields),
        is_live=is_real,
        extra=fields.rest() | event.rest(),
    )


def _event(fields: Fields, stage: Stage) -> Fields:
    """Return the event's own fields: none in a retraction, needed in all else."""
    event = fields.object("event")
    if event is None and stage is not Stage.RETRACTION:
        raise DecodeError("the alert has no event, which only a retraction may lack")
    return Fields(event or {})


def _event_class(group: str | None) -> EventClass:
    match (group or "").lower():
        case "cbc":
            return EventClass.CBC
        case "burst":
            return EventClass.BURST
        case _:
            return EventClass.OTHER


def _properties(event: Fields, group: str | None, search: str | None, instruments: tuple[str, ...]) -> dict[str, Any]:
    """Return the facts about the event; ``HasNS`` and its like keep the names that papers use for them."""
    found: dict[str, Any] = {
        "group": group,
        "search": search,
        "pipeline": event.text("pipeline"),
        "significant": event.flag("significant"),
        "instruments": list(instruments) or None,
        "duration_s": event.number("duration"),
        "central_frequency_hz": event.number("central_frequency"),
        "mchirp_source": json_value(event.object("mchirp_source")),
    }
    found |= {key: value for key, value in event.probabilities("properties").items() if key not in found}
    return {key: value for key, value in sorted(found.items()) if value is not None}


def _external(fields: Fields) -> dict[str, Any]:
    """Return the coincidence with another observatory's event that the alert states; its combined map is only said to exist."""
    stated = fields.object("external_coinc")
    if stated is None:
        return {}
    coincidence = Fields(stated)
    combined = coincidence.take("combined_skymap")
    ids = coincidence.texts("gcn_notice_id")
    facts: dict[str, Any] = {
        "gcn_notice_id": ids[0] if ids else None,
        "ivorn": coincidence.text("ivorn"),
        "observatory": coincidence.text("observatory"),
        "search": coincidence.text("search"),
        "time_difference_s": coincidence.number("time_difference"),
        "time_coincidence_far_hz": coincidence.number("time_coincidence_far"),
        "time_sky_position_coincidence_far_hz": coincidence.number("time_sky_position_coincidence_far"),
    }
    known = {key: value for key, value in facts.items() if value is not None}
    return {"external_coinc": known | coincidence.rest() | {"has_combined_skymap": bool(combined)}}
