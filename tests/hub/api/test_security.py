"""Every route with every scope and every kind of caller: whoever lacks the scope gets no further."""

import re

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from hub.api import wire
from hub.api.app import create_app
from hub.api.security import OPEN, READS, SAFE_METHODS, Way, demand_declarations, scopes_of
from hub.errors import StorageError
from hub.model.token import Scope
from hub.services import tokens
from tests.support.api_night import api
from tests.support.words import T0

PREFIX = "/api/v1"
CALLERS = ("nobody", "stranger", "junk", "expired", "revoked", *Scope)

DECLARED = {
    "GET /api/v1/openapi.json": None,
    "HEAD /api/v1/openapi.json": None,
    "GET /metrics": Scope.READ,
    "GET /api/v1": None,
    "GET /api/v1/health": Scope.READ,
    "GET /api/v1/ready": None,
    "GET /api/v1/sources": Scope.READ,
    "GET /api/v1/events": Scope.READ,
    "GET /api/v1/events/{event_id}": Scope.READ,
    "GET /api/v1/events/{event_id}/versions": Scope.READ,
    "GET /api/v1/events/{event_id}/versions/{version}": Scope.READ,
    "GET /api/v1/events/{event_id}/candidates": Scope.READ,
    "GET /api/v1/notices/{notice_id}": Scope.READ,
    "GET /api/v1/notices/{notice_id}/raw": Scope.READ,
    "GET /api/v1/localizations/{localization_id}.fits": Scope.READ,
    "GET /api/v1/localizations/{localization_id}.moc.json": Scope.READ,
    "GET /api/v1/localizations/{localization_id}": Scope.READ,
    "GET /api/v1/coincidences": Scope.READ,
    "GET /api/v1/coincidences/{coincidence_id}": Scope.READ,
    "GET /api/v1/coincidences/{coincidence_id}/history": Scope.READ,
    "GET /api/v1/candidates": Scope.READ,
    "GET /api/v1/followup": Scope.READ,
    "GET /api/v1/followup/{intent_id}": Scope.READ,
    "GET /api/v1/voevents": Scope.READ,
    "GET /api/v1/voevents/{voevent_id}.xml": Scope.READ,
    "GET /api/v1/voevents/{voevent_id}": Scope.READ,
    "GET /api/v1/outgoing": Scope.READ,
    "GET /api/v1/outgoing/{message_id}": Scope.READ,
    "GET /api/v1/outgoing/{message_id}/payload": Scope.READ,
    "GET /api/v1/schemas/ids/{schema_id}": Scope.READ,
    "POST /api/v1/notices": Scope.NOTICE_SUBMIT,
    "POST /api/v1/followup": Scope.FOLLOWUP_REQUEST,
    "GET /api/v1/followup/{intent_id}/status": Scope.READ,
    "POST /api/v1/followup/{intent_id}/approve": Scope.FOLLOWUP_APPROVE,
    "POST /api/v1/followup/{intent_id}/cancel": Scope.FOLLOWUP_APPROVE,
    "POST /api/v1/followup/{intent_id}/ack": Scope.FOLLOWUP_APPROVE,
    "GET /api/v1/followup-decisions": Scope.READ,
    "GET /api/v1/followup-log": Scope.FOLLOWUP_APPROVE,
    "GET /api/v1/followup-networks": Scope.READ,
    "POST /api/v1/followup-networks/{network}/stop": Scope.FOLLOWUP_APPROVE,
    "POST /api/v1/followup-networks/{network}/resume": Scope.FOLLOWUP_APPROVE,
    "POST /api/v1/session": Way.SIGN_IN,
    "GET /api/v1/session/oidc": Way.SIGN_IN,
    "GET /api/v1/session/oidc/callback": Way.SIGN_IN,
    "GET /api/v1/session": Way.SESSION,
    "DELETE /api/v1/session": Way.SESSION,
    "GET /api/v1/circulars": Scope.READ,
    "GET /api/v1/circulars/{circular_id}": Scope.READ,
    "GET /api/v1/circulars/{circular_id}/versions": Scope.READ,
    "GET /api/v1/events/{event_id}/circulars": Scope.READ,
    "GET /api/v1/events/{event_id}/diff": Scope.READ,
    "GET /api/v1/events/{event_id}/coverage": Scope.READ,
    "GET /api/v1/rates": Scope.READ,
    "GET /api/v1/budget": Scope.READ,
    "GET /api/v1/facilities": Scope.READ,
    "GET /api/v1/facilities/{facility_id}": Scope.READ,
    "GET /api/v1/facilities/{facility_id}/visibility": Scope.READ,
    "GET /api/v1/facilities/{facility_id}/objvissap": Scope.READ,
    "GET /api/v1/catalogs": Scope.READ,
    "GET /api/v1/coincidences/{coincidence_id}/skymap.fits": Scope.READ,
    "GET /api/v1/events/{event_id}/counterparts": Scope.READ,
    "GET /api/v1/events/{event_id}/coverage/curve": Scope.READ,
    "GET /api/v1/events/{event_id}/pointings": Scope.READ,
    "GET /api/v1/events/{event_id}/pointings/reported": Scope.READ,
    "POST /api/v1/pointings": Scope.ANNOTATE,
    "POST /api/v1/observations": Scope.ANNOTATE,
    "GET /api/v1/coverage": Scope.READ,
    "GET /api/v1/visits": Scope.READ,
    "GET /api/v1/groups": Scope.READ,
    "GET /api/v1/groups/{group_id}": Scope.READ,
    "GET /api/v1/groups/{group_id}/explanation": Scope.READ,
    "GET /api/v1/groups/{group_id}/history": Scope.READ,
    "GET /api/v1/bursts": Scope.READ,
    "GET /api/v1/bursts/{event_id}": Scope.READ,
    "GET /api/v1/bursts/{event_id}/history": Scope.READ,
    "POST /api/v1/bursts/{event_id}:join": Scope.ANNOTATE,
    "POST /api/v1/bursts/{event_id}:split": Scope.ANNOTATE,
    "POST /api/v1/burst-words/{number}:undo": Scope.ANNOTATE,
    "GET /api/v1/annotations": Scope.READ,
    "GET /api/v1/annotations/{annotation_id}": Scope.READ,
    "POST /api/v1/annotations/{annotation_id}:accept": Scope.ANNOTATE,
    "POST /api/v1/annotations/{annotation_id}:reject": Scope.ANNOTATE,
}
"""Every route and what it must need, written by hand: a new one stands here too, and none is opened by an oversight."""


