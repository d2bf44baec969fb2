"""The tests of uniformity can fail, and know an atom."""

import numpy as np
import pytest
from scipy.stats import kstest

from hub.calibration.uniformity import ks_distance, ks_probability, pp_curves, randomised


def test_the_probability_is_that_of_kolmogorov_and_smirnov() -> None:
    values = np.random.default_rng(1).random(500) ** 1.08
    theirs = kstest(values, "uniform")
    assert ks_distance(values) == pytest.approx(theirs.statistic)
    assert ks_probability(values) == pytest.approx(theirs.pvalue, rel=0.05)


def test_numbers_that_are_not_uniform_are_refused() -> None:
    values = np.random.default_rng(2).random(2_000)
    assert ks_probability(values) > 0.01
    assert ks_probability(values**1.3) < 1e-6


def test_an_atom_is_uniform_only_once_it_is_randomised() -> None:
    rng = np.random.default_rng(3)
    has_none = rng.random(5_000) < 0.3  # no rate: the largest p-value
    below = np.where(has_none, 0.7, 0.7 * rng.random(5_000))
    atom = np.where(has_none, 0.3, 0.0)
    assert ks_probability(randomised(below, atom, rng)) > 0.01
    assert ks_probability(below + atom) < 1e-6


def test_a_curve_of_levels_begins_and_ends_at_the_diagonal() -> None:
    band, line = pp_curves({"a": np.linspace(0.001, 0.999, 999)})
    assert band.low is not None
    assert line.y[0] == 0.0
    assert line.y[-1] == pytest.approx(0.0)
    assert np.abs(line.y).max() < 0.01
