"""What others report of an event, asked for at their registers, kept, and counted as searched."""

import pytest

from hub.errors import InvalidRequest, NotFound, Transient
from hub.model.instant import Instant
from hub.model.pointing import PointingStatus
from hub.science.followup_covered import planned_for
from hub.services import coverage_curve, reported
from hub.storage import pointings
from tests.adapters.networks.test_treasure_map import opened
from tests.support.api_night import T0, add_event, localization, notice
from tests.support.treasure_map import treasure_map

NOW = T0.plus_s(86_400.0)
PLACE = (197.45, -23.38)


@pytest.fixture
def night(store):
    """A store with an event that has a map, under the name that the map of pointings knows."""
    from hub.storage import localizations

    place = localization()
    with store.transaction() as session:
        localizations.save(session, place)
        add_event(session, [notice("S230518h", aliases=("GW230518",))], localization_id=place.localization_id)
        add_event(session, [notice("S230519a")])
        add_event(session, [notice("S230520b", t0=None)])
    return store


@pytest.fixture
def server():
    with treasure_map() as running:
        yield running


def at(hours):
    return T0.plus_s(3600.0 * hours).to_utc_iso().removesuffix("Z")


def add(server, **changes):
    values = {"ra": PLACE[0], "dec": PLACE[1], "instrumentid": 10, "time": at(10), "status": "completed", "band": "g"}
    server.add("somebody", **values | {"depth": 21.5, "depth_unit": "ab_mag"} | changes)


def kept(store, event="S230518h"):
    with store.reading() as session:
        return pointings.of_event(session, event)


def test_what_others_report_to_the_map_counts_as_searched(night, server, tmp_path):
    add(server)
    add(server, status="planned", time=at(26), ra=PLACE[0] + 1)
    with opened(server) as network:
        told = reported.fetch(night, network, "GW230518", now=NOW)
    assert told["event_id"] == "S230518h"
    assert (told["n_pointings"], told["by_status"], told["n_left_out"]) == (2, {"completed": 1, "planned": 1}, 0)
    with night.reading() as session:
        curve = coverage_curve.of_event(session, tmp_path, "S230518h", now=NOW)
    (series,) = curve["series"]
    assert (series["by"], series["basis"]) == ("Imager (reported)", "reported")
    assert series["searched_prob"] > 0.001
    assert curve["n_planned"] == 1
    assert kept(night)[0].reported_by == "map: somebody"


def test_asking_again_changes_what_changed_and_doubles_nothing(night, server):
    add(server, status="planned")
    with opened(server) as network:
        reported.fetch(night, network, "S230518h", now=NOW)
        reported.fetch(night, network, "S230518h", now=NOW)
        assert [one.status for one in kept(night)] == [PointingStatus.PLANNED]
        server.rows[0]["status"] = "cancelled"
        reported.fetch(night, network, "S230518h", now=NOW)
    assert [one.status for one in kept(night)] == [PointingStatus.CANCELLED]


def test_what_cannot_be_understood_is_left_out_with_a_sentence_and_the_rest_is_kept(night, server):
    add(server, ra=400.0)
    add(server, time="yesterday")
    add(server, depth=3.0, depth_unit="flux_jy")
    add(server, position="nowhere")
    add(server)
    with opened(server) as network:
        told = reported.fetch(night, network, "S230518h", now=NOW)
    assert (told["n_pointings"], told["n_left_out"]) == (2, 3)
    assert "pointing 12: " in " ".join(told["reasons"])
    assert sorted(one.depth_ab is None for one in kept(night)) == [False, True], "a depth in janskys is none of ours"


def test_a_register_that_does_not_answer_changes_nothing(night, server):
    add(server)
    with opened(server) as network:
        reported.fetch(night, network, "S230518h", now=NOW)
    with opened(server, url="http://127.0.0.1:9", answer_s=5.0) as network, pytest.raises(Transient):
        reported.fetch(night, network, "S230518h", now=NOW)
    assert len(kept(night)) == 1


def test_events_of_which_nothing_can_be_asked_are_refused_in_a_sentence(night, server):
    with opened(server) as network:
        with pytest.raises(NotFound, match="there is no event S9"):
            reported.fetch(night, network, "S9", now=NOW)
        with pytest.raises(InvalidRequest, match="the event S230520b has no time"):
            reported.fetch(night, network, "S230520b", now=NOW)


class Visits:
    """A register that tells visits by time and place, as Rubin does."""

    name = "rubin"
    is_of_events = False

    def __init__(self, rows):
        self.rows = rows
        self.asked = None

    def pointings_of(self, event_id, begin, end):
        self.asked = (event_id, begin, end)
        return self.rows


def visit(number, ra, **changes):
    values = {"id": str(number), "instrument": "LSSTCam", "status": "planned", "time": NOW.plus_s(3600.0).to_utc_iso()}
    return values | {"band": "r", "ra": ra, "dec": PLACE[1], "radius_deg": 1.75} | changes


def test_visits_that_are_told_by_place_count_only_where_they_meet_the_map(night):
    register = Visits([visit(1, PLACE[0]), visit(2, PLACE[0] + 120.0), visit(3, PLACE[0], status="completed", time=at(20) + "Z")])
    told = reported.fetch(night, register, "S230518h", now=NOW)
    assert (told["n_pointings"], told["n_elsewhere"]) == (2, 1)
    assert register.asked[1:] == (T0, NOW.plus_s(86_400.0))
    assert {one.name for one in kept(night)} == {"1", "3"}
    with pytest.raises(InvalidRequest, match="has no map: rubin tells visits by time and place only"):
        reported.fetch(night, register, "S230519a", now=NOW)


def test_a_place_that_rubin_will_observe_within_the_night_is_known_with_the_visit(night):
    register = Visits(
        [
            visit(1, PLACE[0]),
            visit(2, PLACE[0], time=NOW.plus_s(600.0).to_utc_iso(), band="i"),
            visit(3, PLACE[0], time=NOW.plus_s(90_000.0).to_utc_iso()),
            visit(4, PLACE[0], time=NOW.plus_s(-600.0).to_utc_iso()),
            visit(5, PLACE[0], status="cancelled"),
            visit(6, PLACE[0] + 5.0),
            visit(7, PLACE[0], instrument="Other"),
        ]
    )
    reported.fetch(night, register, "S230518h", now=NOW)
    found = planned_for(kept(night), PLACE, NOW, 12.0, instruments=("LSSTCam",))
    assert [(one.by, one.band, round(one.hours, 3)) for one in found] == [("LSSTCam", "i", 0.167), ("LSSTCam", "r", 1.0)]
    assert found[0].at == Instant.from_utc_iso(NOW.plus_s(600.0).to_utc_iso())
    assert [one.by for one in planned_for(kept(night), PLACE, NOW, 12.0)] == ["LSSTCam", "LSSTCam", "Other"]
    assert planned_for(kept(night), (10.0, 10.0), NOW, 12.0) == ()
    assert planned_for([], PLACE, NOW, 12.0) == ()
