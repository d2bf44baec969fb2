"""Sessions of persons: opened when one signs in, recognised by the secret in the browser's cookie, ended."""

import hmac
from dataclasses import dataclass, replace

from hub.errors import NotAuthenticated
from hub.model.instant import Instant
from hub.model.person import ID_DIGITS, Person, WebSession, csrf_token_of, digest_of, looks_like_secret, new_secret
from hub.services.persons import Proven
from hub.storage import persons, sessions
from hub.storage.engine import Store

LONGEST_S = 12 * 3600.0
"""A session ends after so long, however busy: a night's work, seconds."""

IDLE_S = 3600.0
"""A session ends after so long without a request, seconds."""

SEEN_STEP_S = 300.0
"""The last use is noted to this, seconds: reading must not become writing."""

KEPT_S = 30 * 86_400.0
"""Sessions that are over are kept so long, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person with the session that a request belongs to."""

    person: Person
    session: WebSession
    secret: str
    """What the browser holds, and must never be printed."""

    @property
    def csrf_token(self) -> str:
        """What requests of this session that change something must carry."""
        return csrf_token_of(self.secret)

    def __repr__(self) -> str:
        return f"SignedIn(person={self.person!r}, session={self.session!r}, secret='**********')"


def begin(store: Store, proven: Proven, *, now: Instant) -> SignedIn:
    """Open a session for a person who has proved to be that person.

    Raises
    ------
    NotAuthenticated
        The person was shut out, or the password changed, since it was looked at.
    """
    secret = new_secret()
    digest = digest_of(secret)
    opened = WebSession(
        session_id=digest[:ID_DIGITS],
        digest=digest,
        person=proven.person.name,
        created_at=now,
        expires_at=now.plus_s(LONGEST_S),
        seen_at=now,
    )
    with store.transaction() as session:
        sessions.forget_expired(session, now.plus_s(-KEPT_S))
        current = persons.named(session, proven.person.name)
        stored = persons.password_hash_of(session, proven.person.name)
        if current is None or current.disabled_at is not None or proven.password_hash not in (None, stored):
            raise NotAuthenticated("the password was changed, or the person shut out, at this moment")
        if proven.subject not in (None, current.subject):
            raise NotAuthenticated("the person got another subject at this moment")
        if not sessions.add(session, opened):
            raise NotAuthenticated("sign in again: the session's number is taken")  # once in 2**48 sessions
    return SignedIn(person=current, session=opened, secret=secret)


def authenticate(store: Store, secret: str, *, now: Instant) -> SignedIn:
    """Return the person and session of the secret that a browser shows.

    Raises
    ------
    NotAuthenticated
        There is no such session, or it has ended, or the person was shut out.
    """
    if not looks_like_secret(secret):
        raise NotAuthenticated("the session is not one of this hub: sign in")
    digest = digest_of(secret)
    with store.reading() as session:
        found = sessions.candidate(session, digest)
        person = None if found is None else persons.named(session, found.person)
    # Found by a part of its digest and compared in constant time, as tokens are.
    if found is None or person is None or not hmac.compare_digest(found.digest, digest):
        raise NotAuthenticated("the session is not one of this hub: sign in")
    if found.ended_at is not None or person.disabled_at is not None:
        raise NotAuthenticated("the session was ended: sign in again")
    if now >= found.expires_at or now.minus(found.seen_at) >= IDLE_S:
        raise NotAuthenticated("the session has expired: sign in again")
    return SignedIn(person=person, session=found, secret=secret)


def note_use(store: Store, signed_in: SignedIn, *, now: Instant) -> SignedIn:
    """Write down that a session is in use, at most once in some minutes; return it as it stands then."""
    if now.minus(signed_in.session.seen_at) < SEEN_STEP_S:
        return signed_in
    with store.transaction() as session:
        sessions.seen(session, signed_in.session.session_id, now)
    return replace(signed_in, session=replace(signed_in.session, seen_at=now))


def end(store: Store, signed_in: SignedIn, *, now: Instant) -> None:
    """End a session: the person signs out."""
    with store.transaction() as session:
        sessions.end(session, signed_in.session.session_id, now)
