import io
import itertools

import astropy_healpix as ah
import numpy as np
import pytest
from ligo.skymap.distance import parameters_to_marginal_moments
from ligo.skymap.io import read_sky_map
from ligo.skymap.moc import rasterize

from hub.errors import SkymapRefused
from hub.model.sky import Skymap
from hub.science import healpix
from hub.science.combined import combined
from hub.science.overlap import overlap_integral, overlap_of_all, total_probability
from hub.science.skymap_fits import to_fits
from hub.science.skymap_rules import validate
from tests.support import skymaps

GW, GRB, NEUTRINO = (130, 20, 8), (135, 22, 5), (128, 24, 6)
SMALL = {"top_nside": 16, "rounds": 2}
ORDER = 6
"""Above that of the maps: 16 twice split is order 6."""


def three():
    return [skymaps.gaussian_map(*one, **SMALL) for one in (GW, GRB, NEUTRINO)]


def dense(skymap, order=ORDER):
    """Return the density of a map at the centres of all pixels of an order that is above its own."""
    return np.asarray(rasterize(skymaps.to_table(skymap), order=order)["PROBDENSITY"])


def layers(skymap):
    return [column for column in (skymap.probdensity, skymap.distmu, skymap.distsigma, skymap.distnorm) if column is not None]


@pytest.mark.parametrize("n", [2, 3])
def test_the_product_equals_that_of_dense_grids_above_all_maps(n):
    maps = three()[:n]
    product = np.prod([dense(one) for one in maps], axis=0)
    product /= product.sum() * ah.nside_to_pixel_area(1 << ORDER).value
    found = combined(maps)
    np.testing.assert_allclose(dense(found.skymap), product, rtol=1e-9, atol=1e-30)
    assert total_probability(found.skymap) == pytest.approx(1.0, rel=1e-12)
    assert found.overlap == overlap_of_all(maps)


def test_the_order_of_the_maps_changes_nothing_to_the_last_bit():
    maps = three()
    maps[1] = skymaps.with_distance(maps[1], 100.0, 20.0)
    digests = {combined(one).skymap.digest() for one in itertools.permutations(maps)}
    assert len(digests) == 1


