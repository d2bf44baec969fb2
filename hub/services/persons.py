"""Let persons in: who there is, what each may do, and who knows a password."""

import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, NotAuthenticated, NotAuthorized, NotFound
from hub.model.instant import Instant
from hub.model.person import LEAST_PASSWORD, LONGEST_PASSWORD, LONGEST_SUBJECT, Person, is_name
from hub.model.token import Scope
from hub.ports import Clock
from hub.storage import persons, sessions
from hub.storage.engine import Store

_HASHES = PasswordHash((Argon2Hasher(),))
"""Argon2id, 64 MiB, three passes, four lanes: the second recommended option of RFC 9106, section 4."""

_WRONG = "the name or the password is wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A person who has just proved to be that person."""

    person: Person
    password_hash: str | None = field(default=None, repr=False)
    """Hash of the password that proved it; None where another vouched. A session opens only while it is still the person's."""

    subject: str | None = None
    """Who the person is for whoever vouched; None where a password proved it. The same holds for it."""


def add(
    store: Store,
    *,
    name: str,
    clock: Clock,
    groups: Collection[str] = (),
    scopes: Collection[Scope] = (Scope.READ,),
    password: str | None = None,
    subject: str | None = None,
) -> Person:
    """Add a person, who signs in with a password or as a subject of the trusted proxy or OpenID provider.

    Raises
    ------
    InvalidRequest
        The name is none or taken, a group has no name, the password is too short or long, the subject is another person's, or
        there is neither of the two.
    """
    _check_name(name)
    _check_groups(groups)
    if not scopes:
        raise InvalidRequest(f"a person needs at least one scope of {', '.join(Scope)}", field="scope")
    if password is None and subject is None:
        raise InvalidRequest("a person needs a password or a subject to sign in", field="password")
    if subject is not None:
        _check_subject(subject)
    password_hash = None if password is None else _hash_of(name, password)
    person = Person(
        name=name,
        groups=frozenset(groups),
        scopes=frozenset(scopes),
        has_password=password is not None,
        subject=subject,
        created_at=clock(),
    )
    with store.transaction() as session:
        if subject is not None:
            _check_free(session, subject)
        if not persons.add(session, person, password_hash):
            raise InvalidRequest(f"there is a person {name} already", field="name")
    return person


def listing(store: Store) -> list[Person]:
    """Return all persons by name."""
    with store.reading() as session:
        return persons.every(session)


def set_groups(store: Store, name: str, groups: Collection[str]) -> Person:
    """Make a person belong to these groups and no others, and return the person as it stands then.

    Raises
    ------
    NotFound, InvalidRequest
        There is nobody of that name; a group has no name.
    """
    _check_groups(groups)
    with store.transaction() as session:
        person = _known(persons.named(session, name), name)
        persons.set_groups(session, person.name, groups)
        return _known(persons.named(session, name), name)


def set_password(store: Store, name: str, password: str, *, clock: Clock) -> Person:
    """Give a person another password, and end every session of that person.

    Raises
    ------
    NotFound, InvalidRequest
        There is nobody of that name; the password is too short or too long.
    """
    with store.reading() as session:
        _known(persons.named(session, name), name)
    password_hash = _hash_of(name, password)
    with store.transaction() as session:
        persons.set_password_hash(session, name, password_hash)
        sessions.end_all_of(session, name, clock())
        return _known(persons.named(session, name), name)


def set_subject(store: Store, name: str, subject: str | None, *, clock: Clock) -> Person:
    """Say who a person is for the trusted proxy or OpenID provider, None for nobody, and end every session of that person.

    Raises
    ------
    NotFound, InvalidRequest
        There is nobody of that name; the subject is none or another person's; the person could not sign in any more.
    """
    if subject is not None:
        _check_subject(subject)
    with store.transaction() as session:
        person = _known(persons.named(session, name), name)
        if subject is None and not person.has_password:
            raise InvalidRequest(
                f"{name} has no password and could not sign in without a subject: disable {name}", field="subject"
            )
        if subject is not None and subject != person.subject:
            _check_free(session, subject)
        persons.set_subject(session, name, subject)
        sessions.end_all_of(session, name, clock())
        return _known(persons.named(session, name), name)


def disable(store: Store, name: str, *, clock: Clock) -> Person:
    """Shut a person out at once: every session ends. What the person decided stays.

    Raises
    ------
    NotFound
        There is nobody of that name.
    """
    with store.transaction() as session:
        _known(persons.named(session, name), name)
        persons.set_disabled(session, name, clock())
        sessions.end_all_of(session, name, clock())
        return _known(persons.named(session, name), name)


