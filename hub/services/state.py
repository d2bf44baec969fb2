"""The final state in one comparable piece: equal for every order of arrival of the same messages."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, Coincidence, MemberKind, PairState
from hub.model.event import Event
from hub.model.group import Group
from hub.model.source import Source
from hub.services.judging import is_record
from hub.storage import candidates, coincidences, events, groups, promoted, sources


def final_state(session: Session) -> dict[str, Any]:
    """Return everything that must not depend on the order of arrival, as JSON values.

    Events with their notices and current localization, sources of several events, candidates with levels and scores, event-event
    pairs with state and scores, the open event-object coincidences, open groups, and which events of low significance are
    searched. Version numbers, times of writing, groups and event-object coincidences that are withdrawn, and candidates that only
    former versions of detections made are left out: these are records of what was sent and shown on the way, and that depends on
    what was known at the time.
    """
    known = [event for event_id in events.all_ids(session) if (event := events.get(session, event_id)) is not None]
    latest: dict[str, Coincidence] = {}
    found: dict[str, Any] = {}
    for event in known:
        for coincidence in coincidences.of_event(session, event.event_id):
            latest[coincidence.coincidence_id] = coincidence
        for candidate in candidates.of_event(session, event.event_id):
            if is_record(candidate):
                continue
            found[f"{event.event_id}|{candidate.survey}|{candidate.object_id}|{candidate.hypothesis}"] = _candidate(candidate)
    return {
        "events": {event.event_id: _event(event) for event in known},
        "sources": {one.source_id: _source(one) for one in sources.search(session, limit=None)},
        "candidates": dict(sorted(found.items())),
        "coincidences": {
            one.coincidence_id: _coincidence(one)
            for one in sorted(latest.values(), key=lambda one: one.coincidence_id)
            if one.state is PairState.OPEN or _is_pair_of_events(one)
        },
        "groups": {one.group_id: _group(one) for one in groups.search(session, state=PairState.OPEN, limit=None)},
        "searched though low": sorted(promoted.of_ids(session, [event.event_id for event in known])),
    }


def _is_pair_of_events(one: Coincidence) -> bool:
    """Tell whether it is there whenever its members ever fitted; those of several detectors are there once they were found."""
    return len(one.members) == 2 and all(member.kind is MemberKind.EVENT for member in one.members)


def _group(group: Group) -> Mapping[str, Any]:
    return {
        "centre": group.centre,
        "kind": group.kind,
        "members": {one.id: [one.part, one.via] for one in group.members},
        "pairs": {one.coincidence_id: [one.held_back, one.elsewhere] for one in group.pairs},
        "scores": [[score.statistic, score.value] for score in group.scores],
        "reasons": list(group.reasons),
        "is_live": group.is_live,
    }


def _event(event: Event) -> Mapping[str, Any]:
    return {
        "state": event.state.value,
        "class": event.event_class.value,
        "aliases": list(event.aliases),
        "t0": event.t0.to_utc_iso() if event.t0 else None,
        "localization_id": event.localization_id,
        "notices": [version.stored.notice_id for version in event.versions],
        "far_hz": event.far_hz,
        "classification": dict(event.classification),
        "vetoes": list(event.vetoes),
        "is_live": event.is_live,
    }


def _source(source: Source) -> Mapping[str, Any]:
    return {
        "events": list(source.event_ids),
        "links": [one.reason for one in source.links],
        "localization_id": source.localization_id,
        "combined_ids": list(source.combined_ids),
        "localization_origin": source.localization_origin,
        "is_live": source.is_live,
    }


def _candidate(candidate: Candidate) -> Mapping[str, Any]:
    return {
        "state": candidate.state.value,
        "confirmed": candidate.confirmed,
        "n_detections": candidate.n_detections,
        "level": candidate.level,
        "levels": dict(sorted(candidate.levels.items())),
        "score": candidate.score,
        "reasons": list(candidate.reasons),
        "flags": list(candidate.flags),
    }


def _coincidence(coincidence: Coincidence) -> Mapping[str, Any]:
    return {
        "kind": coincidence.kind,
        "hypothesis": coincidence.hypothesis,
        "members": [member.id for member in coincidence.members],
        "state": coincidence.state.value,
        "scores": {score.statistic: score.value for score in coincidence.scores},
        "reasons": list(coincidence.reasons),
        "is_live": coincidence.is_live,
        "held_back": coincidence.held_back,
    }
