"""Rates are counted from what has arrived, whatever its order, and pairs follow them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model.coincidence import Coincidence, PairState
from hub.model.notice import EventClass, Stage
from hub.science.rules import YEAR_S
from hub.services import queries, rates
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import RULES, Desk
from tests.support.words import DAY_S, T0, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0, order=3))
NEAR = localization(gaussian_map(133.0, 21.0, 4.0, order=3))
CONFIGURED = 325 / YEAR_S
FEW = replace(RULES, rate_policy=replace(RULES.rate_policy, span_d=20.0))
"""18 bursts are expected in the interval."""


def burst(number: int, days: float, **changes):
    return grb(f"Fermi-{900 + number}", t0=T0.plus_s(-days * DAY_S), issued_at=T0.plus_s(-days * DAY_S + 60.0), **changes)


def the_pair(desk: Desk) -> Coincidence:
    (pair,) = [one for one in desk.pairs() if one.kind == "gw-grb" and one.state is PairState.OPEN]
    return pair


def inputs(pair: Coincidence, statistic: str = "joint_far_time_only"):
    return next(score.inputs for score in pair.scores if score.statistic == statistic)


def tell_pair(desk: Desk) -> None:
    desk.tell(notice(far_hz=1e-9), HERE)
    desk.tell(grb(), NEAR)


def test_a_pair_among_the_usual_number_of_bursts_has_the_configured_rate(store: Store) -> None:
    desk = Desk(store, rules=FEW)
    for number in range(20):
        desk.tell(burst(number, 0.5 + 0.97 * number), run=False)
    tell_pair(desk)
    pair = the_pair(desk)
    assert inputs(pair)["rate_hz"] == CONFIGURED
    assert "rate_basis" not in inputs(pair)


def test_more_bursts_than_configured_raise_the_rate_of_a_pair_and_it_says_so(store: Store) -> None:
    desk = Desk(store, rules=FEW)
    for number in range(40):
        desk.tell(burst(number, 1.5 + 0.46 * number), run=False)
    tell_pair(desk)
    pair = the_pair(desk)
    measured = 40 / (20 * DAY_S)
    assert measured <= inputs(pair)["rate_hz"] <= measured * 1.1
    assert inputs(pair)["rate_basis"] == "measured"
    assert pair.score("joint_far_time_only") == pytest.approx(6 * inputs(pair)["rate_hz"] * 1e-9)
    assert any(reason.startswith("rate of unrelated triggers") and "measured" in reason for reason in pair.reasons)
    with store.reading() as session:
        _, lines = queries.explained_coincidence(session, pair.coincidence_id)
    assert {line.score.statistic for line in lines if line.agrees} >= {"joint_far", "random_association", "bayes_factor"}
    assert not [line for line in lines if line.agrees is False]


def test_a_storm_raises_the_rate_though_its_triggers_are_called_something_else_later(store: Store) -> None:
    desk = Desk(store, rules=FEW)
    for number in range(12):
        desk.tell(burst(number, 0.05 + 0.05 * number, vetoes=("classified as not a GRB",)), run=False)
    tell_pair(desk)
    pair = the_pair(desk)
    assert inputs(pair)["rate_basis"] == "storm"
    assert 12 / DAY_S <= inputs(pair)["rate_hz"] <= 1.1 * 12 / DAY_S
    assert any("storm" in reason for reason in pair.reasons)


def test_tests_and_what_was_taken_back_do_not_count(store: Store) -> None:
    desk = Desk(store, rules=FEW)
    for number in range(40):
        first = burst(number, 1.5 + 0.46 * number, is_live=number % 2 == 0)
        desk.tell(first, run=False)
        if first.is_live:
            desk.tell(replace(first, stage=Stage.RETRACTION, issued_at=T0, identity=f"retraction {number}"), run=False)
    tell_pair(desk)
    assert inputs(the_pair(desk))["rate_hz"] == CONFIGURED


def test_one_burst_that_two_missions_saw_counts_once(store: Store) -> None:
    desk = Desk(store, rules=FEW)
    for number in range(20):
        days = 0.5 + 0.97 * number
        name = f"GRB 26{number:02d}01A"
        desk.tell(burst(number, days, aliases=(name,)), run=False)
        other = grb(f"Swift-{number}", mission="Swift", instrument="BAT", aliases=(name,), t0=T0.plus_s(-days * DAY_S + 5.0))
        desk.tell(replace(other, issued_at=T0.plus_s(-days * DAY_S + 90.0)), run=False)
    desk.correlation.run_jobs()
    tell_pair(desk)
    with store.reading() as session:
        (row,) = [one for one in rates.table(session, FEW, T0) if one["rules"] and "gw-grb" in one["rules"]]
    assert row["n"] == 20
    assert inputs(the_pair(desk))["rate_hz"] == CONFIGURED


def test_a_trigger_that_arrives_late_changes_the_pairs_behind_it_and_only_where_it_matters(store: Store) -> None:
    desk = Desk(store, rules=FEW)
    tell_pair(desk)
    before = the_pair(desk)
    assert inputs(before)["rate_hz"] == CONFIGURED
    for number in range(10):
        desk.tell(burst(number, 1.5 + 1.7 * number))
    assert the_pair(desk) == before  # ten do not exceed it: no version
    for number in range(10, 40):
        desk.tell(burst(number, 1.2 + 0.5 * number))
    after = the_pair(desk)
    assert inputs(after)["rate_basis"] == "measured"
    # Forty notices, from 18 to 38 counted bursts: at most one version for each step of a tenth.
    assert before.version < after.version <= before.version + 6
    assert desk.waiting() == []


def test_what_comes_after_a_pair_changes_nothing(store: Store) -> None:
    desk = Desk(store, rules=FEW)
    tell_pair(desk)
    before = the_pair(desk)
    for number in range(40):
        desk.tell(burst(number, -0.3 - 0.2 * number))
    assert the_pair(desk) == before


def test_alerts_at_least_as_significant_are_counted_and_few_are_taken_at_the_upper_end(store: Store) -> None:
    desk = Desk(store, rules=replace(RULES, rate_policy=replace(RULES.rate_policy, min_heard_d=30.0)))
    for number in range(30):
        told = {"far_hz": 1e-6 if number else 1e-10, "t0": T0.plus_s(-(2.0 + 2.9 * number) * DAY_S)}
        desk.tell(notice(f"S2601{number:02d}a", issued_at=told["t0"].plus_s(60.0), **told), run=False)
    tell_pair(desk)
    found = inputs(the_pair(desk), "random_association")
    heard = (2.0 + 2.9 * 29) * DAY_S
    # One alert in 86 days has a FAR of 1e-9 Hz or less; at 90 % the mean is below 3.89.
    assert found["other_rate_basis"] == "measured"
    assert 3.8897 / heard <= found["other_rate_hz"] <= 1.1 * 3.8898 / heard
    assert found["configured_other_rate_hz"] == 800 / YEAR_S


def test_a_hub_that_heard_too_little_counts_no_alerts(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice("S260220a", t0=T0.plus_s(-9 * DAY_S)), run=False)
    tell_pair(desk)
    found = inputs(the_pair(desk), "random_association")
    assert found["other_rate_hz"] == 800 / YEAR_S
    assert "other_rate_basis" not in found


MESSAGES = (
    *(("burst", number) for number in range(6)),
    ("gw", 0),
    ("grb", 0),
    ("mock", 0),
    ("veto", 2),
)
"""What is told in some order: six bursts of one day, an alert, the burst that goes with it, a mock, and that one is none."""

STORMY = replace(
    RULES,
    rate_policy=replace(RULES.rate_policy, storm_chance=1e-2, min_heard_d=1.0),
    hypotheses=(),
)


def tell(desk: Desk, kind: str, number: int, *, run: bool) -> None:
    match kind:
        case "burst":
            desk.tell(burst(number, 0.1 + 0.13 * number), run=run)
        case "veto":
            first = burst(number, 0.1 + 0.13 * number)
            desk.tell(replace(first, identity="veto", vetoes=("none",), issued_at=T0.plus_s(500.0)), run=run)
        case "mock":
            desk.tell(notice("MS260101a", t0=T0.plus_s(-40 * DAY_S), is_live=False), run=run)
        case "gw":
            desk.tell(notice(far_hz=1e-9), HERE, run=run)
        case _:
            desk.tell(grb(), NEAR, run=run)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory):
    return final(tmp_path_factory.mktemp("rates"), MESSAGES, {len(MESSAGES)})


def final(folder, order, runs):
    """Return the numbers of all pairs when everything was told in some order, and jobs were done after some of it."""
    url = f"sqlite:///{folder / 'hub.db'}"
    upgrade(url)
    opened = open_store(url)
    desk = Desk(opened, rules=STORMY)
    for place, (kind, number) in enumerate(order):
        tell(desk, kind, number, run=place in runs)
    desk.correlation.run_jobs()
    assert desk.waiting() == []
    found = {one.coincidence_id: (one.state, one.scores, one.reasons) for one in desk.pairs()}
    opened.close()
    return found


@settings(max_examples=6, deadline=None)
@given(order=st.permutations(MESSAGES), runs=st.sets(st.integers(0, len(MESSAGES) - 1)))
def test_the_order_of_arrival_changes_nothing(expected, tmp_path_factory, order, runs) -> None:
    assert len(expected) == 1
    assert final(tmp_path_factory.mktemp("order"), order, runs) == expected


def test_the_table_says_what_is_configured_and_what_was_measured(store: Store) -> None:
    desk = Desk(store, rules=FEW)
    for number in range(40):
        desk.tell(burst(number, 1.5 + 0.46 * number), run=False)
    desk.correlation.run_jobs()
    with store.reading() as session:
        rows = rates.table(session, FEW, T0)
    by_rule = {name: row for row in rows for name in row["rules"]}
    row = by_rule["gw-grb"]
    assert (row["what"], row["classes"], row["n"], row["basis"], row["is_storm"]) == ("triggers", ["grb"], 40, "measured", False)
    assert row["configured_per_yr"] == pytest.approx(325)
    assert row["measured_per_yr"] == pytest.approx(40 / 20 * 365)
    assert row["error_per_yr"] == pytest.approx(40**0.5 / 20 * 365)
    assert row["measured_per_yr"] <= row["used_per_yr"] <= 1.1 * row["measured_per_yr"]
    alerts = {row["classes"][0]: row for row in rows if row["what"] == "alerts"}
    assert alerts[EventClass.CBC.value]["basis"] == "configured"
