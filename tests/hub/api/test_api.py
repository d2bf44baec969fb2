"""The HTTP API over ASGI with its true lifespan, on a database filled by the storage functions."""

import io
import json
import re
from pathlib import Path

import pytest
from astropy.io import fits
from structlog.testing import capture_logs

from hub.api import wire, wire_status
from hub.api.paging import write_cursor
from hub.api.parameters import parse_time
from hub.model.instant import Instant
from hub.services.bodies import jsonable
from hub.storage import envelopes
from hub.storage.tables import EventRow
from tests.support.api_night import OBJECT_ID, T0, XML, api, coincidence, localization

LISTINGS = {
    "/api/v1/events": wire.Event,
    "/api/v1/coincidences": wire.Coincidence,
    "/api/v1/candidates": wire.Candidate,
    "/api/v1/followup": wire.Followup,
    "/api/v1/voevents": wire.VOEvent,
    "/api/v1/outgoing": wire.OutgoingMessage,
}
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with api(tmp_path_factory.mktemp("night")) as (client, _):
        yield client


def get(client, url, status=200, **more):
    answer = client.get(url, **more)
    assert answer.status_code == status, answer.text
    return answer


def everything(client):
    """Yield (shape, body) of every JSON resource that can be reached from the root."""
    for url, shape in LISTINGS.items():
        for body in get(client, url).json()["data"]:
            yield shape, body
    for url, shape in {
        "/api/v1/events/S170817a": wire.Event,
        "/api/v1/events/S170817a/versions/1": wire.Version,
        f"/api/v1/localizations/{localization().localization_id}": wire.Localization,
        f"/api/v1/coincidences/{coincidence(1).coincidence_id}": wire.Coincidence,
        f"/api/v1/followup/{get(client, '/api/v1/followup').json()['data'][0]['intent_id']}": wire.FollowupWithHistory,
        "/api/v1/voevents/1": wire.VOEvent,
        "/api/v1/health": wire_status.Health,
    }.items():
        yield shape, get(client, url).json()["data"]
    for url, shape in {
        "/api/v1/events/S170817a/versions": wire.Version,
        "/api/v1/events/S170817a/candidates": wire.Candidate,
        f"/api/v1/coincidences/{coincidence(1).coincidence_id}/history": wire.Coincidence,
        "/api/v1/sources": wire.Source,
    }.items():
        for body in get(client, url).json()["data"]:
            yield shape, body


def test_every_body_has_the_declared_shape_and_every_shape_is_seen(client):
    seen = set()
    for shape, body in everything(client):
        shape.model_validate(body)
        seen.add(shape)
    assert seen >= {
        *LISTINGS.values(),
        wire.Version,
        wire.Localization,
        wire.FollowupWithHistory,
        wire.Source,
        wire_status.Health,
    }


@pytest.mark.parametrize("shape", [*LISTINGS.values(), wire.Localization, wire.Source])
def test_every_example_of_a_shape_is_one(shape):
    (example,) = shape.model_json_schema()["examples"]
    assert shape.model_validate(example)


def test_every_time_is_utc_with_z_and_no_integer_is_beyond_2_to_the_53(client):
    def walk(value, key=""):
        if isinstance(value, dict):
            for name, item in value.items():
                walk(item, name)
        elif isinstance(value, list):
            for item in value:
                walk(item, key)
        elif isinstance(value, int):
            assert abs(value) <= 2**53
        elif key in {"t0", "at", "first_detection", "last_detection", "window_start", "window_end"} or key.endswith("_at"):
            assert value is None or ISO.fullmatch(value), (key, value)

    for _, body in everything(client):
        walk(body)


def test_an_event_tells_what_it_is_and_leads_to_everything_about_it(client):
    answer = get(client, "/api/v1/events/S170817a").json()
    event = answer["data"]
    assert event["t0"] == "2017-08-17T12:41:04.400000Z"
    assert event["properties"] == {"candid": str(2**60), "odd": None, "search": "AllSky"}
    assert event["classification"] == {"BNS": 0.99, "HasNS": None}
    assert event["n_versions"] == 2
    assert event["skymap"]["area90_deg2"] == pytest.approx(130, rel=0.2)
    for link in answer["links"].values():
        get(client, link)


