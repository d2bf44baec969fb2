"""Who the proxy says somebody is: believed from its own addresses, refused from anywhere else, whatever other headers say."""

from http.cookies import SimpleCookie

import pytest
from starlette.testclient import TestClient

from hub.api.proxy import trusted_proxy
from hub.api.security import COOKIE
from hub.config import load
from hub.errors import ConfigError, StorageError
from hub.model.token import Scope
from hub.services import persons
from tests.support.api_night import api
from tests.support.words import T0

SESSION = "/api/v1/session"
HEADER = "X-Remote-User"
PROXY, ELSEWHERE = "192.0.2.10", "198.51.100.7"
MARIA = {HEADER: "maria@example.org"}


async def never(envelope):
    raise StorageError("nothing is handed in here")


@pytest.fixture
def ask(tmp_path):
    proxy = trusted_proxy(HEADER, ["192.0.2.0/28", "2001:db8::/64"])
    with api(tmp_path, filled=False, submit=never, clock=lambda: T0, proxy=proxy) as (client, store):
        persons.add(store, name="maria", clock=lambda: T0, subject="maria@example.org", scopes={Scope.READ, Scope.ANNOTATE})
        persons.add(store, name="paul", clock=lambda: T0, subject="paul@example.org")
        persons.disable(store, "paul", clock=lambda: T0)

        def ask(peer, method, path, headers, **more):
            caller = TestClient(client.app, base_url="http://hub.test", client=(peer, 50000), raise_server_exceptions=False)
            return caller.request(method, path, headers=headers, **more)

        yield ask


@pytest.mark.parametrize("peer", [PROXY, "2001:db8::5", "::ffff:192.0.2.10"])
def test_the_subject_that_the_proxy_states_opens_the_session_of_its_person(ask, peer):
    answer = ask(peer, "POST", SESSION, MARIA, json={})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["name"] == "maria"
    secret = SimpleCookie(answer.headers["set-cookie"])[COOKIE].value
    cookie = {"Cookie": f"{COOKIE}={secret}"}
    change = "/api/v1/annotations/nothing:accept"
    assert ask(PROXY, "POST", change, cookie, json={}).status_code == 403  # without the session's token
    token = {"X-CSRF-Token": answer.json()["data"]["csrf_token"]}
    assert ask(PROXY, "POST", change, {**cookie, **token, **MARIA}, json={}).status_code == 404


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"X-Forwarded-For": PROXY},
        {"X-Real-IP": PROXY},
        {"Forwarded": f"for={PROXY}"},
        {"Host": PROXY},
    ],
)
@pytest.mark.parametrize("peer", [ELSEWHERE, "192.0.2.16", "2001:db9::5", "testclient"])
@pytest.mark.parametrize(("method", "path"), [("POST", SESSION), ("GET", "/api/v1/events"), ("GET", "/api/v1/ready")])
def test_from_anywhere_else_it_is_refused_with_a_sentence(ask, peer, more, method, path):
    answer = ask(peer, method, path, {**MARIA, **more}, **({"json": {}} if method == "POST" else {}))
    assert answer.status_code == 403
    assert "X-Remote-User is believed from the hub's proxy only" in answer.json()["detail"]
    assert "set-cookie" not in answer.headers


def test_a_subject_that_the_hub_does_not_know_is_nobody_and_nobody_is_added(ask):
    for subject in ("eve@example.org", "MARIA@example.org", "paul@example.org", "maria"):
        answer = ask(PROXY, "POST", SESSION, {HEADER: subject}, json={})
        assert answer.status_code == 401
        assert "mmhub user add NAME --subject SUBJECT" in answer.json()["detail"]


def test_the_header_alone_signs_in_and_does_nothing_else(ask):
    change = "/api/v1/annotations/nothing:accept"
    assert ask(PROXY, "POST", change, MARIA, json={}).status_code == 401
    assert ask(PROXY, "POST", SESSION, {HEADER: " "}, json={}).status_code == 422  # as without it: name and password are missing
    assert ask(PROXY, "POST", SESSION, MARIA, json={"name": "maria", "password": "x"}).status_code == 422
    assert ask(PROXY, "POST", SESSION, MARIA, content=b"{}").status_code == 415  # what a page of another site could send
    two = [(HEADER, "maria@example.org"), (HEADER, "paul@example.org"), ("Content-Type", "application/json")]
    assert ask(PROXY, "POST", SESSION, two, content=b"{}").status_code == 400


def test_without_a_proxy_in_the_settings_the_header_means_nothing(tmp_path):
    with api(tmp_path, filled=False, submit=never, clock=lambda: T0) as (client, store):
        persons.add(store, name="maria", clock=lambda: T0, subject="maria@example.org")
        assert client.post(SESSION, json={}, headers=MARIA).status_code == 422
        assert client.get("/api/v1/events", headers=MARIA).status_code == 200


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("proxy_header", "Authorization"),
        ("proxy_header", "X-Forwarded-For"),
        ("proxy_header", "X User"),
        ("proxy_addresses", ["proxy.example.org"]),
        ("proxy_addresses", ["192.0.2.1/24"]),
    ],
)
def test_wrong_settings_are_sentences(tmp_path, monkeypatch, key, value):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=rf"api\.{key}"):
        load(overrides={f"api.{key}": value})
