"""Persons decide about requests over HTTP: in a session with its token, about what they have seen, and once for each key."""

from http.cookies import SimpleCookie

import pytest

from hub.api.security import COOKIE
from hub.errors import StorageError
from hub.model.followup import payload_hash
from hub.model.token import Scope
from hub.services import persons, tokens
from hub.services.escalation import Escalation, EscalationSettings
from hub.storage import followup_log
from tests.hub.services.test_followup import BY_HAND, Hub
from tests.support.api_night import api
from tests.support.followup import make_candidate

PREFIX = "/api/v1"
PASSWORD = "correct horse battery"


async def never(envelope):
    raise StorageError("nothing is handed in here")


class Door:
    """The API of a night in which one request waits for a person."""

    def __init__(self, client, night):
        self.client, self.night = client, night
        persons.add(night.store, name="maria", clock=night.clock, password=PASSWORD, scopes={Scope.READ, Scope.FOLLOWUP_APPROVE})
        persons.add(night.store, name="paul", clock=night.clock, password=PASSWORD, scopes={Scope.READ})

    def headers(self, name="maria"):
        answer = self.client.post(f"{PREFIX}/session", json={"name": name, "password": PASSWORD})
        secret = SimpleCookie(answer.headers["set-cookie"])[COOKIE].value
        return {"Cookie": f"{COOKIE}={secret}", "X-CSRF-Token": answer.json()["data"]["csrf_token"]}

    def token(self, *scopes):
        made = tokens.create(
            self.night.store, name=f"robot-{len(tokens.listing(self.night.store))}", scopes=scopes, clock=self.night.clock
        )
        return {"Authorization": f"Bearer {made.secret}"}

    def post(self, path, headers, body=None, **more):
        return self.client.post(f"{PREFIX}/{path}", json=body, headers={**headers, **more})


@pytest.fixture
def door(tmp_path):
    night = Hub(tmp_path, policy=BY_HAND)
    with api(tmp_path, filled=False, submit=never, clock=night.clock, followups=night.service) as (client, _):
        yield Door(client, night)
    night.store.close()


@pytest.fixture
def intent(door):
    found = door.night.plan()
    door.night.run(1)
    return found


def test_a_person_approves_what_was_looked_at_and_the_same_key_gets_the_same_answer(door, intent):
    headers = door.headers()
    shown = door.client.get(f"{PREFIX}/followup/{intent.intent_id}/status").json()["data"]
    assert (shown["state"], shown["payload_hash"]) == ("awaiting_approval", payload_hash(intent))
    assert shown["barred"] == "a person must approve: nobody has approved it"
    path, body = f"followup/{intent.intent_id}/approve", {"payload_hash": shown["payload_hash"], "reason": "bright"}
    first = door.post(path, headers, body, **{"Idempotency-Key": "k1"})
    assert first.status_code == 200, first.text
    assert (first.json()["data"]["state"], first.json()["data"]["barred"]) == ("approved", "")
    assert door.post(path, headers, body, **{"Idempotency-Key": "k1"}).json() == first.json()
    other = door.post(path, headers, {**body, "reason": "another"}, **{"Idempotency-Key": "k1"})
    assert other.status_code == 422
    assert "came with another request before" in other.text
    assert door.post(path, headers, body).status_code == 422  # it awaits nothing any more
    door.night.run(1)
    assert door.night.n_booked == 1
    with door.night.store.reading() as session:
        (entry,) = followup_log.search(session)
    assert (entry.actor, entry.action, entry.detail["reason"]) == ("person:maria", "approve", "bright")
    assert entry.detail["payload_hash"] == payload_hash(intent)


def test_nobody_approves_without_scope_session_token_or_by_a_token(door, intent):
    path, body = f"followup/{intent.intent_id}/approve", {"payload_hash": payload_hash(intent)}
    full = door.headers()
    assert door.post(path, {}, body).status_code == 401
    assert door.post(path, {"Cookie": full["Cookie"]}, body).status_code == 403
    assert door.post(path, door.headers("paul"), body).status_code == 403
    robot = door.post(path, door.token(Scope.FOLLOWUP_APPROVE), body)
    assert (robot.status_code, "only a person approves" in robot.text) == (403, True)
    wrong = door.post(path, full, {"payload_hash": "0" * 64})
    assert (wrong.status_code, "look again" in wrong.text) == (422, True)
    assert door.post("followup/" + "0" * 32 + "/approve", full, body).status_code == 404
    door.night.run(3)
    assert door.night.n_booked == 0


