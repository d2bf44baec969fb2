"""Sign-in of persons by an OpenID provider: browsers are sent there and come back, and get the same session as with a password.

What ties the way back to the way out is a secret in a cookie of its own. State, nonce and PKCE verifier follow from it, so that
nothing is kept meanwhile, and any process of the API can take the browser back. The cookie is SameSite=Lax: the way back is a
navigation that another site begins, with which browsers send such cookies and no stricter ones.
"""

import asyncio
import base64
import hashlib
import hmac
import math
import re
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub.api.only_reading import demand_writing
from hub.api.paging import PREFIX
from hub.api.problems import problem
from hub.api.quota import Quota
from hub.api.security import SIGNS_IN
from hub.api.session import hand_cookie
from hub.errors import InvalidRequest, NotAuthenticated, NotFound, TransportError
from hub.model.person import looks_like_secret, new_secret
from hub.services import persons, sessions
from hub.services.sessions import SignedIn
from hub.telemetry import get_logger

COOKIE = "__Host-mmhub-sign-in"
"""Name of the cookie that a browser holds while it is at the provider."""

WAY_S = 600
"""A person has so long to sign in at the provider, seconds."""

LONGEST_CODE = 4096
"""Most characters of a provider's code."""

TRIES_OF_ALL = 120
"""Ways back in ten minutes; each may ask the provider."""

AT_ONCE = 4
"""Questions to the provider at the same time."""

BEGIN = f"{PREFIX}/session/oidc"
"""Where a sign-in begins."""

CALLBACK = f"{BEGIN}/callback"
"""Where it comes back to."""

router = APIRouter(tags=["session"])
_log = get_logger("api")

_WORD = re.compile(r"[a-z_]{1,60}")


class IdentityProvider(Protocol):
    """Says who somebody is: `adapters.oidc`."""

    issuer: str
    """Its address, which is a part of the subjects of its persons."""

    def sign_in_url(self, *, state: str, nonce: str, challenge: str) -> str:
        """Return where to send a browser; raises `TransportError` where the provider cannot be asked."""
        ...

    def subject(self, code: str, *, verifier: str, nonce: str) -> str:
        """Return who came back with a code; raises `NotAuthenticated` where that does not hold, else `TransportError`."""
        ...


@dataclass(slots=True)
class OidcDoor:
    """The provider, and what is going on with it; counts are kept in memory, so a restart begins anew."""

    provider: IdentityProvider
    landing: str = f"{PREFIX}/session"
    """Path on the hub's host that a browser is sent to once its person has signed in."""

    tries: Quota = field(default_factory=lambda: Quota(TRIES_OF_ALL, float(WAY_S)))
    asking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    used: dict[str, float] = field(default_factory=dict)
    """States that have come back, and when, seconds of the monotonic clock."""

    def take(self, state: str) -> bool:
        """Return whether a state comes back for the first time; no more are kept than there may be tries."""
        now = time.monotonic()
        self.used = {one: at for one, at in self.used.items() if now - at < 2 * WAY_S}
        return self.used.setdefault(state, now) == now


def _following(secret: str, what: str) -> str:
    """Return 64 hex digits that follow from a secret and tell nothing of it."""
    return hmac.new(secret.encode(), f"mmhub oidc {what} 1".encode(), hashlib.sha256).hexdigest()


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _door(request: Request) -> OidcDoor:
    door: OidcDoor | None = request.app.state.oidc
    if door is None:
        raise NotFound("persons do not sign in by an OpenID provider here: the settings name none ([oidc])")
    demand_writing(request, "sessions are opened by")
    return door


@router.get(
    "/session/oidc",
    dependencies=[SIGNS_IN],
    status_code=303,
    response_class=RedirectResponse,
    responses={303: {"description": "To the provider"}},
)
async def begin_sign_in(request: Request) -> Response:
    """Send a browser to the OpenID provider of the settings, where its person signs in."""
    door = _door(request)
    secret = new_secret()
    asked = {
        "state": _following(secret, "state"),
        "nonce": _following(secret, "nonce"),
        "challenge": challenge_of(_following(secret, "verifier")),
    }
    try:
        async with door.asking:
            where = await run_in_threadpool(lambda: door.provider.sign_in_url(**asked))
    except TransportError as error:
        return _unreachable(request, error)
    answer = RedirectResponse(where, 303, headers={"Cache-Control": "no-store"})
    answer.set_cookie(COOKIE, secret, max_age=WAY_S, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.get(
    "/session/oidc/callback",
    dependencies=[SIGNS_IN],
    status_code=303,
    response_class=RedirectResponse,
    responses={303: {"description": "Signed in; to the page of the settings"}},
)
async def end_sign_in(request: Request) -> Response:
    """Open a session for the person with whom a browser comes back from the provider, and hand it the cookie.

    Providers may add parameters of their own, which mean nothing here (RFC 6749, section 4.1.2).
    """
    door = _door(request)
    stated = dict(request.query_params)
    secret = request.cookies.get(COOKIE, "")
    state = _following(secret, "state")
    if not looks_like_secret(secret) or not hmac.compare_digest(stated.get("state", "").encode(), state.encode()):
        raise NotAuthenticated(f"this sign-in was not begun in this browser, or is over: begin at {BEGIN}")
    if wait_s := math.ceil(door.tries.wait_s("")):
        return problem(request, 429, "too many tries to sign in; try again later", headers={"Retry-After": str(wait_s)})
    door.tries.spend("")
    if not door.take(state):
        raise NotAuthenticated(f"this sign-in is over: begin again at {BEGIN}")
    code = _code(stated, door.provider.issuer)
    try:
        async with door.asking:
            signed_in = await run_in_threadpool(_open, request, door.provider, code, secret)
    except TransportError as error:
        return _unreachable(request, error)
    answer = RedirectResponse(door.landing, 303, headers={"Cache-Control": "no-store"})
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return hand_cookie(answer, signed_in)


def _code(stated: dict[str, Any], issuer: str) -> str:
    """Return the code that a browser came back with.

    Raises
    ------
    NotAuthenticated
        The provider says no, or it is another one (RFC 9207).
    InvalidRequest
        There is no code.
    """
    if stated.get("iss", issuer) != issuer:
        raise NotAuthenticated("this sign-in comes back from another provider")
    if why := stated.get("error", ""):
        shown = why if _WORD.fullmatch(why) else "for a reason of its own"
        raise NotAuthenticated(f"the provider did not sign you in: {shown}")
    code = stated.get("code", "")
    if not (0 < len(code) <= LONGEST_CODE and code.isascii() and code.isprintable()):
        raise InvalidRequest("there is no code of the provider", field="code")
    return str(code)


def _open(request: Request, provider: IdentityProvider, code: str, secret: str) -> SignedIn:
    state = request.app.state
    subject = provider.subject(code, verifier=_following(secret, "verifier"), nonce=_following(secret, "nonce"))
    proven = persons.by_subject(state.store, f"{provider.issuer}|{subject}")
    return sessions.begin(state.store, proven, now=state.clock())


def _unreachable(request: Request, error: TransportError) -> Response:
    _log.warning("OpenID provider cannot be asked", reason=str(error))
    return problem(
        request,
        503,
        f"the OpenID provider cannot be asked: {error}",
        title="Provider unavailable",
        headers={"Retry-After": "10"},
    )
