"""Scores of probabilities: bands against brute force, statements that are right, and those that are not."""

import itertools

import numpy as np
import pytest

from hub.calibration.posterior_scores import brier, gain, log_score, poisson_binomial, reliability


def test_the_number_of_events_that_happen_is_that_of_all_ways_in_which_they_can():
    probabilities = np.array([0.1, 0.5, 0.85, 0.3])
    expected = np.zeros(5)
    for way in itertools.product((0, 1), repeat=4):
        expected[sum(way)] += np.prod(np.where(way, probabilities, 1.0 - probabilities))

    np.testing.assert_allclose(poisson_binomial(probabilities), expected, atol=1e-15)


def test_many_rare_events_are_a_poisson_number():
    found = poisson_binomial(np.concatenate([np.full(50_000, 5e-5), [0.5]]))

    assert found.sum() == pytest.approx(1.0)
    assert np.arange(len(found)) @ found == pytest.approx(3.0, rel=1e-6)


def test_what_is_stated_rightly_lies_in_the_band_and_what_is_doubled_does_not():
    rng = np.random.default_rng(7)
    stated = rng.beta(0.3, 0.8, 4000)
    is_true = rng.random(len(stated)) < stated

    assert all(one.is_jointly_within for one in reliability(stated, is_true))
    doubled = reliability(np.minimum(1.0, 2.0 * stated), is_true)
    assert sum(not one.is_jointly_within for one in doubled) > 2


def test_bins_have_enough_of_both_kinds_and_hold_every_statement_once():
    rng = np.random.default_rng(8)
    stated = rng.beta(0.05, 1.0, 3000)
    bins = reliability(stated, np.zeros(3000, dtype=bool), least=4.0)

    assert sum(one.n for one in bins) == 3000
    assert all(one.stated >= 4.0 and one.n - one.stated >= 4.0 for one in bins)
    assert all(one.high <= other.low for one, other in itertools.pairwise(bins))
    assert all(one.joint_at_least <= one.at_least <= one.at_most <= one.joint_at_most for one in bins)


def test_the_band_holds_what_it_promises():
    rng = np.random.default_rng(9)
    stated = rng.beta(0.5, 0.5, 300)
    within = [one.is_within for _ in range(300) for one in reliability(stated, rng.random(300) < stated)]

    assert 0.94 < np.mean(within) < 0.995  # numbers are whole, so the band holds a little more


def test_too_few_statements_are_one_bin_and_none_are_none():
    assert len(reliability(np.array([0.2, 0.3]), np.array([True, False]))) == 1
    assert reliability(np.zeros(0), np.zeros(0, dtype=bool)) == ()


def test_perfect_forecasts_score_0_and_a_wrong_certainty_costs_without_end_only_in_one_score():
    certain, half = np.array([1.0, 0.0]), np.array([0.5, 0.5])

    np.testing.assert_allclose(brier([certain, half, certain], [0, 0, 1]), [0.0, 0.5, 2.0])
    np.testing.assert_allclose(log_score([certain, half], [0, 0]), [0.0, np.log(2.0)])
    assert log_score([certain], [1])[0] > 20.0


def test_a_gain_is_positive_where_the_first_is_better():
    found = gain(np.array([0.1, 0.2, 0.1]), np.array([0.3, 0.3, 0.4]))

    assert found.mean == pytest.approx(0.2)
    assert found.sigma > 2.0
