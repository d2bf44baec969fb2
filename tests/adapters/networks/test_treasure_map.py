"""The adapter for the Treasure Map, against a server that does what the map does, slips included."""

import math
from pathlib import Path

import pytest

from adapters.networks.treasure_map import Options, open_network
from adapters.networks.treasure_map_words import event_name, on_sky, outlines
from hub.errors import ConfigError, NetworkRefused, NotFound, Permanent, Transient, TransportError
from hub.model.instant import Instant
from hub.model.pointing import PointingStatus
from hub.ports import PartContext
from hub.science.footprint import positions_of, unit_vectors
from hub.services import pointings
from tests.support.ocs import make_intent
from tests.support.treasure_map import treasure_map

NOW = Instant.from_utc_iso("2023-05-18T13:00:00Z")


def context(folder=Path()):
    return PartContext(name="map", authority="example.org/x", data_dir=folder, clock=lambda: NOW, report=print)


def opened(server, **changes):
    values = {
        "url": server.url,
        "hosts": ("127.0.0.1",),
        "token": "token-of-the-hub",
        "user": "hub",
        "instruments": {"CAMERA": {"id": 10, "bands": {"gp": "g", "rp": "r"}}, "MOSAIC": {"id": 11}},
        "allow_loopback": True,
    }
    return open_network(Options.model_validate(values | changes), context())


@pytest.fixture
def server():
    with treasure_map() as running:
        yield running


@pytest.fixture
def network(server):
    with opened(server) as found:
        yield found


def intent(number="1", **changes):
    values = {"event_id": "S230518h", "instrument": "CAMERA", "ra_deg": 10.25, "dec_deg": -40.5, "window_start": NOW}
    return make_intent(number, **values | {"window_end": NOW.plus_s(86_400.0)} | changes)


def done(**changes):
    values = {"ra": 11.0, "dec": -41.0, "instrumentid": 10, "time": "2023-05-18T14:00:00", "status": "completed"}
    return values | {"band": "g", "depth": 21.5, "depth_unit": "ab_mag"} | changes


def test_an_intent_is_reported_as_one_planned_pointing_for_each_band(network, server):
    state = network.submit(intent())
    (sent,) = server.posts("/api/v1/pointings")
    assert sent["graceid"] == "S230518h"
    assert [(one["band"], one["status"], one["instrumentid"]) for one in sent["pointings"]] == [
        ("g", "planned", 10),
        ("r", "planned", 10),
    ]
    assert (sent["pointings"][0]["ra"], sent["pointings"][0]["dec"]) == (10.25, -40.5)
    assert sent["pointings"][0]["time"] == "2023-05-18T13:00:00.000000"
    assert (state.remote_id, state.state, state.remote_state) == ("11,12", "accepted", "planned")
    assert network.status(state.remote_id) == state


def test_a_dry_run_shows_the_report_and_asks_nobody(network, server):
    found = network.dry_run(intent())
    assert [one["band"] for one in found.payload["pointings"]] == ["g", "r"]
    assert found.reasons == ()
    assert server.asked == []


def test_a_report_that_is_there_is_not_made_again_though_the_map_would_take_it(network, server):
    first = network.submit(intent())
    assert network.submit(intent()) == first
    assert len(server.rows) == 2
    body = server.posts("/api/v1/pointings")[0]
    server.post("hub", "/api/v1/pointings", body)
    assert len(server.rows) == 4, "the server itself takes duplicates"


@pytest.mark.parametrize("fault", ["drop", "error", "lost"])
def test_an_answer_that_is_lost_leaves_the_outcome_unknown_and_reporting_again_makes_none_twice(network, server, fault):
    server.faults = [fault]
    with pytest.raises(TransportError) as caught:
        network.submit(intent())
    assert not isinstance(caught.value, Transient)
    assert (network.find(intent()) is None) is (fault == "lost")
    network.submit(intent())
    assert len(server.rows) == 2


def test_it_declares_that_it_cannot_find_by_a_marker(network):
    assert network.can_find is False
    assert network.can_cancel is True
    with pytest.raises(NotFound, match="stores no marker"):
        network.find_by_marker("a" * 32)


def test_too_many_requests_is_tried_later(network, server):
    server.faults = ["busy"]
    with pytest.raises(Transient, match="429") as caught:
        network.submit(intent())
    assert caught.value.retry_after_s == 7.0
    assert server.rows == []


def test_a_map_that_cannot_be_asked_what_it_has_gets_nothing(server):
    with opened(server, url="http://127.0.0.1:9", answer_s=5.0) as network, pytest.raises(Transient, match="nothing was sent"):
        network.submit(intent())


