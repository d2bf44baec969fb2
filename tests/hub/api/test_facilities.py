"""/api/v1/facilities: observatories, and when they see a place."""

import io
import itertools

import pytest
from astropy.io.votable import parse_single_table

from hub.api import wire_facilities
from hub.model.instant import Instant
from hub.resources import read_text
from hub.science.sites import load_sites
from tests.support.api_night import api

NOW = Instant.from_utc_iso("2025-03-10T20:00:00")
PLACE = {"ra_deg": 150.0, "dec_deg": -30.0}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with api(tmp_path_factory.mktemp("facilities"), filled=False, clock=lambda: NOW) as (client, _):
        yield client


def see(client, facility="ctio", **parameters):
    answer = client.get(f"/api/v1/facilities/{facility}/visibility", params=PLACE | parameters)
    assert answer.status_code == 200, answer.text
    return wire_facilities.Visibility.model_validate(answer.json()["data"])


def test_every_site_of_the_table_is_a_facility_that_can_be_asked(client):
    listed = client.get("/api/v1/facilities").json()["data"]
    assert [one["name"] for one in listed] == [site.name for site in load_sites(read_text("conf/sites.toml"))]
    for one in listed:
        for name in (one["facility_id"], one["name"]):
            answer = client.get(f"/api/v1/facilities/{name}")
            assert answer.json()["data"] == one
            assert answer.headers["content-location"] == f"/api/v1/facilities/{one['facility_id']}"
        assert client.get(answer.json()["links"]["visibility"], params=PLACE).status_code == 200


def test_windows_of_a_day_are_in_the_dark_and_high(client):
    said = see(client, end="2025-03-12T20:00:00Z")
    assert len(said.windows) == 2
    assert said.reason is None
    for one in said.windows:
        length_s = Instant.from_utc_iso(one.end).minus(Instant.from_utc_iso(one.start))
        assert one.duration_s == pytest.approx(length_s, abs=1e-5)
        assert 7 * 3_600 < one.duration_s < 9 * 3_600
        assert 1.0 <= one.best_airmass < 1.01
    assert said.observable_s == pytest.approx(sum(one.duration_s for one in said.windows))
    assert all(a.end < b.start for a, b in itertools.pairwise(said.windows))


def test_a_span_is_a_day_from_now_where_none_is_given(client):
    said = see(client, "La Palma", ra_deg=360.0)
    assert (said.start, said.end, said.ra_deg) == ("2025-03-10T20:00:00.000000Z", "2025-03-11T20:00:00.000000Z", 0.0)
    assert said.facility_id == "la-palma"


def test_stricter_needs_leave_less(client):
    free = see(client)
    strict = see(client, max_airmass=1.2)
    assert 0 < strict.observable_s < free.observable_s
    assert see(client, max_sun_altitude_deg=-12).observable_s > free.observable_s


def test_a_target_that_is_never_up_says_why(client):
    said = see(client, dec_deg=80.0)
    assert said.windows == []
    assert "at most at CTIO in this span, below 30 deg (airmass 2)" in said.reason
    assert "nearer than 179 deg" in see(client, min_moon_separation_deg=179).reason


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ra_deg": 400}, "ra_deg"),
        ({"dec_deg": "nan"}, "dec_deg"),
        ({"max_airmass": 1}, "max_airmass"),
        ({"end": "2025-03-10T19:00:00Z"}, "end"),
        ({"end": "2025-05-10T19:00:00Z"}, "end"),
        ({"start": "yesterday"}, "start"),
        ({"airmass": 2}, "airmass"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(client, changes, field):
    answer = client.get("/api/v1/facilities/ctio/visibility", params=PLACE | changes)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["field"].rpartition(".")[2] for one in answer.json()["errors"]] == [field]


def test_an_unknown_facility_is_named_with_those_that_are_known(client):
    answer = client.get("/api/v1/facilities/atlantis/visibility", params=PLACE)
    assert answer.status_code == 404
    assert "there is no facility 'atlantis'; known: rubin, ctio, " in answer.json()["detail"]


def votable(client, **parameters):
    answer = client.get("/api/v1/facilities/ctio/objvissap", params={"POS": "150.0,-30.0"} | parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-votable+xml")
    return answer.content


def test_the_votable_has_the_same_windows(client):
    table = parse_single_table(io.BytesIO(votable(client, TIME=f"{NOW.mjd_utc}/{NOW.mjd_utc + 3}")), verify="exception")
    said = see(client, end=f"mjd:{NOW.mjd_utc + 3}")
    assert [(one.name, str(one.unit)) for one in table.fields] == [("t_start", "d"), ("t_stop", "d"), ("t_visibility", "s")]
    assert len(table.array) == len(said.windows) == 3
    for row, one in zip(table.array, said.windows, strict=True):
        assert row["t_start"] == pytest.approx(Instant.from_utc_iso(one.start).mjd_utc, abs=1e-7)
        assert row["t_stop"] == pytest.approx(Instant.from_utc_iso(one.end).mjd_utc, abs=1e-7)
        assert row["t_visibility"] == pytest.approx(one.duration_s, abs=1e-3)


def test_the_votable_says_where_it_was_cut(client):
    for most, n, is_cut in ((2, 2, True), (3, 3, False), (0, 0, False)):
        content = votable(client, TIME=f"{NOW.mjd_utc}/{NOW.mjd_utc + 3}", MAXREC=most)
        assert len(parse_single_table(io.BytesIO(content)).array) == n
        assert (b"OVERFLOW" in content) == is_cut
    assert not len(parse_single_table(io.BytesIO(votable(client, MIN_VIS=80_000))).array)


@pytest.mark.parametrize("time", [None, "/", f"{NOW.mjd_utc}/", f"/{NOW.mjd_utc + 1}"])
def test_an_open_time_is_from_now_and_for_a_day(client, time):
    parameters = {} if time is None else {"TIME": time}
    assert len(parse_single_table(io.BytesIO(votable(client, **parameters))).array) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"POS": "150"},
        {"POS": "400,0"},
        {"POS": "nan,0"},
        {"TIME": "60000"},
        {"TIME": "2/1"},
        {"TIME": "60001/60000"},
        {"TIME": "a/b"},
    ],
)
def test_a_place_or_time_that_is_none_is_refused(client, wrong):
    answer = client.get("/api/v1/facilities/ctio/objvissap", params={"POS": "150.0,-30.0"} | wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in wrong
