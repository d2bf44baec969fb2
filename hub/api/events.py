"""Events, their versions and candidates, and the notices behind them."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.api import wire, wire_differences
from hub.api.coverage import ArchiveDep
from hub.api.paging import artefact_response, one_response, page_response, path, read_cursor
from hub.api.parameters import DEFAULT_LIMIT, Comma, Cursor, Limit, Name, StoreDep, Time, moment
from hub.api.security import READS
from hub.model.event import EventState
from hub.model.notice import EventClass, Messenger
from hub.model.significance import Significance
from hub.services import queries
from hub.services.bodies import Body
from hub.services.differences import Means, differences, differences_body

router = APIRouter(tags=["events"], dependencies=[READS])

_EXTENSIONS = {"application/xml": "xml", "text/xml": "xml", "application/json": "json"}
Number = Annotated[int, PathParameter(ge=1, le=10**9)]


@router.get("/events", response_model=wire.Page[wire.Event])
def list_events(
    request: Request,
    store: StoreDep,
    messenger: Annotated[list[Messenger] | None, Comma, Query(description="gw, em, neutrino; several with commas")] = None,
    event_class: Annotated[list[EventClass] | None, Comma, Query(description="cbc, grb ...; several with commas")] = None,
    state: Annotated[EventState | None, Query()] = None,
    significance: Annotated[
        list[Significance] | None, Comma, Query(description="significant, low, sub_threshold, unstated; several with commas")
    ] = None,
    low: Annotated[bool, Query(description="Also those of low significance that no pair lifts")] = False,
    live: Annotated[bool, Query(description="Leave out tests, mocks and untrusted ones")] = False,
    since: Annotated[Time, Query()] = None,
    until: Annotated[Time, Query()] = None,
    text: Annotated[Name, Query(description="Part of the id or of another name")] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List events, the latest t0 first.

    Those of low significance or below a threshold are left out unless `low` or `significance` asks for them, `text` names them,
    or a pair under the budget lifts them.
    """
    before = read_cursor(cursor, (int, str))
    with store.reading() as session:
        page = queries.event_page(
            session,
            messengers=messenger,
            event_classes=event_class,
            state=state,
            significances=significance,
            with_low=low,
            live_only=live,
            since=moment(since),
            until=moment(until),
            text=text,
            limit=limit,
            before=(before[0], before[1]) if before else None,
        )
    return page_response(request, page)


@router.get("/events/{event_id}", response_model=wire.One[wire.Event])
def get_event(store: StoreDep, event_id: str) -> Response:
    """Return one event, by its id or any other name; Content-Location is its canonical address."""
    with store.reading() as session:
        body = queries.event(session, event_id)
    own = path("events", body["event_id"])
    links = {
        "self": own,
        "versions": f"{own}/versions",
        "candidates": f"{own}/candidates",
        "coincidences": f"{path('coincidences')}?event={own.rsplit('/', 1)[1]}",
        "followup": f"{path('followup')}?event={own.rsplit('/', 1)[1]}",
    }
    if body["localization_id"]:
        links["localization"] = path("localizations", body["localization_id"])
        if body["t0"]:
            links |= {"counterparts": f"{own}/counterparts", "coverage": f"{own}/coverage/curve"}
    return one_response(body, links, location=own)


@router.get("/events/{event_id}/versions", response_model=wire.Whole[wire.Version])
def list_versions(store: StoreDep, event_id: str) -> Response:
    """Return all notices of an event in order of issue."""
    with store.reading() as session:
        found = queries.event_versions(session, event_id)
    own = path("events", found[0]["event_id"])
    return one_response(found, {"self": f"{own}/versions", "event": own})


@router.get("/events/{event_id}/versions/{version}", response_model=wire.One[wire.Version])
def get_version(store: StoreDep, event_id: str, version: Number) -> Response:
    """Return one version; its number may shift when an earlier notice arrives late, its notice id never does."""
    with store.reading() as session:
        body = queries.event_version(session, event_id, version)
    own = path("events", body["event_id"])
    return one_response(body, {"self": f"{own}/versions/{version}", "event": own, **_notice_links(body)})


@router.get("/events/{event_id}/diff", response_model=wire.One[wire_differences.Differences])
def get_differences(
    request: Request,
    store: StoreDep,
    archive: ArchiveDep,
    event_id: str,
    before: Annotated[int, Query(alias="from", ge=1, le=10**9, description="Number of a version")],
    after: Annotated[int, Query(alias="to", ge=1, le=10**9, description="Number of the one that it is compared with")],
) -> Response:
    """Return what differs between two versions: numbers, class, time, place, overlaps, and who moved in the ranking."""
    state = request.app.state
    means = Means.of_folders(archive, state.catalogs, state.catalogs_used, state.ranking, store)
    with store.reading() as session:
        body = differences_body(differences(session, event_id, before, after, means))
    own = path("events", body["event_id"])
    links = {"self": f"{own}/diff?from={before}&to={after}", "event": own, "versions": f"{own}/versions"}
    return one_response(body, links)


@router.get("/events/{event_id}/candidates", response_model=wire.Searched[wire.Candidate])
def list_ranked_candidates(store: StoreDep, event_id: str, limit: Annotated[Limit, Query()] = DEFAULT_LIMIT) -> Response:
    """Return the best open candidates of an event with their ranks; /candidates pages through all."""
    with store.reading() as session:
        event = queries.event(session, event_id)
        found = queries.ranked_candidates(session, event["event_id"], limit=limit)
    own = path("events", event["event_id"])
    return JSONResponse(
        {"data": found, "links": {"self": f"{own}/candidates", "event": own}, "not_searched": event["not_searched"]}
    )


@router.get("/notices/{notice_id}", response_model=wire.One[wire.Version], tags=["notices"])
def get_notice(store: StoreDep, notice_id: str) -> Response:
    """Return one notice."""
    with store.reading() as session:
        body = queries.notice(session, notice_id)
    links = {"self": path("notices", notice_id), **_notice_links(body)}
    if body["event_id"]:
        links["event"] = path("events", body["event_id"])
    return one_response(body, links)


@router.get(
    "/notices/{notice_id}/raw",
    tags=["notices"],
    response_class=Response,
    responses={200: {"description": "The bytes as they came", "content": {"application/octet-stream": {}}}, 304: {}},
)
def get_raw_notice(request: Request, store: StoreDep, notice_id: str) -> Response:
    """Return the bytes of a notice as they came, with their original media type, for saving."""
    with store.reading() as session:
        raw = queries.raw_notice(session, notice_id)
    extension = _EXTENSIONS.get(raw.media_type.split(";")[0].strip(), "bin")
    return artefact_response(request, raw.payload, media_type=raw.media_type, filename=f"{raw.notice_id}.{extension}")


def _notice_links(body: Body) -> dict[str, str]:
    links = {"raw": path("notices", body["notice_id"], "raw")}
    if body["localization_id"]:
        links["localization"] = path("localizations", body["localization_id"])
    return links
