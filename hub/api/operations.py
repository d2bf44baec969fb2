"""How the hub is: health, readiness, and the books of its sources."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from hub.api import wire
from hub.api.paging import one_response, path
from hub.api.parameters import StoreDep
from hub.api.security import OPEN, READS
from hub.services import queries

router = APIRouter(tags=["operations"])


@router.get("", response_model=dict[str, dict[str, str]], dependencies=[OPEN])
def get_root() -> Response:
    """Return where everything is."""
    names = (
        "events",
        "coincidences",
        "candidates",
        "followup",
        "voevents",
        "circulars",
        "annotations",
        "sources",
        "health",
        "ready",
        "openapi.json",
    )
    return JSONResponse({"links": {"self": path(), **{name.removesuffix(".json"): path(name) for name in names}}})


@router.get("/health", response_model=wire.One[wire.Health], dependencies=[READS])
def get_health(store: StoreDep) -> Response:
    """Return how much there is of everything, and whether no message is unaccounted for."""
    with store.reading() as session:
        body = queries.health(session)
    return _uncached(one_response(body, {"self": path("health"), "sources": path("sources")}))


@router.get("/ready", response_model=wire.Ready, dependencies=[OPEN])
def get_ready(store: StoreDep) -> Response:
    """Return 200 where the state database answers, 503 where it does not."""
    with store.reading() as session:
        queries.sources(session)
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