def test_errors_inside_a_200_refuse_the_whole_and_what_was_taken_is_withdrawn(network, server):
    with opened(server, instruments={"CAMERA": {"id": 99}}) as wrong, pytest.raises(NetworkRefused, match="ID 99 not found"):
        wrong.submit(intent())
    taken = done(status="planned", time="2023-05-18T15:00:00")
    with pytest.raises(NetworkRefused, match="ID 98 not found"):
        network.report("S230518h", [taken, done(instrumentid=98)])
    assert [row["status"] for row in server.rows] == ["planned"], "what the map took of a report stands"


def test_an_event_that_the_map_does_not_have_is_refused_in_its_words(network):
    with pytest.raises(NetworkRefused, match="Invalid graceid; The graceid 'S230519a' does not exist"):
        network.submit(intent(event_id="S230519a"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ra_deg": 400.0}, "right ascension 400 is not within"),
        ({"ra_deg": math.nan}, "right ascension nan"),
        ({"dec_deg": -91.0}, "declination -91"),
        ({"event_id": "GRB 230518A"}, "gravitational-wave events only, and GRB 230518A is none"),
        ({"instrument": "X"}, "no instrument X; there are CAMERA, MOSAIC"),
        ({"exposures": ()}, "no exposures"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(network, server, changes, sentence):
    assert sentence in "; ".join(network.validate(intent(**changes)))
    assert sentence in "; ".join(network.dry_run(intent(**changes)).reasons)
    with pytest.raises(NetworkRefused, match=sentence):
        network.submit(intent(**changes))
    assert network.find(intent(**changes)) is None
    assert server.asked == []


def test_a_withdrawn_report_is_read_back_and_withdrawing_again_does_no_harm(network, server):
    remote_id = network.submit(intent()).remote_id
    for _ in range(2):
        assert network.cancel(remote_id).state == "cancelled"
    assert {row["status"] for row in server.rows} == {"cancelled"}
    assert len(server.posts("/api/v1/update_pointings")) == 1
    assert network.submit(intent()).remote_id == "13,14", "what was withdrawn may be planned anew"


def test_what_is_completed_cannot_be_withdrawn(network, server):
    remote_id = network.submit(intent()).remote_id
    for row in server.rows:
        row["status"] = "completed"
    assert network.status(remote_id).state == "completed"
    with pytest.raises(NetworkRefused, match="they are completed"):
        network.cancel(remote_id)


@pytest.mark.parametrize("remote_id", ["99", "11,99", "x", "", "1;2", "9" * 30])
def test_pointings_that_are_not_there_are_not_found(network, server, remote_id):
    network.submit(intent())
    for question in (network.status, network.cancel):
        with pytest.raises(NotFound):
            question(remote_id)


def test_everything_planned_for_a_retracted_event_is_withdrawn_and_nothing_else(network, server):
    network.submit(intent("1"))
    network.submit(intent("2", instrument="MOSAIC", ra_deg=50.0))
    network.report("S230518h", [done()])
    server.add("somebody", instrumentid=10, ra=1.0, dec=1.0, status="planned", time="2023-05-18T15:00:00", band="g")
    server.add("hub", event="S190425z", instrumentid=10, ra=1.0, dec=1.0, status="planned", time="2023-05-18T15:00:00")
    assert network.cancel_all("S230518h") == 3
    assert [row["status"] for row in server.rows] == ["cancelled"] * 3 + ["completed", "planned", "planned"]
    n_asked = len(server.posts("/api/v1/cancel_all"))
    assert n_asked == 2
    assert network.cancel_all("S230518h") == 0
    assert len(server.posts("/api/v1/cancel_all")) == n_asked


def test_completed_pointings_are_reported_once(network, server):
    numbers = network.report("S230518h", [done(), done(ra=12.0)])
    assert network.report("S230518h", [done(ra=12.0), done(), done(ra=13.0)]) == (numbers[1], numbers[0], 13)
    assert len(server.rows) == 3
    assert network.report("S230518h", []) == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"depth": None}, "pointing 1: its depth is missing"),
        ({"band": "", "depth_unit": None}, "its band, depth_unit are missing"),
        ({"ra": 400.0}, "right ascension 400"),
        ({"time": None}, "its time is missing"),
    ],
)
def test_a_report_without_what_the_map_wants_is_refused_here(network, server, changes, sentence):
    with pytest.raises(NetworkRefused, match=sentence):
        network.report("S230518h", [done(**changes)])
    assert server.rows == []


def test_what_others_report_comes_in_the_words_that_the_hub_reads(network, server):
    server.add("somebody", ra=200.0, dec=60.0, instrumentid=11, **times("completed"), depth=22.0, depth_unit="ab_mag")
    server.add("somebody", ra=359.9, dec=0.0, instrumentid=10, **times("planned"))
    network.submit(intent())
    rows = network.pointings_of("S230518h", NOW, NOW)
    assert [row["id"] for row in rows] == ["11/1", "11/2", "12"], "our own are not counted as those of others"
    found = [pointings.read(row, event_id="S230518h", reported_by="map") for row in rows]
    assert [one.status for one in found] == [PointingStatus.COMPLETED] * 2 + [PointingStatus.PLANNED]
    assert [one.instrument for one in found] == ["Mosaic", "Mosaic", "Imager"]
    assert found[0].depth_ab == 22.0
    assert found[0].at == Instant.from_utc_iso("2023-05-18T14:00:00Z")


