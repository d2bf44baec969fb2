"""New transients of the simulated sky, looked at as others looked."""

from dataclasses import replace

import numpy as np

from hub.calibration.densities import SEARCHES, Densities, confirmed
from hub.calibration.result import QUICK
from hub.demo.survey.settings import shipped

DECAM = SEARCHES[1]


def test_the_published_numbers_are_met_within_a_factor_of_two_and_not_with_five_times_the_supernovae():
    rng = [np.random.default_rng([1003, 1]) for _ in range(2)]
    assert not Densities(repeats=4).run(rng[0], QUICK, lambda _: None).failed

    crowded = shipped().population.model_copy(update={"supernovae_per_deg2_day": 0.75})
    sky = shipped().model_copy(update={"population": crowded})
    assert len(Densities(repeats=4, simulation=sky).run(rng[1], QUICK, lambda _: None).failed) == 2


def test_who_looks_deeper_finds_more():
    found = [sum(confirmed(seed, replace(DECAM, depth_ab=depth), shipped()) for seed in range(3)) for depth in (19.0, 22.0)]
    assert found[1] > 5 * max(1, found[0])
