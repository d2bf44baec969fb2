"""Words to JSON: the body of each resource, the same in the HTTP API and in ``mmhub ... --json``.

Times are UTC with ``Z``, places ICRS degrees, units stand in the names, integers beyond 2**53 are text (JavaScript and jq round
them), numbers that are not finite are null. No bytes and no maps.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any

from hub.model.coincidence import Candidate, Coincidence, Score
from hub.model.event import Event, FetchedMap, Version
from hub.model.followup import Intent, Submission, Transition, Visibility
from hub.model.instant import Instant
from hub.model.notice import Citation
from hub.model.significance import significance_of
from hub.model.sky import Localization, SkymapSummary, StatedPosition
from hub.model.worth import EXPECTED
from hub.science.budget import HELD_BACK
from hub.storage.envelopes import SourceCounts, law_holds
from hub.storage.outbox import OutboxEntry

Body = dict[str, Any]
"""A JSON object."""

EXACT_INTEGER = 2**53
"""Largest integer that a JSON reader with double-precision numbers keeps."""


def event_body(event: Event, skymap: SkymapSummary | None) -> Body:
    """Return an event as it is now; the map's numbers where it has a localization."""
    return {
        "event_id": text(event.event_id),
        "aliases": [text(alias) for alias in event.aliases],
        "messenger": event.messenger.value,
        "mission": text(event.mission),
        "event_class": event.event_class.value,
        "role": event.role.value,
        "stage": event.current.notice.stage.value,
        "state": event.state.value,
        "significance": event.significance.value,
        "is_live": event.is_live,
        "t0": utc(event.t0),
        **_position(event.position),
        "far_hz": jsonable(event.far_hz),
        "p_astro": jsonable(event.p_astro),
        "classification": jsonable(event.classification),
        "properties": jsonable(event.properties),
        "vetoes": jsonable(event.vetoes),
        "depends_on": jsonable(event.depends_on),
        "n_versions": len(event.versions),
        "localization_id": event.localization_id,
        "skymap": skymap_body(skymap) if skymap else None,
    }


def version_body(event_id: str, version: Version) -> Body:
    """Return one notice of an event."""
    stored, notice = version.stored, version.stored.notice
    return {
        "event_id": text(event_id),
        "version": version.number,
        "notice_id": stored.notice_id,
        "ivorn": jsonable(notice.ivorn),
        "format": text(notice.format),
        "stream": text(notice.stream),
        "mission": text(notice.mission),
        "instrument": jsonable(notice.instrument),
        "role": notice.role.value,
        "stage": notice.stage.value,
        "event_class": notice.event_class.value,
        "t0": utc(notice.t0),
        "issued_at": utc(notice.issued_at),
        "received_at": utc(stored.received_at),
        **_position(notice.position),
        "far_hz": jsonable(notice.far_hz),
        "p_astro": jsonable(notice.p_astro),
        "classification": jsonable(notice.classification),
        "properties": jsonable(notice.properties),
        "vetoes": jsonable(notice.vetoes),
        "cites": [citation_body(citation) for citation in notice.cites],
        "significance": significance_of(notice).value,
        "is_live": notice.is_live,
        "is_trusted": stored.is_trusted,
        "raw_sha256": stored.digest,
        "skymap_url": jsonable(notice.skymap_url),
        "fetched_map": None if stored.fetched_map is None else _fetched_map(stored.fetched_map),
        "localization_id": stored.localization_id,
        "remarks": jsonable(stored.remarks),
    }


def _fetched_map(found: FetchedMap) -> Body:
    return {
        "url": text(found.url),
        "fetched_at": utc(found.fetched_at),
        "sha256": found.sha256,
        "localization_id": found.localization_id,
        "remarks": jsonable(found.remarks),
    }


def localization_body(localization: Localization) -> Body:
    """Return a localization without its map."""
    return {
        "localization_id": localization.localization_id,
        "source": localization.source.value,
        **skymap_body(localization.summary),
        "has_distance": localization.skymap.has_distance,
        "remarks": jsonable(localization.remarks),
    }


def skymap_body(summary: SkymapSummary) -> Body:
    """Return the few numbers of a map."""
    body: Body = jsonable(asdict(summary))
    return body


