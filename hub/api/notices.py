"""Notices handed in over HTTP: VOEvent XML or JSON, through the same intake as everything else."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from hub.api import wire
from hub.api.only_reading import only_reads
from hub.api.paging import path
from hub.api.problems import MEDIA_TYPE, problem
from hub.api.quota import Quota
from hub.api.security import Submitter
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.model.token import Token
from hub.services.intake import Outcome
from hub.services.push import Submit, Taken
from hub.storage.envelopes import MessageState
from hub.telemetry import get_logger

MAX_BODY_BYTES = 8 * 2**20
"""Longest notice, bytes: the largest with a sky map inside that GCN sends have half of it."""

BODY_S = 60.0
"""Longest time for a body to arrive, seconds."""

BODIES_AT_ONCE = 16
"""Bodies that are read or taken in at the same time; together they fit into memory."""

BODIES_OF_ONE = 4
"""Of these, at most so many of one token: a slow or greedy caller must not keep the others out."""

PATIENCE_S = 10.0
"""Longest time that a request waits for a place before it is refused, seconds: a burst of requests is no excess."""

WAITING_OF_ONE = 100
"""Requests of one token that may wait."""

LOOK_S = 0.02
"""Time between two looks for a place, seconds."""

REFUSED_PER_HOUR = 20
"""Messages that one token may add to the dead letters; whoever sends more junk has to wait."""

_XML = frozenset({"application/xml", "text/xml", "application/voevent+xml"})
_JSON = frozenset({"application/json"})
_FIRST_BYTE = dict.fromkeys(_XML, b"<") | dict.fromkeys(_JSON, b"{")
_BOM = b"\xef\xbb\xbf"

router = APIRouter(tags=["notices"])
_log = get_logger("api")


@dataclass(slots=True)
class NoticeDoor:
    """Where handed-in notices go, and how many may come."""

    submit: Submit | None
    """None where this process only reads."""

    clock: Callable[[], Instant]
    per_minute: Quota
    refused: Quota = field(default_factory=lambda: Quota(REFUSED_PER_HOUR, 3600.0))
    under_way: Counter[str] = field(default_factory=Counter)
    """Bodies that are being read or taken in, by the name of the token."""

    waiting: Counter[str] = field(default_factory=Counter)
    """Requests that wait for a place, by the name of the token."""

    patience_s: float = PATIENCE_S

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[None]:
        """Hold one of the places, after a short wait where none is free."""
        until = asyncio.get_running_loop().time() + self.patience_s
        if self.waiting[who] >= WAITING_OF_ONE:
            until = 0.0
        self.waiting[who] += 1
        try:
            while not self._has_place(who) and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - short, few, and fair
                await asyncio.sleep(LOOK_S)
        finally:
            self.waiting[who] -= 1
        with self.place(who):
            yield

    def _has_place(self, who: str) -> bool:
        return self.under_way[who] < BODIES_OF_ONE and self.under_way.total() < BODIES_AT_ONCE

    @contextmanager
    def place(self, who: str) -> Iterator[None]:
        """Hold one of the places while a body is read and taken in; called from the event loop only."""
        if self.under_way[who] >= BODIES_OF_ONE:
            raise _Refused(429, "the token is handing in too many notices at once", {"Retry-After": "1"})
        if self.under_way.total() >= BODIES_AT_ONCE:
            raise _Refused(503, "too many notices are being taken in at this moment", {"Retry-After": "1"})
        self.under_way[who] += 1
        try:
            yield
        finally:
            self.under_way[who] -= 1


class _Refused(Exception):
    """The body is not even taken in."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


