"""Circulars: stored with every version, linked to events by name, searched; what their text states becomes proposals."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from hub.errors import NotFound
from hub.model.annotation import Annotation, AnnotationKind, AnnotationState, TargetKind, annotation_id
from hub.model.circular import Circular, StoredCircular
from hub.model.instant import Instant
from hub.model.notice import Messenger
from hub.science.circular_text import Proposal, propose
from hub.science.event_names import gbm_triggers_in, keys_of, names_in, swift_triggers_in
from hub.services.bodies import Body, jsonable, text, utc
from hub.services.queries import Page, find_event
from hub.storage import annotations, circulars, events, jobs
from hub.storage.circulars import Addition

SOURCE = "gcn-circular"
"""What annotations from circulars name as their source."""

POINT_ARCSEC = 3.0
"""A position with a larger radius says nothing about single objects."""


def take(session: Session, circular: Circular, *, digest: str, received_at: Instant, is_trusted: bool) -> Addition:
    """Store a circular and what its text seems to state, as proposals; the same in any order of arrival.

    Text from an untrusted source is kept and shown as such, but nothing is proposed out of it. Events to which a text gives
    several names have a job, for they may be one burst.
    """
    stored = StoredCircular(
        circular=circular, digest=digest, received_at=received_at, is_trusted=is_trusted, names=event_keys(circular)
    )
    addition = circulars.add(session, stored)
    if is_trusted:
        annotations.add(session, [_annotation(stored, proposal) for proposal in propose(circular.body)])
    _keep_current(session, circular.circular_id)
    if is_trusted or addition is not Addition.DUPLICATE:
        _associate(session, circular.circular_id)
    return addition


def _associate(session: Session, circular_id: int) -> None:
    """Have the events that any version of a circular names looked at again: a text with two names can make them one burst."""
    names = {name for version in circulars.versions(session, circular_id) if len(version.names) > 1 for name in version.names}
    named = (
        {name for names_of in circulars.events_named(session, sorted(names)).values() for name in names_of} if names else set()
    )
    for event in events.of_ids(session, sorted(named)):
        if event.messenger is Messenger.EM:
            jobs.put(session, jobs.EVENT_JOB, event.event_id)


def trust(session: Session, digest: str) -> None:
    """Believe the circular with these bytes, as a trusted source brought them too."""
    for stored in circulars.of_digest(session, digest):
        if not stored.is_trusted:
            take(session, stored.circular, digest=digest, received_at=stored.received_at, is_trusted=True)


def event_keys(circular: Circular) -> tuple[str, ...]:
    """Return the keys of the events that a circular is about.

    The archive's own name comes first, then the names in the subject, then the trigger in the fixed forms of the circulars of
    Fermi GBM and Swift (their notices do not know the burst's name).
    """
    named = [circular.event_name] if circular.event_name else []
    named += names_in(circular.subject)
    if "fermi gbm" in circular.subject.casefold():
        named += gbm_triggers_in(circular.body)
    if "swift" in circular.subject.casefold():
        named += swift_triggers_in(circular.body)
    return keys_of(named)


def page(
    session: Session,
    *,
    text: str | None = None,
    event_name: str | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    limit: int,
    before: tuple[int] | None = None,
) -> Page:
    """Return the newest versions of circulars, the highest number first.

    ``text`` holds words that all stand in subject or body; ``event_name`` is any name of an event, which need not be known.
    """
    names = None if event_name is None else names_of_event(session, event_name)
    found = circulars.search(
        session,
        words=text.split() if text else (),
        names=names,
        since=since,
        until=until,
        limit=limit + 1,
        before=before[0] if before else None,
    )
    shown = found[:limit]
    last = (shown[-1].circular.circular_id,) if len(found) > limit else None
    return Page(bodies=_bodies(session, shown), last=last)


def names_of_event(session: Session, name: str) -> tuple[str, ...]:
    """Return the keys of all names of the event that a name stands for, the name's own alone where there is no such event."""
    try:
        event = find_event(session, name)
    except NotFound:
        return keys_of([name])
    return keys_of([name, event.event_id, *event.aliases])


def one(session: Session, circular_id: int) -> Body:
    """Return the newest version of a circular with its text; raises `NotFound`."""
    stored = circulars.get(session, circular_id)
    if stored is None:
        raise NotFound(f"there is no circular {circular_id}")
    return _with_text(session, stored)


def versions(session: Session, circular_id: int) -> list[Body]:
    """Return all versions of a circular with their text, the oldest first; raises `NotFound`."""
    found = circulars.versions(session, circular_id)
    if not found:
        raise NotFound(f"there is no circular {circular_id}")
    return [_with_text(session, stored) for stored in found]


def circular_body(stored: StoredCircular, event_ids: Sequence[str]) -> Body:
    """Return a circular without its text; the events are those that the hub knows."""
    circular = stored.circular
    return {
        "circular_id": circular.circular_id,
        "version": circular.version,
        "subject": text(circular.subject),
        "submitter": jsonable(circular.submitter),
        "created_at": utc(circular.created_at),
        "edited_at": utc(circular.edited_at),
        "edited_by": jsonable(circular.edited_by),
        "bibcode": jsonable(circular.bibcode),
        "event_name": jsonable(circular.event_name),
        "event_ids": [text(event_id) for event_id in event_ids],
        "format": circular.text_format,
        "n_characters": len(circular.body),
        "is_latest": stored.is_latest,
        "is_trusted": stored.is_trusted,
        "received_at": utc(stored.received_at),
        "raw_sha256": stored.digest,
    }


def _with_text(session: Session, stored: StoredCircular) -> Body:
    return {**_bodies(session, [stored])[0], "body": text(stored.circular.body)}


def _bodies(session: Session, found: Sequence[StoredCircular]) -> list[Body]:
    events = circulars.events_named(session, [name for stored in found for name in stored.names])
    return [
        circular_body(stored, list(dict.fromkeys(event for name in stored.names for event in events.get(name, ()))))
        for stored in found
    ]


def _keep_current(session: Session, circular_id: int) -> None:
    newest = circulars.get(session, circular_id)
    if newest is not None:
        annotations.set_current(session, SOURCE, str(circular_id), _version(newest.circular))


def _version(circular: Circular) -> str:
    """Return the text of a version: texts that differ under one number are told apart."""
    return f"{circular.version}-{circular.content[:8]}"


def _annotation(stored: StoredCircular, proposal: Proposal) -> Annotation:
    circular = stored.circular
    about = circular.event_name or next(iter(names_in(circular.subject)), None)
    kind, name = (TargetKind.EVENT, about) if about else (TargetKind.POSITION, f"circular {circular.circular_id}")
    stated_at = circular.edited_at or circular.created_at
    names = (*stored.names, *([proposal.value["name"]] if proposal.kind is AnnotationKind.CANDIDATE else []))
    is_point = proposal.kind is AnnotationKind.CANDIDATE or proposal.value.get("radius_arcsec", POINT_ARCSEC + 1) <= POINT_ARCSEC
    return Annotation(
        annotation_id=annotation_id(
            source=SOURCE,
            source_ref=str(circular.circular_id),
            version=_version(circular),
            target=(kind, name),
            kind=proposal.kind,
            value=proposal.value,
            stated_at=stated_at,
        ),
        target_kind=kind,
        target_id=name,
        kind=proposal.kind,
        value=proposal.value,
        source=SOURCE,
        source_ref=str(circular.circular_id),
        version=_version(circular),
        stated_at=stated_at,
        received_at=stored.received_at,
        state=AnnotationState.PROPOSED,
        names=names,
        ra_deg=proposal.value.get("ra_deg") if is_point else None,
        dec_deg=proposal.value.get("dec_deg") if is_point else None,
        provenance={
            "circular_id": circular.circular_id,
            "version": circular.version,
            "start": proposal.start,
            "end": proposal.end,
            "quote": proposal.quote,
        },
    )
