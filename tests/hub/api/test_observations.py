"""Reports of observations over HTTP: taken in with a token, seen in what the hub answers."""

import json

from hub.api import wire_observations
from hub.model.token import Scope
from hub.services import tokens
from tests.support.api_night import OBJECT_ID, T0, api
from tests.support.followup import NOW

NAME = f"LSST:{OBJECT_ID}"
URL = "/api/v1/observations"
REPORT = [
    {
        "graceid": "GW170817",
        "kind": "detection",
        "object": NAME,
        "ra": 197.4504,
        "dec": -23.3815,
        "instrument": "Swope",
        "time": T0.plus_s(39_000).to_utc_iso(),
        "band": "i",
        "mag": 17.5,
        "class": "Kilonova",
    },
    {
        "graceid": "GW170817",
        "instrument": "Swope",
        "time": T0.plus_s(40_000).to_utc_iso(),
        "ra": 197.0,
        "dec": -23.0,
        "radius_deg": 0.5,
    },
]


def who(store, *scopes):
    secret = tokens.create(store, name=f"robot-{len(tokens.listing(store))}", scopes=set(scopes), clock=lambda: NOW).secret
    return {"Authorization": f"Bearer {secret}"}


def test_a_report_is_taken_in_and_shown(tmp_path):
    with api(tmp_path, clock=lambda: NOW, submit=_nothing) as (client, store):
        assert client.post(URL, json=REPORT).status_code == 401
        assert client.post(URL, json=REPORT, headers=who(store, Scope.READ)).status_code == 403
        allowed = who(store, Scope.ANNOTATE)
        answer = client.post(URL, json=REPORT, headers=allowed)
        assert answer.status_code == 200, answer.text
        told = answer.json()["data"]
        wire_observations.ObservationsTaken.model_validate(told)
        assert told == {"n_pointings": 1, "n_detections": 1, "n_limits": 0, "n_classes": 1, "events": ["S170817a"]}
        listed = client.get("/api/v1/events/S170817a/pointings").json()["data"]
        assert [(one["instrument"], one["status"]) for one in listed] == [("Swope", "completed")] * 2
        assert all("robot" in one["reported_by"] for one in listed)
        stated = client.get("/api/v1/annotations?kind=observation").json()["data"]
        assert [(one["target_id"], one["value"]["mag"]) for one in stated] == [(NAME, 17.5)]
        assert len(client.get("/api/v1/annotations?kind=classification").json()["data"]) == 1


def test_a_report_that_makes_no_sense_is_a_sentence(tmp_path):
    with api(tmp_path, clock=lambda: NOW, submit=_nothing) as (client, store):
        allowed = who(store, Scope.ANNOTATE)
        bad = [*REPORT, {"graceid": "GW170817", "kind": "limit", "object": NAME}]
        for content, words, status in (
            (json.dumps(bad).encode(), "observation 3: ", 422),
            (b"\xff", "no text in UTF-8", 422),
            (b"[]", "holds no pointings", 422),
            (b" " * (5 << 20), "at most", 413),
        ):
            answer = client.post(URL, content=content, headers=allowed)
            assert answer.status_code == status, answer.text
            assert words in answer.json()["detail"]
        assert client.get("/api/v1/events/S170817a/pointings").json()["data"] == []


def test_an_api_that_only_reads_takes_nothing_in(tmp_path):
    with api(tmp_path, clock=lambda: NOW) as (client, store):
        assert client.post(URL, json=REPORT, headers=who(store, Scope.ANNOTATE)).status_code == 503


async def _nothing(_):
    raise AssertionError("nobody hands a notice in")
