"""Sources as the command line and the HTTP API read them, and what persons say about them."""

from dataclasses import replace

from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, NotFound
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.notice import Messenger, Role
from hub.model.source import Word, WordKind
from hub.services.association import Association
from hub.services.bodies import Body
from hub.services.queries import Page, find_event
from hub.services.source_bodies import alone_body, source_body, version_body, word_body
from hub.storage import jobs, sources
from hub.storage.sources import Key

EVENT_JOB = "event"
"""Kind of the job that evaluates the pairs of an event again (`hub.services.correlation.EVENT_JOB`)."""


def join(session: Session, association: Association, one: str, other: str, *, by: str, because: str, at: Instant) -> Body:
    """Say that two events are one burst; it holds against every other reason until it is taken back or split anew.

    Raises
    ------
    NotFound
        There is no event of that name.
    InvalidRequest
        They cannot be one burst (the same event, no light, a test with a real one), or nobody or no reason is named.
    """
    return _say(session, association, WordKind.JOIN, one, other, by=by, because=because, at=at)


def split(session: Session, association: Association, one: str, other: str, *, by: str, because: str, at: Instant) -> Body:
    """Say that two events are not one burst; errors as `join`."""
    return _say(session, association, WordKind.SPLIT, one, other, by=by, because=because, at=at)


def take_back(session: Session, association: Association, number: int, *, by: str, because: str, at: Instant) -> Body:
    """Take back what a person said; it stays on record.

    Raises
    ------
    NotFound
        Nobody said anything under that number.
    InvalidRequest
        It was taken back before, or nobody or no reason is named.
    """
    _demand(by, because)
    sources.associate(session)
    word = sources.word(session, number)
    if word is None:
        raise NotFound(f"there is no word {number} about sources")
    if not word.holds:
        raise InvalidRequest(f"the word {number} was taken back by {word.undone_by} already")
    undone = replace(word, undone_by=by.strip(), undone_at=at, undone_because=because.strip())
    sources.amend(session, undone)
    _follow(session, association, undone, f"{by.strip()} took back the word {number}: {because.strip()}")
    return _answer(session, undone)


def _say(
    session: Session, association: Association, kind: WordKind, one: str, other: str, *, by: str, because: str, at: Instant
) -> Body:
    _demand(by, because)
    events = [_light(session, one), _light(session, other)]
    first, second = sorted(events, key=lambda event: event.event_id)
    if first.event_id == second.event_id:
        raise InvalidRequest(f"{one} and {other} are one event, {first.event_id}")
    if kind is WordKind.JOIN and _is_real(first) != _is_real(second):
        raise InvalidRequest(
            f"one of {first.event_id} and {second.event_id} is a test or not live, and cannot be part of a real burst"
        )
    sources.associate(session)
    word = sources.say(
        session,
        Word(
            number=0,
            kind=kind,
            first=first.event_id,
            second=second.event_id,
            said_by=by.strip(),
            said_at=at,
            reason=because.strip(),
        ),
    )
    verb = "joined" if kind is WordKind.JOIN else "split"
    _follow(session, association, word, f"{word.said_by} {verb} {word.first} and {word.second}: {word.reason}")
    return _answer(session, word)


def _demand(by: str, because: str) -> None:
    if not by.strip():
        raise InvalidRequest("what is said about sources needs the name of the person who says it", field="by")
    if not because.strip():
        raise InvalidRequest("what is said about sources needs a reason", field="because")


def _light(session: Session, name: str) -> Event:
    event = find_event(session, name)
    if event.messenger is not Messenger.EM:
        raise InvalidRequest(f"{event.event_id} is no electromagnetic event: only those are parts of a burst")
    return event


def _is_real(event: Event) -> bool:
    return event.is_live and event.role is not Role.TEST


def _follow(session: Session, association: Association, word: Word, because: str) -> None:
    """Write the sources as they are with a word, and ask for everything that follows."""
    changed = association.update(session, [word.first, word.second], because)
    for event_id in sorted({word.first, word.second} | changed):
        jobs.put(session, jobs.EVENT_JOB, event_id)


def _answer(session: Session, word: Word) -> Body:
    homes = sources.source_ids(session, [word.first, word.second])
    return {
        **word_body(word),
        "sources": [source_of(session, name) for name in sorted({homes.get(name, name) for name in (word.first, word.second)})],
    }


def page(session: Session, *, limit: int, before: Key | None = None) -> Page:
    """Return the sources of several events, the latest first."""
    found = sources.search(session, limit=limit + 1, before=before)
    shown = found[:limit]
    return Page(bodies=[source_body(one) for one in shown], last=sources.key(shown[-1]) if len(found) > limit else None)


def source_of(session: Session, name: str) -> Body:
    """Return the source of an event, by any name of one of its events; raises `NotFound`."""
    event = find_event(session, name)
    if event.messenger is not Messenger.EM:
        raise NotFound(f"{event.event_id} is no electromagnetic event: only those are parts of a burst")
    home = sources.source_ids(session, [event.event_id]).get(event.event_id)
    version = sources.latest(session, home) if home is not None else None
    shown = source_body(version.source) if version is not None else alone_body(event)
    said = sources.words_about(session, [member["event_id"] for member in shown["members"]])
    return {**shown, "version": version.version if version is not None else 0, "words": [word_body(word) for word in said]}


def history(session: Session, name: str) -> list[Body]:
    """Return all versions of the source of an event, the first one first; none where it was always alone. Raises `NotFound`."""
    event = find_event(session, name)
    home = sources.source_ids(session, [event.event_id]).get(event.event_id, event.event_id)
    return [version_body(one) for one in sources.history(session, home)]
