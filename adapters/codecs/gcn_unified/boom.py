"""BOOM's notices about survey alerts: a list of targets with photometry, or one alert by itself."""

from collections.abc import Mapping
from typing import Any

from adapters.codecs.gcn_unified.dialects import is_boom_alert
from adapters.codecs.gcn_unified.event_names import check_names, reference_key
from adapters.codecs.json_fields import finite, instant_of
from hub.errors import DecodeError
from hub.model.instant import Instant


def flattened(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message in the fields of a common unified notice.

    A notice may list several targets but is about one event, so the first target gives position and name; the number of targets
    is stated and all of them stay in ``data``. The time is that of the target's first detection.

    Raises
    ------
    DecodeError
        There is no target in it.
    """
    return _single_alert(message) if is_boom_alert(message) else _targets(message)


def references(message: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of the events that the first target was found to lie in."""
    target = _first_target(message)
    crossmatches = target.get("gcn_crossmatch") if target else None
    keys = [
        reference_key(match["ref_ID"], str(match.get("ref_instrument") or ""))
        for match in (crossmatches if isinstance(crossmatches, list) else [])
        if isinstance(match, dict) and isinstance(match.get("ref_ID"), str) and match["ref_ID"].strip()
    ]
    check_names(*keys)
    return tuple(dict.fromkeys(keys))


def _targets(message: Mapping[str, Any]) -> dict[str, Any]:
    target = _first_target(message)
    if target is None:
        raise DecodeError("a Boom notice without a target")
    moved = {name: target[name] for name in ("id", "event_name", "ra", "dec", "ra_dec_error") if name in target}
    detected = [moment.to_utc_iso() for moment in _detections(message, target)]
    if detected:
        moved["trigger_time"] = min(detected)
    if "classification_scores" in target:
        moved["classification"] = target["classification_scores"]
    return {**message, **moved, "n_targets": len(message["data"]["targets"])}


def _first_target(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    data = message.get("data")
    targets = data.get("targets") if isinstance(data, dict) else None
    return targets[0] if isinstance(targets, list) and targets and isinstance(targets[0], dict) else None


def _detections(message: Mapping[str, Any], target: Mapping[str, Any]) -> list[Instant]:
    """Return the times of the target's photometric points that are detections, not upper limits."""
    photometry = message["data"].get("photometry")
    points = [point for point in (photometry if isinstance(photometry, list) else []) if isinstance(point, dict)]
    times = [
        instant_of(point.get("observation_start"))
        for point in points
        if point.get("event_name") == target.get("event_name") and finite(point.get("mag")) is not None
    ]
    return [moment for moment in times if moment is not None]


def _single_alert(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the short form about one alert; its ``jd`` is read as UTC (within 37 s, which no optical window resolves)."""
    moved: dict[str, Any] = {"id": message["objectId"]}
    survey = message.get("survey")
    if isinstance(survey, str) and isinstance(message["objectId"], str):
        moved["event_name"] = f"{survey}:{message['objectId']}"  # the name of the survey's object everywhere in the hub
    jd = finite(message["jd"])
    if jd is None or not 2_441_500.0 < jd < 2_524_000.0:  # 1972-07 to 2198
        raise DecodeError("the field 'jd' is not a Julian Date of our time")
    moved["trigger_time"] = Instant.from_jd_utc(jd).to_utc_iso()
    rest = {name: value for name, value in message.items() if name not in ("objectId", "jd")}
    return {**rest, **moved}