def coincidence_body(coincidence: Coincidence) -> Body:
    """Return one version of a coincidence."""
    rates = coincidence.joint_rates
    return {
        "coincidence_id": coincidence.coincidence_id,
        "kind": text(coincidence.kind),
        "hypothesis": text(coincidence.hypothesis),
        "members": [{"kind": member.kind.value, "id": text(member.id)} for member in coincidence.members],
        "state": coincidence.state.value,
        "version": coincidence.version,
        "is_live": coincidence.is_live,
        "held_back": coincidence.held_back,
        "held_back_reason": _why_held_back(coincidence),
        "t0": utc(coincidence.t0),
        "created_at": utc(coincidence.created_at),
        "joint_far_hz": jsonable(rates and rates.spacetime.value_hz),
        "joint_far_time_only_hz": jsonable(rates and rates.time_only.value_hz),
        "random_association_hz": jsonable(rates and rates.random_association.value_hz),
        "level": jsonable(coincidence.score("level_2d")),
        "score": jsonable(coincidence.score("rank")),
        "expected_unrelated": jsonable(coincidence.score(EXPECTED)),
        "scores": [score_body(score) for score in coincidence.shown_scores],
        "reasons": jsonable(coincidence.reasons),
        "localization_ids": list(coincidence.localization_ids),
    }


def _why_held_back(coincidence: Coincidence) -> str | None:
    return next((text(one) for one in coincidence.reasons if one.startswith(HELD_BACK)), None) if coincidence.held_back else None


def candidate_body(candidate: Candidate, rank: int | None = None) -> Body:
    """Return a candidate; its rank among those of the same event where it is listed with them."""
    return {
        "event_id": text(candidate.event_id),
        "survey": text(candidate.survey),
        "object_id": text(candidate.object_id),
        "hypothesis": text(candidate.hypothesis),
        "rank": rank,
        "state": candidate.state.value,
        "confirmed": candidate.confirmed,
        "n_detections": candidate.n_detections,
        "ra_deg": jsonable(candidate.ra_deg),
        "dec_deg": jsonable(candidate.dec_deg),
        "first_detection": utc(candidate.first_detection),
        "last_detection": utc(candidate.last_detection),
        "level": jsonable(candidate.level),
        "levels": jsonable(candidate.levels),
        "score": jsonable(candidate.score),
        "scores": [score_body(score) for score in candidate.scores],
        "reasons": jsonable(candidate.reasons),
        "flags": jsonable(candidate.flags),
        "hosts": _hosts(candidate),
    }


def _hosts(candidate: Candidate) -> Any:
    """Return the plausible hosts, the least likely by chance first, as the catalogues gave them when it was judged."""
    inputs = next((one.inputs for one in candidate.scores if one.statistic == "distance_3d"), {})
    return jsonable(inputs.get("hosts", []))


def score_body(score: Score) -> Body:
    """Return one number with what it was computed from."""
    return {
        "statistic": text(score.statistic),
        "version": score.version,
        "value": jsonable(score.value),
        "unit": text(score.unit),
        "inputs": jsonable(score.inputs),
    }


def followup_body(submission: Submission) -> Body:
    """Return a follow-up request with its present state, without its history."""
    intent = submission.intent
    last = submission.transitions[-1] if submission.transitions else None
    return {
        **_intent(intent),
        "state": last.state.value if last else None,
        "reason": text(last.reason) if last else "",
        "remote_id": jsonable(submission.remote_id),
        "remote_state": jsonable(last.remote_state) if last else None,
        "updated_at": utc(last.at if last else intent.created_at),
        "n_transitions": len(submission.transitions),
    }


def followup_with_history_body(submission: Submission) -> Body:
    """Return a follow-up request with the visibility of its target and every step."""
    return {
        **followup_body(submission),
        "visibility": [_visibility(site) for site in submission.intent.visibility],
        "transitions": [_transition(step) for step in submission.transitions],
    }


