"""What leaves the hub: follow-up requests, VOEvents, and messages in every format."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire
from hub.api.paging import artefact_response, one_response, page_response, path, read_cursor
from hub.api.parameters import DEFAULT_LIMIT, Cursor, Limit, Name, StoreDep
from hub.api.security import READS
from hub.model.followup import RequestState
from hub.model.outgoing import Subject
from hub.services import queries
from hub.services.bodies import outgoing_body, voevent_body
from hub.storage.outbox import OutboxState

router = APIRouter(dependencies=[READS])

_SUFFIXES = {"application/xml": "xml", "application/json": "json", "application/avro": "avro"}

VOEventId = Annotated[int, PathParameter(ge=1, lt=2**63 - 1)]


@router.get("/followup", response_model=wire.Page[wire.Followup], tags=["follow-up"])
def list_followups(
    request: Request,
    store: StoreDep,
    event: Annotated[Name, Query(description="An event, by any of its names")] = None,
    state: Annotated[RequestState | None, Query()] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List follow-up requests, the newest first."""
    before = read_cursor(cursor, (int, str))
    with store.reading() as session:
        page = queries.followup_page(
            session, event_name=event, state=state, limit=limit, before=(before[0], before[1]) if before else None
        )
    return page_response(request, page)


@router.get("/followup/{intent_id}", response_model=wire.One[wire.FollowupWithHistory], tags=["follow-up"])
def get_followup(store: StoreDep, intent_id: str) -> Response:
    """Return one follow-up request with the visibility of its target and every step."""
    with store.reading() as session:
        body = queries.followup_request(session, intent_id)
    links = {"self": path("followup", intent_id), "event": path("events", body["event_id"])}
    if body["coincidence_id"]:
        links["coincidence"] = path("coincidences", body["coincidence_id"])
    return one_response(body, links)


@router.get("/voevents", response_model=wire.Page[wire.VOEvent], tags=["voevents"])
def list_voevents(
    request: Request,
    store: StoreDep,
    state: Annotated[OutboxState | None, Query()] = None,
    destination: Annotated[Name, Query(description="Name of the sink")] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List the VOEvents that the hub has issued, the newest first."""
    before = read_cursor(cursor, (int,))
    with store.reading() as session:
        page = queries.voevent_page(
            session, state=state, destination=destination, limit=limit, before=(before[0],) if before else None
        )
    return page_response(request, page)


@router.get(
    "/voevents/{voevent_id}.xml",
    tags=["voevents"],
    response_class=Response,
    responses={200: {"description": "VOEvent 2.0", "content": {"application/xml": {}}}, 304: {}},
)
def get_voevent_xml(request: Request, store: StoreDep, voevent_id: VOEventId) -> Response:
    """Return the XML of a VOEvent, byte for byte as it was sent."""
    with store.reading() as session:
        outgoing = queries.find_voevent(session, voevent_id).outgoing
    return artefact_response(request, outgoing.payload, media_type=outgoing.media_type, filename=f"voevent-{voevent_id}.xml")


@router.get("/voevents/{voevent_id}", response_model=wire.One[wire.VOEvent], tags=["voevents"])
def get_voevent(store: StoreDep, voevent_id: VOEventId) -> Response:
    """Return what became of a VOEvent."""
    with store.reading() as session:
        body = voevent_body(queries.find_voevent(session, voevent_id))
    own = path("voevents", str(voevent_id))
    return one_response(body, {"self": own, "xml": f"{own}.xml"})


@router.get("/outgoing", response_model=wire.Page[wire.OutgoingMessage], tags=["outgoing"])
def list_outgoing(
    request: Request,
    store: StoreDep,
    state: Annotated[OutboxState | None, Query()] = None,
    destination: Annotated[Name, Query(description="Name of the destination")] = None,
    subject: Annotated[Subject | None, Query()] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List messages to every destination, in every format, the newest first."""
    before = read_cursor(cursor, (int,))
    with store.reading() as session:
        page = queries.outgoing_page(
            session,
            state=state,
            destination=destination,
            subject=subject,
            limit=limit,
            before=(before[0],) if before else None,
        )
    return page_response(request, page)


@router.get("/outgoing/{message_id}", response_model=wire.One[wire.OutgoingMessage], tags=["outgoing"])
def get_outgoing(store: StoreDep, message_id: VOEventId) -> Response:
    """Return what became of a message."""
    with store.reading() as session:
        body = outgoing_body(queries.find_outgoing(session, message_id))
    own = path("outgoing", str(message_id))
    return one_response(body, {"self": own, "payload": f"{own}/payload"})


@router.get(
    "/outgoing/{message_id}/payload",
    tags=["outgoing"],
    response_class=Response,
    responses={200: {"description": "The message", "content": {name: {} for name in _SUFFIXES}}, 304: {}},
)
def get_outgoing_payload(request: Request, store: StoreDep, message_id: VOEventId) -> Response:
    """Return the content of a message, byte for byte as it was sent."""
    with store.reading() as session:
        outgoing = queries.find_outgoing(session, message_id).outgoing
    filename = f"message-{message_id}.{_SUFFIXES.get(outgoing.media_type, 'bin')}"
    return artefact_response(request, outgoing.payload, media_type=outgoing.media_type, filename=filename)
