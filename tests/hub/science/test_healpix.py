import astropy_healpix
import healpy
import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from ligo.skymap import moc
from mocpy import MOC

from hub.science import healpix
from tests.support import skymaps

POLES_AND_SEAMS = [
    (0, 90),
    (123, 90),
    (0, -90),
    (360, 10),
    (0, 10),
    (-1e-13, 10),
    (359.9999999999, -30),
    (45, 0),
    (180, 41.8103148958),
]


@pytest.mark.parametrize(("ra", "dec"), POLES_AND_SEAMS)
def test_every_position_has_a_pixel_whose_centre_is_near(ra, dec):
    pixel = healpix.pixels29([ra], [dec])
    lon, lat = healpix.centres(pixel, pixel + 1)
    assert healpy.rotator.angdist([lon[0], lat[0]], [ra, dec], lonlat=True)[0] < 1e-8


def test_pixels_agree_with_healpy_over_the_sky_and_near_the_poles():
    rng = np.random.default_rng(1)
    ra = rng.uniform(0, 360, 100_000)
    dec = np.concatenate((np.degrees(np.arcsin(rng.uniform(-1, 1, 50_000))), 90 - 10 ** rng.uniform(-9, 0, 50_000)))
    np.testing.assert_array_equal(healpix.pixels29(ra, dec), healpy.ang2pix(1 << 29, ra, dec, nest=True, lonlat=True))


def test_pixels_agree_with_astropy_up_to_rounding_at_the_finest_orders():
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(-720, 720, 200_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 200_000)))
    theirs = astropy_healpix.lonlat_to_healpix(np.mod(ra, 360.0) * u.deg, dec * u.deg, 1 << 29, order="nested")
    ours = healpix.pixels29(ra, dec)
    np.testing.assert_array_equal(ours >> 18, theirs >> 18)
    assert np.count_nonzero(ours != theirs) <= 2  # one in a million lies so close to an edge that the last bit decides


def test_pixels_on_edges_of_faces_have_centres_beside_the_position():
    quarter = np.arange(0.0, 361.0, 45.0)
    edge = np.degrees(np.arcsin(2.0 / 3.0))
    lat = np.array([-90, -edge, -1e-14, 0, 1e-14, edge, np.nextafter(edge, 90), np.nextafter(edge, 0), 90])
    ra, dec = (grid.ravel() for grid in np.meshgrid([*quarter, *np.nextafter(quarter, -1), *np.nextafter(quarter, 999)], lat))
    pixels = healpix.pixels29(ra, dec)
    assert pixels.min() >= 0
    assert pixels.max() < healpix.N_PIX29
    lon, at = healpix.centres(pixels, pixels + 1)
    assert healpy.rotator.angdist([lon, at], [ra, dec], lonlat=True).max() < 1e-8


@pytest.mark.parametrize("order", [0, 1, 2, 4, 12, 29])
def test_centres_are_those_of_astropy_and_of_their_pixels(order):
    rng = np.random.default_rng(order)
    last = 12 * 4**order
    pixels = np.unique(np.concatenate((np.arange(min(last, 3072)), rng.integers(0, last, 2_000), [last - 1])))
    lo = pixels << 2 * (29 - order)
    ra, dec = healpix.centres(lo, lo + (1 << 2 * (29 - order)))
    lon, lat = (angle.to_value(u.deg) for angle in astropy_healpix.healpix_to_lonlat(pixels, 1 << order, order="nested"))
    assert np.abs(dec - lat).max() < 1e-12
    assert (np.abs((ra - lon + 180) % 360 - 180) * np.cos(np.radians(dec))).max() < 1e-12
    np.testing.assert_array_equal(healpix.pixels29(ra, dec) >> 2 * (29 - order), pixels)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 12])
def test_neighbours_are_those_of_astropy_also_over_the_edges_of_faces(order):
    face, last = np.arange(12) << 2 * order, 4**order - 1
    x = last & 0x5555555555555555
    along = np.random.default_rng(order).integers(0, last + 1, (20, 1))
    pixels = np.unique(np.concatenate([face | part for part in (0, last, x, last ^ x, *(along & x), *(along | x), *along)]))
    for pixel in pixels.tolist():
        with np.errstate(invalid="ignore"):  # of pixels that have seven
            touching = astropy_healpix.neighbours(np.array([pixel]), 1 << order, order="nested").ravel()
        expected = sorted({pixel, *touching[touching >= 0].tolist()})
        assert healpix.neighbours(np.array([pixel]), order).tolist() == expected
    together = [healpix.neighbours(np.array([pixel]), order) for pixel in pixels.tolist()]
    np.testing.assert_array_equal(healpix.neighbours(pixels, order), np.unique(np.concatenate(together)))


