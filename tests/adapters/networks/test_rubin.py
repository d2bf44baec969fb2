"""Rubin as a network that nobody can ask: what it plans and has done, from an ObsLocTAP service on loopback."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.networks.rubin import Options, open_network
from hub.errors import ConfigError, NetworkRefused, NotFound, Permanent, Transient
from hub.model.instant import Instant
from hub.model.pointing import PointingStatus
from hub.ports import PartContext
from hub.services import pointings
from tests.support.ocs import make_intent
from tests.support.web import web

NIGHT = 61_000.0
BEGIN, END = Instant.from_mjd_utc(NIGHT), Instant.from_mjd_utc(NIGHT + 2.0)
CONTEXT = PartContext(name="rubin", authority="example.org/x", data_dir=Path(), clock=lambda: BEGIN, report=print)


def visit(**changes):
    values = {
        "obs_id": "LSST",  # the same for all of them: the service's own trap
        "target_name": "DD:EDFS",
        "s_ra": 30.0,
        "s_dec": -20.0,
        "t_min": NIGHT + 0.3,
        "t_max": NIGHT + 0.3 + 30.0 / 86_400.0,
        "em_min": 5.52e-7,
        "em_max": 6.91e-7,
        "execution_status": "Performed",
    }
    return values | changes


class Schedule:
    """The rows of the service, and what it was asked."""

    def __init__(self, server):
        self.rows = []
        self.server = server
        self.days = []
        self.answer = None

    def __call__(self, request):
        query = {key: float(values[0]) for key, values in parse_qs(urlsplit(request.path).query).items()}
        self.days.append(query["start"])
        found = [row for row in self.rows if query["start"] <= (row.get("t_min") or NIGHT) < query["end"]]
        return self.answer or (200, {"Content-Type": "application/json"}, json.dumps(found).encode())


@pytest.fixture
def service(tmp_path):
    with web(tmp_path) as server:
        schedule = Schedule(server)
        for day in range(40):
            server.pages[f"/obsloctap/schedule?start={NIGHT + day}&end={NIGHT + day + 1}"] = schedule
        yield schedule


@pytest.fixture
def rubin(service):
    url = f"http://127.0.0.1:{service.server.port}/obsloctap/"
    options = Options.model_validate({"url": url, "hosts": ("127.0.0.1",), "allow_loopback": True})
    with open_network(options, CONTEXT) as found:
        yield found


def test_visits_come_in_the_words_that_the_hub_reads(rubin, service):
    service.rows = [visit(), visit(s_ra=31.0, execution_status="Scheduled", t_min=NIGHT + 1.3, t_max=None)]
    rows = rubin.pointings_of("S1", BEGIN, END)
    found = [pointings.read(row, event_id="S1", reported_by="rubin") for row in rows]
    assert [one.status for one in found] == [PointingStatus.COMPLETED, PointingStatus.PLANNED]
    assert found[0].at.minus(Instant.from_mjd_utc(NIGHT + 0.3)) == pytest.approx(15.0, abs=1e-3), "the middle of the visit"
    assert found[0].band == "r"
    assert found[0].depth_ab is None, "the table has no depths, and none is made up"
    assert found[0].instrument == "LSSTCam"
    assert rows[0]["target"] == "DD:EDFS"
    assert service.days == [NIGHT, NIGHT + 1.0], "a day at a time"


def test_visits_are_told_apart_by_time_place_and_band_and_not_by_their_id(rubin, service):
    other_band = visit(em_min=4.0e-7, em_max=5.52e-7)
    service.rows = [visit(), visit(), visit(s_ra=33.0), other_band]
    assert len({row["id"] for row in rubin.pointings_of("S1", BEGIN, END)}) == 3


@pytest.mark.parametrize("words", [("Planned", "Performed"), ("Performed", "Scheduled"), ("Aborted", "Performed", "Planned")])
def test_of_a_visit_that_was_planned_and_done_only_the_doing_counts_in_whatever_order_the_rows_come(rubin, service, words):
    service.rows = [visit(execution_status=word) for word in words]
    assert [row["status"] for row in rubin.pointings_of("S1", BEGIN, END)] == ["completed"]


@pytest.mark.parametrize("word", ["Aborted", "Unscheduled"])
def test_a_visit_that_is_given_up_is_cancelled(rubin, service, word):
    service.rows = [visit(execution_status="Scheduled"), visit(execution_status=word)]
    assert [row["status"] for row in rubin.pointings_of("S1", BEGIN, END)] == ["cancelled"]


@pytest.mark.parametrize(
    "row", [{"t_min": None}, {"s_ra": None}, {"s_dec": "north"}, {"execution_status": "Dreamt of"}, {"t_min": NIGHT + 2.5}]
)
def test_what_is_no_visit_of_the_span_is_left_out(rubin, service, row):
    service.rows = [visit(**row), visit()]
    assert len(rubin.pointings_of("S1", BEGIN, END)) == 1


@pytest.mark.parametrize(("ends", "band"), [((3.2e-7, 4.0e-7), "u"), ((9.2e-7, 1.05e-6), "y"), ((None, 1e-6), "")])
def test_a_band_is_known_by_its_middle(rubin, service, ends, band):
    service.rows = [visit(em_min=ends[0], em_max=ends[1])]
    assert rubin.pointings_of("S1", BEGIN, END)[0]["band"] == band


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        ((200, {}, b"<html>"), Permanent, "is no JSON"),
        ((200, {}, b'{"rows": []}'), Permanent, "no list of visits"),
        ((503, {}, b""), Transient, "answered 503"),
    ],
)
def test_an_answer_that_is_no_list_is_said_and_is_no_empty_night(rubin, service, answer, error, sentence):
    service.answer = answer
    with pytest.raises(error, match=sentence):
        rubin.pointings_of("S1", BEGIN, END)


def test_a_span_that_is_too_long_is_not_asked_for(rubin, service):
    with pytest.raises(Permanent, match="at most 30 days"):
        rubin.pointings_of("S1", BEGIN, Instant.from_mjd_utc(NIGHT + 31.0))
    assert service.days == []


def test_nothing_can_be_requested_there_and_nobody_is_asked(rubin, service):
    assert (rubin.can_find, rubin.can_cancel) == (False, False)
    sentence = "rubin takes no requests"
    assert sentence in rubin.validate(make_intent())[0]
    assert sentence in rubin.dry_run(make_intent()).reasons[0]
    with pytest.raises(NetworkRefused, match=sentence):
        rubin.submit(make_intent())
    with pytest.raises(NetworkRefused, match=sentence):
        rubin.cancel("1")
    for question in (rubin.status, rubin.find_by_marker):
        with pytest.raises(NotFound, match=sentence):
            question("1")
    assert rubin.quota() == ()
    assert service.days == []


def test_its_address_has_no_default_and_must_be_among_the_hosts():
    with pytest.raises(ValueError, match="url"):
        Options.model_validate({"hosts": ("tap.example.org",)})
    options = Options.model_validate({"url": "https://tap.example.net", "hosts": ("tap.example.org",)})
    with pytest.raises(ConfigError, match="not among the hosts"), open_network(options, CONTEXT):
        pass
