"""Persons who sign in: the cookie, what it opens, and what it opens only with the session's token."""

import json
from http.cookies import SimpleCookie

import pytest

from hub.api import session as session_routes
from hub.api import wire, wire_session
from hub.api.security import COOKIE
from hub.errors import StorageError
from hub.model.token import Scope
from hub.services import persons, sessions, tokens
from tests.support.api_night import api
from tests.support.words import T0

PREFIX = "/api/v1"
PASSWORD = "correct horse battery"
CHANGE = f"{PREFIX}/annotations/nothing:accept"
"""A route that changes something and finds nothing to change: 404 means that the caller was let in."""


class Clock:
    def __init__(self):
        self.now = T0

    def __call__(self):
        return self.now


async def never(envelope):
    raise StorageError("nothing is handed in here")


class Hub:
    """An API with a person who may annotate, and one who may not even read."""

    def __init__(self, client, store, clock):
        self.client, self.store, self.clock = client, store, clock
        persons.add(store, name="maria", clock=clock, password=PASSWORD, groups={"too"}, scopes={Scope.READ, Scope.ANNOTATE})
        persons.add(store, name="paul", clock=clock, password=PASSWORD, scopes={Scope.FOLLOWUP_REQUEST})

    def sign_in(self, name="maria", password=PASSWORD, **more):
        return self.client.post(f"{PREFIX}/session", json={"name": name, "password": password}, **more)

    def session(self, name="maria"):
        """Return the headers of a browser that has signed in, without and with the session's token."""
        answer = self.sign_in(name)
        assert answer.status_code == 200, answer.text
        secret = SimpleCookie(answer.headers["set-cookie"])[COOKIE].value
        cookie = {"Cookie": f"{COOKIE}={secret}"}
        return cookie, {**cookie, "X-CSRF-Token": answer.json()["data"]["csrf_token"]}

    def ask(self, method, path, headers):
        return self.client.request(method, path, headers=headers)


@pytest.fixture(params=[True, False], ids=["anyone reads", "callers read"])
def hub(request, tmp_path):
    clock = Clock()
    with api(tmp_path, filled=False, anonymous_read=request.param, submit=never, clock=clock) as (client, store):
        found = Hub(client, store, clock)
        found.anonymous_read = request.param
        yield found


def test_who_signs_in_gets_a_cookie_that_scripts_and_other_sites_cannot_use(hub):
    answer = hub.sign_in()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    (header,) = answer.headers.get_list("set-cookie")
    value, *attributes = header.split("; ")
    assert {one.lower() for one in attributes} == {"httponly", "max-age=43200", "path=/", "samesite=lax", "secure"}
    assert value.startswith("__Host-mmhub-session=")
    assert value.partition("=")[2] not in answer.text
    body = wire.One[wire_session.PersonSession].model_validate(answer.json()).data
    assert (body.name, body.groups, body.scopes) == ("maria", ["too"], ["annotate", "read"])


def test_a_session_says_who_has_signed_in_until_the_person_signs_out(hub):
    cookie, full = hub.session()
    shown = hub.ask("GET", f"{PREFIX}/session", cookie)
    assert shown.json()["data"]["csrf_token"] == full["X-CSRF-Token"]
    assert shown.headers["cache-control"] == "no-store"
    assert hub.ask("DELETE", f"{PREFIX}/session", cookie).status_code == 403
    ended = hub.ask("DELETE", f"{PREFIX}/session", full)
    assert ended.status_code == 204
    assert "Max-Age=0" in ended.headers["set-cookie"]
    for method in ("GET", "DELETE"):
        assert hub.ask(method, f"{PREFIX}/session", full).status_code == 401


def test_what_changes_something_needs_the_token_of_this_very_session(hub):
    cookie, full = hub.session()
    _, others = hub.session("paul")
    assert hub.ask("POST", CHANGE, full).status_code == 404
    for wrong in (None, "", "x", "\u00ff", others["X-CSRF-Token"], full["X-CSRF-Token"].upper(), full["X-CSRF-Token"] + " x"):
        headers = cookie if wrong is None else {**cookie, "X-CSRF-Token": wrong.encode("latin-1")}
        answer = hub.ask("POST", CHANGE, headers)
        assert answer.status_code == 403, wrong
        assert answer.headers["content-type"] == "application/problem+json"
        assert "X-CSRF-Token" in answer.json()["detail"]
        assert full["X-CSRF-Token"] not in answer.text
    twice = [*cookie.items(), ("X-CSRF-Token", full["X-CSRF-Token"]), ("X-CSRF-Token", full["X-CSRF-Token"])]
    assert hub.ask("POST", CHANGE, twice).status_code == 403
    assert hub.ask("POST", CHANGE, {"X-CSRF-Token": full["X-CSRF-Token"]}).status_code == 401


