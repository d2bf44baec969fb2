"""Windows of many targets against astroplan, against a finer grid, and what is said where there is none."""

import warnings

import numpy as np
import pytest
from astroplan import AirmassConstraint, AtNightConstraint, FixedTarget, MoonSeparationConstraint, Observer
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time

from hub.model.instant import Instant
from hub.resources import read_text
from hub.science.planning import visible
from hub.science.planning.nights import moments
from hub.science.planning.visible import MAX_SPAN_S, why_never, windows
from hub.science.sites import Constraints, load_sites
from hub.science.visibility import work_offline

SITES = {site.name: site for site in load_sites(read_text("conf/sites.toml"))}
START = Instant.from_utc_iso("2025-03-10T20:00:00")
DAY = START.plus_s(86_400.0)
NEEDS = Constraints(max_airmass=1.8, min_moon_separation_deg=30.0)


def places(n, seed=3):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


def at_steps(found, n_targets, site, offsets_s):
    """Return whether each step lies in a window, shape ``(n_targets, n_steps)``."""
    holds = np.zeros((n_targets, len(offsets_s)), dtype=bool)
    for row in np.flatnonzero(found.site == site).tolist():
        holds[found.target[row]] |= (offsets_s >= found.starts_s[row]) & (offsets_s < found.ends_s[row])
    return holds


def test_targets_are_in_windows_when_astroplan_says_so_but_for_grazing_ones():
    """Of 40 targets, 2 sites and 144 steps of ten minutes fewer than one in 100 graze a limit and are left out."""
    work_offline()
    ra, dec = places(40)
    sites = [SITES["SSO"], SITES["La Palma"]]
    found = windows(ra, dec, sites, START, DAY, NEEDS)
    offsets_s = np.arange(0.0, 86_400.0, 600.0)
    times = Time(moments(START, offsets_s), format="mjd", scale="utc")
    least = np.degrees(np.arcsin(1 / NEEDS.max_airmass))
    targets = SkyCoord(ra[:, None] * u.deg, dec[:, None] * u.deg)
    for number, site in enumerate(sites):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            place = EarthLocation.from_geodetic(site.lon_deg * u.deg, site.lat_deg * u.deg, site.height_m * u.m)
            observer = Observer(location=place)
            theirs = np.ones((40, len(times)), dtype=bool)
            for constraint in (
                AirmassConstraint(max=NEEDS.max_airmass),
                AtNightConstraint(max_solar_altitude=NEEDS.max_sun_altitude_deg * u.deg),
                MoonSeparationConstraint(min=NEEDS.min_moon_separation_deg * u.deg),
            ):
                theirs &= np.asarray(
                    constraint(observer, FixedTarget(targets[:, 0]), times=times, grid_times_targets=True), dtype=bool
                )
            altaz = targets.transform_to(AltAz(obstime=times, location=place))
            sun = observer.sun_altaz(times).alt.deg
            apart = get_body("moon", times, place).separation(targets, origin_mismatch="ignore").deg
        grazing = (
            (np.abs(altaz.alt.deg - least) < 0.05)
            | (np.abs(sun - NEEDS.max_sun_altitude_deg) < 0.05)[None, :]
            | (np.abs(apart - NEEDS.min_moon_separation_deg) < 0.3)
        )
        ours = at_steps(found, 40, number, offsets_s)
        assert 0.05 < theirs.mean() < 0.5
        assert (ours == theirs)[~grazing].all()
        assert grazing.sum() < 0.01 * grazing.size, f"{grazing.sum()} of {grazing.size} graze"
        for row in np.flatnonzero(found.site == number).tolist():
            inside = (offsets_s >= found.starts_s[row]) & (offsets_s < found.ends_s[row])
            if inside.sum() > 2:
                best = float(altaz.secz[found.target[row]][inside].min())
                assert found.best_airmass[row] == pytest.approx(best, rel=0.02)


