"""Persons who use the hub, and their sessions in a browser; of passwords and sessions the hub keeps only digests."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from hub.model.instant import Instant
from hub.model.token import NAME_PATTERN, Scope

SECRET_BYTES = 32
"""Random bytes of a session."""

ID_DIGITS = 12
"""Hex digits of the digest that a session is found by."""

LEAST_PASSWORD = 12
"""Fewest characters of a password: NIST SP 800-63B-4 (section 3.1.1.2) asks for 8 beside a second factor and for 15 alone."""

LONGEST_PASSWORD = 256
"""Most characters of a password; NIST SP 800-63B-4 (section 3.1.1.2) asks that 64 be possible."""

LONGEST_SUBJECT = 600
"""Most characters of a subject: an issuer's address, ``|`` and up to 255 of ``sub`` (OpenID Connect Core 1.0, section 2)."""

_NAME = re.compile(NAME_PATTERN, re.ASCII)
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_CSRF_PURPOSE = b"mmhub csrf 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may use the hub; never deleted, since what was approved names its approver."""

    name: str
    """Unique, and kept for good."""

    groups: frozenset[str]
    """Names of the groups that the person belongs to."""

    scopes: frozenset[Scope]
    """What the person may do."""

    has_password: bool
    """Whether the person can sign in with a password of the hub."""

    subject: str | None
    """Who it is for the trusted proxy, or ``ISSUER|SUB`` of the OpenID provider, that signs the person in; unique."""

    created_at: Instant
    disabled_at: Instant | None = None
    """When the person was shut out; None while the person may sign in."""

    @property
    def signature(self) -> str:
        """What decisions of the person are signed with; no token can be called so, for want of the colon."""
        return f"person:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSession:
    """That a person has signed in with a browser; not the secret that the browser holds."""

    session_id: str
    """The first digits of the digest."""

    digest: str
    """SHA-256 of the secret, 64 hex digits."""

    person: str
    """Name of the person."""

    created_at: Instant
    expires_at: Instant
    """It ends then, however busy it is."""

    seen_at: Instant
    """Last use, to some minutes."""

    ended_at: Instant | None = None
    """When it was ended before its time: signed out, password changed, person disabled."""


def is_name(text: str) -> bool:
    """Return whether a text can name a person or a group."""
    return _NAME.fullmatch(text) is not None


def new_secret() -> str:
    """Return a session's secret that nobody can guess, 43 characters."""
    return secrets.token_urlsafe(SECRET_BYTES)


def looks_like_secret(text: str) -> bool:
    """Return whether a text has the form of a session's secret."""
    return _SECRET.fullmatch(text) is not None


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a session's secret, 64 hex digits. It has 256 random bits: no salt, no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token_of(secret: str) -> str:
    """Return the token that pages of a session add to requests that change something, 64 hex digits.

    It follows from the session's secret alone, so that it is bound to the session and stored nowhere; the digest in the database
    does not give it away.
    """
    return hmac.new(secret.encode(), _CSRF_PURPOSE, hashlib.sha256).hexdigest()