@pytest.mark.parametrize("name", ["GW170817", "S170817a"])
def test_an_event_is_found_by_any_name_and_says_its_canonical_address(client, name):
    answer = get(client, f"/api/v1/events/{name}")
    assert answer.json()["data"]["event_id"] == "S170817a"
    assert answer.headers["content-location"] == "/api/v1/events/S170817a"
    assert len(get(client, f"/api/v1/coincidences?event={name}").json()["data"]) == 2


def test_versions_are_in_order_of_issue_and_lead_to_the_bytes(client):
    versions = get(client, "/api/v1/events/S170817a/versions").json()["data"]
    assert [(one["version"], one["stage"]) for one in versions] == [(1, "initial"), (2, "update")]
    one = get(client, "/api/v1/events/S170817a/versions/2").json()
    assert one["data"] == versions[1]
    raw = get(client, one["links"]["raw"])
    assert raw.content.startswith(XML)
    assert get(client, f"/api/v1/notices/{versions[1]['notice_id']}").json()["data"] == versions[1]
    get(client, "/api/v1/events/S170817a/versions/3", 404)


def test_raw_bytes_come_for_saving_with_their_type_and_are_cached_for_ever(client):
    url = get(client, "/api/v1/events/S170817a/versions/1").json()["links"]["raw"]
    raw = get(client, url)
    assert raw.headers["content-type"] == "application/xml"
    assert raw.headers["x-content-type-options"] == "nosniff"
    assert raw.headers["content-disposition"].startswith("attachment; filename=")
    assert "immutable" in raw.headers["cache-control"]
    again = get(client, url, 304, headers={"If-None-Match": raw.headers["etag"]})
    assert again.content == b""
    get(client, url, 200, headers={"If-None-Match": '"other"'})


def test_a_media_type_that_would_break_the_header_is_not_repeated(client):
    url = get(client, "/api/v1/events/Fermi-524666471/versions/1").json()["links"]["raw"]
    raw = get(client, url)
    assert raw.headers["content-type"] == "application/octet-stream"
    assert "x-evil" not in raw.headers


def test_a_localization_has_numbers_a_fits_map_and_a_moc(client):
    one = get(client, f"/api/v1/localizations/{localization().localization_id}").json()
    assert one["data"]["source"] == "skymap"
    table = get(client, one["links"]["fits"])
    assert table.headers["content-type"] == "application/fits"
    with fits.open(io.BytesIO(table.content)) as hdus:
        assert len(hdus[1].data) == one["data"]["n_tiles"]
    moc = get(client, one["links"]["moc"]).json()
    area = sum(len(pixels) * 41252.96124941927 / (12 * 4 ** int(order)) for order, pixels in moc.items())
    assert area == pytest.approx(one["data"]["area90_deg2"], rel=0.05)
    smaller = get(client, one["links"]["moc"] + "?level=0.5")
    assert smaller.headers["etag"] != get(client, one["links"]["moc"]).headers["etag"]
    for bad in ("0", "1.1", "nan", "x"):
        get(client, f"{one['links']['moc']}?level={bad}", 422)


