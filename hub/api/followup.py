"""Follow-up: what the policy decided, what persons do about it, networks, and the log. Listings are in `hub.api.outgoing`."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire, wire_followup
from hub.api.only_reading import demand_writing, only_reads
from hub.api.paging import one_response, page_response, path, read_cursor
from hub.api.parameters import DEFAULT_LIMIT, Cursor, Limit, Name, StoreDep, demand_seen
from hub.api.problems import problem
from hub.api.security import READS, Caller, Needs
from hub.errors import InvalidRequest
from hub.model.followup_decision import Verdict
from hub.model.instant import Instant
from hub.model.person import Person
from hub.model.token import Scope
from hub.services import escalation, followup_bodies, queries
from hub.services.bodies import Body as JsonBody
from hub.services.followup import FollowupService
from hub.services.followup_desk import submission_of
from hub.services.followup_planning import plan_again
from hub.storage import idempotency
from hub.storage.engine import Store
from hub.storage.idempotency import KeptAnswer
from hub.storage.writing import hold

KEPT_S = 7 * 86_400.0
"""Answers to keys are told again for so long, seconds."""

router = APIRouter(tags=["follow-up"])

Approver = Annotated[Caller, Depends(Needs(Scope.FOLLOWUP_APPROVE, persons=True))]
"""The caller of a route that decides about requests."""

Requester = Annotated[Caller, Depends(Needs(Scope.FOLLOWUP_REQUEST, persons=True))]
"""The caller of a route that asks the policy."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key with the same body gets the same answer, and nothing is done twice",
    ),
]
"""A name that the caller gives a request that it may repeat."""


@router.post("/followup", response_model=wire.Whole[wire_followup.FollowupDecision])
def plan_followup(
    request: Request, store: StoreDep, caller: Requester, wish: Annotated[wire_followup.PlanWish, Body()]
) -> Response:
    """Have the policy decide about an event and its announced candidates again; where it asks, requests are drafted."""
    followups = _followups(request)
    demand_seen(store, (wish.event,))
    found = plan_again(store, followups, wish.event, actor=_name(caller), clock=request.app.state.clock)
    return one_response([followup_bodies.decision_body(one) for one in found], {"self": path("followup-decisions")})


@router.get("/followup/{intent_id}/status", response_model=wire.One[wire_followup.FollowupInFull], dependencies=[READS])
def get_followup_status(request: Request, store: StoreDep, intent_id: str) -> Response:
    """Return a request with the hash that an approval is bound to, and what keeps it in the hub now."""
    followups = _followups(request)
    with store.reading() as session:
        body = followup_bodies.request(session, intent_id, followups.gates, request.app.state.clock())
    return one_response(body, {"self": path("followup", intent_id, "status"), "followup": path("followup", intent_id)})


