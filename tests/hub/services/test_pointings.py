"""Reports of pointings: the words of the Treasure Map, and what is refused with which sentence."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidRequest, NotFound
from hub.model.pointing import PointingStatus
from hub.science.footprint import Halves, areas_deg2, holding
from hub.services import pointings
from hub.services.coverage_curve import as_visits
from tests.support.correlating import Desk
from tests.support.words import T0, notice

ROW = {
    "graceid": "S260301a",
    "instrumentid": "38",
    "status": "completed",
    "time": "2026-03-01T08:00:00",
    "band": "r",
    "depth": 22.5,
    "depth_unit": "ab_mag",
    "position": "POINT(130.0 20.0)",
    "width_deg": 2.0,
    "height_deg": 1.0,
}


def read(**changes):
    row = {key: value for key, value in {**ROW, **changes}.items() if value is not None}
    return pointings.read(row, event_id="S260301a", reported_by="us")


def test_a_field_is_laid_where_it_is_reported():
    one = read()
    assert (one.instrument, one.status, one.band, one.depth_ab) == ("38", PointingStatus.COMPLETED, "r", 22.5)
    assert one.at.to_utc_iso() == "2026-03-01T08:00:00.000000Z"
    visit = as_visits([one])
    assert areas_deg2(visit.polygons)[0] == pytest.approx(2.0, rel=1e-3)
    halves = Halves.of(visit.polygons)
    assert [holding(halves, ra, dec)[0] for ra, dec in ((130.9, 20.0), (130.0, 20.45), (130.0, 20.6))] == [True, True, False]
    turned = Halves.of(as_visits([read(pos_angle=90.0)]).polygons)
    assert [holding(turned, ra, dec)[0] for ra, dec in ((130.9, 20.0), (130.0, 20.45), (130.0, 20.6))] == [False, True, True]


@given(st.floats(0, 359.9), st.floats(-89.9, 89.9), st.floats(0.01, 5.0))
def test_a_circle_holds_its_middle_anywhere_on_the_sky(ra, dec, radius):
    one = read(position=None, ra=ra, dec=dec, width_deg=None, height_deg=None, radius_deg=radius)
    visit = as_visits([one])
    assert holding(Halves.of(visit.polygons), ra, dec)[0]
    assert areas_deg2(visit.polygons)[0] == pytest.approx(np.pi * radius**2, rel=0.03)


@pytest.mark.parametrize("corners", [[(10, 0), (12, 0), (12, 1), (10, 1)], [(10, 1), (12, 1), (12, 0), (10, 0)]])
def test_corners_may_go_either_way_round_as_list_or_as_wkt(corners):
    wkt = "POLYGON((" + ", ".join(f"{ra} {dec}" for ra, dec in [*corners, corners[0]]) + "))"
    for value in (corners, wkt):
        assert holding(Halves.of(as_visits([read(footprint=value)]).polygons), 11.0, 0.5)[0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"time": None}, "its time is missing"),
        ({"time": "yesterday"}, "yesterday"),
        ({"instrumentid": None}, "its instrument is missing"),
        ({"status": "dreamt"}, "dreamt"),
        ({"depth_unit": "flux"}, "only ab_mag is understood"),
        ({"depth": "deep"}, "its depth is no number"),
        ({"position": "POINT(1)"}, r"no POINT\(ra dec\)"),
        ({"position": None}, "its ra is missing"),
        ({"width_deg": None}, "it says not where it looked"),
        ({"width_deg": 80.0}, "must lie between"),
        ({"footprint": [(10, 0), (12, 0)]}, "has 2 corners"),
        ({"footprint": [(10, 0), (12, 0), (10.1, 0.1), (10, 2)]}, "is not convex"),
        ({"footprint": [(10, 0), (100, 0), (100, 60)]}, "farther than 20 degrees"),
        ({"footprint": "CIRCLE"}, "no list of corners"),
    ],
)
def test_what_is_wrong_with_a_report_is_said(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(**changes)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "holds no pointings"),
        ("[]", "holds no pointings"),
        ("[1]", "holds no pointings"),
        ("{", "no valid JSON"),
        ("graceid,time\n", "holds no pointings"),
        ("[" * 100_000, "no valid JSON"),
    ],
)
def test_a_text_that_is_no_report_is_refused(content, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        pointings.rows_of(content)


def test_json_and_csv_say_the_same(store):
    Desk(store).tell(notice())
    table = ",".join(ROW) + "\n" + ",".join(str(value) for value in ROW.values()) + "\n"
    both = json.dumps({"graceid": "S260301a", "pointings": [{key: value for key, value in ROW.items() if key != "graceid"}]})
    for content in (table, both, json.dumps(ROW)):
        with store.transaction() as session:
            told = pointings.add(session, content, reported_by="us", now=T0)
        assert told == {"n_pointings": 1, "events": ["S260301a"]}
    with store.reading() as session:
        (found,) = pointings.of_event(session, "S260301a")
    assert (found["instrument"], found["depth_ab"], found["reported_by"]) == ("38", 22.5, "us")


def test_all_of_a_report_is_taken_or_nothing(store):
    Desk(store).tell(notice())
    with pytest.raises(InvalidRequest, match="pointing 2: its time is missing"), store.transaction() as session:
        pointings.add(session, json.dumps([ROW, {**ROW, "time": ""}]), reported_by="us", now=T0)
    with pytest.raises(NotFound), store.transaction() as session:
        pointings.add(session, json.dumps({**ROW, "graceid": "nothing"}), reported_by="us", now=T0)
    with pytest.raises(InvalidRequest, match="names no event"), store.transaction() as session:
        pointings.add(session, json.dumps({key: ROW[key] for key in ROW if key != "graceid"}), reported_by="us", now=T0)
    with store.reading() as session:
        assert pointings.of_event(session, "S260301a") == []
