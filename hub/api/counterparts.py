"""Counterparts of an event with their probabilities, what was searched by when, and the pointings that others report."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire, wire_counterparts
from hub.api.coverage import ArchiveDep, Band
from hub.api.paging import one_response, path
from hub.api.parameters import DEFAULT_LIMIT, Limit, Name, Number, StoreDep, demand_reported
from hub.api.reports import text_of
from hub.api.security import READS, Annotator, Caller
from hub.services import counterparts, coverage_curve, pointings, told_registers

router = APIRouter(tags=["counterparts"])

Hypothesis = Annotated[Name, Query(description="Name of one of conf/coincidence.toml")]


@router.get("/events/{event_id}/counterparts", response_model=wire.One[wire_counterparts.Counterparts], dependencies=[READS])
def get_counterparts(
    request: Request,
    store: StoreDep,
    archive: ArchiveDep,
    event_id: str,
    hypothesis: Hypothesis = None,
    limit: Annotated[Limit, Query(description="Candidates that are listed of each hypothesis; all count")] = DEFAULT_LIMIT,
) -> Response:
    """Return the candidates with the probability of each and of none, by its parts, and how many unrelated ones are expected."""
    with store.reading() as session:
        body = counterparts.of_event(
            session,
            archive,
            event_id,
            now=request.app.state.clock(),
            hypothesis=hypothesis,
            limit=limit,
            book=counterparts.book_of(request.app.state.ranking),
        )
    own = path("events", body["event_id"])
    links = {"self": f"{own}/counterparts", "event": own, "coverage": f"{own}/coverage/curve", "candidates": f"{own}/candidates"}
    return one_response(body, links, location=f"{own}/counterparts")


@router.get("/events/{event_id}/coverage/curve", response_model=wire.One[wire_counterparts.CoverageCurve], dependencies=[READS])
def get_coverage_curve(
    request: Request,
    store: StoreDep,
    archive: ArchiveDep,
    event_id: str,
    hypothesis: Hypothesis = None,
    depth: Annotated[Number, Query(description="Least depth that counts, AB magnitude at 5 sigma")] = None,
    band: Band = None,
) -> Response:
    """Return the probability of an event's map that was searched against time, by surveys and by reported pointings."""
    with store.reading() as session:
        body = coverage_curve.of_event(
            session, archive, event_id, now=request.app.state.clock(), hypothesis=hypothesis, depth_ab=depth, band=band
        )
    own = path("events", body["event_id"])
    links = {"self": f"{own}/coverage/curve", "event": own, "counterparts": f"{own}/counterparts"}
    return one_response(body, links, location=f"{own}/coverage/curve")


@router.get("/events/{event_id}/pointings", response_model=wire.Whole[wire_counterparts.ReportedPointing], dependencies=[READS])
def list_pointings(store: StoreDep, event_id: str) -> Response:
    """Return the pointings that are reported of an event, the earliest first."""
    with store.reading() as session:
        found = pointings.of_event(session, event_id)
    own = path("events", event_id)
    return one_response(found, {"self": f"{own}/pointings", "event": own})


@router.get(
    "/events/{event_id}/pointings/reported", response_model=wire.Whole[wire_counterparts.ToldRegister], dependencies=[READS]
)
def list_told_registers(store: StoreDep, event_id: str) -> Response:
    """Return which of the hub's own pointings of an event registers were told of, and what they answered."""
    with store.reading() as session:
        found = told_registers.of_event(session, event_id)
    own = path("events", event_id)
    return one_response(found, {"self": f"{own}/pointings/reported", "event": own, "pointings": f"{own}/pointings"})


@router.post("/pointings", response_model=wire.One[wire_counterparts.PointingsTaken])
async def report_pointings(request: Request, store: StoreDep, caller: Annotator) -> Response:
    """Take a report of pointings in, JSON in the words of the Treasure Map or CSV with the same names; all of it or nothing."""
    words = await text_of(request)
    body = await run_in_threadpool(_add, request, store, caller, words)
    return one_response(body, {"self": path("pointings")})


def _add(request: Request, store: StoreDep, caller: Caller, words: str) -> dict[str, object]:
    with store.transaction() as session:
        body = pointings.add(session, words, reported_by=caller.signature, now=request.app.state.clock())
        demand_reported(store, body["events"])
        return body
