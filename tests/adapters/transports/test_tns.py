"""The poller of TNS against a small server on loopback that answers like it, refuses like it and tells it to wait."""

import json
from urllib.parse import parse_qs

import pytest

from adapters import catalogue
from adapters.codecs.decoder import WireDecoder
from hub.errors import ConfigError, Permanent
from hub.model.envelope import Trust
from hub.model.instant import Instant
from tests.support.parts import part_context
from tests.support.tns_tables import api_object, table, zipped
from tests.support.web import web

NOON = Instant.from_utc_iso("2026-03-03T12:30:00Z")
TABLES = "/system/files/tns_public_objects/tns_public_objects_{:02d}.csv.zip"


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def server(tmp_path):
    with web(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock():
    return Clock()


def opened(server, clock, tmp_path, **more):
    values = {
        "bot_id": 7,
        "bot_name": "my bot",
        "api_secret": "k3y",
        "base_url": f"http://127.0.0.1:{server.port}",
        "allow_loopback": True,
        "pause_s": 0,
        "lookback_h": 2,
    }
    options = catalogue.source_options("tns", "sources.tns", values | more)
    return catalogue.open_source("tns", options, part_context(tmp_path, "tns", clock=clock))


def drain(source, n=10):
    return [one for _ in range(n) for one in source.take(10, 0.0)]


def form_of(request):
    return {name: values[0] for name, values in parse_qs(request.sent_body.decode()).items()}


def test_the_tables_of_the_past_hours_are_fetched_once_each_in_the_name_of_the_bot(server, clock, tmp_path):
    server.pages[TABLES.format(10)] = (200, {}, zipped(table({})))
    with opened(server, clock, tmp_path) as source:
        (envelope,) = drain(source)
        assert server.paths() == [TABLES.format(10), TABLES.format(11)], "the hour without a table is nothing to wait for"
        assert envelope.trust is Trust.TRUSTED
        assert [one.name for one in WireDecoder().decode(envelope).reports] == ["2026abc"]
        (marker,) = {one.headers["User-Agent"] for one in server.asked}
        assert json.loads(marker.removeprefix("tns_marker")) == {"tns_id": 7, "type": "bot", "name": "my bot"}
        assert form_of(server.asked[0]) == {"api_key": "k3y"}
        clock.now = NOON.plus_s(3600)
        drain(source)
        assert server.paths()[2:] == [TABLES.format(12)]
        assert source.health().state == "listening"


def test_after_a_day_without_the_hub_only_tables_that_still_exist_are_asked_for(server, clock, tmp_path):
    with opened(server, clock, tmp_path) as source:
        drain(source)
        clock.now = NOON.plus_s(40 * 3600)
        drain(source, 60)
    assert len(server.paths()[2:]) == len(set(server.paths()[2:])) == 23


def test_new_objects_are_asked_for_one_by_one(server, clock, tmp_path):
    found = {"data": {"reply": [{"objname": "2026abc", "prefix": "SN", "objid": 1}, {"objname": "2026abd"}]}}
    server.pages["/api/get/search"] = (200, {}, json.dumps(found).encode())
    server.pages["/api/get/object"] = lambda request: (
        (200, {}, json.dumps(api_object()).encode()) if b"2026abc" in request.sent_body else (404, {}, b"")
    )
    with opened(server, clock, tmp_path, what="objects") as source:
        (envelope,) = drain(source)
        assert next(iter(WireDecoder().decode(envelope).reports)).name == "2026abc"
        assert json.loads(form_of(server.asked[0])["data"]) == {"public_timestamp": "2026-03-03 10:00:00"}
        assert json.loads(form_of(server.asked[1])["data"])["objname"] == "2026abc"
        assert len(server.asked) == 3
        clock.now = NOON.plus_s(700)
        drain(source)
        assert json.loads(form_of(server.asked[3])["data"]) == {"public_timestamp": "2026-03-03 10:30:00"}


@pytest.mark.parametrize(("headers", "pause_s"), [({"Retry-After": "300"}, 300), ({"x-rate-limit-reset": "45"}, 45), ({}, 60)])
def test_told_that_it_asks_too_often_it_waits_as_long_as_it_is_told(server, clock, tmp_path, headers, pause_s):
    server.pages[TABLES.format(10)] = (429, headers, b"slow down")
    with opened(server, clock, tmp_path) as source:
        drain(source)
        assert len(server.asked) == 1
        assert source.health().state == "parked"
        assert "asked too often" in source.health().alarms[0]
        clock.now = NOON.plus_s(pause_s - 1)
        drain(source)
        assert len(server.asked) == 1
        server.pages[TABLES.format(10)] = (200, {}, zipped(table({})))
        clock.now = NOON.plus_s(pause_s)
        assert len(drain(source)) == 1, "nothing is passed over for it"
        assert source.health().alarms == ()


def test_a_broken_server_is_asked_again_with_growing_pauses(server, clock, tmp_path):
    server.pages[TABLES.format(10)] = (503, {}, b"")
    with opened(server, clock, tmp_path) as source:
        asked = []
        for minute in range(8):
            clock.now = NOON.plus_s(60 * minute)
            drain(source, 2)
            asked.append(len(server.asked))
    assert asked == [1, 2, 2, 3, 3, 3, 3, 4]


def test_requests_keep_their_distance(server, clock, tmp_path):
    with opened(server, clock, tmp_path, pause_s=5) as source:
        drain(source)
        assert len(server.asked) == 1
        clock.now = NOON.plus_s(5)
        drain(source)
        assert len(server.asked) == 2


def test_a_refused_bot_is_for_a_person(server, clock, tmp_path):
    server.pages[TABLES.format(10)] = (401, {}, b"no")
    with opened(server, clock, tmp_path) as source, pytest.raises(Permanent, match="check bot_id, bot_name and the API key"):
        drain(source)


def test_the_key_may_stand_in_a_file_and_its_absence_is_told(server, clock, tmp_path):
    (tmp_path / "key").write_text("fr0m-file\n")
    with opened(server, clock, tmp_path, api_secret="", api_secret_file="key") as source:
        drain(source, 1)
    assert form_of(server.asked[0]) == {"api_key": "fr0m-file"}
    for wrong in ({"api_secret": ""}, {"api_secret": "", "api_secret_file": "nowhere"}):
        with pytest.raises(ConfigError, match=r"sources\.tns.*api_secret"), opened(server, clock, tmp_path, **wrong):
            pass


def tried(server, clock, tmp_path, **more):
    values = {"bot_id": 7, "bot_name": "my bot", "api_secret": "k3y", "allow_loopback": True}
    values["base_url"] = f"http://127.0.0.1:{server.port}"
    options = catalogue.source_options("tns", "sources.tns", values | more)
    return catalogue.check(catalogue.sources()["tns"], options, part_context(tmp_path, "tns", clock=clock))


def test_a_trial_asks_once_and_says_what_to_fix(server, clock, tmp_path):
    server.pages["/api/get/search"] = (200, {}, b'{"data": {"reply": []}}')
    assert tried(server, clock, tmp_path) == []
    assert form_of(server.asked[0])["api_key"] == "k3y"
    server.pages["/api/get/search"] = (401, {}, b"")
    assert tried(server, clock, tmp_path) == ["TNS refuses the bot my bot (401): check bot_id, bot_name and the API key."]
    server.pages["/api/get/search"] = (502, {}, b"")
    assert "answers 502" in tried(server, clock, tmp_path)[0]
    assert server.paths() == ["/api/get/search"] * 3
    (said,) = tried(server, clock, tmp_path, base_url="http://127.0.0.1:1")
    assert said.startswith("TNS cannot be asked: http://127.0.0.1:1/api/get/search cannot be read")
