"""What the HTTP API and the command line read: bodies of resources, one or a page of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from hub import resources
from hub.errors import NotFound
from hub.model.coincidence import Candidate, Coincidence, PairState
from hub.model.event import Event, EventState, Version
from hub.model.followup import RequestState
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger
from hub.model.significance import Significance
from hub.model.sky import Localization
from hub.science.arithmetic import Explained, explained
from hub.science.low_significance import LowSignificance
from hub.science.rules import load_rules
from hub.services import annotation_bodies, coverage, expectations, promotion, ranking_plugins, source_bodies, twins
from hub.services.bodies import (
    Body,
    candidate_body,
    coincidence_body,
    event_body,
    followup_body,
    followup_with_history_body,
    localization_body,
    outgoing_body,
    score_body,
    source_body,
    version_body,
    voevent_body,
)
from hub.storage import candidates, coincidences, envelopes, events, followup, localizations, notices, outbox, worths
from hub.storage.outbox import OutboxEntry, OutboxState

Item = TypeVar("Item")

VOEVENT = "application/xml"
"""Media type of outgoing VOEvents."""

_MEDIA_TYPES = {"voevent": "application/xml", "gcn-unified": "application/json", "snews2": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some bodies of a longer listing."""

    bodies: list[Body]
    last: tuple[Any, ...] | None
    """Key of the last body where more follow, for the next page's ``before``; None at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawNotice:
    """The bytes of a notice as they came."""

    notice_id: str
    payload: bytes
    media_type: str
    sha256: str


# -------------------------------------------------------------------------------------------------------------------- events


def event_page(
    session: Session,
    *,
    messengers: Sequence[Messenger] | None = None,
    event_classes: Sequence[EventClass] | None = None,
    state: EventState | None = None,
    significances: Sequence[Significance] | None = None,
    with_low: bool = False,
    live_only: bool = False,
    since: Instant | None = None,
    until: Instant | None = None,
    text: str | None = None,
    limit: int,
    before: tuple[int, str] | None = None,
) -> Page:
    """Return events, the latest t0 first.

    Those of low significance that no pair lifts are left out, unless they are asked for: all of them (``with_low``), by their
    grade, or by their name.
    """
    is_asked_for = with_low or significances is not None or bool(text)
    found = events.search(
        session,
        messengers=messengers,
        event_classes=event_classes,
        state=state,
        significances=significances,
        without=None if is_asked_for else low_grades(),
        live_only=live_only,
        t0_from=since,
        t0_to=until,
        text=text,
        limit=limit + 1,
        before=before,
    )
    return _page(found, limit, lambda one: _event(session, one), events.key)


@cache
def low_grades() -> Mapping[Messenger, frozenset[Significance]]:
    """Return by messenger the grades that lists leave out."""
    return low_significance().grades


@cache
def low_significance() -> LowSignificance:
    """Return which events do nothing by themselves but make pairs."""
    return load_rules(resources.read_text("conf/coincidence.toml")).low_significance


def event(session: Session, name: str) -> Body:
    """Return an event by its id or any other name of it.

    Raises
    ------
    NotFound
        Nothing has this name.
    """
    return _event(session, find_event(session, name))


def find_event(session: Session, name: str) -> Event:
    """Return the event of an id or alias.

    Raises
    ------
    NotFound
        Nothing has this name.
    """
    found = events.get(session, name)
    if found is None:
        raise NotFound(f"there is no event {name}")
    return found


def event_versions(session: Session, name: str) -> list[Body]:
    """Return the versions of an event, the first issued first."""
    found = find_event(session, name)
    return [version_body(found.event_id, version) for version in found.versions]


def event_version(session: Session, name: str, number: int) -> Body:
    """Return one version of an event; raises `NotFound` where there is none of this number."""
    found = find_event(session, name)
    if not 1 <= number <= len(found.versions):
        raise NotFound(f"the event {found.event_id} has versions 1 to {len(found.versions)}, not {number}")
    return version_body(found.event_id, found.versions[number - 1])


def notice(session: Session, notice_id: str) -> Body:
    """Return one notice; its version number is the one that it has in its event now."""
    stored = notices.get(session, notice_id)
    if stored is None:
        raise NotFound(f"there is no notice {notice_id}")
    key = stored.notice.event_key
    of_event = events.get(session, key) if key else None
    for version in of_event.versions if of_event else ():
        if of_event is not None and version.stored.notice_id == notice_id:
            return version_body(of_event.event_id, version)
    return version_body(key or "", Version(number=1, stored=stored))


def raw_notice(session: Session, notice_id: str) -> RawNotice:
    """Return the bytes of a notice; raises `NotFound` where there is no such notice."""
    stored = notices.get(session, notice_id)
    raw = envelopes.raw(session, stored.digest) if stored else None
    if stored is None or raw is None:
        raise NotFound(f"there is no notice {notice_id}")
    guess = next((media for start, media in _MEDIA_TYPES.items() if stored.notice.format.startswith(start)), None)
    fallback = "application/json" if stored.notice.format.endswith("json") else "application/octet-stream"
    return RawNotice(notice_id=notice_id, payload=raw.payload, media_type=raw.media_type or guess or fallback, sha256=raw.digest)


# ------------------------------------------------------------------------------------------------------------- localizations


def localization(session: Session, localization_id: str) -> Body:
    """Return a localization without its map; raises `NotFound`."""
    return localization_body(find_localization(session, localization_id))


def find_localization(session: Session, localization_id: str) -> Localization:
    """Return a localization with its map; raises `NotFound`."""
    found = localizations.get(session, localization_id)
    if found is None:
        raise NotFound(f"there is no localization {localization_id}")
    return found


# -------------------------------------------------------------------------------------------------------------- coincidences


def coincidence_page(
    session: Session,
    *,
    event_name: str | None = None,
    object_id: str | None = None,
    kind: str | None = None,
    state: PairState | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    max_level: float | None = None,
    min_score: float | None = None,
    max_far_hz: float | None = None,
    live_only: bool = False,
    held_back: bool | None = None,
    limit: int,
    before: tuple[int, str] | None = None,
) -> Page:
    """Return the latest version of each coincidence, the most recently discovered first; an unknown event has none."""
    found = coincidences.search(
        session,
        event_id=_canonical(session, event_name),
        object_id=object_id,
        kind=kind,
        state=state,
        t0_from=since,
        t0_to=until,
        max_level=max_level,
        min_score=min_score,
        max_far_hz=max_far_hz,
        live_only=live_only,
        held_back=held_back,
        limit=limit + 1,
        before=before,
    )
    return _page(found, limit, coincidence_body, lambda one: coincidences.key(session, one.coincidence_id))


def coincidence(session: Session, coincidence_id: str) -> Body:
    """Return the latest version of a coincidence; raises `NotFound`."""
    found = coincidences.latest(session, coincidence_id)
    if found is None:
        raise NotFound(f"there is no coincidence {coincidence_id}")
    return coincidence_body(found)


def explained_coincidence(
    session: Session, coincidence_id: str, version: int | None = None
) -> tuple[Coincidence, list[Explained]]:
    """Return a version of a coincidence, the latest where none is named, and its numbers computed again from what is stored.

    Raises
    ------
    NotFound
        There is no such coincidence, or no such version of it.
    """
    found = {one.version: one for one in coincidences.history(session, coincidence_id)}
    if not found:
        raise NotFound(f"there is no coincidence {coincidence_id}")
    one = found.get(max(found) if version is None else version)
    if one is None:
        raise NotFound(f"coincidence {coincidence_id} has versions 1 to {max(found)}, not {version}")
    stored = {name: localizations.get(session, name) for name in one.localization_ids}
    maps = {name: place.skymap for name, place in stored.items() if place is not None}
    measured = expectations.stored_backgrounds(session, one.scores)
    return one, explained(one, maps, plugins=ranking_plugins.values_of(one.scores), backgrounds=measured)


def coincidence_history(session: Session, coincidence_id: str) -> list[Body]:
    """Return all versions of a coincidence, the first one first; raises `NotFound`."""
    found = coincidences.history(session, coincidence_id)
    if not found:
        raise NotFound(f"there is no coincidence {coincidence_id}")
    return [coincidence_body(version) for version in found]


def candidate_page(
    session: Session,
    *,
    event_name: str | None = None,
    survey: str | None = None,
    object_id: str | None = None,
    hypothesis: str | None = None,
    state: PairState | None = None,
    confirmed_only: bool = False,
    max_level: float | None = None,
    min_score: float | None = None,
    limit: int,
    before: tuple[bool, float, str, str, str, str] | None = None,
) -> Page:
    """Return candidates: confirmed ones first, then the larger score."""
    found = candidates.search(
        session,
        event_id=_canonical(session, event_name),
        survey=survey,
        object_id=object_id,
        hypothesis=hypothesis,
        state=state,
        confirmed_only=confirmed_only,
        max_level=max_level,
        min_score=min_score,
        limit=limit + 1,
        before=before,
    )
    return _page(found, limit, lambda one: _candidate(session, one), candidates.key)


def ranked_candidates(session: Session, name: str, *, limit: int) -> list[Body]:
    """Return the open candidates of an event, best first, each with its rank from 1; raises `NotFound` without such an event."""
    found = candidates.of_event(session, find_event(session, name).event_id, state=PairState.OPEN, limit=limit)
    return [_candidate(session, one, rank) for rank, one in enumerate(found, start=1)]


# ------------------------------------------------------------------------------------------------------------- what goes out


def followup_page(
    session: Session,
    *,
    event_name: str | None = None,
    state: RequestState | None = None,
    limit: int,
    before: tuple[int, str] | None = None,
) -> Page:
    """Return follow-up requests, the newest first."""
    found = followup.search(session, event_id=_canonical(session, event_name), state=state, limit=limit + 1, before=before)
    return _page(found, limit, followup_body, followup.key)


def followup_request(session: Session, intent_id: str) -> Body:
    """Return one follow-up request with every step; raises `NotFound`."""
    found = followup.get(session, intent_id)
    if found is None:
        raise NotFound(f"there is no follow-up request {intent_id}")
    return followup_with_history_body(found)


def voevent_page(
    session: Session,
    *,
    state: OutboxState | None = None,
    destination: str | None = None,
    limit: int,
    before: tuple[int] | None = None,
) -> Page:
    """Return outgoing VOEvents, the newest first."""
    found = outbox.search(
        session,
        state=state,
        destination=destination,
        media_type=VOEVENT,
        limit=limit + 1,
        before=before[0] if before else None,
    )
    return _page(found, limit, voevent_body, lambda entry: (entry.sequence,))


def find_voevent(session: Session, voevent_id: int) -> OutboxEntry:
    """Return an outgoing VOEvent with its XML; raises `NotFound`."""
    found = _message(session, voevent_id)
    if found is None or found.outgoing.media_type != VOEVENT:
        raise NotFound(f"there is no outgoing VOEvent {voevent_id}")
    return found


def outgoing_page(
    session: Session,
    *,
    state: OutboxState | None = None,
    destination: str | None = None,
    subject: str | None = None,
    limit: int,
    before: tuple[int] | None = None,
) -> Page:
    """Return outgoing messages in every format to every destination, the newest first."""
    found = outbox.search(
        session,
        state=state,
        destination=destination,
        subject=subject,
        limit=limit + 1,
        before=before[0] if before else None,
    )
    return _page(found, limit, outgoing_body, lambda entry: (entry.sequence,))


def find_outgoing(session: Session, message_id: int) -> OutboxEntry:
    """Return an outgoing message with its content; raises `NotFound`."""
    found = _message(session, message_id)
    if found is None:
        raise NotFound(f"there is no outgoing message {message_id}")
    return found


def _message(session: Session, sequence: int) -> OutboxEntry | None:
    found = outbox.search(session, before=sequence + 1, limit=1, with_payload=True)
    return next((entry for entry in found if entry.sequence == sequence), None)


# ----------------------------------------------------------------------------------------------------------------- the books


def sources(session: Session) -> list[Body]:
    """Return the books of each source by name, and the stream of alerts that it brings."""
    streams = coverage.by_source(session)
    nothing = {"received": 0, "stored": 0, "duplicates": 0, "dead_letters": 0, "in_flight": 0}
    books = {source: envelopes.SourceCounts(source=source, **nothing) for source in streams}
    books |= {counts.source: counts for counts in envelopes.counts(session)}
    return [{**source_body(counts), "alert_stream": streams.get(source)} for source, counts in sorted(books.items())]


def _event(session: Session, one: Event) -> Body:
    skymap = localizations.summary(session, one.localization_id) if one.localization_id else None
    return {
        **event_body(one, skymap),
        "annotations": annotation_bodies.of_event(session, one),
        "burst": source_bodies.of_event(session, one),
        "not_searched": promotion.why_not_searched(session, low_significance(), one),
    }


def _candidate(session: Session, one: Candidate, rank: int | None = None) -> Body:
    said = annotation_bodies.of_object(session, one.survey, one.object_id, one.ra_deg, one.dec_deg)
    name = f"{one.survey}:{one.object_id}"
    aliases = twins.twins_of(twins.near(session, [name]).values()).others(name)
    worth = worths.of_objects(session, [one.event_id], [one.object_id]).get(candidates.row_key(one))
    body = candidate_body(one, rank)
    body["scores"] += [score_body(score) for score in worth.scores] if worth is not None else []
    return {**body, "aliases": list(aliases), "annotations": said}


def _canonical(session: Session, name: str | None) -> str | None:
    """Return the id of the event with a name, the name itself where there is none."""
    found = events.get(session, name) if name is not None else None
    return found.event_id if found else name


def _page(found: Sequence[Item], limit: int, body: Callable[[Item], Body], key: Callable[[Item], tuple[Any, ...] | None]) -> Page:
    shown = found[:limit]
    return Page(bodies=[body(one) for one in shown], last=key(shown[-1]) if len(found) > limit else None)