def enable(store: Store, name: str) -> Person:
    """Let a person who was shut out in again, with the password of before.

    Raises
    ------
    NotFound
        There is nobody of that name.
    """
    with store.transaction() as session:
        _known(persons.named(session, name), name)
        persons.set_disabled(session, name, None)
        return _known(persons.named(session, name), name)


def by_password(store: Store, name: str, password: str) -> Proven:
    """Return the person who knows a password. Takes as long for a name that nobody has as for one that somebody has.

    Raises
    ------
    NotAuthenticated
        Nobody has that name and that password, or the person is shut out; which of them is not said.
    """
    with store.reading() as session:
        known = name if is_name(name) else ""  # PostgreSQL cannot even be asked for some texts
        person = persons.named(session, known)
        stored = persons.password_hash_of(session, known)
    shown = _normal(password)[: LONGEST_PASSWORD + 1]
    is_right, renewed = _HASHES.verify_and_update(shown, stored or _nobodys_hash())
    if person is None or stored is None or not is_right or person.disabled_at is not None:
        raise NotAuthenticated(_WRONG)
    if renewed is not None:  # made with weaker parameters than today's
        with store.transaction() as session:
            persons.renew_password_hash(session, name, old=stored, new=renewed)
    return Proven(person=person, password_hash=renewed or stored)


def by_subject(store: Store, subject: str) -> Proven:
    """Return the person whom a trusted proxy or provider has recognised.

    Raises
    ------
    NotAuthenticated
        The hub has nobody of that subject, or the person is shut out.
    """
    with store.reading() as session:
        person = persons.of_subject(session, subject) if _is_subject(subject) else None
    if person is None or person.disabled_at is not None:
        raise NotAuthenticated(f"the hub knows nobody of the subject {subject!r}: `mmhub user add NAME --subject SUBJECT`")
    return Proven(person=person, subject=subject)


def entitled(store: Store, name: str, scope: Scope) -> Person:
    """Return a person who may do something.

    Raises
    ------
    NotFound, NotAuthorized
        There is nobody of that name; the person is shut out, or lacks the scope.
    """
    with store.reading() as session:
        person = _known(persons.named(session, name) if is_name(name) else None, name)
    if person.disabled_at is not None:
        raise NotAuthorized(f"{name} is shut out", scope=scope.value)
    if scope not in person.scopes:
        raise NotAuthorized(f"{name} lacks the scope {scope.value}", scope=scope.value)
    return person


def state_of(person: Person, now: Instant) -> str:
    """Return ``active`` or ``disabled``."""
    return "disabled" if person.disabled_at is not None and person.disabled_at <= now else "active"


def _check_name(name: str) -> None:
    if not is_name(name):
        raise InvalidRequest("the name of a person is up to 40 letters, digits, dots, dashes or underscores", field="name")


def _check_subject(subject: str) -> None:
    if not _is_subject(subject):
        raise InvalidRequest(f"a subject is up to {LONGEST_SUBJECT} printable ASCII characters", field="subject")


def _check_free(session: Session, subject: str) -> None:
    if other := persons.of_subject(session, subject):
        raise InvalidRequest(f"that subject is the person {other.name} already", field="subject")


def _is_subject(text: str) -> bool:
    return 0 < len(text) <= LONGEST_SUBJECT and text.isascii() and text.isprintable()


def _check_groups(groups: Collection[str]) -> None:
    for group in groups:
        if not is_name(group):
            raise InvalidRequest("the name of a group is up to 40 letters, digits, dots, dashes or underscores", field="group")


def _known(person: Person | None, name: str) -> Person:
    if person is None:
        raise NotFound(f"there is no person {name!r}")
    return person


def _hash_of(name: str, password: str) -> str:
    normal = _normal(password)
    if not LEAST_PASSWORD <= len(normal) <= LONGEST_PASSWORD:
        raise InvalidRequest(f"a password has between {LEAST_PASSWORD} and {LONGEST_PASSWORD} characters", field="password")
    if normal.casefold() == name.casefold() or len(set(normal)) < 4:  # one key held down, two in turn
        raise InvalidRequest("the password is too easy to guess", field="password")
    return _HASHES.hash(normal)


def _normal(password: str) -> str:
    """Return a password in one spelling, whatever the keyboard made of its accents; lone surrogates cannot be hashed."""
    return unicodedata.normalize("NFC", password.encode("utf-8", "backslashreplace").decode())


@cache
def _nobodys_hash() -> str:
    """Return a hash that no password fits, to compare with where there is none, so that names cannot be told by the time."""
    return _HASHES.hash(secrets.token_urlsafe())