@pytest.mark.parametrize(("ra", "dec"), [(np.nan, 0), (0, np.nan), (np.inf, 0), (0, 90.1), (0, -91)])
def test_positions_that_are_none_are_refused(ra, dec):
    with pytest.raises(ValueError):
        healpix.pixels29([10, ra], [10, dec])


@given(st.lists(st.integers(healpix.MIN_UNIQ, healpix.MAX_UNIQ), min_size=1), st.integers(0, 29))
def test_uniq_and_ranges_are_the_same_pixels(uniqs, order):
    uniq = np.array(uniqs, dtype=np.int64)
    lo, hi = healpix.ranges_of_uniq(uniq)
    np.testing.assert_array_equal(healpix.uniq_of_ranges(lo, hi), uniq)
    level, ipix = moc.uniq2nest(uniq)
    np.testing.assert_array_equal(healpix.order_of_ranges(lo, hi), level)
    np.testing.assert_array_equal(lo, ipix << (2 * (29 - level.astype(np.int64))))
    np.testing.assert_array_equal(healpix.area_sr(lo, hi), moc.uniq2pixarea(uniq))


def test_first_and_last_pixels_of_every_order_survive_the_round_trip():
    order = np.arange(30, dtype=np.int64)
    first, last = np.int64(4) << (2 * order), (np.int64(16) << (2 * order)) - 1
    for uniq in (first, last):
        np.testing.assert_array_equal(healpix.uniq_of_ranges(*healpix.ranges_of_uniq(uniq)), uniq)
    np.testing.assert_array_equal(healpix.order_of_ranges(*healpix.ranges_of_uniq(last)), order)


@pytest.mark.parametrize("uniq", [3, 0, -5, 2**62, healpix.MAX_UNIQ + 1])
def test_numbers_that_are_no_uniq_are_refused(uniq):
    with pytest.raises(ValueError):
        healpix.ranges_of_uniq([4, uniq])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 200), st.lists(st.integers(0, 11), min_size=1, unique=True))
def test_a_lookup_never_misses_and_never_invents(seed, n_splits, bases):
    rng = np.random.default_rng(seed)
    lo, hi = skymaps.random_pixels(rng, n_splits, start=sorted(bases))
    ra = np.concatenate((rng.uniform(0, 360, 50), [0.0, 360.0, 17.0, 0.0], healpix.centres(lo, hi)[0]))
    dec = np.concatenate((np.degrees(np.arcsin(rng.uniform(-1, 1, 50))), [5.0, 5.0, 90.0, -90.0], healpix.centres(lo, hi)[1]))
    pixels = np.concatenate((healpix.pixels29(ra, dec), lo, hi - 1))
    found = healpix.find(lo, hi, pixels)
    inside = (pixels[:, None] >= lo) & (pixels[:, None] < hi)
    brute = np.where(inside.any(axis=1), inside.argmax(axis=1), -1)
    np.testing.assert_array_equal(found, brute)
    covered = MOC.from_depth29_ranges(29, np.column_stack(healpix.merge(lo, hi)).astype(np.uint64))
    lon, lat = healpix.centres(pixels, pixels + 1)
    np.testing.assert_array_equal(covered.contains_lonlat(lon * u.deg, lat * u.deg), found >= 0)


def test_a_lookup_in_no_ranges_finds_nothing():
    empty = np.empty(0, dtype=np.int64)
    assert healpix.find(empty, empty, np.array([1, 2])).tolist() == [-1, -1]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 60)), max_size=20), st.integers(0, 3))
def test_merging_and_coarsening_keep_the_region(pairs, coarse):
    lo = np.array([a for a, _ in pairs], dtype=np.int64)
    hi = lo + np.array([n for _, n in pairs], dtype=np.int64)
    members = {p for a, b in zip(lo, hi, strict=True) for p in range(a, b)}
    merged_lo, merged_hi = healpix.merge(lo, hi)
    assert {p for a, b in zip(merged_lo, merged_hi, strict=True) for p in range(a, b)} == members
    assert (merged_lo[1:] > merged_hi[:-1]).all()
    split_lo, split_hi = healpix.pixels_of_ranges(merged_lo, merged_hi)
    assert {p for a, b in zip(split_lo, split_hi, strict=True) for p in range(a, b)} == members
    sizes = split_hi - split_lo
    assert (split_lo % sizes == 0).all()
    assert all(size in (1, 4, 16, 64, 256) for size in sizes)
    cells = healpix.at_order(merged_lo, merged_hi, 29 - coarse)
    assert cells.tolist() == sorted({p >> (2 * coarse) for p in members})