def test_a_uniform_map_changes_nothing():
    gw = skymaps.with_distance(skymaps.gaussian_map(*GW, **SMALL), 100.0, 20.0)
    uniform = skymaps.flat_map(lambda points: np.ones(len(points)), 2)
    found = combined([uniform, gw])
    np.testing.assert_array_equal(found.skymap.lo, gw.lo)
    for ours, theirs in zip(layers(found.skymap), layers(gw), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert found.overlap == pytest.approx(1.0, rel=1e-12)


def test_distances_stay_along_lines_of_sight_and_their_mean_over_the_sky_is_that_of_ligo_skymap():
    plain = skymaps.gaussian_map(*GW, **SMALL)
    _, dec = healpix.centres(plain.lo, plain.hi)
    gw = skymaps.with_distance(plain, 100.0 + dec, 20.0)  # farther in the north, so the mean moves with the other map
    found = combined([skymaps.gaussian_map(130, 34, 3, **SMALL), gw])
    row = healpix.find(gw.lo, gw.hi, found.skymap.lo)
    for name in ("distmu", "distsigma", "distnorm"):
        np.testing.assert_array_equal(getattr(found.skymap, name), getattr(gw, name)[row])
    probability = found.skymap.probdensity * healpix.area_sr(found.skymap.lo, found.skymap.hi)
    mean, std = parameters_to_marginal_moments(probability, found.skymap.distmu, found.skymap.distsigma)
    assert found.summary.dist_mean_mpc == pytest.approx(mean, rel=1e-6)
    assert found.summary.dist_std_mpc == pytest.approx(std, rel=1e-6)
    assert found.summary.dist_mean_mpc > combined([gw, skymaps.flat_map(lambda x: np.ones(len(x)), 1)]).summary.dist_mean_mpc + 5


def test_lines_of_sight_without_a_distance_bring_no_nan_and_the_smaller_of_two_distances_is_kept():
    wide, narrow = (skymaps.with_distance(skymaps.gaussian_map(*one, **SMALL), 100.0, 20.0) for one in (GW, GRB))
    holes = narrow.distmu.copy()
    sigma, norm = narrow.distsigma.copy(), narrow.distnorm.copy()
    holes[::7], sigma[::7], norm[::7] = np.nan, np.nan, 0.0
    narrow = Skymap(lo=narrow.lo, hi=narrow.hi, probdensity=narrow.probdensity, distmu=holes, distsigma=sigma, distnorm=norm)
    found = combined([wide, narrow])
    assert not any(np.isnan(column).any() for column in layers(found.skymap))
    unknown = ~np.isfinite(found.skymap.distmu)
    assert unknown.any()
    assert (found.skymap.distnorm[unknown] == 0.0).all()
    assert any("smallest area" in remark for remark in found.remarks)


def test_a_partial_map_is_zero_outside_its_pixels():
    gw = skymaps.gaussian_map(*GW, **SMALL)
    lo, hi = healpix.ranges_of_uniq([4 + int(healpix.pixels29([130.0], [20.0])[0] >> 58)])
    found = combined([gw, skymaps.from_pixels(lo, hi, [1.0])])
    assert (found.skymap.lo[0], found.skymap.hi[-1]) == (lo[0], hi[0])
    inside = (gw.lo >= lo[0]) & (gw.hi <= hi[0])
    share = float((gw.probdensity * healpix.area_sr(gw.lo, gw.hi))[inside].sum())
    np.testing.assert_allclose(found.skymap.probdensity, gw.probdensity[inside] / share, rtol=1e-12)
    assert any("part of the sky" in remark for remark in found.remarks)


def test_a_place_much_smaller_than_the_tiles_of_the_other_map_stays_as_small_as_it_is():
    coarse = skymaps.with_distance(skymaps.flat_map(skymaps.gaussian_density(*GW), 3), 100.0, 20.0)
    inside = int(healpix.pixels29([133.0], [21.0])[0]) >> 18 << 18
    point = skymaps.from_pixels(np.array([inside]), np.array([inside + (1 << 18)]), [1.0])
    found = combined([coarse, point])
    assert found.skymap.lo.tolist() == [inside]
    assert total_probability(found.skymap) == pytest.approx(1.0, rel=1e-12)
    assert found.overlap == pytest.approx(overlap_integral(coarse, point), rel=1e-12)
    row = healpix.find(coarse.lo, coarse.hi, found.skymap.lo)
    expected = parameters_to_marginal_moments(np.ones(1), coarse.distmu[row], coarse.distsigma[row])
    assert (found.summary.dist_mean_mpc, found.summary.dist_std_mpc) == pytest.approx(expected, rel=1e-6)
    narrow = skymaps.gaussian_map(133, 21, 0.2)
    both = combined([narrow, coarse])
    assert both.summary.area90_deg2 == pytest.approx(
        2 * np.pi * 0.2**2 * np.log(10), rel=0.1
    )  # a tile of the coarse map ends near
    assert (both.summary.peak_ra_deg, both.summary.peak_dec_deg) == pytest.approx((133, 21), abs=0.02)


def test_maps_that_only_meet_far_out_in_their_tails_have_a_product_nonetheless():
    lo, hi = np.array([0, 1 << 58]), np.array([1 << 58, 2 << 58])
    tails = [skymaps.from_pixels(lo, hi, [1.0, 1e-200]), skymaps.from_pixels(lo, hi, [2e-200, 1.0])]
    found = combined(tails)
    np.testing.assert_allclose(found.skymap.probdensity * healpix.area_sr(lo, hi), [2 / 3, 1 / 3], rtol=1e-9)
    three_of = [skymaps.from_pixels(lo, hi, [1e-300, 1.0]) for _ in range(3)]
    assert total_probability(combined(three_of).skymap) == pytest.approx(1.0)


def test_maps_that_exclude_each_other_and_a_single_map_get_a_sentence():
    lo, hi = healpix.ranges_of_uniq([4, 5, 6])
    apart = [skymaps.from_pixels(lo[i : i + 1], hi[i : i + 1], [1.0]) for i in (0, 1, 2)]
    for n in (2, 3):
        with pytest.raises(SkymapRefused, match="exclude each other"):
            combined(apart[:n])
    zero_there = skymaps.from_pixels(lo, hi, [0.0, 1.0, 1.0])
    with pytest.raises(SkymapRefused, match="exclude each other"):
        combined([apart[0], zero_there])
    with pytest.raises(SkymapRefused, match="at least two"):
        combined(apart[:1])


def test_ligo_skymap_reads_the_file_back_and_the_validator_has_no_remark(tmp_path):
    found = combined(
        [skymaps.with_distance(skymaps.gaussian_map(*GW, **SMALL), 100.0, 20.0), skymaps.gaussian_map(*GRB, **SMALL)]
    )
    file = tmp_path / "both.fits"
    file.write_bytes(to_fits(found.skymap))
    table = read_sky_map(io.BytesIO(file.read_bytes()), moc=True)
    again, remarks = validate({name: np.asarray(table[name]) for name in table.colnames})
    assert remarks == ()
    assert again.digest() == found.skymap.digest()