def test_a_person_may_do_what_the_scopes_say_and_no_more(hub):
    cookie, full = hub.session("paul")
    refused = hub.ask("POST", CHANGE, full)
    assert (refused.status_code, refused.json()["scope"]) == (403, "annotate")
    assert hub.ask("GET", f"{PREFIX}/events", cookie).status_code == (200 if hub.anonymous_read else 403)
    assert hub.ask("GET", f"{PREFIX}/events", hub.session()[0]).status_code == 200


def test_programs_hand_notices_in_by_tokens_only(hub):
    persons.add(hub.store, name="all", clock=hub.clock, password=PASSWORD, scopes=set(Scope))
    answer = hub.client.post(f"{PREFIX}/notices", headers=hub.session("all")[1], content=b"{}")
    assert answer.status_code == 401


def test_a_token_needs_no_csrf_token_and_wins_over_a_cookie(hub):
    secret = tokens.create(hub.store, name="robot", scopes={Scope.ANNOTATE}, clock=hub.clock).secret
    cookie, full = hub.session()
    assert hub.ask("POST", CHANGE, {**cookie, "Authorization": f"Bearer {secret}"}).status_code == 404
    assert hub.ask("POST", CHANGE, {**full, "Authorization": f"Bearer {secret}x"}).status_code == 401


def test_a_session_that_is_over_opens_nothing_and_does_not_hinder_who_needs_none(hub):
    cookie, full = hub.session()
    hub.clock.now = T0.plus_s(sessions.IDLE_S)
    assert hub.ask("POST", CHANGE, full).status_code == 401
    assert hub.ask("GET", f"{PREFIX}/session", cookie).status_code == 401
    assert hub.ask("GET", f"{PREFIX}/events", cookie).status_code == (200 if hub.anonymous_read else 401)


def test_use_keeps_a_session_open_and_a_disabled_person_is_out_at_once(hub):
    cookie, full = hub.session()
    for step in range(1, 4):
        hub.clock.now = T0.plus_s(step * 0.9 * sessions.IDLE_S)
        assert hub.ask("GET", f"{PREFIX}/session", cookie).status_code == 200
    persons.disable(hub.store, "maria", clock=hub.clock)
    assert hub.ask("POST", CHANGE, full).status_code == 401
    assert hub.sign_in().status_code == 401


def test_every_wrong_sign_in_gets_the_same_answer(hub):
    persons.disable(hub.store, "paul", clock=hub.clock)
    answers = [hub.sign_in("maria", "wrong horse battery"), hub.sign_in("nobody"), hub.sign_in("paul"), hub.sign_in("a\x00b")]
    assert {(one.status_code, one.text) for one in answers} == {(401, answers[0].text)}
    assert all("set-cookie" not in one.headers for one in answers)


def test_after_ten_tries_a_name_has_to_wait_whether_anybody_has_it_or_not(hub):
    names = ("maria", "nobody")
    for name in names:
        for _ in range(session_routes.TRIES_OF_NAME):
            assert not hub.client.app.state.sign_in.wait_s(name)
        answer = hub.sign_in(name)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= session_routes.TRIES_S
        assert "set-cookie" not in answer.headers
    assert hub.sign_in("paul").status_code == 200


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (json.dumps({"name": "maria", "password": PASSWORD}), "text/plain", 415),
        (json.dumps({"name": "maria", "password": PASSWORD}), "application/x-www-form-urlencoded", 415),
        (f"name=maria&password={PASSWORD}", "application/json", 422),
        ("", "application/json", 422),
        ("[]", "application/json", 422),
        ('{"name": "maria", "password": ["correct horse battery"]}', "application/json", 422),
        ('{"name": "maria", "password": "correct horse battery", "more": 1}', "application/json", 422),
        (" " * session_routes.MAX_BODY_BYTES + "{}", "application/json", 413),
    ],
)
def test_a_body_of_another_kind_is_refused_and_not_repeated(hub, content, media_type, status):
    answer = hub.client.post(f"{PREFIX}/session", content=content, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert PASSWORD not in answer.text


def test_an_api_that_only_reads_opens_and_ends_no_session_and_knows_those_of_others(tmp_path):
    clock = Clock()
    with api(tmp_path, filled=False, submit=None, anonymous_read=False, clock=clock) as (client, store):
        hub = Hub(client, store, clock)
        assert hub.sign_in().status_code == 503
        opened = sessions.begin(store, persons.by_password(store, "maria", PASSWORD), now=T0)
        headers = {"Cookie": f"{COOKIE}={opened.secret}", "X-CSRF-Token": opened.csrf_token}
        assert hub.ask("GET", f"{PREFIX}/events", headers).status_code == 200
        assert hub.ask("DELETE", f"{PREFIX}/session", headers).status_code == 503
