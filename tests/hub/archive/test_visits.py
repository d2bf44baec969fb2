import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hub.archive.visits import detector_visits
from hub.model.visit import DetectorVisits, ab_mag
from hub.science.footprint import Halves, areas_deg2, holding, positions_of, unit_vectors
from tests.support.visits import CAMERAS, LSSTCAM, camera_rows, pointing, rows

PLACES = [(0.0, 0.0), (359.99, -30.0), (10.0, 90.0), (123.0, -90.0), (0.0, 89.95), (180.0, 60.0), (77.7, -89.97)]


def scattered(ra, dec, n, size_deg, seed):
    """Return positions around a place, over poles and RA 0 alike."""
    rng = np.random.default_rng(seed)
    middle = unit_vectors(ra, dec)
    return positions_of(middle + np.radians(size_deg) * rng.uniform(-1, 1, (n, 3)))


def brute_hull(ra, dec):
    """Return the positions that are corners of the convex hull: ends of a great circle that has all others on one side."""
    vectors = unit_vectors(ra, dec)
    found = set()
    for i, j in itertools.permutations(range(len(vectors)), 2):
        sides = np.delete(vectors @ np.cross(vectors[i], vectors[j]), [i, j])
        if (sides > 0).all():
            found |= {i, j}
    return {(round(float(ra[k]), 9), round(float(dec[k]), 9)) for k in found}


