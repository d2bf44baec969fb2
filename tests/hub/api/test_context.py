"""Circulars and annotations over HTTP: read by anyone, decided by whoever holds a token for it."""

import pytest

from adapters.codecs.tns import decode_table
from hub.api import wire
from hub.model.circular import Circular
from hub.model.notice import EventClass, Messenger
from hub.model.token import Scope
from hub.services import annotations, circulars, tokens
from hub.storage.events import search
from tests.support.api_night import NOW, add_event, api, notice
from tests.support.tns_tables import table

EVIL = "<script>alert(1)</script>"
BODY = f"We find a redshift z = 0.0098 at RA = 197.45, Dec = -23.38. {EVIL}"


def circular(number=21505, **changes):
    values = {"circular_id": number, "version": 1, "subject": "LIGO/Virgo S170817a: optical", "body": BODY, "created_at": NOW}
    return Circular(**(values | changes))


async def never(envelope):
    raise AssertionError


@pytest.fixture
def hub(tmp_path):
    with api(tmp_path, submit=never, clock=lambda: NOW) as (client, store):
        with store.transaction() as session:
            for number in range(21501, 21506):
                circulars.take(session, circular(number), digest=f"{number:064d}", received_at=NOW, is_trusted=True)
            for name, event_class, properties in (
                ("S1", EventClass.CBC, {"significant": False}),
                ("Fermi-1", EventClass.SUB_GRB, {}),
                ("Fermi-2", EventClass.GRB, {}),
            ):
                add_event(session, [notice(name, messenger=Messenger.EM, event_class=event_class, properties=properties)])
        annotations.record_reports(store, decode_table(table({"ra": "197.45", "declination": "-23.38"})).reports, NOW)
        yield client, store


def token(store, *scopes):
    secret = tokens.create(store, name="J.Doe", scopes=set(scopes), clock=lambda: NOW).secret
    return {"Authorization": f"Bearer {secret}"}


def bodies(client, url, shape):
    answer = client.get(f"/api/v1{url}")
    assert answer.status_code == 200, answer.text
    found = answer.json()["data"]
    for body in found if isinstance(found, list) else [found]:
        shape.model_validate(body)
    return found


def test_circulars_are_listed_found_and_read(hub):
    client, _ = hub
    assert len(bodies(client, "/circulars", wire.Circular)) == 5
    assert len(bodies(client, "/circulars?text=redshift+optical&event=S170817A", wire.Circular)) == 5
    assert bodies(client, "/circulars?until=2017-01-01", wire.Circular) == []
    body = bodies(client, "/circulars/21505", wire.CircularWithText)
    assert (body["body"], body["event_ids"]) == (BODY, ["S170817a"])
    assert [one["version"] for one in bodies(client, "/circulars/21505/versions", wire.CircularWithText)] == [1]
    assert client.get("/api/v1/circulars/7").status_code == 404
    assert client.get("/api/v1/circulars/x").status_code == 422


def test_a_circulars_text_leaves_as_json_and_nothing_else(hub):
    client, _ = hub
    answer = client.get("/api/v1/circulars/21505")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_circulars_of_an_event_come_page_by_page_under_any_of_its_names(hub):
    client, _ = hub
    first = client.get("/api/v1/events/GW170817/circulars?limit=2").json()
    assert [one["circular_id"] for one in first["data"]] == [21505, 21504]
    second = client.get(first["links"]["next"]).json()
    assert [one["circular_id"] for one in second["data"]] == [21503, 21502]
    assert client.get("/api/v1/events/nothing/circulars").status_code == 404


def test_a_proposal_is_decided_by_whoever_has_the_scope_and_by_nobody_else(hub):
    client, store = hub
    proposed = bodies(client, "/annotations?state=proposed&kind=redshift&event=S170817a", wire.Annotation)
    assert len(proposed) == 5
    own = f"/annotations/{proposed[0]['annotation_id']}"
    assert client.post(f"/api/v1{own}:accept").status_code == 401
    assert bodies(client, "/events/S170817a", wire.Event)["annotations"] == []
    allowed = token(store, Scope.ANNOTATE)
    answer = client.post(f"/api/v1{own}:accept", headers=allowed, json={"note": "seen"})
    assert answer.status_code == 200, answer.text
    wire.AnnotationWithDecisions.model_validate(answer.json()["data"])
    (shown,) = bodies(client, "/events/S170817a", wire.Event)["annotations"]
    assert (shown["value"], shown["decided_by"], shown["note"]) == ({"z": 0.0098}, "J.Doe", "seen")
    assert client.post(f"/api/v1{own}:reject", headers=allowed).status_code == 200
    states = [one["state"] for one in bodies(client, own, wire.AnnotationWithDecisions)["decisions"]]
    assert states == ["accepted", "rejected"]
    assert bodies(client, "/events/S170817a", wire.Event)["annotations"] == []


def test_what_cannot_be_decided_is_told_in_a_sentence(hub):
    client, store = hub
    allowed = token(store, Scope.ANNOTATE)
    stated = bodies(client, "/annotations?source=TNS", wire.Annotation)[0]["annotation_id"]
    answer = client.post(f"/api/v1/annotations/{stated}:accept", headers=allowed)
    assert (answer.status_code, answer.json()["detail"][:26]) == (422, "TNS states this itself: on")
    assert client.post("/api/v1/annotations/none:accept", headers=allowed).status_code == 404
    assert client.post(f"/api/v1/annotations/{stated}:accept", headers=allowed, json={"who": "x"}).status_code == 422


def test_an_api_that_only_reads_takes_no_decision(tmp_path):
    with api(tmp_path, clock=lambda: NOW) as (client, store):
        answer = client.post("/api/v1/annotations/x:accept", headers=token(store, Scope.ANNOTATE))
        assert answer.status_code == 503
        assert "only reads" in answer.json()["detail"]


def test_a_candidate_shows_what_the_registry_says_of_its_place(hub):
    client, _ = hub
    shown = bodies(client, "/candidates?event=S170817a", wire.Candidate)
    places = {(one["ra_deg"], one["dec_deg"]): {a["kind"] for a in one["annotations"]} for one in shown}
    near = bodies(client, "/annotations?object=SN2026abc", wire.Annotation)
    assert {one["kind"] for one in near} == {"name", "classification", "redshift"}
    for (ra, dec), kinds in places.items():
        is_near = abs(ra - 197.45) < 1e-4 and abs(dec + 23.38) < 1e-4
        assert kinds == ({"name", "classification", "redshift"} if is_near else set())


def test_annotations_come_page_by_page(hub):
    client, _ = hub
    seen, url = [], "/api/v1/annotations?limit=3"
    while url:
        page = client.get(url).json()
        seen += [one["annotation_id"] for one in page["data"]]
        url = page["links"]["next"]
    assert len(seen) == len(set(seen)) == len(bodies(client, "/annotations?limit=1000", wire.Annotation)) >= 13


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("low", {"S1"}),
        ("sub_threshold", {"Fermi-1"}),
        ("low,sub_threshold", {"S1", "Fermi-1"}),
        ("unstated", {"S170817a", "Fermi-524666471", "MS170817a", "Fermi-2"}),
        ("significant", set()),
    ],
)
def test_events_are_filtered_by_their_grade(hub, wanted, names):
    client, store = hub
    found = bodies(client, f"/events?significance={wanted}", wire.Event)
    assert {one["event_id"] for one in found} == names
    assert {one["significance"] for one in found} <= set(wanted.split(","))
    with store.reading() as session:
        assert {one.event_id for one in search(session, limit=99)} >= names
    assert client.get("/api/v1/events?significance=loud").status_code == 422
