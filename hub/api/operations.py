"""How the hub is: health, readiness, and the books of its sources."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.api import wire, wire_status
from hub.api.paging import one_response, path
from hub.api.parameters import StoreDep
from hub.api.problems import problem
from hub.api.security import OPEN, READS
from hub.services import queries, status

router = APIRouter(tags=["operations"])


@router.get("", response_model=dict[str, dict[str, str]], dependencies=[OPEN])
def get_root() -> Response:
    """Return where everything is."""
    names = (
        "events",
        "coincidences",
        "candidates",
        "bursts",
        "rates",
        "followup",
        "voevents",
        "outgoing",
        "circulars",
        "annotations",
        "visits",
        "facilities",
        "sources",
        "health",
        "ready",
        "openapi.json",
    )
    return JSONResponse({"links": {"self": path(), **{name.removesuffix(".json"): path(name) for name in names}}})


@router.get("/health", response_model=wire.One[wire_status.Health], dependencies=[READS])
def get_health(request: Request, store: StoreDep) -> Response:
    """Return how each source, destination and loop is, what is wrong, and whether no message is unaccounted for."""
    with store.reading() as session:
        body = status.health(session, request.app.state.clock(), request.app.state.alarms())
    return _uncached(one_response(body, {"self": path("health"), "sources": path("sources")}))


@router.get("/ready", response_model=wire.Ready, dependencies=[OPEN])
def get_ready(request: Request, store: StoreDep) -> Response:
    """Return 200 where the hub does its work; 503 with reasons where a source is deaf, a loop is gone, or the database."""
    with store.reading() as session:
        reasons = status.not_ready(session, request.app.state.clock(), request.app.state.alarms())
    if reasons:
        errors = [{"field": "", "reason": one} for one in reasons]
        return _uncached(problem(request, 503, "the hub is not ready", title="Not ready", errors=errors))
    return _uncached(JSONResponse({"status": "ready"}))


@router.get("/sources", response_model=wire.Whole[wire.Source], dependencies=[READS])
def list_sources(store: StoreDep) -> Response:
    """Return the books of each source: received = stored + duplicates + dead letters + in flight."""
    with store.reading() as session:
        found = queries.sources(session)
    return one_response(found, {"self": path("sources")})


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
