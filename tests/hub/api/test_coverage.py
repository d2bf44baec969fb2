"""What surveys searched, over HTTP, on a night of visits around the event of `tests.support.api_night`."""

import pytest

from hub.api import wire_visits
from hub.model.coverage import SelectionKind
from tests.support.api_night import T0, api
from tests.support.searched import DEC, FIRST, LOST, RA, hears, night, number

AT = f"/api/v1/coverage?ra_deg={RA}&dec_deg={DEC}"
OF = "/api/v1/events/GW170817/coverage"
CLOCK = FIRST.plus_s(3600)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return night(tmp_path_factory.mktemp("archive")).folder


@pytest.fixture(scope="module")
def client(tmp_path_factory, archive):
    with api(tmp_path_factory.mktemp("night"), archive=archive, clock=lambda: CLOCK) as (client, store):
        hears(store)
        yield client


def get(client, url, status=200):
    answer = client.get(url)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_answers_have_the_declared_shapes_and_lead_on(client):
    at = get(client, AT)
    wire_visits.PositionCoverage.model_validate(at["data"])
    assert at["data"]["last"]
    of = get(client, OF)
    wire_visits.EventCoverage.model_validate(of["data"])
    assert 0.1 < of["data"]["searched_prob"] < 0.9
    visits = get(client, "/api/v1/visits")
    wire_visits.VisitPage.model_validate(visits)
    assert len(visits["data"]) == 6
    for answer in (at, of, visits):
        for link in answer["links"].values():
            if link and "?" not in link and not link.endswith("/coverage"):
                get(client, link)


def test_an_event_is_asked_by_any_of_its_names_and_to_a_depth(client):
    answer = client.get(OF)
    assert answer.headers["content-location"] == "/api/v1/events/S170817a/coverage"
    assert answer.json()["data"]["event_id"] == "S170817a"
    deep = get(client, f"{OF}?depth=25&until=2017-08-18T00:20:00Z&limit=1")["data"]
    assert deep["searched_prob"] < answer.json()["data"]["searched_prob"]
    assert len(deep["visits"]) == 1 < deep["n_visits"]
    assert {one["band"] for one in deep["visits"]} == {"g"}


def test_a_window_and_a_band_are_asked_as_from_to_and_band(client):
    everything = get(client, AT)["data"]
    assert get(client, f"{AT}&band=g")["data"]["n_visits"] < everything["n_visits"]
    assert get(client, f"{AT}&from=2017-08-17T12:00:00Z&to=2017-08-17T13:00:00Z")["data"]["last"] is None
    assert get(client, f"{AT}&from=mjd:57982.5&to=mjd:57983.5")["data"]["n_visits"] == everything["n_visits"]


def test_visits_come_in_pages_of_a_night(client):
    whole = get(client, "/api/v1/visits?night=2017-08-17")["data"]
    collected, here = [], "/api/v1/visits?night=2017-08-17&limit=4"
    while here:
        page = get(client, here)
        collected += page["data"]
        here = page["links"]["next"]
    assert collected == whole
    (lost,) = get(client, "/api/v1/visits?incomplete=true")["data"]
    assert (lost["visit"], lost["missing"]) == (str(number(LOST[0])), [LOST[1]])
    assert get(client, "/api/v1/visits?night=2017-08-18")["data"] == []


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("/api/v1/coverage", "ra_deg"),
        (f"{AT}&depth=25", "depth"),
        ("/api/v1/coverage?ra_deg=400&dec_deg=0", "ra_deg"),
        ("/api/v1/coverage?ra_deg=0&dec_deg=nan", "dec_deg"),
        (f"{AT}&from=2017-08-18&to=2017-08-17", "until"),
        (f"{AT}&from=1999-01-01&to=2017-08-17", "from"),
        ("/api/v1/visits?night=tonight", "night"),
        ("/api/v1/visits?cursor=W10=", "cursor"),
    ],
)
def test_a_wrong_question_is_refused_and_the_field_named(client, url, field):
    assert field in {one["field"] for one in get(client, url, 422)["errors"]}


def test_an_event_without_a_map_or_that_is_not_there_is_told_apart(client):
    assert "has no localization" in get(client, "/api/v1/events/Fermi-524666471/coverage", 422)["detail"]
    get(client, "/api/v1/events/nothing/coverage", 404)


@pytest.mark.parametrize("has_archive", [True, False])
def test_from_a_filtered_stream_every_answer_says_that_it_is_unknown(tmp_path, archive, has_archive):
    more = {"archive": archive} if has_archive else {}
    with api(tmp_path, clock=lambda: CLOCK, **more) as (client, store):
        hears(store, SelectionKind.FILTERED, name="fink-lsst", since=T0)
        for url in (AT, OF):
            body = get(client, url)["data"]
            assert body["coverage"] == "unknown"
            assert "only through filters" in body["reason"]
            assert body["visits"] == []
        assert get(client, OF)["data"]["searched_prob"] is None
        visits = get(client, "/api/v1/visits")
        assert visits["data"] == []
        assert [one["coverage"] for one in visits["coverage"]] == ["unknown"]
