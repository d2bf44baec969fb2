"""Sessions of persons in a browser: sign in, see who one is, sign out."""

import asyncio
import hashlib
import math
from dataclasses import dataclass, field

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hub.api import wire, wire_session
from hub.api.only_reading import demand_writing
from hub.api.paging import one_response, path
from hub.api.problems import MEDIA_TYPE, problem
from hub.api.quota import Quota
from hub.api.security import COOKIE, SIGNS_IN, OfSession
from hub.errors import InvalidRequest
from hub.services import persons, sessions
from hub.services.sessions import SignedIn
from hub.telemetry import get_logger

MAX_BODY_BYTES = 4096
"""Longest name and password, bytes."""

BODY_S = 10.0
"""Longest time for a body to arrive, seconds."""

TRIES_OF_NAME = 10
"""Tries to sign in under one name, known or not, right or wrong, in ten minutes."""

TRIES_OF_ALL = 120
"""Tries to sign in under all names in ten minutes."""

TRIES_S = 600.0
"""In so long the tries come back, seconds."""

HASHES_AT_ONCE = 2
"""Passwords that are looked at at the same time: each takes 64 MiB."""

_PLACES = 4096
"""Names share so many counts, so that made-up names fill no memory."""

router = APIRouter(tags=["session"])
_log = get_logger("api")


@dataclass(slots=True)
class SignInDoor:
    """How often one may try to sign in; kept in memory, so a restart begins anew."""

    of_name: Quota = field(default_factory=lambda: Quota(TRIES_OF_NAME, TRIES_S))
    of_all: Quota = field(default_factory=lambda: Quota(TRIES_OF_ALL, TRIES_S))
    hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HASHES_AT_ONCE))

    def wait_s(self, name: str) -> int:
        """Count a try and return 0, or return how long to wait before the next one, whole seconds."""
        place = str(int.from_bytes(hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()[:8]) % _PLACES)
        if wait_s := math.ceil(max(self.of_name.wait_s(place), self.of_all.wait_s(""))):
            return wait_s
        self.of_name.spend(place)
        self.of_all.spend("")
        return 0


class _Proof(BaseModel):
    """What a person signs in with."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(max_length=100)
    password: SecretStr


@router.post(
    "/session",
    response_model=wire.One[wire_session.PersonSession],
    dependencies=[SIGNS_IN],
    responses={
        status: {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for status, text in {
            408: "The body did not arrive in time",
            413: "The body is too long",
            415: "The body is of another type",
            429: "Too many tries to sign in",
        }.items()
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["name", "password"],
                        "properties": {"name": {"type": "string"}, "password": {"type": "string", "format": "password"}},
                        "additionalProperties": False,
                    }
                }
            },
        }
    },
)
async def sign_in(request: Request) -> Response:
    """Open a session for who knows the password of a person, or whom the trusted proxy states, and hand the browser its cookie.

    With the header of the proxy the body is ``{}``. The body must be announced as JSON: pages of other sites cannot send that, so
    they cannot sign a browser in as somebody else.
    """
    state = request.app.state
    demand_writing(request, "sessions are opened by")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return problem(request, 415, "name and password are sent as application/json: say so in Content-Type")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    return problem(request, 413, f"name and password have at most {MAX_BODY_BYTES} bytes")
    except TimeoutError:
        return problem(request, 408, f"the body did not arrive within {BODY_S:g} s")
    except ClientDisconnect:
        return problem(request, 400, "the body ended early")
    if subject := state.proxy.subject(request):
        if bytes(body).strip() not in (b"", b"{}"):
            raise InvalidRequest("the proxy says who you are: the body must be {}")
        return _welcome(await run_in_threadpool(_open_as, request, subject))
    proof = _proof(bytes(body))
    if wait_s := state.sign_in.wait_s(proof.name):
        _log.warning("too many tries to sign in")
        return problem(request, 429, "too many tries to sign in; try again later", headers={"Retry-After": str(wait_s)})
    async with state.sign_in.hashing:
        signed_in = await run_in_threadpool(_open, request, proof)
    return _welcome(signed_in)


def _welcome(signed_in: SignedIn) -> Response:
    """Return the answer to who has signed in, with the cookie."""
    return hand_cookie(_answer(signed_in), signed_in)


def hand_cookie(answer: Response, signed_in: SignedIn) -> Response:
    """Return an answer that hands the browser of who has signed in the session's cookie."""
    _log.info("person signed in", person=signed_in.person.name, session=signed_in.session.session_id)
    answer.set_cookie(
        COOKIE, signed_in.secret, max_age=int(sessions.LONGEST_S), path="/", secure=True, httponly=True, samesite="lax"
    )
    return answer


@router.get("/session", response_model=wire.One[wire_session.PersonSession])
def get_session(caller: OfSession) -> Response:
    """Return who has signed in, and the token that changes need."""
    return _answer(caller)


@router.delete("/session", status_code=204)
def sign_out(request: Request, caller: OfSession) -> Response:
    """End the session, and have the browser forget its cookie."""
    demand_writing(request, "sessions are ended by")
    sessions.end(request.app.state.store, caller, now=request.app.state.clock())
    answer = Response(status_code=204, headers={"Cache-Control": "no-store"})
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def _proof(body: bytes) -> _Proof:
    try:
        return _Proof.model_validate_json(body)
    except ValidationError:
        raise InvalidRequest(
            'the body must be {"name": ..., "password": ...}, two texts'
        ) from None  # its text may hold the password


def _open(request: Request, proof: _Proof) -> SignedIn:
    state = request.app.state
    proven = persons.by_password(state.store, proof.name, proof.password.get_secret_value())
    return sessions.begin(state.store, proven, now=state.clock())


def _open_as(request: Request, subject: str) -> SignedIn:
    state = request.app.state
    return sessions.begin(state.store, persons.by_subject(state.store, subject), now=state.clock())


def _answer(signed_in: SignedIn) -> Response:
    body = {
        "name": signed_in.person.name,
        "groups": sorted(signed_in.person.groups),
        "scopes": sorted(signed_in.person.scopes),
        "csrf_token": signed_in.csrf_token,
        "expires_at": signed_in.session.expires_at.to_utc_iso(),
    }
    answer = one_response(body, {"self": path("session")})
    answer.headers["Cache-Control"] = "no-store"
    return answer
