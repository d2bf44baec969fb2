import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from ligo.skymap.distance import parameters_to_marginal_moments
from ligo.skymap.postprocess import crossmatch

from hub.model.sky import FULL_SKY_DEG2, Skymap
from hub.science import healpix
from hub.science.levels import Levels2D, Levels3D, marginal_distance, summary
from tests.support import skymaps


def assert_equal_to_ligo_skymap(skymap, ra, dec):
    result = crossmatch(skymaps.to_table(skymap), SkyCoord(ra * u.deg, dec * u.deg), contours=(0.5, 0.9))
    levels = Levels2D.of(skymap)
    hits = levels.lookup(healpix.pixels29(ra, dec))
    assert hits.covered.all()
    np.testing.assert_allclose(hits.searched_prob, result.searched_prob, rtol=0, atol=1e-9)
    np.testing.assert_allclose(hits.searched_area_deg2, result.searched_area, rtol=1e-9)
    np.testing.assert_array_equal(hits.probdensity, result.probdensity)
    np.testing.assert_allclose([levels.area_of_level(0.5), levels.area_of_level(0.9)], result.contour_areas, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 150), st.sampled_from([1, 3, 10**6]))
def test_levels_of_random_maps_equal_ligo_skymap_ties_included(seed, n_splits, n_values):
    rng = np.random.default_rng(seed)
    lo, hi = skymaps.random_pixels(rng, n_splits)
    skymap = skymaps.from_pixels(lo, hi, rng.integers(0, n_values, len(lo)) + 1.0)
    ra, dec = rng.uniform(0, 360, 40), np.degrees(np.arcsin(rng.uniform(-1, 1, 40)))
    assert_equal_to_ligo_skymap(skymap, ra, dec)


def test_levels_of_a_smooth_map_are_the_reference_values():
    levels = Levels2D.of(skymaps.gaussian_map(130, 20, 8))
    hits = levels.lookup(healpix.pixels29([130, 133, 135, 150], [20, 21, 22, 30]))
    np.testing.assert_allclose(hits.searched_prob, [3.283e-5, 0.07104054, 0.18009490, 0.96248205], atol=5e-9)
    np.testing.assert_allclose(hits.searched_area_deg2, [0.0131, 29.428, 79.261, 1297.55], rtol=1e-2, atol=5e-3)
    assert levels.area_of_level(0.9) == pytest.approx(912.5248, abs=1e-4)
    assert levels.area_of_level(0.5) == pytest.approx(276.212, abs=1e-3)


def test_a_position_outside_a_partial_map_is_not_covered():
    lo, hi = healpix.ranges_of_uniq([16, 17, 20])
    hits = Levels2D.of(skymaps.from_pixels(lo, hi, [1, 2, 3])).lookup(np.array([lo[0], hi[2] + 5, lo[2]]))
    assert hits.covered.tolist() == [True, False, True]
    assert np.isnan(hits.searched_prob[1])
    assert np.isnan(hits.searched_area_deg2[1])
    assert np.isnan(hits.probdensity[1])


def test_the_pixel_that_crosses_a_level_belongs_to_its_region():
    lo, hi = healpix.ranges_of_uniq([4, 5, 6])
    levels = Levels2D.of(skymaps.from_pixels(lo, hi, [0.95, 0.04, 0.01]))
    assert levels.region(0.9).tolist() == [True, False, False]
    assert levels.region(0.96).tolist() == [True, True, False]
    assert levels.region(1.0).tolist() == [True, True, True]


def test_a_map_that_never_reaches_a_level_needs_the_whole_sky():
    lo, hi = healpix.ranges_of_uniq([4])
    levels = Levels2D.of(skymaps.from_pixels(lo, hi, [0.5 / healpix.area_sr(lo, hi)[0]], normalise=False))
    assert levels.area_of_level(0.9) == FULL_SKY_DEG2


def reference_3d(top_nside=16, rounds=8) -> Skymap:
    skymap = skymaps.gaussian_map(130, 20, 8, top_nside, rounds)
    ra, _ = healpix.centres(skymap.lo, skymap.hi)
    return skymaps.with_distance(skymap, 100 + 40 * np.sin(3 * np.radians(ra)), 30.0)


def test_volume_levels_are_the_reference_values():
    # ligo.skymap's numbers for this map of 21,504 tiles.
    hits = Levels3D.of(reference_3d()).lookup(healpix.pixels29([130, 133, 135, 150], [20, 21, 22, 30]), [100, 90, 200, 100])
    np.testing.assert_allclose(hits.searched_prob_vol, [0.00937, 0.13093, 0.95346, 0.94401], atol=5e-5)


def test_volume_levels_equal_ligo_skymap_on_a_map_with_blind_lines_of_sight():
    skymap = reference_3d(4, 4)
    mu, sigma, norm = skymap.distmu.copy(), skymap.distsigma.copy(), skymap.distnorm.copy()
    mu[::7], sigma[::7], norm[::7] = np.inf, 1.0, 0.0
    skymap = Skymap(lo=skymap.lo, hi=skymap.hi, probdensity=skymap.probdensity, distmu=mu, distsigma=sigma, distnorm=norm)
    rng = np.random.default_rng(5)
    ra, dec, distance = rng.uniform(100, 160, 200), rng.uniform(-10, 50, 200), rng.uniform(5, 400, 200)
    result = crossmatch(skymaps.to_table(skymap), SkyCoord(ra * u.deg, dec * u.deg, distance * u.Mpc))
    hits = Levels3D.of(skymap).lookup(healpix.pixels29(ra, dec), distance)
    np.testing.assert_allclose(hits.searched_prob_vol, result.searched_prob_vol, atol=2e-3)
    np.testing.assert_allclose(hits.probdensity_vol, result.probdensity_vol, rtol=1e-6, atol=1e-300)
    seen = result.probdensity_vol > 1e-12
    np.testing.assert_allclose(hits.searched_vol_mpc3[seen], result.searched_vol[seen], rtol=0.02)


