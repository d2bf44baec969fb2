"""SNEWS 2 messages: a detector's neutrino burst (coincidence, significance and timing tier), the network's alert, and heartbeats.

Field names follow snews_pt; recorded examples exist for the coincidence tier, the timing tier and the heartbeat. The significance
tier and the network's own alert are untested against real bytes.
"""

from collections.abc import Mapping
from typing import Any

from adapters.codecs.json_fields import Fields, instant_of, json_value
from hub.errors import DecodeError
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Notice, Role, Stage
from hub.ports import DecodedContext, DecodedNotice

FORMAT = "snews2"
HEARTBEAT_FORMAT = "snews2-heartbeat"
STREAM = "snews.alert"
"""Stream name where the transport did not say."""

MAX_DETECTORS = 40
"""Most detectors in one message; there are about 20."""

MAX_NAME = 40
"""Longest name of a detector, characters."""

_NEUTRINO_TIMES = ("neutrino_time_utc", "neutrino_time", "neutrino_times")
_SENT_TIMES = ("machine_time", "machine_time_utc", "sent_time", "sent_time_utc")
_TIERS = {"timing_series": "timing", "p_values": "significance", "p_val": "coincidence", "detector_names": "alert"}
"""Field that tells the tier, in the order of looking."""


def is_message(message: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is a SNEWS message."""
    named = "detector_name" in message or "detector_names" in message
    return named and any(name in message for name in (*_NEUTRINO_TIMES, *_SENT_TIMES, "detector_status"))


def decode(message: Mapping[str, Any], *, topic: str | None) -> DecodedNotice | DecodedContext:
    """Return the notice of a burst, or the context that a heartbeat is.

    An event is named after the detector and the time of its first neutrino, as the messages carry no event id. Only a message
    that says it is no test is live.

    Raises
    ------
    DecodeError
        It names no detector or no time.
    """
    fields = Fields(message)
    detectors = fields.texts("detector_names") or fields.texts("detector_name")
    if not detectors or len(detectors) > MAX_DETECTORS:
        raise DecodeError(f"the SNEWS message names {len(detectors)} detectors", format=FORMAT)
    if any(len(name) > MAX_NAME or not name.isprintable() for name in detectors):
        raise DecodeError("the SNEWS message names a detector that has no printable name", format=FORMAT)
    if not any(name in message for name in _NEUTRINO_TIMES):
        return _heartbeat(fields, detectors)
    return DecodedNotice(notice=_notice(fields, detectors, topic))


def _heartbeat(fields: Fields, detectors: tuple[str, ...]) -> DecodedContext:
    sent = _first_time(fields, _SENT_TIMES)
    summary = {
        "detector": ",".join(detectors),
        "status": fields.text("detector_status"),
        "sent_at": sent.to_utc_iso() if sent else None,
        "is_test": _is_test(fields),
    }
    return DecodedContext(kind="transport", format=HEARTBEAT_FORMAT, summary=summary)


def _notice(fields: Fields, detectors: tuple[str, ...], topic: str | None) -> Notice:
    t0 = _first_time(fields, _NEUTRINO_TIMES)
    if t0 is None:
        raise DecodeError("the SNEWS message has no readable neutrino time", format=FORMAT)
    sent = _first_time(fields, _SENT_TIMES)
    says_whether_test = "is_test" in fields
    is_test = _is_test(fields)
    instrument = ",".join(detectors)
    tier = next((name for field, name in _TIERS.items() if field in fields), "coincidence")
    role = Role.TEST if is_test else Role.OBSERVATION
    properties: dict[str, Any] = {"tier": tier, "n_detectors": len(detectors)}
    for name in ("p_val", "p_vals", "p_values", "timing_series", "t_bin_width", "false_alarm_prob"):
        if name in fields:
            properties[name] = json_value(fields.take(name))
    return Notice(
        identity=f"snews2|{instrument}|{tier}|{t0.to_utc_iso()}|{sent.to_utc_iso() if sent else ''}|{role}",
        format=FORMAT,
        ivorn=None,
        stream=topic or STREAM,
        mission="SNEWS",
        instrument=instrument,
        messenger=Messenger.NEUTRINO,
        role=role,
        stage=Stage.INITIAL,
        event_class=EventClass.SUPERNOVA_NEUTRINO,
        event_key=f"SNEWS-{detectors[0] if len(detectors) == 1 else 'network'}-{t0.to_utc_iso()}".replace(" ", ""),
        t0=t0,
        issued_at=sent,
        properties=properties,
        is_live=says_whether_test and not is_test,
        extra=fields.rest(),
    )


def _first_time(fields: Fields, names: tuple[str, ...]) -> Instant | None:
    """Return the earliest time under the first name that has one; a network alert lists one per detector."""
    for name in names:
        value = fields.peek(name)
        times = [moment for item in (value if isinstance(value, list) else [value]) if (moment := instant_of(item)) is not None]
        if times:
            fields.take(name)
            return min(times)
    return None


def _is_test(fields: Fields) -> bool:
    """Return whether the message is a test: ``is_test`` is a truth value or its text; anything else there counts as a test."""
    stated = fields.take("is_test")
    return stated is not None and str(stated).strip().lower() not in ("false", "0", "no")
