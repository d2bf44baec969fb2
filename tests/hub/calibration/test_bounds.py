"""Bounds are loose for quick runs alone: a full one is held to what is promised."""

import numpy as np

from hub.calibration.chance import FEW_MAPS, MEAN_Z, _checks
from hub.calibration.result import FULL, QUICK
from hub.calibration.work import FEW_TRIALS, better

FLAT = np.linspace(0.0, 1.0, 50)


def off_by(mean: float, n: int, *, is_quick: bool) -> bool:
    """Return whether z-scores of a mean pass."""
    z = np.linspace(-1.7, 1.7, n) + mean
    return _checks("any", z, FLAT, is_quick=is_quick)[0].passed


def test_the_mean_of_z_has_one_bound_in_a_full_run_however_few_maps_speak() -> None:
    assert FULL.off_maps >= FEW_MAPS > QUICK.off_maps
    assert off_by(MEAN_Z - 0.01, 60, is_quick=False)
    assert not off_by(MEAN_Z + 0.01, 60, is_quick=False)
    assert off_by(MEAN_Z + 0.01, 60, is_quick=True)
    assert not off_by(2.0 * MEAN_Z, 60, is_quick=True)


def test_half_of_the_work_is_spared_where_enough_was_counted() -> None:
    assert better(5.0, 10.0, FEW_TRIALS).passed
    assert not better(5.1, 10.0, FEW_TRIALS).passed
    assert better(9.9, 10.0, FEW_TRIALS - 1).passed
    assert not better(10.0, 10.0, FEW_TRIALS - 1).passed