def times(status):
    return {"status": status, "time": "2023-05-18T14:00:00", "band": "r"}


@pytest.mark.parametrize("row", [{"ra": 400.0, "dec": 5.0}, {"ra": 10.0, "dec": 95.0}, {"position": "nowhere"}])
def test_a_pointing_at_no_place_comes_too_so_that_its_reader_can_say_why_it_is_left_out(network, server, row):
    server.add("somebody", instrumentid=10, **times("completed"), **row)
    (found,) = network.pointings_of("S230518h", NOW, NOW)
    with pytest.raises(ValueError, match=r"its (ra|dec|position|footprint)|where it looked"):
        pointings.read(found, event_id="S230518h", reported_by="map")


def test_only_gravitational_wave_events_are_asked_for(network, server):
    with pytest.raises(NotFound, match="gravitational-wave events only"):
        network.pointings_of("GRB 230518A", NOW, NOW)
    with pytest.raises(NotFound, match="gravitational-wave events only"):
        network.cancel_all("GRB 230518A")
    assert server.asked == []
    assert [event_name(one) for one in ("S230518h", "MS230518h", "GW170817", "G298048")] == [
        "S230518h",
        "MS230518h",
        "GW170817",
        "G298048",
    ]
    assert event_name("S230518h; x") is None


def test_a_bad_token_is_said_and_is_never_an_absence(server):
    with opened(server, token="wrong") as network:
        for question in (
            lambda: network.find(intent()),
            lambda: network.pointings_of("S230518h", NOW, NOW),
            lambda: network.cancel_all("S230518h"),
            lambda: network.status("11"),
        ):
            with pytest.raises(Permanent, match=r"does not accept the token \(401: Invalid API token\)"):
                question()


def test_an_outline_is_moved_and_turned_as_on_the_sphere():
    (square,) = outlines(["POLYGON ((-1 -2, 1 -2, 1 2, -1 2, -1 -2))"])
    east_up = on_sky(square, 0.0, 0.0, 90.0)
    assert [round(dec, 6) for _, dec in on_sky(square, 123.0, 0.0, 0.0)] == [-2.0, -2.0, 2.0, 2.0, -2.0]
    # What pointed north by two degrees points east now.
    assert max(((ra + 180.0) % 360.0) - 180.0 for ra, _ in east_up) == pytest.approx(2.0, abs=1e-2)
    north = unit_vectors(*zip(*on_sky([(0.0, 1.0)], 77.0, 30.0, 0.0), strict=True))
    assert positions_of(north)[1][0] == pytest.approx(31.0)
    turned = on_sky([(0.0, 1.0)], 77.0, 30.0, 90.0)[0]
    assert turned[0] > 77.0
    corners = unit_vectors(*map(list, zip(*on_sky(square, 250.0, 89.5, 33.0), strict=True)))
    plain = unit_vectors(*map(list, zip(*square, strict=True)))
    assert (corners @ corners.T) == pytest.approx(plain @ plain.T, abs=1e-9), "nothing is stretched, not at the pole either"
    with pytest.raises(Permanent, match="is no polygon"):
        outlines(["CIRCLE (0 0, 1)"])


OPTIONS = {"url": "https://map.example.org", "hosts": ("map.example.org",), "token": "t" * 20}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"token": ""}, "networks.map: token .in the environment. or token_file is missing"),
        ({"token_file": "nowhere", "token": ""}, "networks.map.token_file: the file"),
        ({"url": "http://map.example.org"}, "networks.map.url: the URL http://map.example.org is not https"),
        ({"url": "https://map.example.net"}, "not among the hosts"),
    ],
)
def test_a_map_without_a_token_or_with_a_wrong_address_is_not_opened(tmp_path, changes, sentence):
    with pytest.raises(ConfigError, match=sentence), open_network(Options.model_validate(OPTIONS | changes), context(tmp_path)):
        pass


@pytest.mark.parametrize("key", ["url", "hosts"])
def test_the_address_of_the_map_has_no_default(key):
    with pytest.raises(ValueError, match=key):
        Options.model_validate({name: value for name, value in OPTIONS.items() if name != key})


def test_the_token_is_in_no_text(tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    options = Options.model_validate(OPTIONS | {"token": "", "token_file": "token"})
    with open_network(options, context(tmp_path)) as network:
        assert "s3cret" not in repr(options) + repr(network)
        assert network.host == "map.example.org"
        assert network.quota() == ()
