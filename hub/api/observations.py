"""Reports of observations: pointings, detections and limits, and classes."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire, wire_observations
from hub.api.paging import one_response, path
from hub.api.parameters import StoreDep, demand_reported
from hub.api.reports import text_of
from hub.api.security import Annotator
from hub.services import observations

router = APIRouter(tags=["observations"])


@router.post("/observations", response_model=wire.One[wire_observations.ObservationsTaken])
async def report_observations(request: Request, store: StoreDep, caller: Annotator) -> Response:
    """Take a report of observations in, JSON or CSV: pointings, detections and limits of objects; all of it or nothing."""
    words = await text_of(request)

    def take() -> dict[str, object]:
        with store.transaction() as session:
            body = observations.add(session, words, reported_by=caller.signature, now=request.app.state.clock())
            demand_reported(store, body["events"])
            return body

    return one_response(await run_in_threadpool(take), {"self": path("observations")})
