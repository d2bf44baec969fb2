"""Annotations: listed, and decided upon by persons with a token."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire
from hub.api.only_reading import demand_writing
from hub.api.paging import one_response, page_response, path, read_cursor
from hub.api.parameters import DEFAULT_LIMIT, Cursor, Limit, Name, StoreDep
from hub.api.security import READS, Annotator, Caller
from hub.model.annotation import AnnotationKind, AnnotationState
from hub.services import annotations

router = APIRouter(tags=["annotations"])

Reason = Annotated[wire.DecisionReason | None, Body(description="Why, in a few words")]


@router.get("/annotations", response_model=wire.Page[wire.Annotation], dependencies=[READS])
def list_annotations(
    request: Request,
    store: StoreDep,
    event: Annotated[Name, Query(description="Any name of an event")] = None,
    object: Annotated[Name, Query(description="SURVEY:ID, or another name of an object")] = None,
    kind: Annotated[AnnotationKind | None, Query()] = None,
    state: Annotated[AnnotationState | None, Query()] = None,
    source: Annotated[Name, Query(description="TNS, gcn-circular, or the name of a broker")] = None,
    older: Annotated[bool, Query(description="Also what newer versions no longer say")] = False,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List annotations, the latest stated first."""
    before = read_cursor(cursor, (int, str))
    with store.reading() as session:
        page = annotations.page(
            session,
            event_name=event,
            object_id=object,
            kind=kind,
            state=state,
            source=source,
            with_older=older,
            limit=limit,
            before=(before[0], before[1]) if before else None,
        )
    return page_response(request, page)


@router.get("/annotations/{annotation_id}", response_model=wire.One[wire.AnnotationWithDecisions], dependencies=[READS])
def get_annotation(store: StoreDep, annotation_id: str) -> Response:
    """Return an annotation with every decision about it."""
    with store.reading() as session:
        body = annotations.one(session, annotation_id)
    own = path("annotations", body["annotation_id"])
    links = {"self": own}
    if body["state"] != AnnotationState.STATED:
        links |= {"accept": f"{own}:accept", "reject": f"{own}:reject"}
    if "circular_id" in body["provenance"]:
        links["circular"] = path("circulars", str(body["provenance"]["circular_id"]))
    return one_response(body, links)


@router.post("/annotations/{annotation_id}:accept", response_model=wire.One[wire.AnnotationWithDecisions])
def accept_annotation(
    request: Request, store: StoreDep, caller: Annotator, annotation_id: str, reason: Reason = None
) -> Response:
    """Accept a proposal in the name of the token's holder: from now on it shows beside its event or object."""
    return _decide(request, store, caller, annotation_id, AnnotationState.ACCEPTED, reason)


@router.post("/annotations/{annotation_id}:reject", response_model=wire.One[wire.AnnotationWithDecisions])
def reject_annotation(
    request: Request, store: StoreDep, caller: Annotator, annotation_id: str, reason: Reason = None
) -> Response:
    """Reject a proposal in the name of the token's holder; a later acceptance is possible, and both are kept."""
    return _decide(request, store, caller, annotation_id, AnnotationState.REJECTED, reason)


def _decide(
    request: Request,
    store: StoreDep,
    caller: Caller,
    annotation_id: str,
    state: AnnotationState,
    reason: wire.DecisionReason | None,
) -> Response:
    demand_writing(request, "decisions are taken by")
    with store.reading() as session:
        annotations.one(session, annotation_id)  # what the caller may not see is not there
    with store.transaction() as session:
        body = annotations.decide(
            session,
            annotation_id,
            state,
            by=caller.signature,
            note=reason.note if reason else "",
            at=request.app.state.clock(),
        )
    return one_response(body, {"self": path("annotations", body["annotation_id"])})
