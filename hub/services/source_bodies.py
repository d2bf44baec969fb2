"""Sources to JSON: one burst with the events of several missions, its versions, and what persons said."""

from sqlalchemy.orm import Session

from hub.model.event import Event
from hub.model.notice import Messenger, Role
from hub.model.source import Source, SourceVersion, Word
from hub.services.bodies import Body, jsonable, text, utc
from hub.storage import sources


def source_body(source: Source) -> Body:
    """Return a source."""
    return {
        "source_id": text(source.source_id),
        "missions": [text(name) for name in source.missions],
        "t0": utc(source.t0),
        "duration_s": jsonable(source.duration_s),
        "aliases": [text(alias) for alias in source.aliases],
        "localization_id": source.localization_id,
        "localization_origin": text(source.localization_origin),
        "combined_ids": list(source.combined_ids),
        "is_live": source.is_live,
        "members": [
            {
                "event_id": text(one.event_id),
                "mission": text(one.mission),
                "event_class": one.event_class.value,
                "t0": utc(one.t0),
                "duration_s": jsonable(one.duration_s),
                "localization_id": one.localization_id,
            }
            for one in source.members
        ],
        "links": [
            {
                "first": text(one.first),
                "second": text(one.second),
                "kind": one.kind.value,
                "reason": text(one.reason),
                "word": one.word,
            }
            for one in source.links
        ],
    }


def version_body(version: SourceVersion) -> Body:
    """Return what a source was after one change."""
    return {
        "version": version.version,
        "created_at": utc(version.created_at),
        "change": text(version.change),
        **source_body(version.source),
    }


def word_body(word: Word) -> Body:
    """Return what a person said."""
    return {
        "word": word.number,
        "kind": word.kind.value,
        "events": [text(word.first), text(word.second)],
        "by": text(word.said_by),
        "at": utc(word.said_at),
        "because": text(word.reason),
        "holds": word.holds,
        "undone_by": jsonable(word.undone_by),
        "undone_at": utc(word.undone_at),
        "undone_because": jsonable(word.undone_because or None),
    }


def alone_body(event: Event) -> Body:
    """Return the source that an event is by itself."""
    return {
        "source_id": text(event.event_id),
        "missions": [text(event.mission)],
        "t0": utc(event.t0),
        "duration_s": None,
        "aliases": [text(alias) for alias in event.aliases],
        "localization_id": event.localization_id,
        "localization_origin": text(
            f"that of {event.event_id}" if event.localization_id is not None else "no member has a place"
        ),
        "combined_ids": [],
        "is_live": event.is_live and event.role is not Role.TEST,
        "members": [
            {
                "event_id": text(event.event_id),
                "mission": text(event.mission),
                "event_class": event.event_class.value,
                "t0": utc(event.t0),
                "duration_s": None,
                "localization_id": event.localization_id,
            }
        ],
        "links": [],
    }


def of_event(session: Session, event: Event) -> Body | None:
    """Return for the page of an event which burst it is part of; None where no other mission's is."""
    if event.messenger is not Messenger.EM:
        return None
    home = sources.source_ids(session, [event.event_id]).get(event.event_id)
    version = sources.latest(session, home) if home is not None else None
    if version is None:
        return None
    others = [text(name) for name in version.source.event_ids if name != event.event_id]
    return {"source_id": text(version.source.source_id), "others": others, "missions": [text(x) for x in version.source.missions]}
