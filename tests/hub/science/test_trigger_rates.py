import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hub.model.instant import Instant
from hub.science.trigger_rates import RatePolicy, estimate, poisson_tail, rounded_up, upper_count

DAY_US = 86_400_000_000
POLICY = RatePolicy(span_d=90.0, sigmas=2.0, storm_chance=1e-6, few=3, confidence=0.9, min_heard_d=30.0, step=1.1)
PER_YEAR = 1.0 / (365 * 86_400.0)
NOW = Instant(10_000 * DAY_US)


def days_before(*days: float) -> np.ndarray:
    return np.array([NOW.tai_us - round(day * DAY_US) for day in days], dtype=np.int64)


def test_a_rate_that_agrees_with_the_configured_one_changes_nothing() -> None:
    # 325 a year are 80 in 90 days; 85 came.
    found = estimate(days_before(*np.linspace(0.5, 89.5, 85)), NOW, configured_hz=325 * PER_YEAR, policy=POLICY)
    assert (found.n, found.used_hz, found.is_storm) == (85, 325 * PER_YEAR, False)
    assert found.reason.startswith("configured: 85 triggers in the 90 days before")
    assert found.error_hz == pytest.approx(np.sqrt(85) / (90 * 86_400))


def test_a_rate_well_above_the_configured_one_is_used() -> None:
    found = estimate(days_before(*np.linspace(0.5, 89.5, 150)), NOW, configured_hz=325 * PER_YEAR, policy=POLICY)
    assert found.used_hz == found.measured_hz == pytest.approx(150 / (90 * 86_400))
    assert found.reason.startswith("measured: 150")


def test_fewer_triggers_never_lower_the_rate() -> None:
    found = estimate(days_before(3.0), NOW, configured_hz=325 * PER_YEAR, policy=POLICY)
    assert found.used_hz == 325 * PER_YEAR


def test_a_storm_raises_the_rate_to_that_of_its_day() -> None:
    found = estimate(days_before(*np.linspace(0.01, 0.9, 30)), NOW, configured_hz=325 * PER_YEAR, policy=POLICY)
    assert found.is_storm
    assert found.used_hz == pytest.approx(30 / 86_400)
    assert "a storm: 30 triggers in the day before" in found.reason


def test_what_comes_at_or_after_the_coincidence_does_not_count() -> None:
    later = np.array([NOW.tai_us, NOW.tai_us + 5], dtype=np.int64)
    assert estimate(later, NOW, configured_hz=1e-6, policy=POLICY).n == 0
    assert estimate(days_before(90.0, 90.00001), NOW, configured_hz=1e-6, policy=POLICY).n == 1


@given(st.lists(st.floats(0.001, 200.0), max_size=60), st.randoms())
def test_the_order_of_triggers_does_not_matter_and_no_rate_is_below_the_configured_one(days, random) -> None:
    shuffled = list(days)
    random.shuffle(shuffled)
    one, other = (estimate(days_before(*some), NOW, configured_hz=1e-5, policy=POLICY) for some in (days, shuffled))
    assert one == other
    assert one.used_hz >= 1e-5


@pytest.mark.parametrize(("n", "mean"), [(0, 3.0), (1, 0.01), (3, 5.0), (5, 5.0), (46, 1.7), (10, 0.89), (200, 150.0), (4, 0.0)])
def test_the_tail_of_a_poisson_count_is_that_of_scipy(n: int, mean: float) -> None:
    assert poisson_tail(n, mean) == pytest.approx(stats.poisson.sf(n - 1, mean), rel=1e-10)


def test_the_recorded_bursts_of_gbm_are_more_than_configured_and_have_storms(recorded) -> None:
    with (recorded / "catalogs" / "fermi_gbm_trigger_times.csv").open() as file:
        met = np.array([float(row[0]) for row in csv.reader(file)])
    times = np.round(met * 1e6).astype(np.int64)
    at = [Instant(int(us) + 1) for us in times[2_000::40]]
    found = [estimate(times, one, configured_hz=325 * PER_YEAR, policy=POLICY) for one in at]
    assert np.mean([one.measured_hz for one in found]) / PER_YEAR > 500  # of all classes, against 325 bursts
    storms = [one for one in found if one.is_storm]
    assert 0.01 < len(storms) / len(found) < 0.3
    assert all(one.used_hz >= one.n_last_day / 86_400 for one in storms)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [0, 1, 2, 20])
def test_the_upper_end_of_an_interval_is_that_of_the_gamma_distribution(n: int, confidence: float) -> None:
    assert upper_count(n, confidence) == pytest.approx(stats.gamma.ppf(confidence, n + 1), rel=1e-9)


@given(st.floats(1e-12, 1e-2), st.floats(1e-9, 1e-4), st.floats(1.01, 2.0))
def test_a_rounded_rate_is_not_below_and_less_than_a_step_above(hz: float, configured: float, step: float) -> None:
    rounded = rounded_up(hz, configured, step)
    assert hz * (1 - 1e-6) <= rounded <= hz * step * (1 + 1e-6)
    assert rounded_up(rounded, configured, step) == pytest.approx(rounded, rel=1e-9)
    assert rounded_up(configured, configured, step) == configured
