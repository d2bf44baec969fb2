"""A year of unrelated notices, small."""

from dataclasses import replace

import numpy as np
import pytest

from hub.calibration.result import QUICK
from hub.calibration.streams import unrelated
from hub.calibration.subject import as_shipped
from hub.calibration.year import Year

SUBJECT = as_shipped()


def silent(words: str) -> None:
    """Say nothing."""


def run(subject, number: int, seed: int = 3):
    return Year(subject=subject, nature=SUBJECT.rules, maps_of_a_kind=6).run(
        np.random.default_rng(seed), replace(QUICK, years=number), silent
    )


def test_unrelated_notices_stay_within_the_budget_and_pairs_come_as_often_as_rates_say() -> None:
    result = run(SUBJECT, 10)
    assert [check for check in result.checks if not check.passed] == []
    rows = {row[0]: row for row in result.tables[0].rows}
    assert set(rows) == {rule.name for rule in SUBJECT.rules.pairs}
    assert int(rows["gw-sub-grb-targeted-swift"][1]) > 0


def test_candidates_at_their_thresholds_are_counted_and_too_few_events_are_found() -> None:
    result = run(SUBJECT, 1)
    rows = {row[0]: row for row in result.tables[1].rows}
    assert set(rows) == {rule.name for rule in SUBJECT.rules.hypotheses}
    assert rows["burst-supernova"][1] == rows["afterglow"][1] == "34.9"
    budget = SUBJECT.rules.budget
    assert budget is not None
    few = replace(budget.shares["burst-supernova"], events_per_month=10.0)
    planted = replace(budget, shares={**budget.shares, "burst-supernova": few})
    failed = run(replace(SUBJECT, rules=replace(SUBJECT.rules, budget=planted)), 1).failed
    assert [check.name.partition(":")[0] for check in failed] == ["burst-supernova"]


def test_windows_that_are_wider_than_they_say_make_too_many_pairs() -> None:
    wide = tuple(
        replace(rule, windows_s=tuple((4 * low, 4 * high) for low, high in rule.windows_s)) for rule in SUBJECT.rules.pairs
    )
    result = run(replace(SUBJECT, rules=replace(SUBJECT.rules, pairs=wide)), 10)
    assert any("open pairs" in check.name for check in result.failed)


def test_streams_have_the_rates_of_the_rules() -> None:
    rates = {stream.name: stream.rate_hz * 365 * 86_400.0 for stream in unrelated(SUBJECT.rules)}
    assert rates["GRB"] == pytest.approx(325.0)
    assert rates["mergers"] == pytest.approx(800.0)