def test_no_listing_carries_bytes_or_maps(client):
    for url in LISTINGS:
        text = get(client, url).text
        assert "VOEvent/>" not in text
        assert "probdensity" not in text


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("", ["gw-grb", "gw-optical"]),
        ("event=Fermi-524666471", ["gw-grb"]),
        ("event=nothing", []),
        (f"object=LSST:{OBJECT_ID}", ["gw-optical"]),
        ("kind=gw-grb", ["gw-grb"]),
        ("state=withdrawn", []),
        ("max_level=0.4", ["gw-optical"]),
        ("max_level=0.39", []),
        ("min_score=5.5", ["gw-optical"]),
        ("max_far_hz=1e-16", ["gw-grb"]),
        ("max_far_hz=1e-18", []),
        ("since=2017-08-17T12:41:04.4Z&until=2017-08-17T12:41:04.4Z", ["gw-grb", "gw-optical"]),
        ("since=2017-08-17T12:41:05Z", []),
        ("until=gps:1187008882.3", []),
        ("until=gps:1187008882.5", ["gw-grb", "gw-optical"]),
        ("since=mjd:57982.6", []),
        ("live=true", ["gw-grb", "gw-optical"]),
    ],
)
def test_coincidences_are_chosen_by_event_kind_time_level_score_and_rate(client, query, kinds):
    found = get(client, f"/api/v1/coincidences?{query}").json()["data"]
    assert sorted(one["kind"] for one in found) == kinds
    assert all(one["version"] == 2 for one in found if one["kind"] == "gw-optical")


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("messenger=gw", {"S170817a", "MS170817a"}),
        ("messenger=gw,em", {"S170817a", "MS170817a", "Fermi-524666471"}),
        ("messenger=gw&messenger=em", {"S170817a", "MS170817a", "Fermi-524666471"}),
        ("event_class=grb", {"Fermi-524666471"}),
        ("live=true", {"S170817a", "Fermi-524666471"}),
        ("text=gw1708", {"S170817a"}),
        ("text=%25", set()),
        ("state=retracted", set()),
        ("since=2017-08-17T12:41:10Z", {"MS170817a"}),
    ],
)
def test_events_are_chosen_by_messenger_class_time_and_text(client, query, ids):
    assert {one["event_id"] for one in get(client, f"/api/v1/events?{query}").json()["data"]} == ids


def test_the_history_of_a_coincidence_keeps_every_version(client):
    history = get(client, f"/api/v1/coincidences/{coincidence(1).coincidence_id}/history").json()["data"]
    assert [one["version"] for one in history] == [1, 2]
    assert history[0]["scores"][0]["inputs"] == {"source_id": "170123456789012345", "delay_d": None}


def test_the_candidates_of_an_event_are_ranked(client):
    ranked = get(client, "/api/v1/events/GW170817/candidates?limit=3").json()["data"]
    assert [one["rank"] for one in ranked] == [1, 2, 3]
    assert [one["score"] for one in ranked] == sorted((one["score"] for one in ranked), reverse=True)
    assert ranked[0]["object_id"] == OBJECT_ID


@pytest.mark.parametrize("url", list(LISTINGS))
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_put_together_are_the_whole_listing_without_a_gap_or_a_repetition(client, url, limit):
    whole = get(client, url).json()
    assert whole["links"]["next"] is None
    collected, here = [], f"{url}?limit={limit}"
    while here:
        answer = get(client, here)
        page = answer.json()
        assert len(page["data"]) <= limit
        assert ("link" in answer.headers) == (page["links"]["next"] is not None)
        if page["links"]["next"]:
            assert answer.headers["link"] == f'<{page["links"]["next"]}>; rel="next"'
        collected += page["data"]
        here = page["links"]["next"]
    assert collected == whole["data"]


def test_the_next_page_keeps_the_filters(client):
    page = get(client, "/api/v1/events?messenger=gw,em&limit=1&text=1708").json()
    again = get(client, page["links"]["next"]).json()
    assert page["data"][0]["event_id"] != again["data"][0]["event_id"]
    assert "messenger=gw%2Cem" in page["links"]["next"]
    repeated = get(client, "/api/v1/events?messenger=gw&messenger=em&limit=1").json()["links"]["next"]
    assert get(client, repeated).json()["links"]["next"].count("messenger=") == 2


@pytest.mark.parametrize("url", list(LISTINGS))
def test_a_cursor_that_was_not_given_is_refused(client, url):
    forged = [
        write_cursor(key)
        for key in ([], [1], ["a", "b"], [True, 2], [2**70, "x"], [1, "\ud800"], [1, "a\x00"], [1, 2, 3, 4, 5, 6, 7])
    ]
    for cursor in ["x", "====", "é", "W10", "bnVsbA==", *forged]:
        if url.endswith(("voevents", "outgoing")) and cursor == write_cursor([1]):
            continue
        answer = get(client, url, 422, params={"cursor": cursor})
        assert answer.json()["errors"][0]["field"] == "cursor"