@settings(max_examples=60, deadline=None)
@given(
    place=st.sampled_from(PLACES),
    n=st.integers(3, 25),
    size_deg=st.sampled_from([0.03, 0.2, 3.0, 30.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_footprint_is_the_convex_hull_at_any_place_of_the_sky(place, n, size_deg, seed):
    ra, dec = scattered(*place, n, size_deg, seed)
    found = detector_visits(rows(ra, dec), {})
    assume(n > 4 or size_deg > 0.2)  # few positions may make too small a triangle
    corners = {(round(a, 9), round(d, 9)) for a, d in found.polygons.corners(0)}
    assert corners == brute_hull(ra, dec)
    halves = Halves.of(found.polygons)
    assert all(holding(halves, a, d)[0] for a, d in zip(ra, dec, strict=True))
    assert found.footprint.texts() == ["hull"]
    assert not holding(halves, (place[0] + 180) % 360, -place[1])[0]


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ([10.0], [5.0]),
        ([10.0, 10.1], [5.0, 5.0]),
        ([10.0, 10.0, 10.0, 10.0], [5.0, 5.1, 5.2, 5.3]),
        ([0.1, 0.0, 359.9], [0.0, 0.0, 0.0]),
        ([30.0, 210.0, 30.0], [89.9, 89.9, 89.95]),
        ([10.0, 10.0, 10.0], [5.0, 5.0, 5.0]),
        ([10.0, 10.0001, 10.0], [5.0, 5.0, 5.0001]),
        ([0.0, 120.0, 240.0], [0.0, 0.0, 0.0]),
    ],
    ids=["one", "two", "a line", "a line over RA 0", "a line over the pole", "one place", "a spot", "half the sky"],
)
def test_too_few_alerts_or_all_on_a_line_make_no_footprint(ra, dec):
    found = detector_visits(rows(ra, dec), CAMERAS)
    assert found.footprint.texts() == ["none"]
    assert len(found.polygons.ra_deg) == 0
    assert not holding(Halves.of(found.polygons), ra[0], dec[0]).any()
    assert found.n_alerts.tolist() == [len(ra)]


def same(one: DetectorVisits, other: DetectorVisits) -> bool:
    numbers = all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "depth_njy")
        for name in ("visit", "detector", "mid_tai_us", "n_alerts", "depth_njy", "ra_deg", "dec_deg")
    )
    words = all(getattr(one, name).texts() == getattr(other, name).texts() for name in ("survey", "band", "footprint", "reason"))
    return numbers and words and np.array_equal(one.polygons.ra_deg, other.polygons.ra_deg)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_neither_order_nor_repeats_change_the_ledger(seed):
    rng = np.random.default_rng(seed)
    parts = [
        camera_rows(rng, pointing(350.0 + k, -89.0), per_detector=4.0, visit=7 + k, reason=["a", "b"][k % 2]) for k in range(3)
    ]
    table = pa.concat_tables(parts).unify_dictionaries()
    again = table.take(rng.integers(0, table.num_rows, table.num_rows // 2))
    mixed = pa.concat_tables([table, again]).unify_dictionaries()
    mixed = mixed.take(rng.permutation(mixed.num_rows))
    first, second = detector_visits(table, {}), detector_visits(mixed, {})
    assert first.n_alerts.sum() == table.num_rows
    assert same(first, second)


def test_depth_is_five_times_the_median_error_in_njy():
    ra, dec = scattered(50.0, -20.0, 5, 0.1, 1)
    (depth,) = detector_visits(rows(ra, dec, error=[72.6156, 1.0, 1000.0, np.nan, np.inf]), {}).depth_njy
    assert depth == pytest.approx(5 * 72.6156)
    assert ab_mag(depth) == pytest.approx(25.0, abs=1e-3)
    (unknown,) = detector_visits(rows(ra, dec, error=np.nan), {}).depth_njy
    assert np.isnan(unknown)
    assert np.isnan(ab_mag(unknown))


def test_each_visit_and_detector_has_one_row_with_what_its_packets_say():
    ra, dec = scattered(50.0, -20.0, 12, 0.1, 2)
    table = rows(
        ra,
        dec,
        visit=[5] * 8 + [6] * 4,
        detector=[3] * 4 + [-1] * 4 + [3] * 4,
        band=["g"] * 8 + ["r"] * 4,
        reason=["toO"] * 4 + ["b", "", "a", "a"] + [""] * 4,
        target="x",
        reliability_version="7",
    )
    found = detector_visits(table, CAMERAS)
    assert found.visit.tolist() == [5, 5, 6]
    assert found.detector.tolist() == [-1, 3, 3]
    assert found.band.texts() == ["g", "g", "r"]
    assert found.reason.texts() == ["a,b", "toO", ""]
    assert found.target.texts() == ["x"] * 3
    assert found.schema.texts() == ["lsst-10.0"] * 3
    assert found.reliability_version.texts() == ["7"] * 3
    assert found.n_alerts.tolist() == [4, 4, 4]


def test_rows_without_visit_time_or_position_are_left_out():
    found = detector_visits(rows([1.0, 2.0, np.nan], [1.0, 2.0, 3.0], visit=[0, -5, 7]), CAMERAS)
    assert len(found) == 0


@pytest.mark.parametrize("is_mirrored", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_the_outline_of_each_detector_lies_where_the_camera_pointed(place, is_mirrored):
    rng = np.random.default_rng(5)
    where = pointing(*place, angle_deg=rng.uniform(0, 360), is_mirrored=is_mirrored)
    found = detector_visits(camera_rows(rng, where, missing=[3, 94]), CAMERAS)
    assert set(found.footprint.texts()) == {"outline"}
    assert len(found) == 187
    assert areas_deg2(found.polygons).sum() == pytest.approx(187 / 189 * 9.53, rel=0.01)
    halves = Halves.of(found.polygons)
    from hub.science.footprint_camera import outlines

    truth = outlines(LSSTCAM, where, found.detector.astype(np.int64))
    corners = unit_vectors(found.polygons.ra_deg, found.polygons.dec_deg).reshape(-1, 4, 3)
    assert np.degrees(np.linalg.norm(corners - truth, axis=2).max()) * 3600 < 20
    assert (halves.radius > np.radians(0.15)).all()


def test_alerts_that_do_not_fit_the_camera_fall_back_to_their_hulls():
    rng = np.random.default_rng(6)
    table = camera_rows(rng, pointing(10.0, -30.0))
    shuffled = table.set_column(
        table.schema.get_field_index("detector"),
        "detector",
        pa.array(rng.permutation(189)[table["detector"].to_numpy()].astype(np.int32)),
    )
    assert set(detector_visits(shuffled, CAMERAS).footprint.texts()) == {"hull"}
    five = table.filter(pa.array(table["detector"].to_numpy() < 5))
    assert set(detector_visits(five, CAMERAS).footprint.texts()) == {"hull"}


def test_a_hull_claims_less_than_the_detector_and_an_outline_the_whole():
    rng = np.random.default_rng(7)
    table = camera_rows(rng, pointing(200.0, 0.0))
    hulls, outlines = (areas_deg2(detector_visits(table, cameras).polygons).sum() for cameras in ({}, CAMERAS))
    assert 0.7 * outlines < hulls < 0.9 * outlines


def test_the_camera_has_189_detectors_and_9_6_square_degrees():
    assert len(LSSTCAM) == 189
    assert (4 * LSSTCAM.half_sizes.real * LSSTCAM.half_sizes.imag).sum() * (180 / np.pi) ** 2 == pytest.approx(9.6, abs=0.1)
    assert LSSTCAM.centres[94] == 0