def test_ends_lie_between_the_steps_as_a_finer_grid_finds_them():
    ra, dec = places(60, seed=5)
    sites = [SITES["CTIO"], SITES["Maunakea"]]
    coarse, fine = (windows(ra, dec, sites, START, DAY, NEEDS, grid_s=grid_s) for grid_s in (300.0, 20.0))
    long_of = {
        name: {(t, s): (a, b) for t, s, a, b in zip(w.target, w.site, w.starts_s, w.ends_s, strict=True) if b - a > 1_200.0}
        for name, w in (("coarse", coarse), ("fine", fine))
    }
    both = sorted(set(long_of["coarse"]) & set(long_of["fine"]))
    assert len(both) > 40
    apart = np.array([np.subtract(long_of["coarse"][key], long_of["fine"][key]) for key in both])
    assert np.abs(apart).max() < 30.0  # where two limits follow each other within a step the line is that of the later
    assert np.median(np.abs(apart)) < 1.0


def test_windows_are_by_target_site_and_time_and_do_not_depend_on_blocks(monkeypatch):
    ra, dec = places(30, seed=7)
    sites = [SITES["CTIO"], SITES["SAAO"], SITES["Palomar"]]
    end = START.plus_s(3 * 86_400.0)
    whole = windows(ra, dec, sites, START, end, NEEDS)
    monkeypatch.setattr(visible, "BLOCK", 3_000)
    parts = windows(ra, dec, sites, START, end, NEEDS)
    for name in ("target", "site", "starts_s", "ends_s", "best_airmass"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    keys = list(zip(whole.target.tolist(), whole.site.tolist(), whole.starts_s.tolist(), strict=True))
    assert keys == sorted(keys)
    assert len(keys) > 60
    assert (whole.ends_s > whole.starts_s).all()
    assert (whole.best_airmass >= 1.0).all()
    assert (whole.best_airmass <= NEEDS.max_airmass).all()


def test_a_window_may_begin_and_end_with_the_span():
    night = START.plus_s(6 * 3_600.0)
    found = windows(np.array([150.0]), np.array([-30.0]), [SITES["CTIO"]], night, night.plus_s(1_000.0), Constraints())
    assert (found.starts_s.tolist(), found.ends_s.tolist()) == ([0.0], [1_000.0])


def test_nothing_asked_is_nothing_found():
    assert not len(windows(np.empty(0), np.empty(0), [SITES["CTIO"]], START, DAY, NEEDS))
    assert not len(windows(np.array([1.0]), np.array([1.0]), [], START, DAY, NEEDS))


@pytest.mark.parametrize(
    ("ra", "dec", "needs", "said"),
    [
        (10.0, 80.0, Constraints(), "at most at CTIO in this span, below 30 deg"),
        (350.0, -10.0, Constraints(), "by day only; in the dark it comes to"),
        (150.0, -30.0, Constraints(max_sun_altitude_deg=-89.0), "the Sun at CTIO is never below -89 deg"),
        (150.0, -30.0, Constraints(min_moon_separation_deg=179.0), "the Moon is at most"),
    ],
)
def test_a_target_that_is_never_up_says_why(ra, dec, needs, said):
    assert not len(windows(np.array([ra]), np.array([dec]), [SITES["CTIO"]], START, DAY, needs))
    assert said in why_never(ra, dec, SITES["CTIO"], START, DAY, needs)


def test_what_makes_no_sense_is_refused():
    one = np.array([1.0])
    for end in (START, START.plus_s(-1.0), START.plus_s(MAX_SPAN_S + 1.0)):
        with pytest.raises(ValueError, match="a span ends after it begins"):
            windows(one, one, [SITES["CTIO"]], START, end, NEEDS)
    with pytest.raises(ValueError, match="step"):
        windows(one, one, [SITES["CTIO"]], START, DAY, NEEDS, grid_s=0.0)
    for dec in (91.0, np.nan):
        with pytest.raises(ValueError, match="declination"):
            windows(one, np.array([dec]), [SITES["CTIO"]], START, DAY, NEEDS)
