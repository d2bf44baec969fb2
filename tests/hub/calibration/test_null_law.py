"""The law of noise, small: the checks hold, and fail where they should."""

from dataclasses import replace

import numpy as np
import pytest

from hub.calibration.null_law import PAIRINGS, NullLaw
from hub.calibration.result import QUICK
from hub.calibration.rotations import laid_out, overlaps, points_of, random_rotations
from hub.calibration.shapes import cone
from hub.calibration.subject import as_shipped
from hub.science.overlap import total_probability

SUBJECT = as_shipped()
SIZE = replace(QUICK, pairs=20_000, exact=16)
SEED = 1


def silent(words: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def result():
    wide = NullLaw(subject=SUBJECT, nature=SUBJECT.rules, pairings=(PAIRINGS[0],))
    return wide.run(np.random.default_rng(SEED), SIZE, silent)


def test_noise_follows_the_law_untargeted_and_targeted(result) -> None:
    assert [check for check in result.checks if not check.passed] == []
    names = [check.name for check in result.checks]
    assert any("mean overlap is 1" in name for name in names)
    assert any(name.startswith("GRB-CBC") and "f T, as K / I_max is larger" in name for name in names)
    assert any(name.startswith("GRB-CBC") and "less than f T" in name for name in names)
    assert any(name.startswith("SUBGRB_TARGETED") and "uniform" in name for name in names)
    assert any("refuses p-values that are not randomised" in name for name in names)


def test_counts_are_told_by_decade(result) -> None:
    table = result.tables[0]
    assert [row[0] for row in table.rows][:2] == ["1", "0.1"]
    assert float(table.rows[0][4]) == pytest.approx(0.07, abs=0.01)  # of f T, maps of 8 and 5 degrees
    assert float(table.rows[1][4]) == pytest.approx(0.40, abs=0.05)


def test_the_same_seed_gives_the_same_result() -> None:
    wide = NullLaw(subject=SUBJECT, nature=SUBJECT.rules, pairings=(PAIRINGS[0],))
    size = replace(SIZE, pairs=2_000, exact=2)
    once, again = (wide.run(np.random.default_rng(SEED), size, silent) for _ in range(2))
    assert again.checks == once.checks
    assert again.tables == once.tables


def test_random_rotations_are_rotations_without_a_preferred_direction() -> None:
    turns = random_rotations(np.random.default_rng(3), 20_000)
    assert np.allclose(turns @ np.swapaxes(turns, 1, 2), np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(turns), 1.0)
    assert np.abs(turns.mean(axis=0)).max() < 5.0 / np.sqrt(3 * 20_000)
    angles = np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1.0) / 2.0, -1.0, 1.0))
    assert angles.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.02)  # of the Haar measure


def test_a_map_as_points_keeps_its_probability_and_its_place() -> None:
    skymap = cone(5.0).make(SUBJECT, np.eye(3))
    for order in (3, 5):
        points = points_of(skymap, order)
        assert points.probability.sum() == pytest.approx(1.0)
        assert np.allclose(np.linalg.norm(points.vectors, axis=1), 1.0)
    table = laid_out(skymap)
    assert table.mean() == pytest.approx(1.0)
    assert total_probability(skymap) == pytest.approx(1.0)
    turned = overlaps(table, points_of(skymap, 6), random_rotations(np.random.default_rng(4), 300))
    assert turned.min() >= 0.0
