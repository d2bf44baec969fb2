"""What was searched so deep that a counterpart would show: against sums by hand, and looks at points against polygons."""

import numpy as np
import pytest

from hub.demo.survey.counterparts import Counterpart
from hub.model.pointing import Pointing, PointingStatus
from hub.resources import read_text
from hub.science.counterpart_policy import load_counterpart_policy
from hub.science.detectable import depth_curve, moduli_of
from hub.science.footprint import Halves, holding
from hub.science.footprint_share import share_of
from hub.science.healpix import find, pixels29
from hub.science.levels import Levels2D
from hub.science.map_points import by_area, by_prob, latitudes_deg, shifted
from hub.science.off_maps import covering, place_shifts, time_shifts
from hub.science.point_visits import looks
from hub.science.rules import load_rules
from hub.services.coverage_curve import as_visits
from hub.services.light_curve_models import model_of
from tests.support.survey_sky import map_of
from tests.support.words import T0, gaussian_map

MERGER = Counterpart(
    night=0, index=0, name="S1", ra_deg=130.0, dec_deg=-30.0, t0_mjd_tai=0.0, distance_mpc=100.0, is_target=False
)
SKYMAP = map_of(MERGER)
LEVELS = Levels2D.of(SKYMAP)


def field(ra, dec, half, *, days=1.0, depth=24.0, band="r"):
    corners = ((ra - half, dec - half), (ra + half, dec - half), (ra + half, dec + half), (ra - half, dec + half))
    return Pointing(
        event_id="S1",
        instrument="telescope",
        status=PointingStatus.COMPLETED,
        at=T0.plus_s(days * 86_400),
        band=band,
        depth_ab=depth,
        corners_deg=corners,
        reported_by="us",
    )


def constant(_age_d, _band):
    return -15.0


def curve(fields, *, magnitude=constant, spread_mag=0.0, n=1000):
    visits = as_visits(fields)
    points = by_prob(SKYMAP, LEVELS, 1.0, n)
    return depth_curve(
        points,
        looks(points.ra_deg, points.dec_deg, visits),
        visits,
        T0.tai_us,
        moduli=moduli_of(SKYMAP, points),
        magnitude=magnitude,
        spread_mag=spread_mag,
    )


def test_points_of_equal_probability_tell_the_share_of_polygons():
    fields = [field(130.0, -30.0, 1.0), field(131.5, -29.0, 1.0, days=2.0)]
    exact = np.cumsum(share_of(SKYMAP, Halves.of(as_visits(fields).polygons)).gain)
    assert curve(fields).looked == pytest.approx(exact, abs=0.02)


def test_looks_are_those_of_the_polygons_and_know_the_gap_before():
    visits = as_visits([field(130.0, -30.0, 1.0), field(130.5, -30.0, 1.0, days=3.5), field(130.0, -30.0, 1.0, days=4.0)])
    points = by_area(SKYMAP, LEVELS, 0.9, 300)
    found = looks(points.ra_deg, points.dec_deg, visits)
    halves = Halves.of(visits.polygons)
    wanted = {
        (k, row)
        for k, (ra, dec) in enumerate(zip(points.ra_deg.tolist(), points.dec_deg.tolist(), strict=True))
        for row in np.flatnonzero(holding(halves, ra, dec)).tolist()
    }
    assert set(zip(found.point.tolist(), found.visit.tolist(), strict=True)) == wanted
    both = found.point[found.visit == 1]
    gaps = {
        k: gap for k, row, gap in zip(found.point.tolist(), found.visit.tolist(), found.gap_d.tolist(), strict=True) if row == 1
    }
    before = set(found.point[found.visit == 0].tolist())
    for point in both.tolist():
        assert gaps[point] == pytest.approx(2.5) if point in before else np.isnan(gaps[point])


def test_a_depth_far_beyond_the_distance_sees_all_and_one_far_before_it_nothing():
    everything, nothing = curve([field(130.0, -30.0, 2.0, depth=30.0)]), curve([field(130.0, -30.0, 2.0, depth=15.0)])
    assert everything.total_detectable == pytest.approx(everything.total_looked)
    assert nothing.total_detectable == pytest.approx(0.0, abs=1e-6)


