"""Observability against an altitude computed another way, and the known case of AT2017gfo."""

import math

import numpy as np
import pytest

from hub.errors import ConfigError
from hub.model.instant import Instant
from hub.resources import read_text
from hub.science.sites import Constraints, Site, load_sites
from hub.science.visibility import GRID_S, visibility

AT2017GFO = (197.45037, -23.38148)


def utc(text):
    return Instant.from_utc_iso(text)


@pytest.fixture(scope="module")
def sites():
    return {site.name: site for site in load_sites(read_text("conf/sites.toml"))}


def altitude_deg(ra_deg, dec_deg, site, instants):
    """Altitude by sidereal time and spherical trigonometry, J2000 place, no precession, aberration or refraction."""
    days = np.array([i.mjd_utc - 51544.5 for i in instants])
    hour_angle = np.radians(280.46061837 + 360.98564736629 * days + site.lon_deg - ra_deg)  # Meeus (1998), eq. 12.4
    lat, dec = math.radians(site.lat_deg), math.radians(dec_deg)
    return np.degrees(np.arcsin(math.sin(lat) * math.sin(dec) + math.cos(lat) * math.cos(dec) * np.cos(hour_angle)))


def sun_place(instant):
    """Low-precision place of the Sun, 0.01 deg (Astronomical Almanac, section C)."""
    n = instant.mjd_utc - 51544.5
    mean_longitude, anomaly = math.radians(280.460 + 0.9856474 * n), math.radians(357.528 + 0.9856003 * n)
    longitude = mean_longitude + math.radians(1.915) * math.sin(anomaly) + math.radians(0.020) * math.sin(2 * anomaly)
    obliquity = math.radians(23.439 - 4e-7 * n)
    ra = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    return math.degrees(ra) % 360, math.degrees(math.asin(math.sin(obliquity) * math.sin(longitude)))


def test_at2017gfo_was_in_reach_of_cerro_tololo_for_less_than_an_hour_of_the_first_evening(sites):
    (seen,) = visibility(*AT2017GFO, [sites["CTIO"]], utc("2017-08-17T22:00Z"), utc("2017-08-18T04:00Z"), Constraints())
    assert seen.is_observable
    assert utc("2017-08-17T23:30Z") < seen.window_start < utc("2017-08-17T23:50Z")
    assert utc("2017-08-18T00:25Z") < seen.window_end < utc("2017-08-18T00:45Z")
    assert seen.best_airmass == pytest.approx(1.5, abs=0.1)
    assert seen.reason == "observable at CTIO from 2017-08-17T23:45Z to 2017-08-18T00:35Z, best airmass 1.51"


def test_the_window_agrees_with_an_altitude_computed_by_hand(sites):
    site, start, end = sites["CTIO"], utc("2017-08-17T22:00Z"), utc("2017-08-18T04:00Z")
    (seen,) = visibility(*AT2017GFO, [site], start, end, Constraints(min_moon_separation_deg=0))
    grid = [start.plus_s(s) for s in np.arange(0, end.minus(start) + 1, 60.0)]
    target = altitude_deg(*AT2017GFO, site, grid)
    sun = np.array([altitude_deg(*sun_place(i), site, [i])[0] for i in grid])
    good = np.flatnonzero((target > 30) & (sun < -18))
    assert abs(seen.window_start.minus(grid[good[0]])) <= GRID_S + 60
    assert abs(seen.window_end.minus(grid[good[-1]])) <= GRID_S + 60
    assert seen.best_airmass == pytest.approx(1 / math.sin(math.radians(target[good].max())), rel=0.02)


def test_verdicts_agree_with_the_altitude_by_hand_for_places_all_over_the_sky(sites):
    site, start, end = sites["SAAO"], utc("2026-06-01T16:00Z"), utc("2026-06-02T05:00Z")
    grid = [start.plus_s(s) for s in np.arange(0, end.minus(start) + 1, GRID_S)]
    dark = np.array([altitude_deg(*sun_place(i), site, [i])[0] for i in grid]) < -18
    n_seen = 0
    for ra_deg, dec_deg in [(ra, dec) for ra in (10.0, 100.0, 190.0, 280.0) for dec in (-75.0, -30.0, 15.0, 60.0)]:
        best = altitude_deg(ra_deg, dec_deg, site, grid)[dark].max()
        (seen,) = visibility(ra_deg, dec_deg, [site], start, end, Constraints(min_moon_separation_deg=0))
        if abs(best - 30) > 1:  # nearer than that the two methods may differ
            assert seen.is_observable == (best > 30), (ra_deg, dec_deg, best, seen.reason)
        n_seen += seen.is_observable
    assert 3 < n_seen < 13


