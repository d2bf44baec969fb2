"""The sky over a site against astroplan."""

import warnings

import numpy as np
import pytest
from astroplan import AirmassConstraint, AtNightConstraint, FixedTarget, MoonSeparationConstraint, Observer
from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord, get_body
from astropy.time import Time

from hub.model.instant import Instant
from hub.resources import read_text
from hub.science.planning.fields import unit_vectors
from hub.science.planning.nights import moments, observable, sky_over
from hub.science.planning.slots import slots_of
from hub.science.sites import Constraints, load_sites
from hub.science.visibility import work_offline

SITES = {site.name: site for site in load_sites(read_text("conf/sites.toml"))}
START = Instant.from_utc_iso("2025-03-10T20:00:00")


@pytest.fixture(autouse=True)
def _offline():
    work_offline()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", ["CTIO", "SAAO", "Haleakala"])
def test_places_are_observable_when_astroplan_says_so_but_for_grazing_ones(name):
    site, needs = SITES[name], Constraints(max_airmass=1.8, min_moon_separation_deg=30.0)
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 40), np.degrees(np.arcsin(rng.uniform(-1, 1, 40)))
    mjd = moments(START, np.arange(0.0, 86_400.0, 1_800.0))
    ours = observable(sky_over(site, mjd), unit_vectors(ra, dec), needs)
    times = Time(mjd, format="mjd", scale="utc")
    observer = Observer(location=EarthLocation.from_geodetic(site.lon_deg * u.deg, site.lat_deg * u.deg, site.height_m * u.m))
    targets = FixedTarget(SkyCoord(ra * u.deg, dec * u.deg))
    theirs = np.ones_like(ours)
    for constraint in (
        AirmassConstraint(max=needs.max_airmass),
        AtNightConstraint(max_solar_altitude=needs.max_sun_altitude_deg * u.deg),
        MoonSeparationConstraint(min=needs.min_moon_separation_deg * u.deg),
    ):
        theirs &= np.asarray(constraint(observer, targets, times=times, grid_times_targets=True))
    assert theirs.any()
    altaz = observer.altaz(times, targets, grid_times_targets=True)
    sun = observer.sun_altaz(times).alt.deg
    moon = get_body("moon", times, observer.location)
    apart = moon.separation(SkyCoord(ra[:, None] * u.deg, dec[:, None] * u.deg), origin_mismatch="ignore").deg
    least = np.degrees(np.arcsin(1 / needs.max_airmass))
    grazing = (
        (np.abs(altaz.alt.deg - least) < 0.05)
        | (np.abs(sun - needs.max_sun_altitude_deg) < 0.05)[None, :]
        | (np.abs(apart - needs.min_moon_separation_deg) < 0.3)
    )
    assert (ours == theirs)[~grazing].all()
    assert grazing.mean() < 0.05


def test_slots_lie_in_the_dark_and_do_not_overlap():
    site, needs = SITES["CTIO"], Constraints()
    slots = slots_of(site, START, 48.0, 300.0, 60.0, needs)
    assert np.diff(slots.starts_s).min() >= 360.0 - 1e-6
    assert slots.starts_s.max() + 300.0 <= 48 * 3600.0
    ends = np.concatenate((slots.starts_s, slots.starts_s + 300.0))
    assert sky_over(site, moments(START, ends)).sun_altitude_deg.max() <= needs.max_sun_altitude_deg + 0.02
    assert len(slots) == pytest.approx(2 * 8.9 * 10, rel=0.1)  # two nights of about nine hours in March


def test_a_site_in_the_polar_day_has_no_slots():
    from dataclasses import replace

    pole = replace(SITES["CTIO"], lat_deg=-89.0)
    assert not len(slots_of(pole, Instant.from_utc_iso("2025-12-21T00:00:00"), 24.0, 30.0, 10.0, Constraints()))
