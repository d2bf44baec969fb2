import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from ligo.raven.search import skymap_overlap_integral
from ligo.skymap.moc import rasterize

from hub.model.sky import Skymap
from hub.science import healpix
from hub.science.overlap import combine, overlap_integral, overlap_of_all, overlap_with_point, total_probability
from tests.support import skymaps

GW = (130, 20, 8)
GRB = (135, 22, 5)


def flatten(skymap, order):
    """Average the map over all pixels of one order."""
    shift = 2 * (29 - order)
    size = np.int64(1) << shift
    lo = np.arange(12 << (2 * order), dtype=np.int64) * size
    fine = skymap.hi - skymap.lo < size
    prob = skymap.probdensity * healpix.area_sr(skymap.lo, skymap.hi)
    density = np.bincount(skymap.lo[fine] >> shift, weights=prob[fine], minlength=len(lo)) / (size * healpix.PIXEL29_SR)
    row = healpix.find(skymap.lo, skymap.hi, lo)
    return skymaps.from_pixels(lo, lo + size, np.where(fine[row], density, skymap.probdensity[row]))


def test_overlap_of_two_gaussians_is_the_reference_value():
    a, b = skymaps.gaussian_map(*GW), skymaps.gaussian_map(*GRB)
    assert len(a.lo) == 21_504
    assert overlap_integral(a, b) == pytest.approx(64.32107, rel=2e-7)
    assert overlap_integral(b, a) == pytest.approx(overlap_integral(a, b), rel=1e-12)


def test_overlap_with_a_point_is_the_density_there():
    pixel = int(healpix.pixels29([133.0], [21.0])[0])
    assert overlap_with_point(skymaps.gaussian_map(*GW), pixel) == pytest.approx(95.988, abs=1e-3)


def test_overlap_with_a_map_smaller_than_the_tiles_is_the_reference_value():
    assert overlap_integral(skymaps.gaussian_map(*GW), skymaps.gaussian_map(133, 21, 0.2)) == pytest.approx(96.260, abs=1e-3)


@pytest.mark.parametrize("flat_order", [6, 7, 8])
def test_overlap_equals_that_of_flattened_maps(flat_order):
    a, b = (flatten(skymaps.gaussian_map(*g), flat_order) for g in (GW, GRB))
    dot = float(np.sum(a.probdensity * b.probdensity) * len(a.lo) / (a.probdensity.sum() * b.probdensity.sum()))
    assert overlap_integral(a, b) == pytest.approx(dot, rel=1e-12)
    assert dot == pytest.approx({6: 64.2455, 7: 64.3090, 8: 64.3211}[flat_order], abs=1e-4)
    if flat_order == 8:
        assert overlap_integral(skymaps.gaussian_map(*GW), skymaps.gaussian_map(*GRB)) == pytest.approx(dot, rel=1e-6)


@pytest.mark.parametrize("offset_deg", [16, 20, 24])
def test_a_small_map_far_off_the_peak_gets_its_true_overlap(offset_deg):
    # Sampling at tile centres is wrong by orders of magnitude here; the truth is the mean of the broad map under the narrow one.
    broad, narrow = skymaps.gaussian_map(*GW), skymaps.gaussian_map(130, 20 + offset_deg, 0.08)
    finest = int(healpix.order_of_ranges(narrow.lo, narrow.hi).max())
    size = np.int64(1) << (2 * (29 - finest))
    rows = np.flatnonzero(narrow.probdensity > narrow.probdensity.max() * 1e-12)
    truth = weight = 0.0
    for lo, hi, density in zip(narrow.lo[rows], narrow.hi[rows], narrow.probdensity[rows], strict=True):
        cells = np.arange(lo, hi, size)
        under = broad.probdensity[healpix.find(broad.lo, broad.hi, cells)]
        truth += density * under.sum()
        weight += density * len(cells)
    assert overlap_integral(broad, narrow) == pytest.approx(4 * np.pi * truth / weight, rel=1e-9)
    flat_sky = 2 / np.radians(8) ** 2 * np.exp(-(offset_deg**2) / (2 * 8**2))
    assert overlap_integral(broad, narrow) == pytest.approx(flat_sky, rel=0.2)  # the broad map's own tiles are coarse there


def test_raven_agrees_where_the_maps_resolve_each_other():
    tables = []
    for g in (GW, GRB):
        table = skymaps.to_table(skymaps.gaussian_map(*g))
        table["PROBDENSITY"].unit = u.sr**-1
        tables.append(table)
    raven = skymap_overlap_integral(
        tables[0]["PROBDENSITY"],
        tables[1]["PROBDENSITY"],
        np.asarray(tables[0]["UNIQ"]),
        np.asarray(tables[1]["UNIQ"]),
    )
    assert raven == pytest.approx(64.2072, abs=1e-3)
    assert overlap_integral(skymaps.gaussian_map(*GW), skymaps.gaussian_map(*GRB)) == pytest.approx(raven, rel=0.005)