def voevent_body(entry: OutboxEntry) -> Body:
    """Return an outgoing VOEvent without its XML."""
    outgoing = entry.outgoing
    return {
        "voevent_id": str(entry.sequence),
        "ivorn": text(outgoing.ivorn),
        "role": outgoing.role.value,
        "media_type": text(outgoing.media_type),
        "destination": text(outgoing.destination),
        "cites": [citation_body(citation) for citation in outgoing.cites],
        "created_at": utc(outgoing.created_at),
        "state": entry.state.value,
        "tries": entry.tries,
        "sent_at": utc(entry.sent_at),
        "error": text(entry.error),
    }


def outgoing_body(entry: OutboxEntry) -> Body:
    """Return a message to a destination, in whatever format, without its content."""
    outgoing = entry.outgoing
    return {
        "message_id": str(entry.sequence),
        "ivorn": text(outgoing.ivorn),
        "destination": text(outgoing.destination),
        "subject": text(outgoing.subject),
        "key": text(outgoing.key),
        "role": outgoing.role.value,
        "media_type": text(outgoing.media_type),
        "cites": [citation_body(citation) for citation in outgoing.cites],
        "created_at": utc(outgoing.created_at),
        "state": entry.state.value,
        "tries": entry.tries,
        "due_at": utc(entry.due_at),
        "sent_at": utc(entry.sent_at),
        "echoed_at": utc(entry.echoed_at),
        "error": text(entry.error),
    }


def source_body(counts: SourceCounts) -> Body:
    """Return the books of one source, and whether they balance."""
    return {**asdict(counts), "source": text(counts.source), "law_holds": law_holds([counts])}


def citation_body(citation: Citation) -> Body:
    """Return a reference to another VOEvent."""
    return {"ivorn": text(citation.ivorn), "kind": citation.kind.value}


def utc(instant: Instant | None) -> str | None:
    """Return ISO 8601 UTC text with six decimals and ``Z``."""
    return instant.to_utc_iso() if instant else None


def text(value: str) -> str:
    """Return text that UTF-8 can carry: a lone surrogate becomes its escape."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def jsonable(value: Any) -> Any:
    """Return a value as any JSON reader takes it.

    >>> jsonable({"far": float("nan"), "id": 170123456789012345, "n": (1, 2)})
    {'far': None, 'id': '170123456789012345', 'n': [1, 2]}
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return value.value
        case str():
            return text(value)
        case int():
            return value if abs(value) <= EXACT_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else None
        case Instant():
            return value.to_utc_iso()
        case Mapping():
            return {text(str(key)): jsonable(item) for key, item in value.items()}
        case Iterable() if not isinstance(value, bytes | bytearray | memoryview):
            return [jsonable(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")


def _position(position: StatedPosition | None) -> Body:
    return {
        "ra_deg": jsonable(position.ra_deg) if position else None,
        "dec_deg": jsonable(position.dec_deg) if position else None,
        "radius_deg": jsonable(position.radius_deg) if position else None,
        "containment": jsonable(position.containment) if position else None,
        "systematic_included": position.systematic_included if position else None,
    }


def _intent(intent: Intent) -> Body:
    return {
        "intent_id": intent.intent_id,
        "event_id": text(intent.event_id),
        "coincidence_id": intent.coincidence_id,
        "target": text(intent.target),
        "ra_deg": jsonable(intent.ra_deg),
        "dec_deg": jsonable(intent.dec_deg),
        "network": text(intent.network),
        "instrument": text(intent.instrument),
        "purpose": text(intent.purpose),
        "policy_version": intent.policy_version,
        "window_start": utc(intent.window_start),
        "window_end": utc(intent.window_end),
        "exposures": jsonable(intent.exposures),
        "max_airmass": jsonable(intent.max_airmass),
        "why": text(intent.reason),
        "created_at": utc(intent.created_at),
    }


def _visibility(site: Visibility) -> Body:
    return {
        "site": text(site.site),
        "is_observable": site.is_observable,
        "window_start": utc(site.window_start),
        "window_end": utc(site.window_end),
        "best_airmass": jsonable(site.best_airmass),
        "reason": text(site.reason),
    }


def _transition(step: Transition) -> Body:
    return {
        "number": step.number,
        "state": step.state.value,
        "at": utc(step.at),
        "remote_id": jsonable(step.remote_id),
        "remote_state": jsonable(step.remote_state),
        "reason": text(step.reason),
        "detail": jsonable(step.detail),
    }
