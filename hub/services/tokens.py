"""Give out tokens, take them back, and recognise them."""

import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from hub.errors import InvalidRequest, NotAuthenticated, NotFound
from hub.model.instant import Instant
from hub.model.token import ID_DIGITS, NAME_PATTERN, Scope, Token, digest_of, looks_like_token, new_token
from hub.ports import Clock
from hub.storage import tokens
from hub.storage.engine import Store

DEFAULT_LIFETIME_S = 90 * 86_400.0
"""How long a token lives where nothing else is asked for, seconds."""

LONGEST_LIFETIME_S = 3653 * 86_400.0
"""No token lives longer, seconds."""

USE_STEP_S = 3600.0
"""The last use is noted to this, seconds: reading must not become writing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new token, and the only copy of what its holder must send."""

    token: Token
    secret: str

    def __repr__(self) -> str:
        return f"Issued(token={self.token!r}, secret='**********')"


def create(
    store: Store,
    *,
    name: str,
    scopes: Collection[Scope],
    clock: Clock,
    lifetime_s: float = DEFAULT_LIFETIME_S,
    is_trusted: bool = False,
) -> Issued:
    """Make a token and store its digest.

    Raises
    ------
    InvalidRequest
        The name is taken or none, no scope is given, or the lifetime is out of range.
    """
    if not re.fullmatch(NAME_PATTERN, name, re.ASCII):
        raise InvalidRequest("the name of a token is up to 40 letters, digits, dots, dashes or underscores", field="name")
    if not scopes:
        raise InvalidRequest(f"a token needs at least one scope of {', '.join(Scope)}", field="scope")
    if is_trusted and Scope.NOTICE_SUBMIT not in scopes:
        raise InvalidRequest(f"only a token with the scope {Scope.NOTICE_SUBMIT.value} can be trusted", field="trusted")
    if not 60.0 <= lifetime_s <= LONGEST_LIFETIME_S:
        raise InvalidRequest("a token lives between a minute and ten years", field="expires")
    secret = new_token()
    digest = digest_of(secret)
    at = clock()
    token = Token(
        token_id=digest[:ID_DIGITS],
        digest=digest,
        name=name,
        scopes=frozenset(scopes),
        is_trusted=is_trusted,
        created_at=at,
        expires_at=at.plus_s(lifetime_s),
    )
    with store.transaction() as session:
        if not tokens.add(session, token):
            raise InvalidRequest(f"there is a token {name} already; a revoked one keeps its name", field="name")
    return Issued(token=token, secret=secret)


def listing(store: Store) -> list[Token]:
    """Return all tokens, the newest first."""
    with store.reading() as session:
        return tokens.every(session)


def revoke(store: Store, name: str, *, clock: Clock) -> Token:
    """Make a token useless from now on and return it; revoking it again changes nothing.

    Raises
    ------
    NotFound
        There is none of that name or id.
    """
    with store.transaction() as session:
        token = tokens.named(session, name)
        if token is None:
            raise NotFound(f"there is no token {name!r}")
        tokens.revoke(session, token.token_id, clock())
        return tokens.named(session, name) or token


def authenticate(store: Store, secret: str, *, now: Instant) -> Token:
    """Return the token that somebody presents, if it can be used.

    Raises
    ------
    NotAuthenticated
        It is not known, or no longer valid.
    """
    if not looks_like_token(secret):
        raise NotAuthenticated("the token is not one of this hub")
    digest = digest_of(secret)
    with store.reading() as session:
        token = tokens.candidate(session, digest)
    # Found by a part of its digest and compared in constant time: how long the answer takes says nothing about the rest.
    if token is None or not hmac.compare_digest(token.digest, digest):
        raise NotAuthenticated("the token is not one of this hub")
    if token.revoked_at is not None:
        raise NotAuthenticated("the token was revoked")
    if now >= token.expires_at:
        raise NotAuthenticated("the token has expired")
    return token


def note_use(store: Store, token: Token, *, now: Instant) -> Token:
    """Write down that a token is in use, at most once in an hour; return it as it stands then."""
    if token.last_used_at is not None and now.minus(token.last_used_at) < USE_STEP_S:
        return token
    with store.transaction() as session:
        tokens.used(session, token.token_id, now)
    return replace(token, last_used_at=now)


def state_of(token: Token, now: Instant) -> str:
    """Return ``valid``, ``expired`` or ``revoked``."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if now >= token.expires_at else "valid"
