import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import SkymapRefused
from hub.model.sky import Annulus, Circle, StatedPosition
from hub.science import healpix
from hub.science.overlap import total_probability
from hub.science.skymap_rules import peak_disagrees, validate
from tests.support import skymaps


def columns(skymap=None):
    skymap = skymap or skymaps.gaussian_map(130, 20, 8, 4, 2)
    table = skymaps.to_table(skymap)
    return {name: np.array(table[name]) for name in table.colnames}


def changed(name, index, value):
    table = columns(skymaps.with_distance(skymaps.gaussian_map(130, 20, 8, 4, 2), 100.0, 20.0))
    table[name][index] = value
    return table


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 200))
def test_any_good_map_passes_in_any_order_of_rows(seed, n_splits):
    rng = np.random.default_rng(seed)
    lo, hi = skymaps.random_pixels(rng, n_splits)
    good = skymaps.from_pixels(lo, hi, rng.random(len(lo)) + 0.01)
    table = columns(good)
    shuffle = rng.permutation(len(lo))
    read, remarks = validate({name: column[shuffle] for name, column in table.items()})
    assert remarks == ()
    assert read.digest() == good.digest()
    assert not read.lo.flags.writeable


@pytest.mark.parametrize(
    ("value", "sentence"),
    [(np.nan, "not a finite number"), (np.inf, "not a finite number"), (-1e-9, "negative")],
)
def test_impossible_densities_are_refused(value, sentence):
    with pytest.raises(SkymapRefused, match=sentence):
        validate(changed("PROBDENSITY", 7, value))


@pytest.mark.parametrize("uniq", [0, 3, -1, 2**62, healpix.MAX_UNIQ + 1])
def test_numbers_that_are_no_pixels_are_refused(uniq):
    with pytest.raises(SkymapRefused, match="no HEALPix pixel"):
        validate(changed("UNIQ", 3, uniq))


def test_a_pixel_twice_is_refused():
    table = columns()
    with pytest.raises(SkymapRefused, match="counted twice"):
        validate({name: np.concatenate((column, column[-1:])) for name, column in table.items()})


def test_every_pixel_twice_is_refused():
    table = columns()
    with pytest.raises(SkymapRefused, match="counted twice"):
        validate({name: np.concatenate((column, column)) for name, column in table.items()})


def test_parents_together_with_their_children_are_refused():
    with pytest.raises(SkymapRefused, match="counted twice"):
        validate({"UNIQ": np.array([4, 5, 16, 17, 18, 19]), "PROBDENSITY": np.full(6, 0.1)})


def test_a_child_far_inside_an_earlier_parent_is_refused():
    child = int(healpix.uniq_of_ranges(np.array([12345 * 4]), np.array([12345 * 4 + 4]))[0])
    with pytest.raises(SkymapRefused, match="counted twice"):
        validate({"UNIQ": np.array([child, *range(4, 16)]), "PROBDENSITY": np.full(13, 1 / (4 * np.pi))})


def test_a_map_that_is_zero_everywhere_is_refused():
    table = columns()
    with pytest.raises(SkymapRefused, match="zero everywhere"):
        validate(table | {"PROBDENSITY": np.zeros(len(table["UNIQ"]))})


@pytest.mark.parametrize("factor", [50, 1.06, 0.94])
def test_a_sum_far_from_one_is_refused(factor):
    table = columns()
    with pytest.raises(SkymapRefused, match="sums to"):
        validate(table | {"PROBDENSITY": table["PROBDENSITY"] * factor})


@pytest.mark.parametrize("factor", [1.04, 0.96])
def test_a_doubtful_sum_is_renormalised_and_flagged(factor):
    table = columns()
    skymap, remarks = validate(table | {"PROBDENSITY": table["PROBDENSITY"] * factor})
    assert total_probability(skymap) == pytest.approx(1.0, rel=1e-12)
    assert "doubtful" in remarks[0]


def test_a_sum_just_off_one_is_kept_and_noted():
    table = columns()
    skymap, remarks = validate(table | {"PROBDENSITY": table["PROBDENSITY"] * 0.99905})
    assert total_probability(skymap) == pytest.approx(0.99905, rel=1e-9)
    assert "kept as the file states" in remarks[0]


def test_a_partial_map_is_flagged():
    lo, hi = healpix.ranges_of_uniq(np.arange(16, 58))
    partial = skymaps.from_pixels(lo, hi, np.arange(1, 43))
    skymap, remarks = validate(columns(partial))
    assert len(skymap.lo) == 42
    assert "covers 87.5000% of the sky" in remarks[0]


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"UNIQ": np.arange(4, 16)},
        {"UNIQ": np.array([], dtype=np.int64), "PROBDENSITY": np.array([])},
        {"UNIQ": np.arange(4, 16), "PROBDENSITY": np.ones(11)},
        {"UNIQ": np.arange(4, 16).astype(float), "PROBDENSITY": np.ones(12)},
        {"UNIQ": np.arange(4, 16).reshape(2, 6), "PROBDENSITY": np.ones((2, 6))},
    ],
)
def test_tables_of_no_map_are_refused(table):
    with pytest.raises(SkymapRefused):
        validate(table)


def test_too_many_pixels_are_refused():
    with pytest.raises(SkymapRefused, match="more than 5000000"):
        validate({"UNIQ": np.full(5_000_001, 4), "PROBDENSITY": np.zeros(5_000_001)})


def test_lines_of_sight_without_a_distance_are_no_fault():
    table = changed("DISTMU", [1, 2], np.inf)
    table["DISTSIGMA"][1], table["DISTNORM"][1] = 1.0, 0.0
    table["DISTSIGMA"][2], table["DISTNORM"][2] = np.nan, np.nan
    skymap, remarks = validate(table)
    assert remarks == ()
    assert np.isinf(skymap.distmu).sum() == 2
    assert np.isfinite(skymap.distsigma).all()
    assert np.isfinite(skymap.distnorm).all()


@pytest.mark.parametrize(("name", "value"), [("DISTSIGMA", 0.0), ("DISTSIGMA", -5.0), ("DISTSIGMA", np.nan), ("DISTNORM", -1.0)])
def test_impossible_distances_are_dropped_and_the_map_kept(name, value):
    skymap, remarks = validate(changed(name, 5, value))
    assert not skymap.has_distance
    assert "dropped" in remarks[0]


def test_layers_without_any_distance_or_with_one_missing_are_dropped():
    skymap, remarks = validate(changed("DISTMU", slice(None), np.inf))
    assert not skymap.has_distance
    assert "No line of sight" in remarks[0]
    table = changed("DISTMU", 0, 100.0)
    del table["DISTNORM"]
    skymap, remarks = validate(table)
    assert not skymap.has_distance
    assert "incomplete" in remarks[0]


def test_a_peak_far_from_the_stated_circle_shows_a_map_in_another_order():
    skymap = skymaps.gaussian_map(130, 20, 2, 16, 4)
    near = StatedPosition(ra_deg=131, dec_deg=20, region=Circle(radius_deg=3))
    far = StatedPosition(ra_deg=310, dec_deg=-20, region=Circle(radius_deg=3))
    assert not peak_disagrees(skymap, near)
    assert peak_disagrees(skymap, far)
    assert not peak_disagrees(skymap, StatedPosition(ra_deg=310, dec_deg=-20))
    assert not peak_disagrees(skymap, StatedPosition(ra_deg=310, dec_deg=-20, region=Annulus(radius_deg=9, half_width_deg=1)))