def test_a_follow_up_request_shows_visibility_and_every_step(client):
    listed = get(client, "/api/v1/followup?event=GW170817&state=approved").json()["data"]
    assert [one["state"] for one in listed] == ["approved"]
    assert "transitions" not in listed[0]
    one = get(client, f"/api/v1/followup/{listed[0]['intent_id']}").json()["data"]
    assert [step["state"] for step in one["transitions"]] == ["draft", "approved"]
    assert [site["is_observable"] for site in one["visibility"]] == [True, False]
    assert get(client, "/api/v1/followup?state=completed").json()["data"] == []


def test_a_voevent_is_served_byte_for_byte(client):
    listed = get(client, "/api/v1/voevents").json()["data"]
    assert [one["ivorn"][-3:] for one in listed] == [".v2", ".v1"]
    xml = get(client, f"/api/v1/voevents/{listed[0]['voevent_id']}.xml")
    assert xml.content == XML
    assert xml.headers["content-type"] == "application/xml"


def test_health_shows_the_books_and_that_they_balance(client):
    health = get(client, "/api/v1/health").json()["data"]
    assert health["law_holds"] is True
    assert health["counts"]["events"] == 3
    assert health["counts"]["coincidences"] == 2
    books = {"source": "gcn", "received": 5, "stored": 4, "duplicates": 0, "dead_letters": 1, "in_flight": 0, "law_holds": True}
    assert health["sources"] == [{**books, "held": 0, "partitions": 0, "offsets_missing": 0, "alerts": None, "component": None}]
    (source,) = get(client, "/api/v1/sources").json()["data"]
    assert source.pop("alert_stream") is None
    assert source == books
    assert get(client, "/api/v1/ready").json() == {"status": "ready"}


def test_a_message_unaccounted_for_shows(tmp_path):
    with api(tmp_path) as (client, store):
        with store.transaction() as session:
            envelopes.count_alerts(session, "lsst", received=2, stored=1, duplicates=0, dead_letters=0)
        health = get(client, "/api/v1/health").json()["data"]
        assert health["law_holds"] is False
        assert [one["law_holds"] for one in health["sources"]] == [True, False]


def test_the_root_leads_everywhere(client):
    for link in get(client, "/api/v1").json()["links"].values():
        get(client, link)


PROBLEMS = [
    ("GET", "/", 404),
    ("GET", "/api/v1/nothing", 404),
    ("GET", "/api/v1/events/", 404),
    ("GET", "/api/v1/events/none", 404),
    ("GET", "/api/v1/events/none/versions", 404),
    ("GET", "/api/v1/events/none/candidates", 404),
    ("GET", "/api/v1/events/S170817a/versions/x", 422),
    ("GET", "/api/v1/notices/none/raw", 404),
    ("GET", "/api/v1/localizations/none.fits", 404),
    ("GET", "/api/v1/coincidences/none/history", 404),
    ("GET", "/api/v1/followup/none", 404),
    ("GET", "/api/v1/voevents/99", 404),
    ("GET", "/api/v1/voevents/none", 422),
    ("GET", "/api/v1/events?limit=0", 422),
    ("GET", "/api/v1/events?limit=1001", 422),
    ("GET", "/api/v1/events?since=yesterday", 422),
    ("GET", "/api/v1/events?since=mjd:1e300", 422),
    ("GET", "/api/v1/events?since=gps:nan", 422),
    ("GET", "/api/v1/events?messenger=gravity", 422),
    ("GET", "/api/v1/coincidences?max_level=inf", 422),
    ("GET", "/api/v1/coincidences?max_levl=0.9", 422),
    ("GET", "/api/v1/health?x=1", 422),
    ("GET", "/api/v1/events?text=a%00b", 422),
    ("GET", "/api/v1/events/a%00b", 422),
    ("POST", "/api/v1/events", 405),
    ("DELETE", "/api/v1/events/S170817a", 405),
]


