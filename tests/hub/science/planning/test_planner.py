"""Plans against a scorer without HEALPix, the area bound, astroplan and an exhaustive search."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model.instant import Instant
from hub.resources import read_text
from hub.science.healpix import MAX_ORDER, area_sr, centres
from hub.science.planning.below import Below
from hub.science.planning.cells import MAX_CELLS, cells_of
from hub.science.planning.fields import Field, Shape, unit_vectors
from hub.science.planning.nights import moments, observable, sky_over
from hub.science.planning.planner import NoPlan, Timing, plan
from hub.science.planning.scoring import area_bound, order_for, pixels_of, scores
from hub.science.sites import Constraints, load_sites
from tests.support.skymaps import from_pixels, gaussian_map, random_pixels

SITES = {site.name: site for site in load_sites(read_text("conf/sites.toml"))}
TIMING = Timing(start=Instant.from_utc_iso("2025-03-10T20:00:00"))


def drawn(skymap, n, rng):
    """Draw places from a map: a pixel by its probability, and its centre where pixels are small against a field."""
    prob = skymap.probdensity * area_sr(skymap.lo, skymap.hi)
    index = rng.choice(len(prob), n, p=prob / prob.sum())
    size = skymap.hi[index] - skymap.lo[index]
    pixel = skymap.lo[index] + (rng.random(n) * size).astype(np.int64)
    return centres(pixel, pixel + 1)


@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize("place", [(10.0, 20.0), (359.9, 0.0), (200.0, 89.0), (45.0, -89.9)])
def test_what_pointings_hold_is_the_share_of_places_drawn_from_the_map(shape, place):
    rng = np.random.default_rng(5)
    skymap = gaussian_map(*place, 6.0)
    field = Field(fov_deg=4.0, shape=shape)
    found = plan(skymap, field, 6, TIMING)
    assert len(found) == 6
    ra, dec = drawn(skymap, 200_000, rng)
    covered = np.zeros(len(ra), dtype=bool)
    for one in found:
        inside = field.contains(one.ra_deg, one.dec_deg, ra, dec)
        covered |= inside
        assert one.prob == pytest.approx(inside.mean(), abs=0.006)
        assert one.cum_prob == pytest.approx(covered.mean(), abs=0.006)
    assert found[-1].cum_prob <= area_bound(skymap, field, 6) + 0.002
    assert found[-1].cum_prob >= (0.93 if shape is Shape.SQUARE else 0.85) * area_bound(skymap, field, 6)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12), fov=st.sampled_from([2.0, 5.0, 15.0]), shape=st.sampled_from(Shape))
def test_any_map_gets_pointings_that_add_less_and_less(seed, n, fov, shape):
    rng = np.random.default_rng(seed)
    lo, hi = random_pixels(rng, 60, deepest=12)
    skymap = from_pixels(lo, hi, rng.random(len(lo)) ** 4)
    found = plan(skymap, Field(fov_deg=fov, shape=shape), n, TIMING)
    assert 1 <= len(found) <= n
    cum = np.array([0.0, *(one.cum_prob for one in found)])
    gains = np.diff(cum)
    assert (gains > 0).all()
    assert cum[-1] <= 1 + 1e-6
    # Chosen on cells, scored on finer pixels.
    assert (np.diff(gains) <= 0.05 * gains[0] + 1e-9).all()
    assert all(one.prob <= found[0].prob * 1.1 + 1e-9 for one in found)


def test_a_few_pointings_are_as_good_as_the_best_of_all_pairs_on_a_grid():
    skymap = gaussian_map(150.0, 0.0, 3.0)
    field = Field(fov_deg=3.0)
    steps = np.arange(-3.0, 3.1, 0.75)
    places = [(150.0 + x, y) for x, y in itertools.product(steps, steps)]
    alone, _ = scores(skymap, field, np.array(places))
    which, pixels = pixels_of(field, np.array(places))
    lo = np.unique(pixels) << 2 * (MAX_ORDER - order_for(field))
    prob = Below(skymap.lo, skymap.hi, skymap.probdensity).between(lo, lo + (1 << 2 * (MAX_ORDER - order_for(field))))
    held = np.zeros((len(places), len(lo)))
    held[which, np.searchsorted(np.unique(pixels), pixels)] = 1.0
    both = (held * prob) @ held.T
    best = max(alone[i] + alone[j] - both[i, j] for i, j in itertools.combinations(range(len(places)), 2))
    pair = np.array([places[0], places[7]])
    assert scores(skymap, field, pair)[1][-1] == pytest.approx(alone[0] + alone[7] - both[0, 7], abs=1e-12)
    assert plan(skymap, field, 2, TIMING)[-1].cum_prob >= best - 0.003


def test_a_bright_spot_is_covered_first():
    found = plan(_sum(gaussian_map(50.0, -40.0, 10.0), gaussian_map(55.0, -38.0, 0.5)), Field(fov_deg=3.0), 5, TIMING)
    assert Field(fov_deg=3.0).contains(found[0].ra_deg, found[0].dec_deg, np.array([55.0]), np.array([-38.0]))[0]


def test_fields_leave_no_gaps_that_only_the_cells_do_not_see():
    """Ten fields of 3 deg side by side on a spot of 1 deg: gaps of a tenth of a degree would lose a hundredth."""
    skymap = gaussian_map(150.0, 0.0, 1.0)
    field = Field(fov_deg=3.0)
    together = plan(skymap, field, 10, TIMING)[-1].cum_prob
    side_by_side = np.array([(150.0 + 3.0 * x, 3.0 * y) for x, y in itertools.product((-1, 0, 1), repeat=2)])
    assert together >= scores(skymap, field, side_by_side)[1][-1] - 1e-3
    assert together >= 0.999


def test_with_a_site_each_field_is_up_in_the_dark_and_no_two_share_a_slot():
    site, needs = SITES["CTIO"], Constraints(min_moon_separation_deg=30.0)
    timing = Timing(start=TIMING.start, hours=24.0, exposure_s=240.0, overhead_s=60.0)
    skymap = gaussian_map(150.0, -30.0, 25.0)
    found = plan(skymap, Field(fov_deg=5.0), 60, timing, site, needs)
    assert len(found) == 60
    starts = [one.start.minus(timing.start) for one in found]
    assert all(b - a >= 300.0 - 1e-6 for a, b in itertools.pairwise(starts))
    for one, begin in zip(found, starts, strict=True):
        sky = sky_over(site, moments(timing.start, [begin, begin + 240.0]))
        assert observable(sky, unit_vectors(np.array([one.ra_deg]), np.array([one.dec_deg])), needs).all()


def test_what_sets_early_is_observed_early():
    """Two spots, one of them up in the first hour of the night only: both are reached, although the other one is brighter."""
    site = SITES["CTIO"]
    timing = Timing(start=TIMING.start, hours=24.0, exposure_s=1_700.0, overhead_s=100.0)
    west, east = gaussian_map(60.0, -30.0, 1.0), gaussian_map(180.0, -30.0, 1.0)
    found = plan(_sum(west, east), Field(fov_deg=6.0), 2, timing, site)
    assert len(found) == 2
    assert found[-1].cum_prob > 0.98
    assert found[0].ra_deg == pytest.approx(60.0, abs=2.0)


def _sum(one, other):
    """The mean of two maps on pixels of order 8."""
    lo = np.arange(12 << 16, dtype=np.int64) << 42
    hi = lo + (1 << 42)
    return from_pixels(lo, hi, sum(Below(m.lo, m.hi, m.probdensity).between(lo, hi) for m in (one, other)))


def test_what_cannot_be_planned_says_why():
    field = Field(fov_deg=3.0)
    with pytest.raises(NoPlan, match=r"no part of the map rises above 30 deg .* at CTIO in the dark"):
        plan(gaussian_map(10.0, 80.0, 1.0), field, 5, TIMING, SITES["CTIO"])
    day = Timing(start=Instant.from_utc_iso("2025-03-10T15:00:00"), hours=3.0)
    with pytest.raises(NoPlan, match="the Sun at CTIO is never below -18 deg"):
        plan(gaussian_map(10.0, -30.0, 1.0), field, 5, day, SITES["CTIO"])
    for n in (0, 2_001):
        with pytest.raises(ValueError, match="a plan has 1 to 2000 pointings"):
            plan(gaussian_map(10.0, 80.0, 1.0), field, n, TIMING)


def test_cells_hold_the_probability_of_the_map_they_are_made_of():
    rng = np.random.default_rng(8)
    lo, hi = random_pixels(rng, 200, deepest=14)
    skymap = from_pixels(lo, hi, rng.random(len(lo)))
    cells = cells_of(skymap, Field(fov_deg=30.0), 60)
    assert cells.prob.sum() == pytest.approx(1.0, abs=1e-9)
    assert len(cells.band_starts) * cells.band_deg >= 180.0
    assert cells.band_starts[-1] == len(cells)


def test_a_map_of_large_pixels_and_a_small_field_make_no_more_cells_than_bearable():
    flat = from_pixels(np.array([0], dtype=np.int64), np.array([1 << 58], dtype=np.int64), np.ones(1))
    cells = cells_of(flat, Field(fov_deg=0.5), 12)
    assert MAX_CELLS / 4 < len(cells) <= MAX_CELLS
    assert cells.prob.sum() == pytest.approx(1.0, abs=1e-9)


def test_the_same_question_has_the_same_answer():
    skymap = gaussian_map(10.0, 20.0, 6.0)
    first, second = (plan(skymap, Field(fov_deg=3.0), 9, TIMING, SITES["La Palma"]) for _ in range(2))
    assert first == second