@router.post(
    "/notices",
    status_code=202,
    response_model=wire.One[wire.Submitted],
    responses={
        status: {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for status, text in {
            408: "The body did not arrive in time",
            409: "The hub has this message already",
            413: "The body is too long",
            415: "The body is of another type",
            429: "Too many notices, or too many that were refused",
        }.items()
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in sorted(_FIRST_BYTE)},
        }
    },
)
async def submit_notice(request: Request, caller: Submitter) -> Response:
    """Take a notice in: VOEvent 1.1, 2.0 or 2.1 as XML, or any JSON notice that the hub reads.

    202 means that the notice is durable; coincidences follow. A message that cannot be understood is answered 422 with the reason
    and kept among the dead letters, so that it can be replayed after a fix.
    """
    door: NoticeDoor = request.app.state.notices
    assert caller is not None, "the scope is never open to anyone"
    try:
        return await _take_in(request, caller, door)
    except _Refused as error:
        _log.info("notice not taken in", caller=caller.name, status=error.status, reason=error.detail)
        return problem(request, error.status, error.detail, headers=error.headers)


async def _take_in(request: Request, caller: Token, door: NoticeDoor) -> Response:
    if door.submit is None:
        raise _Refused(503, only_reads("notices are taken in by"))
    media_type = _media_type(request)
    for quota, what in ((door.per_minute, "notices"), (door.refused, "messages that could not be understood")):
        if wait_s := math.ceil(quota.wait_s(caller.name)):
            raise _Refused(429, f"the token has handed in too many {what}; try again later", {"Retry-After": str(wait_s)})
    async with door.turn(caller.name):
        door.per_minute.spend(caller.name)
        body = await _body(request)
        if not body.removeprefix(_BOM).lstrip().startswith(_FIRST_BYTE[media_type]):
            raise _Refused(422, f"the body is not {media_type}")
        envelope = Envelope(
            payload=body,
            source=f"http:{caller.name}",
            received_at=door.clock(),
            media_type=media_type,
            trust=Trust.TRUSTED if caller.is_trusted else Trust.UNTRUSTED,
        )
        outcome = await door.submit(envelope)
    if outcome.state is MessageState.DEAD:
        door.refused.spend(caller.name)
    return _answer(request, caller, envelope, outcome)


def _media_type(request: Request) -> str:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    if media_type not in _FIRST_BYTE:
        raise _Refused(415, f"a notice is one of {', '.join(sorted(_FIRST_BYTE))}: say which in Content-Type")
    given = dict(part.strip().lower().partition("=")[::2] for part in parameters.split(";"))
    charset = given.get("charset", "").strip('"')
    if charset not in ("", "utf-8", "us-ascii"):
        raise _Refused(415, "the body must be in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise _Refused(415, "the body must not be compressed")
    return media_type


async def _body(request: Request) -> bytes:
    """Return the body, never holding more of it than is allowed, whatever the request announced."""
    too_long = _Refused(413, f"a notice has at most {MAX_BODY_BYTES} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise too_long
    except TimeoutError as error:
        raise _Refused(408, f"the body did not arrive within {BODY_S:g} s") from error
    except ClientDisconnect as error:
        raise _Refused(400, "the body ended early") from error
    return bytes(body)


def _answer(request: Request, caller: Token, envelope: Envelope, outcome: Outcome) -> Response:
    if outcome.state is MessageState.DEAD:
        detail = f"the message was refused: {outcome.reason}"
        return problem(request, 422, detail, digest=envelope.digest)
    if outcome.state is MessageState.DUPLICATE:
        detail = f"the hub has this message already: {outcome.reason or 'the same notice'}"
        return problem(request, 409, detail, notice_id=outcome.notice_id, event_id=outcome.event_id)
    links = {}
    if outcome.notice_id is not None:
        links["self"] = path("notices", outcome.notice_id)
    elif isinstance(outcome, Taken) and outcome.circular_id is not None:
        links["self"] = path("circulars", str(outcome.circular_id))
    if outcome.event_id is not None:
        links["event"] = path("events", outcome.event_id)
    body = {
        "state": outcome.state.value,
        "kind": outcome.kind,
        "notice_id": outcome.notice_id,
        "event_id": outcome.event_id,
        "is_revision": outcome.is_revision,
        "is_trusted": caller.is_trusted,
        "digest": envelope.digest,
    }
    return JSONResponse({"data": body, "links": links}, 202, headers={"Location": links["self"]} if "self" in links else None)