def test_at_the_limit_the_distances_decide():
    """A source of -15 is seen at 24 to 631 Mpc; to 20 mag it is seen to 100 Mpc: that much of the map's distances is closer."""
    found = curve([field(130.0, -30.0, 2.0, depth=20.0)])
    distance = np.linspace(1.0, 400.0, 20_000)
    density = distance**2 * np.exp(-0.5 * ((distance - 100.0) / 25.0) ** 2)
    closer = density[distance < 100.0].sum() / density.sum()
    assert found.total_detectable == pytest.approx(found.total_looked * closer, abs=0.03)


def test_the_deepest_look_relative_to_the_light_curve_counts_and_never_less_than_before():
    def fading(age_d, _band):
        return -16.0 + age_d

    early, late = field(130.0, -30.0, 2.0, days=1.0, depth=20.0), field(130.0, -30.0, 2.0, days=5.0, depth=21.0)
    both, first = curve([early, late], magnitude=fading), curve([early], magnitude=fading)
    assert both.total_detectable == pytest.approx(first.total_detectable)
    assert (np.diff(curve([late, early], magnitude=fading, spread_mag=1.0).detectable) >= 0).all()


def test_without_distances_or_a_model_nothing_is_said_to_be_detectable():
    assert moduli_of(gaussian_map(130.0, -30.0, 2.0), by_prob(SKYMAP, LEVELS, 1.0, 10)) is None
    assert curve([field(130.0, -30.0, 2.0)], magnitude=None).total_detectable == 0.0


def test_points_by_area_and_by_probability_stand_for_the_whole_region():
    for points in (by_area(SKYMAP, LEVELS, 0.9, 500), by_prob(SKYMAP, LEVELS, 0.9, 500)):
        assert points.prob.sum() == pytest.approx(0.9, abs=0.03)
        assert points.area_deg2.sum() == pytest.approx(LEVELS.area_of_level(0.9), rel=0.1)
        assert (points.level <= 0.93).all()
    assert np.ptp(by_area(SKYMAP, LEVELS, 0.9, 500).area_deg2) < 1e-9
    assert np.ptp(by_prob(SKYMAP, LEVELS, 0.9, 500).prob) < 1e-12


def test_shifts_keep_the_latitudes_and_lie_before_the_event():
    policy = load_counterpart_policy(read_text("conf/counterparts.toml")).chance
    points = by_area(SKYMAP, LEVELS, 0.9, 200)
    own = latitudes_deg(points)
    found = place_shifts(points, policy, "S1")
    assert found
    for shift in found:
        galactic, ecliptic = latitudes_deg(shifted(points, shift.ra_deg))
        assert abs(galactic - own[0]) <= policy.max_galactic_change_deg
        assert abs(ecliptic - own[1]) <= policy.max_ecliptic_change_deg
    assert found == place_shifts(points, policy, "S1")
    assert sorted(found) == sorted(place_shifts(points, policy, "S2"))
    day = 86_400_000_000
    begin, until, event = 10 * day, int(12.5 * day), int(10.2 * day)
    for shift in time_shifts(begin, until, event, policy):
        assert until - shift.days * day <= begin
        assert begin - shift.days * day < event


def test_the_cover_of_a_turned_region_holds_all_of_it():
    rows = LEVELS.region(0.99)
    lo, hi = covering(LEVELS.lo[rows], LEVELS.hi[rows], 77.0)
    points = shifted(by_area(SKYMAP, LEVELS, 0.99, 3000), 77.0)
    assert (find(lo, hi, pixels29(points.ra_deg, points.dec_deg)) >= 0).all()


def test_a_hypothesis_without_a_brightness_has_no_model():
    rules = load_rules(read_text("conf/coincidence.toml"))
    models = {one.name: model_of(one) for one in rules.hypotheses}
    kilonova = models["kilonova"]
    assert kilonova is not None
    assert -18.0 < kilonova.magnitude(0.5, "r") < -12.0
    assert kilonova.magnitude(-5.0, "r") is None
    dust = kilonova.extinction_at(by_prob(SKYMAP, LEVELS, 0.9, 20))("r")
    assert ((dust > 0) & (dust < 2)).all()
