"""Counterparts, the curve of what was searched, and reported pointings, over HTTP."""

import json
from dataclasses import replace

import pytest

from hub.api import wire, wire_counterparts
from hub.model.coincidence import PairState
from hub.model.coverage import SelectionKind
from hub.science.small_cone import cell_of
from hub.services import pointings
from hub.storage import candidates, localizations, object_places, privacy, promoted
from hub.storage.object_places import ObjectPlace
from hub.storage.privacy import PrivateKind
from tests.support.api_night import T0, add_event, api, localization, notice
from tests.support.searched import DEC, FIRST, RA, hears, night
from tests.support.told import told

OF = "/api/v1/events/GW170817"
CLOCK = FIRST.plus_s(3600)
REPORT = {
    "graceid": "GW170817",
    "pointings": [
        {
            "instrument": "Swope",
            "status": "completed",
            "time": T0.plus_s(39_000).to_utc_iso(),
            "band": "i",
            "depth": 20.5,
            "ra": RA,
            "dec": DEC,
            "radius_deg": 2.0,
        },
        {
            "instrument": "Swope",
            "status": "planned",
            "time": T0.plus_s(40_000).to_utc_iso(),
            "ra": RA,
            "dec": DEC,
            "radius_deg": 1,
        },
    ],
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return night(tmp_path_factory.mktemp("archive")).folder


@pytest.fixture
def door(tmp_path, archive):
    with api(tmp_path, archive=archive, clock=lambda: CLOCK) as (client, store):
        yield client, store


def get(client, url, status=200):
    answer = client.get(url)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_the_curve_grows_with_the_visits_and_with_what_others_report(door):
    client, store = door
    hears(store)
    alone = get(client, f"{OF}/coverage/curve")["data"]
    wire_counterparts.CoverageCurve.model_validate(alone)
    (heard,) = alone["series"]
    shares = [step["searched_prob"] for step in heard["steps"]]
    assert heard["by"] == "LSST"
    assert shares == sorted(shares)
    assert shares[-1] == heard["searched_prob"] == pytest.approx(get(client, f"{OF}/coverage")["data"]["searched_prob"], abs=0.02)
    with store.transaction() as session:
        pointings.add(session, json.dumps(REPORT), reported_by="us", now=CLOCK)
    both = get(client, f"{OF}/coverage/curve")["data"]
    series = {one["by"]: one for one in both["series"]}
    assert set(series) == {"LSST", "Swope (reported)", "all"}
    assert series["all"]["searched_prob"] > max(series["LSST"]["searched_prob"], series["Swope (reported)"]["searched_prob"])
    assert both["n_planned"] == 1
    deep = get(client, f"{OF}/coverage/curve?depth=22")["data"]["series"]
    assert next(one for one in deep if one["by"] == "Swope (reported)")["searched_prob"] == 0.0
    listed = get(client, f"{OF}/pointings")
    for row in listed["data"]:
        wire_counterparts.ReportedPointing.model_validate(row)
    assert [row["status"] for row in listed["data"]] == ["completed", "planned"]


def test_counterparts_have_the_declared_shape(door):
    client, store = door
    hears(store)
    answer = get(client, f"{OF}/counterparts")
    wire_counterparts.Counterparts.model_validate(answer["data"])
    for one in answer["data"]["hypotheses"]:
        told = [row["probability"] for row in one["candidates"]]
        assert one["n_candidates"] == len(told)
        if one["reason"] is None:
            assert sum(told) + one["p_none"] == pytest.approx(1.0, abs=1e-9)
            assert set(one["none"]) == {"not_searched", "too_faint", "hidden_by_veto", "does_not_exist"}
            assert sum(told) + sum(one["none"].values()) == pytest.approx(1.0, abs=1e-9)
    assert get(client, answer["links"]["coverage"])["data"]["event_id"] == answer["data"]["event_id"]


def test_of_a_filtered_stream_everything_is_unknown_and_says_so(door):
    client, store = door
    hears(store, SelectionKind.FILTERED)
    curve = get(client, f"{OF}/coverage/curve")["data"]
    assert (curve["coverage"], curve["series"]) == ("unknown", [])
    assert "only through filters" in curve["unknown"][0]["reason"]
    for one in get(client, f"{OF}/counterparts")["data"]["hypotheses"]:
        assert one["p_none"] is None
        assert one["reason"].startswith("coverage unknown: LSST is heard only through filters")


def test_what_registers_were_told_of_the_hubs_own_pointings_is_listed_with_their_answers(door):
    client, store = door
    assert get(client, f"{OF}/pointings/reported")["data"] == []
    event_id = get(client, OF)["data"]["event_id"]
    with store.transaction() as session:
        told(session, event_id)
    listed = get(client, f"{OF}/pointings/reported")
    for row in listed["data"]:
        wire_counterparts.ToldRegister.model_validate(row)
    assert [row["answer"] for row in listed["data"]] == ["taken", "refused", "unknown", "not reached"]
    assert len(get(client, listed["links"]["pointings"])["data"]) >= 2


@pytest.mark.parametrize(("private", "networks"), [("map", {"other"}), ("portal", set())])
def test_what_registers_were_told_is_for_who_may_see_the_register_and_the_request(door, private, networks):
    client, store = door
    event_id = get(client, OF)["data"]["event_id"]
    with store.transaction() as session:
        told(session, event_id)
        privacy.declare(session, {(PrivateKind.NETWORK, private): "too"})
    assert {row["network"] for row in get(client, f"{OF}/pointings/reported")["data"]} == networks


def test_what_cannot_be_asked_is_refused(door):
    client, _ = door
    get(client, "/api/v1/events/nothing/pointings/reported", 404)
    get(client, "/api/v1/events/nothing/counterparts", 404)
    get(client, "/api/v1/events/nothing/pointings", 404)
    assert "there is no hypothesis 'unicorn'" in get(client, f"{OF}/coverage/curve?hypothesis=unicorn", 422)["detail"]
    assert "admits no counterpart" in get(client, f"{OF}/counterparts?hypothesis=unicorn", 422)["detail"]
    assert "has no localization" in get(client, "/api/v1/events/Fermi-524666471/counterparts", 422)["detail"]
    assert client.post("/api/v1/pointings", json=REPORT).status_code in (401, 403)


def test_of_an_event_of_low_significance_it_is_said_that_nobody_searches(door):
    client, store = door
    hears(store)
    where = localization()
    with store.transaction() as session:
        localizations.save(session, where)
        said = notice("S170818x", far_hz=2e-6, properties={"significant": False})
        add_event(session, [said], localization_id=where.localization_id)
    of_low, why = "/api/v1/events/S170818x", "not searched: low significance"
    event = get(client, of_low)
    assert event["data"]["not_searched"].startswith(why)
    answer = get(client, event["links"]["counterparts"])["data"]
    wire_counterparts.Counterparts.model_validate(answer)
    assert (answer["hypotheses"], answer["not_searched"]) == ([], event["data"]["not_searched"])
    curve = get(client, event["links"]["coverage"])["data"]
    wire_counterparts.CoverageCurve.model_validate(curve)
    assert (curve["nothing_found"], curve["not_searched"]) == (False, event["data"]["not_searched"])
    assert curve["series"], "what was searched by the survey is known all the same"
    listed = get(client, event["links"]["candidates"])
    wire.Searched[wire.Candidate].model_validate(listed)
    assert (listed["data"], listed["not_searched"]) == ([], event["data"]["not_searched"])
    with store.transaction() as session:
        promoted.lift(session, "S170818x")
    assert get(client, of_low)["data"]["not_searched"] is None
    assert get(client, event["links"]["counterparts"])["data"]["hypotheses"]
    assert get(client, OF)["data"]["not_searched"] is None


def test_an_event_leads_to_its_counterparts_and_to_what_was_searched(door):
    client, _ = door
    links = get(client, OF)["links"]
    assert get(client, links["counterparts"])["data"]["hypotheses"]
    assert get(client, links["coverage"])["data"]["nothing_found"] in (True, False)


def test_objects_of_two_surveys_at_one_place_are_one_transient(door):
    client, store = door
    hears(store)
    with store.reading() as session:
        (first, *_) = candidates.search(session, event_id="S170817a", hypothesis="kilonova", state=PairState.OPEN)
    other = replace(first, survey="ZTF", object_id="ZTF17abcdefg", score=first.score - 1.0, confirmed=first.confirmed)
    with store.transaction() as session:
        candidates.save_all(session, [other], {})
        object_places.save(session, [place_of(first), place_of(other)])
    one = get(client, f"{OF}/counterparts?hypothesis=kilonova")["data"]["hypotheses"][0]
    shown = {row["object_id"]: row["aliases"] for row in one["candidates"]}
    assert shown[first.object_id] == ["ZTF:ZTF17abcdefg"]
    assert "ZTF17abcdefg" not in shown


def place_of(one):
    return ObjectPlace(
        survey=one.survey,
        object_id=one.object_id,
        cell=cell_of(one.ra_deg, one.dec_deg),
        ra_deg=one.ra_deg,
        dec_deg=one.dec_deg,
        first_tai_us=one.first_detection.tai_us,
    )