class Clock:
    def __init__(self):
        self.now = T0

    def __call__(self):
        return self.now


def walked(app):
    """Yield path, methods and declared scopes of every route that an application answers; its own document is open to anyone."""
    for entry in app.routes:
        if hasattr(entry, "effective_route_contexts"):  # an included router
            for route in entry.effective_route_contexts():
                yield route.path, route.methods, scopes_of(route.dependant)
        elif isinstance(entry, APIRoute):
            yield entry.path, entry.methods, scopes_of(entry.dependant)
        else:
            assert (entry.path, entry.endpoint.__qualname__) == (app.openapi_url, "FastAPI.setup.<locals>.openapi"), entry
            yield entry.path, entry.methods, [None]


def routes():
    for path, methods, scopes in walked(create_app(None)):
        for method in sorted(methods):
            yield pytest.param(method, path, scopes, id=f"{method} {path}")


async def never(envelope):
    raise StorageError("this must not be reached without a body")


class Door:
    """An API with a token for each kind of caller."""

    def __init__(self, client, store, clock):
        self.client = client
        self.clock = clock
        self.secrets = {"stranger": "mmh_" + "A" * 43, "junk": "junk"}
        for scope in Scope:
            self.secrets[scope] = self.issue(store, scope.value.replace(":", "-"), {scope}, lifetime_s=3600)
        self.secrets["expired"] = self.issue(store, "expired", set(Scope), lifetime_s=60)
        self.secrets["revoked"] = self.issue(store, "revoked", set(Scope), lifetime_s=3600)
        tokens.revoke(store, "revoked", clock=clock)
        clock.now = T0.plus_s(120)

    def issue(self, store, name, scopes, **more):
        return tokens.create(store, name=name, scopes=scopes, clock=self.clock, **more).secret

    def ask(self, caller, method, path, **more):
        headers = {} if caller == "nobody" else {"Authorization": f"Bearer {self.secrets[caller]}"}
        return self.client.request(method, re.sub(r"\{[^}]+\}", "1", path), headers=headers, **more)


@pytest.fixture(scope="module", params=[True, False], ids=["anyone reads", "tokens read"])
def door(request, tmp_path_factory):
    clock = Clock()
    with api(tmp_path_factory.mktemp("door"), filled=False, anonymous_read=request.param, submit=never, clock=clock) as (
        client,
        store,
    ):
        found = Door(client, store, clock)
        found.anonymous_read = request.param
        yield found


def expected(door, method, scopes, caller):
    (scope,) = scopes
    if scope in (None, Way.SIGN_IN):
        return None
    if scope is Way.SESSION:
        return 401  # a token is no session
    is_open = door.anonymous_read and scope is Scope.READ and method in SAFE_METHODS
    if caller == "nobody":
        return None if is_open else 401
    if caller not in list(Scope):
        return 401
    return None if is_open or caller is scope else 403


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "path", "scopes"), list(routes()))
def test_each_route_lets_exactly_those_pass_who_may(door, method, path, scopes, caller):
    answer = door.ask(caller, method, path)
    refused = expected(door, method, scopes, caller)
    if refused is None:
        assert answer.status_code not in (401, 403), answer.text
        return
    assert answer.status_code == refused, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith('Bearer realm="mmhub"')
    problem = wire.Problem.model_validate(answer.json())
    if refused == 403:
        assert scopes[0].value in problem.detail
        assert problem.scope == scopes[0].value
        assert f'scope="{scopes[0].value}"' in answer.headers["www-authenticate"]
    elif caller != "nobody":
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_every_route_of_the_api_declares_one_scope_and_unsafe_ones_a_scope_of_their_own(door):
    found = {}
    for path, methods, scopes in walked(door.client.app):
        assert len(scopes) == 1, path
        for method in methods:
            assert method in SAFE_METHODS or scopes[0] not in (None, Scope.READ), path
            found[f"{method} {path}"] = scopes[0]
    document = door.client.get(f"{PREFIX}/openapi.json").json()
    paths = {one.partition(" ")[2] for one in found}
    assert paths - set(document["paths"]) == {"/metrics", f"{PREFIX}/openapi.json"}
    assert set(document["paths"]) <= paths
    assert found == DECLARED


