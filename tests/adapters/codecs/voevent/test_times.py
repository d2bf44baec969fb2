"""Time scales and odd ways of writing a time."""

import math

import pytest

from adapters.codecs.voevent.reader import decode
from adapters.codecs.voevent.times import instant_of, light_travel_to_geocentre_s
from hub.model.instant import Instant
from tests.support.voevents import voevent


@pytest.mark.parametrize(
    ("written", "system", "utc"),
    [
        ("2024-01-02T03:04:05.67", "UTC-FK5-GEO", "2024-01-02T03:04:05.670000Z"),
        ("  2024-01-02T03:04:05Z\n", "FK5-UTC-GEO", "2024-01-02T03:04:05.000000Z"),
        ("2024-01-02T05:04:05+02:00", "UTC-ICRS-GEO", "2024-01-02T03:04:05.000000Z"),
        ("2016-12-31T23:59:60.5", "UTC-ICRS-TOPO", "2016-12-31T23:59:60.500000Z"),
        ("2024-01-02T03:04:05", "", "2024-01-02T03:04:05.000000Z"),
        ("2024-01-02T03:05:14.184", "TT-ICRS-GEO", "2024-01-02T03:04:05.000000Z"),
        ("2024-01-02T03:05:14.18400049", "TDB-ICRS-BARY", "2024-01-02T03:04:05.000000Z"),
        ("2024-01-02T03:04:42", "TAI-ICRS-GEO", "2024-01-02T03:04:05.000000Z"),
        ("2024-01-02T03:04:23", "GPS-FK5-TOPO", "2024-01-02T03:04:05.000000Z"),
        ("2015-06-30T23:59:60.000", "UTC-FK5-GEO", "2015-06-30T23:59:60.000000Z"),
    ],
)
def test_a_time_is_read_on_the_scale_that_its_coordinate_system_names(written, system, utc):
    assert instant_of(written, system).to_utc_iso() == utc


@pytest.mark.parametrize("written", [None, "", "yesterday", "2024-13-01T00:00:00", "2024-01-01T25:00:00", "b'2019'"])
@pytest.mark.parametrize("system", ["UTC-FK5-GEO", "TDB-ICRS-BARY"])
def test_an_unreadable_time_is_none(written, system):
    assert instant_of(written, system) is None


def test_utc_before_whole_leap_seconds_is_none():
    assert instant_of("1950-01-01T00:00:00", "UTC-FK5-GEO") is None
    assert instant_of("1950-01-01T00:00:00", "TDB-ICRS-BARY") is not None


def test_an_unreadable_time_does_not_cost_the_notice():
    notice = decode(voevent(time="noon")).notice
    assert notice.t0 is None
    assert "cannot be read" in notice.extra["voevent.remarks"][0]


def test_barycentric_times_keep_a_remark_with_the_light_travel():
    notice = decode(voevent(coord_system="TDB-ICRS-BARY", time="2016-01-16T07:52:27", position=(73.29423, 7.35212, 2e-5))).notice
    assert notice.t0.to_utc_iso() == "2016-01-16T07:51:18.816000Z"
    assert 300 < notice.extra["voevent.light_travel_to_geocentre_s"] < 400


def test_light_travel_is_that_of_an_earth_at_one_astronomical_unit():
    moment = Instant.from_utc_iso("2024-06-21T00:00:00")
    # At the June solstice the Sun stands at 6 h, +23.4 deg; the Earth seen from the Sun opposite, at 18 h, -23.4 deg.
    away = light_travel_to_geocentre_s(moment, 270.0, -23.44)
    assert away == pytest.approx(499.0 * 1.016, abs=5)
    assert light_travel_to_geocentre_s(moment, 90.0, 23.44) == pytest.approx(-away, abs=1e-6)
    assert math.isclose(light_travel_to_geocentre_s(moment, 270.0, 66.56), 0, abs_tol=5)