@pytest.mark.parametrize("farthest", [60.0, 900.0, 5000.0])
def test_shells_reach_as_far_as_the_farthest_question_and_begin_where_ligo_skymap_begins(farthest):
    skymap = reference_3d(4, 4)
    ra, dec = np.array([130.0, 133.0, 135.0, 128.0, 131.0]), np.array([20.0, 21.0, 22.0, 18.0, 20.0])
    distance = np.array([100.0, 90.0, farthest, 0.01, 12.0])
    result = crossmatch(skymaps.to_table(skymap), SkyCoord(ra * u.deg, dec * u.deg, distance * u.Mpc))
    hits = Levels3D.of(skymap, farthest_mpc=farthest).lookup(healpix.pixels29(ra, dec), distance)
    np.testing.assert_allclose(hits.searched_prob_vol, result.searched_prob_vol, atol=2e-3)


def test_volume_levels_need_a_covered_position_and_a_distance():
    levels = Levels3D.of(reference_3d(4, 1))
    pixels = healpix.pixels29([130, 130, 130], [20, 20, 20])
    hits = levels.lookup(pixels, [100, np.nan, -3])
    assert np.isnan(hits.searched_prob_vol).tolist() == [False, True, True]
    beyond = levels.lookup(pixels[:1], [1e6])
    assert beyond.searched_prob_vol[0] == pytest.approx(1.0, abs=1e-3)


def test_volume_levels_of_many_positions_are_those_of_each_and_keep_their_shape():
    levels = Levels3D.of(reference_3d(4, 4))
    rng = np.random.default_rng(2)
    shape = (3, 20_000)
    pixels = healpix.pixels29(rng.uniform(100, 160, shape), rng.uniform(-10, 50, shape))
    distance = rng.choice([np.nan, -1.0, 0.01, 50.0, 100.0, 150.0, 1e6], shape)
    hits = levels.lookup(pixels, distance)
    assert hits.searched_prob_vol.shape == hits.searched_vol_mpc3.shape == hits.probdensity_vol.shape == shape
    for place in ((0, 0), (0, 16_383), (0, 16_384), (1, 5), (2, 19_999)):
        alone = levels.lookup(pixels[place], distance[place])
        for name in ("searched_prob_vol", "searched_vol_mpc3", "probdensity_vol"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(hits, name)[place])
    along = levels.lookup(pixels[0, :5], 100.0)
    np.testing.assert_array_equal(along.searched_prob_vol, levels.lookup(pixels[0, :5], np.full(5, 100.0)).searched_prob_vol)


def test_volume_levels_between_the_edges_of_bins_are_interpolated():
    levels = Levels3D.of(reference_3d(4, 4))
    rng = np.random.default_rng(4)
    pixels = healpix.pixels29(rng.uniform(110, 150, 500), rng.uniform(0, 40, 500))
    hits = levels.lookup(pixels, rng.uniform(5, 400, 500))
    log_density = np.log(hits.probdensity_vol)
    for name, above in (
        ("searched_prob_vol", np.minimum(levels.prob_above, 1.0)),
        ("searched_vol_mpc3", levels.volume_above_mpc3),
    ):
        np.testing.assert_allclose(getattr(hits, name), np.interp(log_density, levels.log_density_edges, above), rtol=1e-6)


@pytest.mark.parametrize("blind", [False, True])
def test_volume_levels_of_a_map_without_distance_are_refused(blind):
    skymap = skymaps.gaussian_map(130, 20, 8, 4, 1)
    if blind:
        n = len(skymap.lo)
        skymap = Skymap(
            lo=skymap.lo,
            hi=skymap.hi,
            probdensity=skymap.probdensity,
            distmu=np.full(n, np.inf),
            distsigma=np.ones(n),
            distnorm=np.zeros(n),
        )
        assert marginal_distance(skymap) == (None, None)
    with pytest.raises(ValueError, match="distance"):
        Levels3D.of(skymap)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-150, 500), st.floats(20, 300)), min_size=1, max_size=20))
def test_marginal_distance_equals_ligo_skymap(parameters):
    lo, hi = skymaps.random_pixels(np.random.default_rng(0), 20)
    n = len(lo)
    mu, sigma = (np.resize([p[i] for p in parameters], n).astype(float) for i in (0, 1))
    skymap = skymaps.from_pixels(lo, hi, np.arange(1, n + 1), distmu=mu, distsigma=sigma, distnorm=np.ones(n))
    prob = skymap.probdensity * healpix.area_sr(lo, hi)
    expected = parameters_to_marginal_moments(prob, skymap.distmu, skymap.distsigma)
    np.testing.assert_allclose(marginal_distance(skymap), expected, rtol=1e-6)


def test_summary_tells_areas_peak_and_distance():
    facts = summary(reference_3d())
    assert facts.n_tiles == 21_504
    assert facts.area90_deg2 == pytest.approx(912.525, abs=1e-3)
    assert (facts.peak_ra_deg, facts.peak_dec_deg) == (pytest.approx(130, abs=0.1), pytest.approx(20, abs=0.1))
    assert facts.covered_fraction == pytest.approx(1.0, abs=1e-12)
    assert facts.dist_mean_mpc == pytest.approx(118.09, abs=0.01)
    assert summary(skymaps.gaussian_map(130, 20, 8)).dist_mean_mpc is None