@pytest.mark.parametrize(("method", "url", "status"), PROBLEMS)
def test_every_error_is_a_problem_with_one_sentence(client, method, url, status):
    answer = client.request(method, url)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = wire.Problem.model_validate(answer.json())
    assert problem.status == status
    assert problem.detail
    if status == 405:
        assert "GET" in answer.headers["allow"]


def test_a_misspelt_parameter_is_named(client):
    problem = get(client, "/api/v1/coincidences?max_levl=0.9", 422).json()
    assert problem["errors"][0]["field"] == "max_levl"
    assert "max_level" in problem["detail"]


def test_an_unforeseen_error_is_a_problem_with_an_id_and_no_trace(tmp_path):
    with api(tmp_path) as (client, store):
        with store.transaction() as session:
            session.get(EventRow, "S170817a").document = {"broken": "secret content"}
        with capture_logs() as logged:
            answer = client.get("/api/v1/events/S170817a")
    assert answer.status_code == 500
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance", "error_id"}
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    (line,) = [line for line in logged if line.get("error_id") == problem["error_id"]]
    assert line["exc_info"]


def test_a_database_that_is_gone_is_service_unavailable(tmp_path):
    with api(tmp_path) as (client, store):
        store.close()
        for file in tmp_path.iterdir():
            file.unlink()
        tmp_path.joinpath("state.sqlite").mkdir()
        for url in ("/api/v1/ready", "/api/v1/events"):
            answer = client.get(url)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"]
        tmp_path.joinpath("state.sqlite").rmdir()


def test_head_answers_like_get_without_a_body(client):
    url = "/api/v1/voevents/1.xml"
    head, full = client.head(url), client.get(url)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["etag"] == full.headers["etag"]
    assert head.headers["content-length"] == str(len(full.content))


def test_nothing_is_taken_from_the_host_header(client):
    answer = get(client, "/api/v1/events?limit=1", headers={"Host": "evil.example"})
    assert "evil" not in answer.text
    assert "evil" not in str(answer.headers)


def test_the_openapi_document_is_3_1_and_declares_problems(client):
    document = get(client, "/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in json.dumps(document)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status in ("401", "403", "404", "422", "500", "503"):
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"], path
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert referred <= set(document["components"]["schemas"])
    assert get(client, "/docs", 404)


def test_an_empty_database_has_empty_listings(tmp_path):
    with api(tmp_path, filled=False) as (client, _):
        for url in LISTINGS:
            assert get(client, url).json()["data"] == []
        assert get(client, "/api/v1/health").json()["data"]["law_holds"] is True


def test_times_are_read_as_iso_mjd_or_gps():
    assert parse_time("gps:1187008882.4") == T0
    assert parse_time("2017-08-17T12:41:04.4Z") == T0
    assert parse_time("mjd:57982.0") == Instant.from_utc_iso("2017-08-17T00:00:00Z")


def test_bytes_have_no_json_form():
    with pytest.raises(TypeError):
        jsonable({"x": b"bytes"})
    assert jsonable("a\ud800") == "a\\ud800"


def test_the_reference_lists_exactly_the_routes_with_their_parameters(client):
    page = (Path(__file__).parents[3] / "docs" / "reference" / "http-api.md").read_text()
    documented = dict(re.findall(r"^\| `([A-Z]+ /api/v1\S*)` \| (.*) \|$", page, re.MULTILINE))
    document = get(client, "/api/v1/openapi.json").json()
    found = {f"{verb.upper()} {path}": one for path, verbs in document["paths"].items() for verb, one in verbs.items()}
    assert set(documented) == set(found)
    for route, operation in found.items():
        named = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"} - {"limit", "cursor"}
        assert named == {name for name in named if f"`{name}`" in documented[route]}, route


@pytest.mark.parametrize("example", range(3))
def test_the_examples_of_the_reference_work(client, example):
    page = (Path(__file__).parents[3] / "docs" / "reference" / "http-api.md").read_text()
    assert get(client, re.findall(r"curl 'http://127.0.0.1:8765(\S+)'", page)[example]).json()["data"]
