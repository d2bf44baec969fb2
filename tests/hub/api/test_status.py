"""Health, readiness and metrics over HTTP, from what the loops of a hub wrote into the database."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub.api import metrics, wire_status
from hub.api.security import declared_scopes
from hub.model.token import Scope
from hub.ports import Health, Incident
from hub.services import status
from hub.storage import components, envelopes, incidents
from tests.support.api_night import api
from tests.support.followup import NOW


class Clock:
    """Stands where it is told."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def hub(tmp_path):
    clock = Clock()
    with api(tmp_path, clock=clock) as (client, store):
        yield client, store, clock


def report(store, at, **said):
    healths = [(name.replace("_", "/", 1), health) for name, health in said.items()]
    with store.transaction() as session:
        components.report(session, "host/1", healths, at)


LISTENING = Health(
    state="listening",
    facts={"lag": 7, "heartbeat_age_s": 1.5, "last_taken_at": NOW.plus_s(-30).to_utc_iso(), "topics_missing": ["igwn.gwalert"]},
)


def health(client):
    body = client.get("/api/v1/health").json()["data"]
    wire_status.Health.model_validate(body)
    return body


def ready(client):
    answer = client.get("/api/v1/ready")
    return answer.status_code, [one["reason"] for one in answer.json().get("errors", [])]


def test_a_source_is_shown_with_its_books_and_what_it_says(hub):
    client, store, clock = hub
    report(store, clock.now, source_gcn=LISTENING, watch=Health(state="watching"))
    clock.now = NOW.plus_s(5)
    body = health(client)
    (source,) = body["sources"]
    assert (source["source"], source["received"], source["law_holds"]) == ("gcn", 5, True)
    assert source["component"]["facts"] == LISTENING.facts
    assert (source["component"]["state"], source["component"]["reported_s_ago"]) == ("listening", 5.0)
    assert [one["name"] for one in body["components"]] == ["watch"]
    assert ready(client) == (200, [])


def test_a_deaf_source_is_an_alarm_and_the_hub_is_not_ready(hub):
    client, store, clock = hub
    report(store, clock.now, source_gcn=Health(state="listening", alarms=("no heartbeat for 42 s",)))
    body = health(client)
    assert (body["status"], body["law_holds"]) == ("alarm", True)
    assert "source gcn: no heartbeat for 42 s" in body["alarms"]
    assert ready(client) == (503, ["source gcn: no heartbeat for 42 s"])


def test_alerts_of_the_future_are_an_alarm_and_a_number_and_the_hub_is_ready_all_the_same(hub):
    client, store, clock = hub
    facts = {"alerts": 50, "alerts_per_s": 1.0, "dated_ahead": 40, "ahead_s": 7200.4}
    report(store, clock.now, source_gcn=Health(state="listening", facts=facts))
    (alarm,) = health(client)["alarms"]
    assert alarm == (
        "alerts of source gcn come before they were exposed, lately by up to 7200 s: their dates or the clock of a machine are"
        " wrong; 40 so far, which are stored and matched but not timed"
    )
    assert ready(client) == (200, [])
    assert 'mmhub_alerts_dated_ahead{source="gcn"} 40.0' in client.get("/metrics").text
    report(store, clock.now, source_gcn=Health(state="listening", facts=facts | {"ahead_s": None}))
    assert health(client)["status"] == "ok"


def test_a_loop_that_does_not_report_for_a_minute_is_silent(hub):
    client, store, clock = hub
    report(store, clock.now, source_gcn=LISTENING)
    clock.now = NOW.plus_s(60)
    assert ready(client) == (200, [])
    clock.now = NOW.plus_s(61)
    sentence = "source gcn has not reported for 61 s: its process host/1 may be gone"
    assert ready(client) == (503, [sentence])
    body = health(client)
    assert body["sources"][0]["component"]["state"] == "silent"
    assert sentence in body["alarms"]


def test_what_was_stopped_on_purpose_is_no_reason(hub):
    client, store, clock = hub
    report(store, clock.now, source_gcn=Health(state=components.STOPPED))
    clock.now = NOW.plus_s(86_400)
    assert ready(client) == (200, [])
    assert health(client)["sources"][0]["component"]["state"] == "stopped"