def test_a_route_without_a_declaration_is_refused_at_the_start():
    router = APIRouter()
    router.get("/secret")(lambda: None)
    with pytest.raises(RuntimeError, match="/secret does not declare who may ask it"):
        demand_declarations([router])
    for declaration in (OPEN, READS):
        router = APIRouter(dependencies=[declaration])
        router.post("/change")(lambda: None)
        with pytest.raises(RuntimeError, match="/change changes something"):
            demand_declarations([router])


def test_head_needs_what_get_needs(door):
    assert door.ask("nobody", "HEAD", f"{PREFIX}/events").status_code == (200 if door.anonymous_read else 401)
    assert door.ask(Scope.READ, "HEAD", f"{PREFIX}/events").status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "X"])
def test_other_methods_do_nothing(door, method):
    for path in ("/events", "/notices"):
        assert door.ask(Scope.ADMIN, method, PREFIX + path).status_code == 405


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic bWU6cHc=", "Bearer a b", "Token mmh_x", "mmh_x", "Bearer\tx", "Bearer \u00ff"]
)
def test_any_other_authorization_is_refused_also_where_none_is_needed(door, header):
    answer = door.client.get(f"{PREFIX}/events", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401


def test_two_tokens_are_none(door):
    pair = [("Authorization", f"Bearer {door.secrets[Scope.READ]}")] * 2
    assert door.client.get(f"{PREFIX}/events", headers=pair).status_code == 401


def test_the_scheme_may_be_written_in_any_case(door):
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = door.client.get(f"{PREFIX}/events", headers={"Authorization": f"{scheme} {door.secrets[Scope.READ]}"})
        assert answer.status_code == 200


def test_a_token_anywhere_else_is_not_looked_at(door):
    secret = door.secrets[Scope.NOTICE_SUBMIT]
    for more in (
        {"params": {"token": secret}},
        {"params": {"access_token": secret}},
        {"headers": {"Cookie": f"token={secret}; Authorization=Bearer {secret}"}},
        {"headers": {"X-Api-Key": secret, "Proxy-Authorization": f"Bearer {secret}"}},
    ):
        answer = door.client.post(f"{PREFIX}/notices", content=b"{}", **more)
        assert answer.status_code in (401, 422)
        assert secret not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "hub.test/api/v1/ready?"},
        {"Host": "evil.example"},
        {"X-Forwarded-Path": "/api/v1/ready"},
        {"X-Original-URL": "/api/v1/ready"},
        {"X-HTTP-Method-Override": "GET"},
        {"X-Rewrite-URL": "/api/v1/ready"},
    ],
)
def test_no_header_makes_one_route_pass_for_another(door, headers):
    assert door.client.post(f"{PREFIX}/notices", headers=headers, content=b"{}").status_code == 401
    assert door.client.get(f"{PREFIX}/events", headers=headers).status_code == (200 if door.anonymous_read else 401)


@pytest.mark.parametrize(
    "path",
    ["//api/v1/events", "/api/v1//events", "/API/V1/EVENTS", "/api/v1/events/", "/api/v1/./events", "/api/v1/ready/../events"],
)
def test_another_spelling_of_a_path_opens_nothing(door, path):
    answer = door.client.request("POST", path.replace("events", "notices"), content=b"{}")
    assert answer.status_code in (401, 404, 405)


def test_a_refusal_does_not_repeat_the_token(door):
    for caller in ("stranger", "expired", "revoked"):
        answer = door.ask(caller, "POST", f"{PREFIX}/notices")
        assert door.secrets[caller] not in answer.text + str(answer.headers)


def test_the_use_of_a_token_is_noted_by_an_api_that_takes_in_and_not_by_one_that_only_reads(tmp_path):
    clock = Clock()
    for submit, noted in ((None, None), (never, T0)):
        folder = tmp_path / str(noted)
        folder.mkdir()
        with api(folder, filled=False, submit=submit, clock=clock) as (client, store):
            secret = tokens.create(store, name="one", scopes={Scope.READ}, clock=clock).secret
            assert client.get(f"{PREFIX}/events", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
            assert [one.last_used_at for one in tokens.listing(store)] == [noted]
