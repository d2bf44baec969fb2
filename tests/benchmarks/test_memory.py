"""What is called flat, and what is not."""

import numpy as np
import pytest

from tests.benchmarks.memory import GOAL_GROWTH_PERCENT, growth_percent

DONE = list(range(0, 1_000_001, 10_000))


def test_memory_that_fills_early_and_stays_is_flat() -> None:
    sizes = [min(300.0, 290.0 + n / 1_000) for n in DONE]
    assert abs(growth_percent(DONE, sizes)) < GOAL_GROWTH_PERCENT


def test_memory_that_creeps_is_not() -> None:
    sizes = np.linspace(300.0, 330.0, len(DONE)).tolist()
    assert growth_percent(DONE, sizes) > GOAL_GROWTH_PERCENT


def test_the_time_before_the_first_alert_does_not_count() -> None:
    assert growth_percent([0] * 50 + DONE, [10.0] * 50 + [300.0] * len(DONE)) == 0.0


def test_too_few_samples_are_no_measurement() -> None:
    with pytest.raises(SystemExit, match="ask for more packets"):
        growth_percent([0, 900, 1000], [100.0, 300.0, 300.0])
