"""Who may do what: tokens of the HTTP API, of which the hub keeps only a digest."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from hub.model.instant import Instant

PREFIX = "mmh_"
"""Begins every token, so that scanners of repositories and logs find one that leaked."""

SECRET_BYTES = 32
"""Random bytes of a token."""

ID_DIGITS = 12
"""Hex digits of the digest that name a token in listings."""

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"
"""Names of tokens: they become the names of sources, ``http:NAME``."""

_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)


class Scope(StrEnum):
    """What a token may be used for; none of them includes another."""

    READ = "read"
    """Look at everything, where `api.anonymous_read` does not allow it to anyone."""

    ANNOTATE = "annotate"
    """Accept, reject and add annotations."""

    NOTICE_SUBMIT = "notice:submit"
    """Hand in notices."""

    FOLLOWUP_REQUEST = "followup:request"
    """Ask for observations."""

    FOLLOWUP_APPROVE = "followup:approve"
    """Approve or refuse observations that were asked for."""

    ADMIN = "admin"
    """Operate the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What the hub knows of a token; not the token itself."""

    token_id: str
    """The first digits of its digest."""

    digest: str
    """SHA-256 of the token, 64 hex digits."""

    name: str
    """Whose it is or what it is for; unique."""

    scopes: frozenset[Scope]
    is_trusted: bool
    """Whether notices that it brings are believed: may lead to announcements and follow-up."""

    created_at: Instant
    expires_at: Instant
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None
    """To the hour."""

    @property
    def signature(self) -> str:
        """What decisions of its holder are signed with."""
        return self.name


def new_token() -> str:
    """Return a token that nobody can guess: ``mmh_`` and 43 characters."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def looks_like_token(text: str) -> bool:
    """Return whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


def digest_of(token: str) -> str:
    """Return the SHA-256 of a token, 64 hex digits. A token has 256 random bits, so it needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