def test_a_uniform_map_says_nothing():
    uniform = skymaps.flat_map(lambda points: np.ones(len(points)), 1)
    assert overlap_integral(skymaps.gaussian_map(*GW), uniform) == pytest.approx(1.0, rel=1e-12)


def test_maps_without_a_common_region_have_no_overlap_and_no_combination():
    lo, hi = healpix.ranges_of_uniq([4, 5])
    a = skymaps.from_pixels(lo[:1], hi[:1], [1.0])
    b = skymaps.from_pixels(lo[1:], hi[1:], [1.0])
    assert overlap_integral(a, b) == 0.0
    with pytest.raises(ValueError, match="no common region"):
        combine(a, b)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 60))
def test_overlap_of_random_partitions_equals_brute_force(seed, n_a, n_b):
    rng = np.random.default_rng(seed)
    a, b = (_random_map(rng, n, bases) for n, bases in ((n_a, range(12)), (n_b, range(3, 9))))
    brute = 0.0
    for i in range(len(a.lo)):
        common = np.minimum(a.hi[i], b.hi) - np.maximum(a.lo[i], b.lo)
        brute += float((a.probdensity[i] * b.probdensity * np.maximum(common, 0) * healpix.PIXEL29_SR).sum())
    expected = 4 * np.pi * brute / (total_probability(a) * total_probability(b))
    assert overlap_integral(a, b) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_a_combined_map_is_the_normalised_product_at_every_position(seed):
    rng = np.random.default_rng(seed)
    a, b = _random_map(rng, 40, range(12)), _random_map(rng, 40, range(12))
    both = combine(a, b)
    pixels = rng.integers(0, healpix.N_PIX29, 100)
    density = [m.probdensity[healpix.find(m.lo, m.hi, pixels)] for m in (a, b, both)]
    np.testing.assert_allclose(density[2] * overlap_integral(a, b) / (4 * np.pi), density[0] * density[1], rtol=1e-9)
    assert total_probability(both) == pytest.approx(1.0, rel=1e-12)
    assert (healpix.at_order(both.lo, both.hi, 0) == np.arange(12)).all()
    sizes = both.hi - both.lo
    assert (both.lo % sizes == 0).all()


def test_a_combined_map_keeps_the_distance_of_the_first():
    a = skymaps.with_distance(skymaps.gaussian_map(*GW, 16, 2), 100.0, 20.0)
    both = combine(a, skymaps.gaussian_map(*GRB, 16, 2))
    assert both.distmu is not None
    np.testing.assert_array_equal(both.distmu, a.distmu[healpix.find(a.lo, a.hi, both.lo)])
    assert combine(skymaps.gaussian_map(*GRB, 16, 2), a).distmu is None


def test_flattening_does_not_change_a_combined_map():
    a, b = skymaps.gaussian_map(*GW, 16, 1), skymaps.gaussian_map(*GRB, 16, 1)
    flat = [np.asarray(rasterize(skymaps.to_table(m), order=5)["PROBDENSITY"]) for m in (a, b, combine(a, b))]
    product = flat[0] * flat[1]
    np.testing.assert_allclose(flat[2] / flat[2].sum(), product / product.sum(), rtol=1e-9, atol=1e-18)


def _random_map(rng, n_splits, bases) -> Skymap:
    lo, hi = skymaps.random_pixels(rng, n_splits, start=list(bases))
    return skymaps.from_pixels(lo, hi, rng.random(len(lo)))


def test_the_overlap_of_three_maps_is_the_integral_of_their_product():
    maps = [flatten(skymaps.gaussian_map(*g), 6) for g in (GW, GRB, (128, 24, 6))]
    product = np.prod([one.probdensity / one.probdensity.sum() * len(one.lo) for one in maps], axis=0)
    assert overlap_of_all(maps) == pytest.approx(float(product.mean()), rel=1e-12)


def test_the_overlap_of_several_is_that_of_two_where_the_others_say_nothing():
    a, b = skymaps.gaussian_map(*GW), skymaps.gaussian_map(*GRB)
    lo = np.arange(12, dtype=np.int64) << 58
    flat = skymaps.from_pixels(lo, lo + (np.int64(1) << 58), np.full(12, 1 / (4 * np.pi)))
    assert overlap_of_all([a]) == 1.0
    assert overlap_of_all([flat, b, a, flat]) == pytest.approx(overlap_integral(a, b), rel=1e-12)


def test_the_order_of_several_maps_does_not_matter_and_three_can_exclude_each_other():
    a, b, c = (skymaps.gaussian_map(*g) for g in (GW, GRB, (128, 24, 6)))
    assert overlap_of_all([a, b, c]) == overlap_of_all([c, a, b]) == overlap_of_all([b, c, a])
    near, far = skymaps.gaussian_map(130, 20, 1), skymaps.gaussian_map(310, -20, 1)
    assert overlap_of_all([near, far, a]) == 0.0
