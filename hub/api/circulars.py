"""Circulars: searched, read with every version, listed beside their events. Their text is a stranger's and leaves as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire
from hub.api.paging import one_response, page_response, path, read_cursor
from hub.api.parameters import DEFAULT_LIMIT, Cursor, Limit, Name, StoreDep, Time, moment
from hub.api.security import READS
from hub.services import circulars, queries

router = APIRouter(tags=["circulars"], dependencies=[READS])

CircularNumber = Annotated[int, PathParameter(ge=0, lt=2**31, description="Number in the archive")]


@router.get("/circulars", response_model=wire.Page[wire.Circular])
def list_circulars(
    request: Request,
    store: StoreDep,
    text: Annotated[Name, Query(description="Words that all stand in subject or body")] = None,
    event: Annotated[Name, Query(description="Any name of an event, in any spelling; it need not be known here")] = None,
    since: Annotated[Time, Query()] = None,
    until: Annotated[Time, Query()] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List circulars in their newest versions, the highest number first."""
    before = read_cursor(cursor, (int,))
    with store.reading() as session:
        page = circulars.page(
            session,
            text=text,
            event_name=event,
            since=moment(since),
            until=moment(until),
            limit=limit,
            before=(before[0],) if before else None,
        )
    return page_response(request, page)


@router.get("/circulars/{circular_id}", response_model=wire.One[wire.CircularWithText])
def get_circular(store: StoreDep, circular_id: CircularNumber) -> Response:
    """Return the newest version of a circular with its text."""
    with store.reading() as session:
        body = circulars.one(session, circular_id)
    own = path("circulars", str(circular_id))
    links = {"self": own, "versions": f"{own}/versions"}
    if body["event_ids"]:
        links["event"] = path("events", body["event_ids"][0])
    return one_response(body, links)


@router.get("/circulars/{circular_id}/versions", response_model=wire.Whole[wire.CircularWithText])
def list_circular_versions(store: StoreDep, circular_id: CircularNumber) -> Response:
    """Return every version of a circular that the hub has, the oldest first."""
    with store.reading() as session:
        found = circulars.versions(session, circular_id)
    own = path("circulars", str(circular_id))
    return one_response(found, {"self": f"{own}/versions", "circular": own})


@router.get("/events/{event_id}/circulars", response_model=wire.Page[wire.Circular])
def list_circulars_of_event(
    request: Request,
    store: StoreDep,
    event_id: str,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List the circulars about an event, under any of its names."""
    before = read_cursor(cursor, (int,))
    with store.reading() as session:
        canonical = queries.find_event(session, event_id).event_id
        page = circulars.page(session, event_name=canonical, limit=limit, before=(before[0],) if before else None)
    return page_response(request, page)