def test_a_failed_destination_needs_a_person(hub):
    client, store, clock = hub
    report(store, clock.now, destination_hop=Health(state="failed, needs a person", alarms=("it failed and needs a person: no",)))
    assert ready(client) == (503, ["destination hop failed, needs a person"])


def test_a_hub_that_is_not_ready_is_no_database_that_is_away(hub):
    client, store, clock = hub
    report(store, clock.now, source_gcn=Health(state="listening", alarms=("no heartbeat for 42 s",)))
    problem = client.get("/api/v1/ready").json()
    assert (problem["type"], problem["title"]) == ("urn:mmhub:problem:not-ready", "Not ready")
    assert problem["detail"] == "the hub is not ready"


def test_what_the_database_could_not_be_told_is_an_alarm_all_the_same(hub):
    client, *_ = hub
    assert (ready(client), health(client)["status"]) == ((200, []), "ok")
    client.app.state.alarms = lambda: ("the state database cannot be written: disk full",)
    assert ready(client) == (503, ["the state database cannot be written: disk full"])
    body = health(client)
    assert (body["status"], body["alarms"]) == ("alarm", ["the state database cannot be written: disk full"])


def test_the_worst_of_several_processes_is_shown_and_what_is_silent_can_be_forgotten(hub):
    client, store, clock = hub
    report(store, clock.now, source_gcn=LISTENING)
    clock.now = NOW.plus_s(400)
    with store.transaction() as session:
        components.report(session, "host/2", [("source/gcn", LISTENING)], clock.now)
    sentence = "source gcn has not reported for 400 s: its process host/1 may be gone"
    assert ready(client) == (503, [sentence])
    assert health(client)["sources"][0]["component"]["instance"] == "host/1"
    assert samples(client)["mmhub_component_up", "source/gcn"] == 0
    with store.transaction() as session:
        assert status.forget(session, "source/other", clock.now) == []
        assert status.forget(session, "source/gcn", clock.now) == ["source/gcn"]
    assert ready(client) == (200, [])
    assert health(client)["sources"][0]["component"]["instance"] == "host/2"
    assert samples(client)["mmhub_component_up", "source/gcn"] == 1


def test_a_gap_is_shown(hub):
    client, store, clock = hub
    gap = Incident(kind="gap", subject="t/0/3-9", text="6 messages of t are gone", facts={"first_offset": 3})
    with store.transaction() as session:
        assert incidents.record(session, "gcn", gap, clock.now)
        assert not incidents.record(session, "gcn", gap, clock.now.plus_s(1))
    (shown,) = health(client)["incidents"]
    assert (shown["source"], shown["kind"], shown["text"]) == ("gcn", "gap", "6 messages of t are gone")


def samples(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_obey_the_law(hub):
    client, store, clock = hub
    report(store, clock.now, source_gcn=LISTENING, destination_hop=Health(state="failed, needs a person"))
    found = samples(client)
    books = {name: found[f"mmhub_messages_{name}_total", "gcn"] for name in ("received", "stored", "duplicates", "dead_letters")}
    assert books == {"received": 5, "stored": 4, "duplicates": 0, "dead_letters": 1}
    assert books["received"] == sum(books.values()) - books["received"] + found["mmhub_messages_in_flight", "gcn"]
    assert found["mmhub_conservation_ok",] == 1
    assert found["mmhub_source_lag_messages", "gcn"] == 7
    assert found["mmhub_source_heartbeat_age_seconds", "gcn"] == 1.5
    assert found["mmhub_source_last_message_age_seconds", "gcn"] == 30
    assert (found["mmhub_component_up", "source/gcn"], found["mmhub_component_up", "destination/hop"]) == (1, 0)
    with store.transaction() as session:
        envelopes.count_alerts(session, "lsst", received=2, stored=1, duplicates=0, dead_letters=0)
    assert samples(client)["mmhub_conservation_ok",] == 0


def test_metrics_need_the_scope_read():
    assert [scopes for _, scopes in declared_scopes([metrics.router])] == [[Scope.READ]]


def test_every_metric_is_documented(hub, request):
    client, *_ = hub
    page = (request.config.rootpath / "docs" / "reference" / "metrics.md").read_text()
    for family in text_string_to_metric_families(client.get("/metrics").text):
        assert f"`{family.name}" in page, family.name