@router.post("/followup/{intent_id}/approve", response_model=wire.One[wire_followup.FollowupInFull])
def approve_followup(
    request: Request,
    store: StoreDep,
    caller: Approver,
    intent_id: str,
    approval: Annotated[wire_followup.Approval, Body()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Let a request be sent, as it was looked at and until the approval lapses, in the name of the person who asks."""
    followups = _followups(request)
    if not isinstance(caller, Person):
        return problem(request, 403, "only a person approves: sign in, a token is not enough")
    now = request.app.state.clock()
    _demand_request(store, intent_id)

    def act(session: Session) -> JsonBody:
        followups.desk.approve_in(
            session, intent_id, actor=caller.signature, payload=approval.payload_hash, reason=approval.reason
        )
        return followup_bodies.request(session, intent_id, followups.gates, now)

    asked = {"approve": intent_id, **approval.model_dump()}
    with store.transaction() as session:
        body = _once(session, caller, idempotency_key, asked, act, now)
    return one_response(body, {"self": path("followup", intent_id)})


@router.post("/followup/{intent_id}/cancel", response_model=wire.One[wire_followup.FollowupInFull])
def cancel_followup(
    request: Request,
    store: StoreDep,
    caller: Approver,
    intent_id: str,
    reason: Annotated[wire_followup.Reason | None, Body()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Stop a request: at once where it was not sent, otherwise at the network until that confirms it."""
    followups = _followups(request)
    now, why = request.app.state.clock(), "" if reason is None else reason.reason
    _demand_request(store, intent_id)

    def act(session: Session) -> JsonBody:
        followups.desk.cancel_in(session, intent_id, actor=_name(caller), reason=why)
        return followup_bodies.request(session, intent_id, followups.gates, now)

    with store.transaction() as session:
        body = _once(session, caller, idempotency_key, {"cancel": intent_id, "reason": why}, act, now)
    return one_response(body, {"self": path("followup", intent_id)})


@router.post("/followup/{intent_id}/ack", response_model=wire.One[wire_followup.Acknowledgement])
def acknowledge_followup(
    request: Request,
    store: StoreDep,
    caller: Approver,
    intent_id: str,
    reason: Annotated[wire_followup.Reason | None, Body()] = None,
) -> Response:
    """Take note of what waits because of a request, its approval or the retraction of its event: no other channel is told."""
    _followups(request)
    now, why = request.app.state.clock(), "" if reason is None else reason.reason
    _demand_request(store, intent_id)
    with store.transaction() as session:
        kinds = escalation.acknowledge_in(session, intent_id, actor=_name(caller), now=now, reason=why)
    body = {"intent_id": intent_id, "acknowledged": kinds, "actor": _name(caller), "at": now.to_utc_iso()}
    return one_response(body, {"self": path("followup", intent_id)})


@router.get("/followup-decisions", response_model=wire.Page[wire_followup.FollowupDecision], dependencies=[READS])
def list_decisions(
    request: Request,
    store: StoreDep,
    event: Annotated[Name, Query(description="An event, by any of its names")] = None,
    verdict: Annotated[Verdict | None, Query()] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List what the policy made of targets, asked for or skipped, with the reasons, the newest first."""
    before = read_cursor(cursor, (int, str))
    with store.reading() as session:
        page = followup_bodies.decision_page(
            session,
            event_id=None if event is None else queries.find_event(session, event).event_id,
            verdict=verdict,
            limit=limit,
            before=(before[0], before[1]) if before else None,
        )
    return page_response(request, page)


@router.get("/followup-log", response_model=wire.Page[wire_followup.FollowupLogEntry])
def list_log(
    request: Request,
    store: StoreDep,
    _: Approver,
    intent: Annotated[Name, Query(description="Only about this request")] = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List who did what about follow-up and why, the newest first."""
    before = read_cursor(cursor, (int,))
    with store.reading() as session:
        page = followup_bodies.log_page(session, intent_id=intent, limit=limit, before=before[0] if before else None)
    return page_response(request, page)


@router.get("/followup-networks", response_model=wire.Whole[wire_followup.FollowupNetwork], dependencies=[READS])
def list_networks(request: Request, store: StoreDep) -> Response:
    """List the telescope networks: which are left alone and why, and how many requests each has in which state."""
    followups = _followups(request)
    with store.reading() as session:
        bodies = followup_bodies.networks(session, followups.gates, request.app.state.clock())
    return one_response(bodies, {"self": path("followup-networks")})


@router.post("/followup-networks/{network}/stop", response_model=wire.One[wire_followup.NetworkStop])
def stop_network(
    request: Request, caller: Approver, network: str, reason: Annotated[wire_followup.Reason | None, Body()] = None
) -> Response:
    """Send nothing to a network, or to ``all``, until it goes on; cancelling goes on."""
    return _say(request, caller, network, reason, is_stop=True)


@router.post("/followup-networks/{network}/resume", response_model=wire.One[wire_followup.NetworkStop])
def resume_network(
    request: Request, caller: Approver, network: str, reason: Annotated[wire_followup.Reason | None, Body()] = None
) -> Response:
    """Let a network that was stopped, or whose circuit breaker is open, go on."""
    return _say(request, caller, network, reason, is_stop=False)


def _say(request: Request, caller: Caller, network: str, reason: wire_followup.Reason | None, *, is_stop: bool) -> Response:
    followups = _followups(request)
    say = followups.desk.stop if is_stop else followups.desk.resume
    said = say(network, actor=_name(caller), reason="" if reason is None else reason.reason)
    return one_response(followup_bodies.stop_body(said), {"self": path("followup-networks")})


def _once(
    session: Session,
    caller: Caller,
    key: str | None,
    asked: dict[str, Any],
    act: Callable[[Session], JsonBody],
    now: Instant,
) -> JsonBody:
    """Do something and return its body, or return what was answered before to the same caller's same key.

    Raises
    ------
    InvalidRequest
        The key came with something else before.
    """
    if key is None:
        return act(session)
    who = _name(caller)
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    hold(session, f"idempotency {who} {key}")
    kept = idempotency.find(session, who, key)
    if kept is not None:
        if kept.digest != digest:
            raise InvalidRequest("this Idempotency-Key came with another request before", field="Idempotency-Key")
        return dict(kept.document)
    body = act(session)
    idempotency.forget_before(session, now.plus_s(-KEPT_S))
    idempotency.keep(session, who, key, KeptAnswer(digest=digest, document=body), now)
    return body


def _demand_request(store: Store, intent_id: str) -> None:
    """Refuse to do anything about a request that the caller may not see; raises `NotFound` as for one that there is not."""
    with store.reading() as session:
        submission_of(session, intent_id)


def _followups(request: Request) -> FollowupService:
    """Return what asks telescopes; 503 where the API only reads, or asks none."""
    where = "follow-up is at"
    demand_writing(request, where)
    found: FollowupService | None = request.app.state.followups
    if found is None:
        raise HTTPException(503, only_reads(where))
    return found


def _name(caller: Caller) -> str:
    return caller.signature
