"""Reports of observations: pointings, detections and limits, and classes."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire, wire_observations
from hub.api.counterparts import MAX_BODY_BYTES, Reporter
from hub.api.paging import one_response, path
from hub.api.parameters import StoreDep
from hub.api.problems import problem
from hub.errors import InvalidRequest
from hub.services import observations

router = APIRouter(tags=["observations"])


@router.post("/observations", response_model=wire.One[wire_observations.ObservationsTaken])
async def report_observations(request: Request, store: StoreDep, caller: Reporter) -> Response:
    """Take a report of observations in, JSON or CSV: pointings, detections and limits of objects; all of it or nothing."""
    if not request.app.state.takes_in:
        return problem(request, 503, "this API only reads: reports are taken in by the one that `mmhub run` starts")
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY_BYTES:
            return problem(request, 413, f"a report has at most {MAX_BODY_BYTES} bytes")
    try:
        words = content.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the report is no text in UTF-8: {error}") from error

    def take() -> dict[str, object]:
        with store.transaction() as session:
            return observations.add(session, words, reported_by=caller.signature, now=request.app.state.clock())

    return one_response(await run_in_threadpool(take), {"self": path("observations")})
