"""A unified JSON notice to a `Notice`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.codecs.embedded_map import embedded_map
from adapters.codecs.gcn_unified import boom
from adapters.codecs.gcn_unified.dialects import Dialect, dialect_of, schema_path
from adapters.codecs.gcn_unified.event_names import (
    MAX_NAME,
    MOCK_SUPEREVENT,
    check_names,
    event_key,
    main_id,
    mission_name,
    reference_key,
)
from adapters.codecs.gcn_unified.facts import classification, facts, false_alarm_rate, vetoes
from adapters.codecs.gcn_unified.place import odd_containment, stated_position
from adapters.codecs.json_fields import Fields, instant_of, probability
from hub.errors import DecodeError
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Notice, Role, Stage
from hub.model.sky import StatedPosition
from hub.ports import DecodedNotice

FORMAT = "gcn-unified"
"""Name of the format."""

_STAGES = {
    "initial": Stage.INITIAL,
    "subsequent": Stage.UPDATE,
    "update": Stage.UPDATE,
    "retraction": Stage.RETRACTION,
}
_MESSENGERS = {"em": Messenger.EM, "gw": Messenger.GW, "neutrino": Messenger.NEUTRINO}
_GBM_MODELS = {
    "FLIGHT_POSITION": "fermi-gbm-flight",
    "GROUND_POSITION": "fermi-gbm-ground",
    "FINAL_POSITION": "fermi-gbm-final",
}


def decode(message: Mapping[str, Any], *, topic: str | None) -> DecodedNotice:
    """Return the notice that a message makes.

    Fields that the notice has no place for are kept in `Notice.extra`, whatever they are: missions add fields before the schema
    does. The identity is ``gcn|mission|instrument|event key|alert_datetime|alert_type|record_number|role`` (the trigger time
    stands in for a missing alert time). ``t0`` is the stated trigger time; for targeted searches, whose central time counts in a
    coincidence, the property ``central_offset_s`` says how much later that is.

    Parameters
    ----------
    message
        Members of the JSON object.
    topic
        Kafka topic that brought it, None where there was none.

    Raises
    ------
    DecodeError
        It is a fragment of the schema, names no event, or its place or time cannot be believed.
    """
    try:
        return DecodedNotice(notice=_notice(message, dialect_of(message), topic))
    except DecodeError as error:
        raise DecodeError(error.reason, format=FORMAT) from error


def _notice(message: Mapping[str, Any], dialect: Dialect, topic: str | None) -> Notice:
    is_boom = dialect.path == "boom/"
    fields = Fields(boom.flattened(message) if is_boom else message)
    fields.take("$schema")
    instrument = fields.text("instrument") or dialect.instrument
    mission = mission_name(fields.text("mission") or dialect.mission or _folder(message) or instrument or "unknown")
    ids, names = fields.texts("id"), fields.texts("event_name")
    check_names(mission, instrument or "", *ids, *names)
    references = boom.references(message) if is_boom else _references(fields)
    key = _key(dialect, mission, ids, names, references)
    role, is_current = _role(fields, dialect, topic, references)
    t0, t0_facts = _times(fields)
    if t0 is None and key is None and dialect.is_event:
        raise DecodeError("the notice says neither when nor which event")
    issued_at = fields.instant("alert_datetime")
    record_number = fields.number("record_number")
    identity = (mission, instrument, key, issued_at or t0, fields.peek("alert_type"), record_number, role)
    position = stated_position(fields) or _probable_direction(fields)
    skymap, refusal = embedded_map(fields.take("healpix_file"))
    event_class = _event_class(fields, dialect, mission, instrument)
    properties = facts(fields) | t0_facts | odd_containment(fields)
    properties |= _central_time(properties, event_class)
    if dialect.is_known_source and names:
        properties["known_source"] = names[0]
    classes = classification(fields)
    return Notice(
        identity=_identity(*identity),
        format=FORMAT,
        ivorn=None,
        stream=topic or dialect.stream or _stream(message, mission),
        mission=mission,
        instrument=instrument,
        messenger=_MESSENGERS.get((fields.text("messenger") or "").lower(), dialect.messenger),
        role=role,
        stage=_stage(fields),
        event_class=event_class,
        event_key=key,
        aliases=(*_aliases(mission, ids, names, key), *_classic_name(fields, dialect)),
        t0=t0,
        issued_at=issued_at,
        sequence=_sequence(record_number),
        position=position,
        localizes=dialect.is_event and dialect.is_independent,
        systematic_model=_systematic_model(dialect, properties, position),
        skymap=skymap,
        skymap_refused=refusal,
        skymap_url=fields.text("healpix_url"),
        far_hz=false_alarm_rate(fields),
        p_astro=_p_astro(fields),
        classification=classes,
        properties=properties,
        vetoes=vetoes(mission, event_class, classes, properties.get("known_source")),
        depends_on=references,
        is_live=role is Role.OBSERVATION and is_current,
        extra=fields.rest(),
    )


def _role(fields: Fields, dialect: Dialect, topic: str | None, references: Sequence[str]) -> tuple[Role, bool]:
    """Return the role, and whether the notice speaks of the present; a tense that nobody knows is not taken for the present."""
    stated = fields.peek("alert_tense")
    tense = (fields.text("alert_tense") or "").lower()
    is_test_stream = dialect.is_test or "test" in (topic or "").lower().split(".")
    if tense in ("test", "injection") or is_test_stream or any(MOCK_SUPEREVENT.fullmatch(name) for name in references):
        return Role.TEST, False
    if not dialect.is_event:
        return Role.UTILITY, False
    if tense == "planned":
        return Role.PREDICTION, False
    return Role.OBSERVATION, stated is None or tense == "current"


def _stage(fields: Fields) -> Stage:
    """Return the stage of ``alert_type``: initial where there is none, update where it is a word of the future."""
    stated = fields.peek("alert_type")
    return Stage.INITIAL if stated is None else _STAGES.get((fields.text("alert_type") or "").lower(), Stage.UPDATE)


def _key(dialect: Dialect, mission: str, ids: Sequence[str], names: Sequence[str], references: Sequence[str]) -> str | None:
    """Return the event's key; an IceCube search for neutrinos of a gravitational-wave event is named after that event."""
    if not dialect.is_event:
        return None
    return event_key(mission, ids, names or references)