def test_a_request_is_cancelled_and_a_network_stopped_by_who_may(door, intent):
    headers = door.headers()
    assert door.post("followup-networks/simulated/stop", headers, {"reason": "dome"}).json()["data"]["is_stopped"] is True
    (network,) = door.client.get(f"{PREFIX}/followup-networks").json()["data"]
    assert network == {
        "network": "simulated",
        "is_left_alone": True,
        "reason": "person:maria stopped simulated: dome",
        "requests": {"awaiting_approval": 1},
    }
    assert door.post("followup-networks/simulated/resume", headers).json()["data"]["is_stopped"] is False
    assert door.post("followup-networks/nowhere/stop", headers).status_code == 404
    done = door.post(f"followup/{intent.intent_id}/cancel", headers, {"reason": "seen"}, **{"Idempotency-Key": "k"})
    assert done.json()["data"]["state"] == "cancelled"
    again = door.post(f"followup/{intent.intent_id}/cancel", headers, {"reason": "seen"}, **{"Idempotency-Key": "k"})
    assert again.json() == done.json()
    entries = door.client.get(f"{PREFIX}/followup-log", headers=headers).json()["data"]
    assert [one["action"] for one in entries] == ["cancel", "resume", "stop"]
    assert door.client.get(f"{PREFIX}/followup-log").status_code == 401


def test_what_was_skipped_is_listed_with_its_reasons(door, intent):
    door.night.plan(candidate=make_candidate(place=(10.0, 80.0)))
    (skipped,) = door.client.get(f"{PREFIX}/followup-decisions", params={"verdict": "skip"}).json()["data"]
    assert (skipped["event_id"], skipped["rule"]) == ("G298048", "any announced candidate")
    assert any("never above the horizon" in reason for reason in skipped["reasons"])


def test_the_policy_is_asked_again_and_nothing_is_doubled(door, intent):
    decided = door.post("followup", door.token(Scope.FOLLOWUP_REQUEST), {"event": "G298048"})
    assert decided.status_code == 200, decided.text
    assert [one["verdict"] for one in decided.json()["data"]] == ["ask a person"]
    assert len(door.night.submissions) == 1
    assert door.post("followup", door.token(Scope.READ), {"event": "G298048"}).status_code == 403


def test_an_api_that_only_reads_decides_nothing(tmp_path):
    with api(tmp_path) as (client, _):
        assert client.get(f"{PREFIX}/followup-networks").status_code == 503
        assert client.get(f"{PREFIX}/followup-decisions").json()["data"] == []


def test_who_takes_note_of_a_request_is_written_down_and_what_nobody_notes_is_an_alarm(door, intent):
    told = Escalation(door.night.store, door.night.clock, EscalationSettings(channels=("chat",), after_s=60.0))
    assert told.step() == 1
    door.night.clock.forward(60)
    assert told.step() == 1
    alarms = door.client.get(f"{PREFIX}/health").json()["data"]["alarms"]
    assert any(f"nobody has acknowledged the approval that the request {intent.intent_id} waits for" in one for one in alarms)
    path = f"followup/{intent.intent_id}/ack"
    assert door.post(path, door.headers("paul")).status_code == 403
    noted = door.post(path, door.headers(), {"reason": "on it"}).json()["data"]
    assert (noted["acknowledged"], noted["actor"]) == (["approval"], "person:maria")
    assert not [one for one in door.client.get(f"{PREFIX}/health").json()["data"]["alarms"] if "acknowledged" in one]
    assert door.post(path, door.headers()).status_code == 422
    assert door.post("followup/" + "0" * 32 + "/ack", door.headers()).status_code == 404