def test_a_circumpolar_target_of_the_other_hemisphere_is_never_seen(sites):
    window = utc("2026-12-17T22:00Z"), utc("2026-12-18T22:00Z")
    south, north = visibility(0.0, 85.0, [sites["CTIO"], sites["McDonald"]], *window, Constraints(max_airmass=2.5))
    assert not south.is_observable
    assert south.reason == "never above the horizon before 2026-12-18T22:00Z"
    assert (south.window_start, south.window_end, south.best_airmass) == (None, None, None)
    assert north.is_observable


def test_a_target_that_grazes_the_limit_is_seen_only_with_the_looser_limit(sites):
    # Culminates at McDonald at 90 - 30.67 - 29.5 = 29.8 deg: airmass 2.01.
    window = utc("2026-12-18T00:00Z"), utc("2026-12-18T14:00Z")
    (strict,) = visibility(60.0, -29.5, [sites["McDonald"]], *window, Constraints(max_airmass=2.0, min_moon_separation_deg=0))
    (loose,) = visibility(60.0, -29.5, [sites["McDonald"]], *window, Constraints(max_airmass=2.05, min_moon_separation_deg=0))
    assert strict.reason == "never within airmass 2 before 2026-12-18T14:00Z: it culminates at altitude 30 deg"
    assert loose.is_observable
    assert 2.0 < loose.best_airmass < 2.05


def test_a_target_beside_the_full_moon_is_refused_for_that_reason(sites):
    # 2026-11-24: full moon at 14:53 UTC, in Taurus near RA 61 deg, Dec +22 deg.
    window = utc("2026-11-24T00:00Z"), utc("2026-11-24T13:00Z")
    (near,) = visibility(58.0, 22.0, [sites["McDonald"]], *window, Constraints(min_moon_separation_deg=15.0))
    (far,) = visibility(58.0, -20.0, [sites["McDonald"]], *window, Constraints(min_moon_separation_deg=15.0))
    (careless,) = visibility(58.0, 22.0, [sites["McDonald"]], *window, Constraints(min_moon_separation_deg=0.0))
    assert not near.is_observable
    assert "within 15 deg of the Moon" in near.reason
    assert far.is_observable
    assert careless.is_observable


def test_daylight_is_named_as_the_reason(sites):
    window = utc("2026-12-17T13:00Z"), utc("2026-12-17T18:00Z")
    (day,) = visibility(230.0, -30.0, [sites["CTIO"]], *window, Constraints())
    assert day.reason == "within airmass 2 only while the Sun is above -18 deg, before 2026-12-17T18:00Z"


def test_several_nights_are_counted(sites):
    (seen,) = visibility(*AT2017GFO, [sites["CTIO"]], utc("2017-08-17T22:00Z"), utc("2017-08-20T04:00Z"), Constraints())
    assert "in 3 spans" in seen.reason


def test_times_far_in_the_future_work_without_a_download_and_without_a_warning(sites):
    (seen,) = visibility(0.0, -60.0, [sites["CTIO"]], utc("2046-09-17T22:00Z"), utc("2046-09-18T12:00Z"), Constraints())
    assert seen.is_observable


def test_an_empty_window_is_one_moment_and_a_reversed_one_is_refused(sites):
    moment = utc("2017-08-18T00:00Z")
    (seen,) = visibility(*AT2017GFO, [sites["CTIO"]], moment, moment, Constraints())
    assert seen.window_start == seen.window_end == moment
    with pytest.raises(ValueError, match="observing window"):
        visibility(*AT2017GFO, [sites["CTIO"]], moment, moment.plus_s(-1), Constraints())
    with pytest.raises(ValueError, match="observing window"):
        visibility(*AT2017GFO, [sites["CTIO"]], moment, moment.plus_s(366 * 86_400), Constraints())


def test_the_shipped_sites_are_on_earth_and_say_where_their_coordinates_come_from(sites):
    assert {"Rubin", "CTIO", "SAAO", "SSO", "McDonald", "Haleakala", "Tenerife"} <= set(sites)
    assert all(site.source for site in sites.values())
    # Cerro Tololo and Cerro Pachon are neighbours.
    assert abs(sites["Rubin"].lon_deg - sites["CTIO"].lon_deg) < 0.1
    assert isinstance(sites["Rubin"], Site)


GOOD = '[[site]]\nname = "A"\nlon_deg = 1.0\nlat_deg = 2.0\nheight_m = 3.0\nsource = "s"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[site", "no TOML"),
        (GOOD.replace("lat_deg = 2.0\n", ""), "lacks lat_deg"),
        (GOOD + "colour = 1\n", "unknown keys: colour"),
        (GOOD + GOOD, "twice"),
        (GOOD.replace("2.0", "92.0"), "not lie on Earth"),
        (GOOD.replace("2.0", "nan"), "not lie on Earth"),
        (GOOD.replace("2.0", '"x"'), "no number"),
        (GOOD.replace("2.0", "true"), "no number"),
    ],
)
def test_a_bad_table_of_sites_is_refused_with_the_reason(text, reason):
    with pytest.raises(ConfigError, match=reason):
        load_sites(text)