def _classic_name(fields: Fields, dialect: Dialect) -> tuple[str, ...]:
    """Return the key that Super-Kamiokande's classic notices give the same event."""
    number = fields.texts("trigger_number") if dialect.path == "superk/" and "trigger_number" in fields else ()
    return tuple(f"Super-K-{name}" for name in number)


def _aliases(mission: str, ids: Sequence[str], names: Sequence[str], key: str | None) -> tuple[str, ...]:
    """Return the other names; a bare number gets its mission, as it would mean something else elsewhere."""
    used = main_id(mission, ids, ())
    others = (*names, *(f"{mission}-{name}" if name.isdigit() else name for name in ids if name != used))
    return tuple(dict.fromkeys(name for name in others if name != key))


def _references(fields: Fields) -> tuple[str, ...]:
    """Return the events that made this search or observation happen."""
    reporter = fields.peek("ref_instrument")
    names = fields.texts("ref_ID")
    found = [reference_key(name, reporter if isinstance(reporter, str) else "") for name in names]
    follow_up = fields.peek("follow_up_event")
    if isinstance(follow_up, str) and follow_up.strip() and instant_of(follow_up) is None:  # else a trigger time, no name
        found.append(reference_key(follow_up.strip()))
    check_names(*found)
    return tuple(dict.fromkeys(found))


def _times(fields: Fields) -> tuple[Instant | None, dict[str, Any]]:
    """Return the time of the event, and the length of the observation where both ends are stated."""
    started, stopped = fields.instant("observation_start"), fields.instant("observation_stop")
    window = {"observation_window_s": stopped.minus(started)} if started is not None and stopped is not None else {}
    return fields.demand_instant("trigger_time") or started, window


def _central_time(properties: Mapping[str, Any], event_class: EventClass) -> dict[str, Any]:
    """Return the duration of a signal, and for a targeted search how much later than ``t0`` its centre lies (both s).

    A targeted search reports the length of the signal as its time scale; elsewhere the time scale is that of the trigger alone.
    """
    is_targeted = event_class is EventClass.SUB_GRB_TARGETED
    duration = properties.get("t90_s", properties.get("rate_duration_s") if is_targeted else None)
    if not isinstance(duration, float) or duration < 0.0:
        return {}
    return {"duration_s": duration} | ({"central_offset_s": duration / 2.0} if is_targeted else {})


def _probable_direction(fields: Fields) -> StatedPosition | None:
    """Return the direction that IceCube's search for a gravitational-wave event names, which has no error."""
    direction = fields.object("most_probable_direction")
    return stated_position(Fields(direction)) if direction else None


def _event_class(fields: Fields, dialect: Dialect, mission: str, instrument: str | None) -> EventClass:
    words = (instrument or "").lower()
    if mission == "Fermi" and dialect.event_class is EventClass.GRB and "reliability" in fields:
        return EventClass.SUB_GRB  # only the sub-threshold search grades its finds
    if mission in ("Swift", "Fermi") and ("guano" in words or "targeted" in words):
        return EventClass.SUB_GRB_TARGETED
    if mission == "SVOM" and words.startswith(("mxt", "vt")):
        return EventClass.XRAY_TRANSIENT if words.startswith("mxt") else EventClass.OPTICAL_TRANSIENT
    return dialect.event_class


def _systematic_model(dialect: Dialect, properties: Mapping[str, Any], position: StatedPosition | None) -> str | None:
    """Return the model of GBM's systematic error, where the stated error leaves it out (the schema's default)."""
    if dialect.path != "fermi/gbm/" or position is None or position.region is None or position.systematic_included:
        return None
    return _GBM_MODELS.get(str(properties.get("subtype")))


def _p_astro(fields: Fields) -> float | None:
    value = probability(fields.peek("p_astro"))
    return None if value is None else fields.number("p_astro")


def _sequence(record_number: float | None) -> int:
    return int(record_number) if record_number is not None and abs(record_number) < 2**31 else 0


def _identity(*parts: object) -> str:
    words = ["gcn"]
    for part in parts:
        match part:
            case Instant():
                words.append(part.to_utc_iso())
            case float():
                words.append(f"{part:g}")
            case str():
                words.append(part[:MAX_NAME])
            case _:
                words.append("")
    return "|".join(words)


def _folder(message: Mapping[str, Any]) -> str | None:
    """Return the first folder of the schema's path, which is a mission's name in small letters."""
    path = schema_path(message)
    return path.partition("/")[0] if path else None


def _stream(message: Mapping[str, Any], mission: str) -> str:
    path = schema_path(message) or mission
    return "gcn.notices." + re.sub(r"[\s/]+", ".", path.lower())[:MAX_NAME]
