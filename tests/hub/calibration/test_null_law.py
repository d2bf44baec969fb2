"""The law of noise, small: the checks hold, and fail where they should."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hub.calibration import null_dependent
from hub.calibration.null_law import PAIRINGS, NullLaw
from hub.calibration.result import QUICK
from hub.calibration.rotations import laid_out, overlaps, points_of, random_rotations
from hub.calibration.shapes import cone
from hub.calibration.subject import as_shipped
from hub.model.event import Event
from hub.model.joint_rates import JointFar, JointRates
from hub.science.overlap import total_probability
from hub.science.rules import Rules
from hub.science.searches import Search, joint_rates
from hub.science.trigger_columns import Triggers

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


def test_searches_that_answer_come_below_a_rate_as_often_as_it_says() -> None:
    found = null_dependent.answering(SUBJECT, np.random.default_rng(SEED), 1_000)
    assert len(found.checks) >= 4
    assert found.failed == ()


def test_a_search_at_the_rate_of_alerts_as_significant_as_its_own_is_caught() -> None:
    def too_rare(searched: Event, answer: Event, rules: Rules, triggers: Triggers) -> float | None:
        alike = triggers.with_far_up_to(searched.far_hz or 0.0)
        return answer.properties["pval_generic"] * len(alike.time_us) / (90 * 86_400.0)

    found = null_dependent.answering(SUBJECT, np.random.default_rng(SEED), 1_000, too_rare)
    assert found.failed


def test_unrelated_events_of_a_targeted_search_come_below_a_rate_as_often_as_it_says() -> None:
    found = null_dependent.targeted(SUBJECT, np.random.default_rng(SEED), 5_000)
    assert len(found.checks) >= 5
    assert found.failed == ()


def test_the_plain_product_of_rates_in_a_targeted_search_is_caught() -> None:
    def product(search: Search, **given: Any) -> JointRates:
        sound = joint_rates(search, **given)
        hz = search.width_s * given["far_external_hz"] * given["gw_rate_hz"]
        return replace(sound, random_association_time_only=JointFar(value_hz=hz, reason="no log"))

    planted = replace(SUBJECT, joint_rates=product)
    found = null_dependent.targeted(planted, np.random.default_rng(SEED), 5_000)
    assert any("is f T" in check.name for check in found.failed)
    assert any("never rarer than noise" in check.name for check in found.failed)
