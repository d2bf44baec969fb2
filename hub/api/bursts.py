"""Bursts that several missions saw as one source, and what persons say about them."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from fastapi import Path as PathParameter
from starlette.requests import Request
from starlette.responses import Response

from hub import resources
from hub.api import wire, wire_bursts
from hub.api.only_reading import demand_writing
from hub.api.paging import one_response, page_response, path, read_cursor
from hub.api.parameters import DEFAULT_LIMIT, Cursor, Limit, StoreDep, demand_seen
from hub.api.security import READS, Annotator, Caller
from hub.model.source import WordKind
from hub.science.rules import load_rules
from hub.services import sources
from hub.services.association import Association
from hub.services.maps import MapCache

router = APIRouter(tags=["bursts"])

Number = Annotated[int, PathParameter(ge=1, le=10**9)]


@router.get("/bursts", response_model=wire.Page[wire_bursts.Burst], dependencies=[READS])
def list_bursts(
    request: Request,
    store: StoreDep,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List the bursts that several missions saw, the latest first; all other events are bursts by themselves."""
    before = read_cursor(cursor, (int, str))
    with store.reading() as session:
        page = sources.page(session, limit=limit, before=(before[0], before[1]) if before else None)
    return page_response(request, page)


@router.get("/bursts/{event_id}", response_model=wire.One[wire_bursts.BurstWithWords], dependencies=[READS])
def get_burst(store: StoreDep, event_id: str) -> Response:
    """Return the burst that an electromagnetic event is part of, by any name of any of its events, with all that persons said."""
    with store.reading() as session:
        body = sources.source_of(session, event_id)
    own = path("bursts", body["source_id"])
    members = {f"member{number}": path("events", one["event_id"]) for number, one in enumerate(body["members"], start=1)}
    return one_response(body, {"self": own, "history": f"{own}/history", **members}, location=own)


@router.get("/bursts/{event_id}/history", response_model=wire.Whole[wire_bursts.BurstVersion], dependencies=[READS])
def get_burst_history(store: StoreDep, event_id: str) -> Response:
    """Return all versions of a burst, the first one first: what joined and left it, and why."""
    with store.reading() as session:
        found = sources.history(session, event_id)
    return one_response(found, {"self": f"{path('bursts', event_id)}/history", "burst": path("bursts", event_id)})


@router.post("/bursts/{event_id}:join", response_model=wire.One[wire_bursts.Answer])
def join_bursts(
    request: Request, store: StoreDep, caller: Annotator, event_id: str, said: Annotated[wire_bursts.About, Body()]
) -> Response:
    """Say in the name of the token's holder that two events are one burst; it holds against every other reason."""
    return _say(request, store, caller, WordKind.JOIN, event_id, said)


@router.post("/bursts/{event_id}:split", response_model=wire.One[wire_bursts.Answer])
def split_bursts(
    request: Request, store: StoreDep, caller: Annotator, event_id: str, said: Annotated[wire_bursts.About, Body()]
) -> Response:
    """Say in the name of the token's holder that two events are not one burst."""
    return _say(request, store, caller, WordKind.SPLIT, event_id, said)


@router.post("/burst-words/{number}:undo", response_model=wire.One[wire_bursts.Answer])
def take_back(
    request: Request, store: StoreDep, caller: Annotator, number: Number, said: Annotated[wire_bursts.Because, Body()]
) -> Response:
    """Take back what somebody said about two events; it stays on record."""
    demand_writing(request, "decisions are taken by")
    with store.transaction() as session:
        body = sources.take_back(
            session, _association(request), number, by=caller.signature, because=said.because, at=request.app.state.clock()
        )
        demand_seen(store, body["events"])
    return _answer(body)


def _say(request: Request, store: StoreDep, caller: Caller, kind: WordKind, event_id: str, said: wire_bursts.About) -> Response:
    demand_writing(request, "decisions are taken by")
    do = sources.join if kind is WordKind.JOIN else sources.split
    demand_seen(store, (event_id, said.other))
    with store.transaction() as session:
        body = do(
            session,
            _association(request),
            event_id,
            said.other,
            by=caller.signature,
            because=said.because,
            at=request.app.state.clock(),
        )
    return _answer(body)


def _association(request: Request) -> Association:
    policy = load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml")).association
    return Association(policy=policy, maps=MapCache(), clock=request.app.state.clock)


def _answer(body: dict[str, object]) -> Response:
    events = [str(name) for name in body["events"]]  # type: ignore[attr-defined]  # `word_body` makes a list of them
    return one_response(body, {f"burst{number}": path("bursts", name) for number, name in enumerate(events, start=1)})
