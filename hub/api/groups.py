"""Groups: events of several messengers and objects that may be one occurrence."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire, wire_groups
from hub.api.paging import one_response, page_response, path, read_cursor
from hub.api.parameters import DEFAULT_LIMIT, Cursor, Limit, Name, StoreDep
from hub.api.security import READS
from hub.model.coincidence import PairState
from hub.services import group_bodies
from hub.services.bodies import Body

router = APIRouter(tags=["coincidences"], dependencies=[READS])


@router.get("/groups", response_model=wire.Page[wire_groups.Group])
def list_groups(
    request: Request,
    store: StoreDep,
    event: Annotated[Name, Query(description="A member event, by any of its names")] = None,
    state: Annotated[PairState | None, Query()] = None,
    live: Annotated[bool, Query(description="Leave out tests, mocks and untrusted ones")] = False,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List the latest version of each group, the most recently found first."""
    before = read_cursor(cursor, (int, str))
    with store.reading() as session:
        page = group_bodies.page(
            session,
            event_name=event,
            state=state,
            live_only=live,
            limit=limit,
            before=(before[0], before[1]) if before else None,
        )
    return page_response(request, page)


@router.get("/groups/{group_id}", response_model=wire.One[wire_groups.Group])
def get_group(store: StoreDep, group_id: str) -> Response:
    """Return the latest version of a group, by its id or any name of an event that is in it now."""
    with store.reading() as session:
        body = group_bodies.group(session, group_id)
    own = path("groups", body["group_id"])
    return one_response(body, _links(body), location=own)


@router.get("/groups/{group_id}/history", response_model=wire.Whole[wire_groups.Group])
def get_group_history(store: StoreDep, group_id: str) -> Response:
    """Return all versions of a group, the first one first."""
    with store.reading() as session:
        found = group_bodies.history(session, group_id)
    own = path("groups", found[0]["group_id"])
    return one_response(found, {"self": f"{own}/history", "group": own})


@router.get("/groups/{group_id}/explanation", response_model=wire.Whole[wire_groups.ExplainedNumber])
def get_group_explanation(store: StoreDep, group_id: str) -> Response:
    """Return the arithmetic of each number of a group, computed again from what is stored with it."""
    with store.reading() as session:
        one, lines = group_bodies.explained_group(session, group_id)
    own = path("groups", one.group_id)
    bodies = [group_bodies.explained_body(line) for line in lines]
    return one_response(bodies, {"self": f"{own}/explanation", "group": own})


def _links(body: Body) -> dict[str, str]:
    own = path("groups", body["group_id"])
    links = {"self": own, "history": f"{own}/history", "explanation": f"{own}/explanation"}
    links |= {f"member{number}": path("events", name) for number, name in enumerate(body["events"], start=1)}
    return links | {
        f"pair{number}": path("coincidences", one["coincidence_id"]) for number, one in enumerate(body["pairs"], start=1)
    }
