"""Bursts over HTTP: read by anyone, joined and split by whoever holds a token for it."""

import pytest

from hub.api import wire, wire_bursts
from hub.model.notice import EventClass, Messenger
from hub.model.token import Scope
from hub.services import tokens
from hub.storage import jobs
from tests.support.api_night import NOW, add_event, api, notice


async def never(envelope):
    raise AssertionError


@pytest.fixture
def hub(tmp_path):
    with api(tmp_path, submit=never, clock=lambda: NOW) as (client, store):
        with store.transaction() as session:
            for name, mission in (("Fermi-1", "Fermi"), ("Swift-2", "Swift")):
                add_event(session, [notice(name, messenger=Messenger.EM, event_class=EventClass.GRB, mission=mission, t0=NOW)])
            add_event(session, [notice("S1")])
        yield client, store


def token(store, *scopes):
    secret = tokens.create(store, name="J.Doe", scopes=set(scopes), clock=lambda: NOW).secret
    return {"Authorization": f"Bearer {secret}"}


def test_a_person_joins_two_events_reads_why_and_takes_it_back(hub):
    client, store = hub
    who = token(store, Scope.ANNOTATE, Scope.READ)
    assert client.get("/api/v1/bursts").json()["data"] == []
    split = client.post("/api/v1/bursts/Swift-2:split", headers=who, json={"other": "Fermi-1", "because": "two light curves"})
    assert split.status_code == 200, split.text
    said = client.post("/api/v1/bursts/Swift-2:join", headers=who, json={"other": "Fermi-1", "because": "one light curve"})
    body = wire_bursts.Answer.model_validate(said.json()["data"])
    assert (body.by, body.kind, body.events, body.because) == ("J.Doe", "join", ["Fermi-1", "Swift-2"], "one light curve")
    (burst,) = client.get("/api/v1/bursts").json()["data"]
    shown = wire_bursts.Burst.model_validate(burst)
    assert [one.kind for one in shown.links] == ["person"]
    answer = client.get("/api/v1/bursts/Swift-2")
    found = wire_bursts.BurstWithWords.model_validate(answer.json()["data"])
    assert [(one.kind, one.holds) for one in found.words] == [("split", True), ("join", True)]
    assert answer.headers["content-location"] == f"/api/v1/bursts/{found.source_id}"
    event = wire.Event.model_validate(client.get("/api/v1/events/Swift-2").json()["data"])
    assert event.burst is not None
    assert event.burst.others == ["Fermi-1"]
    with store.reading() as session:
        assert {job.key for job in jobs.take(session, 9)} == {"Fermi-1", "Swift-2"}
    undone = client.post(f"/api/v1/burst-words/{body.word}:undo", headers=who, json={"because": "a slip"})
    assert wire_bursts.Answer.model_validate(undone.json()["data"]).holds is False
    assert client.get("/api/v1/bursts").json()["data"] == []
    history = client.get("/api/v1/bursts/Fermi-1/history").json()["data"]
    assert [wire_bursts.BurstVersion.model_validate(one).version for one in history] == [1, 2]


def test_who_may_not_or_makes_no_sense_is_told_so(hub):
    client, store = hub
    said = {"other": "Fermi-1", "because": "one light curve"}
    assert client.post("/api/v1/bursts/Swift-2:join", json=said).status_code == 401
    assert client.post("/api/v1/bursts/Swift-2:join", headers=token(store, Scope.READ), json=said).status_code == 403
    tokens.revoke(store, "J.Doe", clock=lambda: NOW)
    secret = tokens.create(store, name="K.Roe", scopes={Scope.ANNOTATE}, clock=lambda: NOW).secret
    who = {"Authorization": f"Bearer {secret}"}
    for path, body, code in (
        ("/bursts/Swift-2:join", {**said, "because": ""}, 422),
        ("/bursts/Swift-2:join", {**said, "because": "  "}, 422),
        ("/bursts/Swift-2:join", {**said, "other": "S1"}, 422),
        ("/bursts/Swift-2:join", {**said, "other": "Swift-2"}, 422),
        ("/bursts/Swift-9:join", said, 404),
        ("/burst-words/7:undo", {"because": "a slip"}, 404),
    ):
        answer = client.post(f"/api/v1{path}", headers=who, json=body)
        assert answer.status_code == code, (path, body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/api/v1/bursts/S1").status_code == 404


def test_an_api_that_only_reads_takes_no_word(tmp_path):
    with api(tmp_path, clock=lambda: NOW) as (client, store):
        who = token(store, Scope.ANNOTATE)
        for path in ("bursts/Swift-2:join", "bursts/Swift-2:split"):
            answer = client.post(f"/api/v1/{path}", headers=who, json={"other": "Fermi-1", "because": "one"})
            assert answer.status_code == 503
        assert client.post("/api/v1/burst-words/1:undo", headers=who, json={"because": "one"}).status_code == 503


def test_the_example_of_the_reference_is_one():
    (example,) = wire_bursts.Burst.model_json_schema()["examples"]
    assert wire_bursts.Burst.model_validate(example)
