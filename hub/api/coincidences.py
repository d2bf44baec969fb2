"""Coincidences and candidates."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire
from hub.api.paging import artefact_response, one_response, page_response, path, read_cursor
from hub.api.parameters import DEFAULT_LIMIT, Cursor, Limit, Name, Number, StoreDep, Time, moment
from hub.api.security import READS
from hub.model.coincidence import MemberKind, PairState
from hub.science.skymap_fits import to_fits
from hub.services import queries
from hub.services.combined_maps import combined_of

router = APIRouter(tags=["coincidences"], dependencies=[READS])


@router.get("/coincidences", response_model=wire.Page[wire.Coincidence])
def list_coincidences(
    request: Request,
    store: StoreDep,
    event: Annotated[Name, Query(description="A member event, by any of its names")] = None,
    object: Annotated[Name, Query(description="A member object, e.g. LSST:170123456789012345")] = None,
    kind: Annotated[Name, Query(description="gw-grb, gw-neutrino, gw-optical ...")] = None,
    state: Annotated[PairState | None, Query()] = None,
    live: Annotated[bool, Query(description="Leave out tests, mocks and untrusted ones")] = False,
    held_back: Annotated[
        bool | None, Query(description="Only those that are open and not announced, with the reason; false: only others")
    ] = None,
    since: Annotated[Time, Query()] = None,
    until: Annotated[Time, Query()] = None,
    max_level: Annotated[Number, Query(description="Largest probability level of the object")] = None,
    min_score: Annotated[Number, Query(description="Smallest rank statistic")] = None,
    max_far_hz: Annotated[Number, Query(description="Neither noise nor unrelated real events make it more often, 1/s")] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List the latest version of each coincidence, the most recently discovered first.

    since and until are limits of t0. A coincidence without the number that is limited is left out.
    """
    before = read_cursor(cursor, (int, str))
    with store.reading() as session:
        page = queries.coincidence_page(
            session,
            event_name=event,
            object_id=object,
            kind=kind,
            state=state,
            live_only=live,
            held_back=held_back,
            since=moment(since),
            until=moment(until),
            max_level=max_level,
            min_score=min_score,
            max_far_hz=max_far_hz,
            limit=limit,
            before=(before[0], before[1]) if before else None,
        )
    return page_response(request, page)


@router.get("/coincidences/{coincidence_id}", response_model=wire.One[wire.Coincidence])
def get_coincidence(store: StoreDep, coincidence_id: str) -> Response:
    """Return the latest version of a coincidence."""
    with store.reading() as session:
        body = queries.coincidence(session, coincidence_id)
    own = path("coincidences", coincidence_id)
    links = {"self": own, "history": f"{own}/history"}
    for number, member in enumerate(body["members"], start=1):
        if member["kind"] == MemberKind.EVENT.value:
            links[f"member{number}"] = path("events", member["id"])
    if len(set(body["localization_ids"])) > 1:
        links["skymap"] = f"{own}/skymap.fits"
    return one_response(body, links)


@router.get("/coincidences/{coincidence_id}/history", response_model=wire.Whole[wire.Coincidence])
def get_history(store: StoreDep, coincidence_id: str) -> Response:
    """Return all versions of a coincidence, the first one first."""
    with store.reading() as session:
        found = queries.coincidence_history(session, coincidence_id)
    own = path("coincidences", coincidence_id)
    return one_response(found, {"self": f"{own}/history", "coincidence": own})


@router.get(
    "/coincidences/{coincidence_id}/skymap.fits",
    response_class=Response,
    responses={200: {"description": "Multi-order HEALPix map", "content": {"application/fits": {}}}, 304: {}},
)
def get_combined_map(request: Request, store: StoreDep, coincidence_id: str) -> Response:
    """Return the map that the members' localizations together give, their normalised product, as a multi-order FITS file.

    It is that of the latest version: 404 where fewer than two members have a map, or where the maps exclude each other.
    """
    with store.reading() as session:
        found = combined_of(session, coincidence_id)
    response = artefact_response(request, to_fits(found.skymap), media_type="application/fits", filename=f"{coincidence_id}.fits")
    response.headers["Cache-Control"] = "no-cache"  # a new version of the pair may have other maps
    return response


@router.get("/candidates", response_model=wire.Page[wire.Candidate], tags=["candidates"])
def list_candidates(
    request: Request,
    store: StoreDep,
    event: Annotated[Name, Query(description="An event, by any of its names")] = None,
    survey: Annotated[Name, Query()] = None,
    object: Annotated[Name, Query(description="The survey's id of the object")] = None,
    hypothesis: Annotated[Name, Query()] = None,
    state: Annotated[PairState | None, Query()] = None,
    confirmed: Annotated[bool, Query(description="Leave out objects with a single detection")] = False,
    max_level: Annotated[Number, Query()] = None,
    min_score: Annotated[Number, Query()] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List candidates: confirmed ones first, then the larger score."""
    key = read_cursor(cursor, (bool, float, str, str, str, str))
    with store.reading() as session:
        page = queries.candidate_page(
            session,
            event_name=event,
            survey=survey,
            object_id=object,
            hypothesis=hypothesis,
            state=state,
            confirmed_only=confirmed,
            max_level=max_level,
            min_score=min_score,
            limit=limit,
            before=(key[0], key[1], key[2], key[3], key[4], key[5]) if key else None,
        )
    return page_response(request, page)
