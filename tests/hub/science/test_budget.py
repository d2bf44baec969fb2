"""What the budget of false announcements lets out, and which shares it refuses."""

import math
from dataclasses import replace

import pytest

from hub.errors import ConfigError
from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score
from hub.model.notice import EventClass
from hub.model.worth import EXPECTED
from hub.resources import read_text
from hub.science.budget import HELD_BACK, MONTH_S, Spender, parse
from hub.science.rules import load_rules
from tests.support.words import T0

ROW = {"rule": "gw-grb", "per_month": 0.05, "reason": "because"}
PAIR = Spender(name="gw-grb", kind="gw-grb", search="GRB-CBC", trials=7)
OPTICAL = Spender(name="kilonova", kind="gw-optical", least_score=2.0)


def budget(*rows: dict, spenders=(PAIR,), **changes):
    table = {"false_per_month": 1.0, "share": list(rows)}
    return parse({**table, **changes}, spenders)


def pair(joint: float | None, chance: float | None, by_time: float | None = 1e-9, rule: str = "gw-grb") -> Coincidence:
    events = (Member(kind=MemberKind.EVENT, id="Fermi-1"), Member(kind=MemberKind.EVENT, id="S1"))
    values = {"joint_far_time_only": by_time, "joint_far": joint, "random_association": chance}
    return version(rule, events, values)


def optical(rank: float, **values: float) -> Coincidence:
    return version(
        "kilonova",
        (Member(kind=MemberKind.EVENT, id="S1"), Member(kind=MemberKind.OBJECT, id="LSST:1")),
        {"rank": rank, **values},
    )


def version(rule: str, members: tuple[Member, ...], values: dict) -> Coincidence:
    return Coincidence(
        coincidence_id="0" * 20,
        kind=rule,
        hypothesis=rule,
        members=members,
        state=PairState.OPEN,
        version=1,
        scores=tuple(Score(statistic=name, version=1, value=value, unit="1") for name, value in values.items()),
        reasons=(),
        localization_ids=(),
        is_live=True,
        t0=T0,
        created_at=T0,
    )


def test_a_pair_leaves_where_its_joint_far_after_trials_is_at_most_the_share() -> None:
    held = budget(ROW)
    limit = 0.05 / MONTH_S / 7
    assert not held.verdict(pair(0.999 * limit, 0.0)).held_back
    beyond = held.verdict(pair(1.001 * limit, 0.0)).held_back
    assert beyond.startswith(HELD_BACK + "noise alone would do this")
    assert "7 trials" in beyond


def test_unrelated_real_events_must_be_as_rare_and_need_no_trials() -> None:
    held = budget(ROW)
    limit = 0.05 / MONTH_S
    assert not held.verdict(pair(0.0, 0.999 * limit)).held_back
    assert "unrelated real events would do this" in held.verdict(pair(0.0, 1.001 * limit)).held_back


def test_without_maps_the_rate_by_time_decides_and_without_either_number_nothing_leaves() -> None:
    held = budget(ROW)
    assert not held.verdict(pair(None, 0.0, by_time=1e-10)).held_back
    assert held.verdict(pair(None, 0.0, by_time=1e-6)).held_back
    assert "no joint false-alarm rate" in held.verdict(pair(None, 0.0, by_time=None)).held_back
    assert "no rate of unrelated real events" in held.verdict(pair(1e-12, None)).held_back


def test_a_number_that_is_none_lets_nothing_out() -> None:
    assert budget(ROW).verdict(pair(math.nan, 0.0)).held_back


def test_what_a_version_spends_is_the_larger_of_both_numbers() -> None:
    spent = budget(ROW).verdict(pair(1e-11, 1e-10)).spends_per_month
    assert spent == pytest.approx(1e-10 * MONTH_S)


def test_a_candidate_leaves_by_the_bound_of_its_score_until_the_expected_number_is_measured() -> None:
    held = budget({"rule": "kilonova", "per_month": 0.1, "events_per_month": 2.0, "reason": "x"}, spenders=(OPTICAL,))
    limit = math.log(2.0 / 0.1)
    assert not held.verdict(optical(limit + 1e-6)).held_back
    assert "by its score and the configured background" in held.verdict(optical(limit - 1e-6)).held_back
    assert not held.verdict(optical(0.0, **{EXPECTED: 0.05})).held_back
    assert "are expected, by the measured background, with 2 events" in held.verdict(optical(50.0, **{EXPECTED: 0.06})).held_back


def test_a_rule_that_is_no_more_has_no_share() -> None:
    assert "no rule 'former'" in budget(ROW).verdict(pair(0.0, 0.0, rule="former")).held_back


def test_a_pair_or_a_hypothesis_without_a_row_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="no share of 'kilonova': every pair and every hypothesis needs a row"):
        budget(ROW, spenders=(PAIR, OPTICAL))
    with pytest.raises(ValueError, match="no share of 'gw-grb'"):
        budget(spenders=(PAIR,))


def test_a_share_that_counts_fewer_events_than_come_is_refused() -> None:
    row = {"rule": "kilonova", "per_month": 0.1, "events_per_month": 10.0, "reason": "x"}
    assert budget(row, spenders=(replace(OPTICAL, least_events_per_month=10.0),)).shares["kilonova"].largest_expected == 0.01
    with pytest.raises(ValueError, match=r"counts 10 events a month, by the rates of its classes 34\.9 are searched"):
        budget(row, spenders=(replace(OPTICAL, least_events_per_month=34.9),))


def test_every_shipped_rule_has_a_row_and_without_it_the_file_is_refused() -> None:
    text, families = read_text("conf/coincidence.toml"), read_text("conf/families.toml")
    rules = load_rules(text, families)
    assert rules.budget is not None
    head, *rows = text.split("[[budget.share]]\n")
    names = [row.partition('rule = "')[2].partition('"')[0] for row in rows]
    assert sorted(names) == sorted([one.name for one in rules.pairs] + [one.name for one in rules.hypotheses])
    for number, name in enumerate(names):
        others = [row for place, row in enumerate(rows) if place != number]
        with pytest.raises(ConfigError, match=f"no share of '{name}'"):
            load_rules("[[budget.share]]\n".join([head, *others]), families)


def test_supernovae_of_bursts_are_counted_over_all_bursts() -> None:
    text = read_text("conf/coincidence.toml")
    row = text.partition('rule = "burst-supernova"')[2].partition("[[")[0]
    with pytest.raises(ConfigError, match=r"'burst-supernova' counts 10 events a month, by the rates of its classes 34\.93 are"):
        load_rules(text.replace(row, row.replace("= 36.0", "= 10.0")))
    rules = load_rules(text)
    assert rules.budget is not None
    bursts_per_month = MONTH_S * sum(rules.class_rates_hz[one] for one in (EventClass.GRB, EventClass.XRAY_TRANSIENT))
    for name in ("afterglow", "burst-supernova"):
        share = rules.budget.shares[name]
        assert share.largest_expected is not None
        assert share.largest_expected * bursts_per_month <= share.per_month


@pytest.mark.parametrize(
    ("rows", "changes", "says"),
    [
        ([{**ROW, "per_month": 1.5}], {}, "sum to 1.5 false announcements a month, the budget is 1"),
        ([{**ROW, "rule": "gw-gbr"}], {}, "'gw-gbr', which is no pair and no hypothesis"),
        ([ROW, ROW], {}, "two shares of 'gw-grb'"),
        ([{**ROW, "per_month": 0.0}], {}, "per_month of the budget must be a number above 0"),
        ([{**ROW, "per_month": math.inf}], {}, "per_month of the budget must be a number above 0"),
        ([{**ROW, "events_per_month": 1.0}], {}, "events_per_month belongs to hypotheses"),
        ([{**ROW, "far": 1.0}], {}, "unknown key 'far'"),
        ([ROW], {"a_year": 1.0}, "unknown key 'a_year' in [budget]"),
    ],
)
def test_what_cannot_be_a_budget_is_refused_with_a_sentence(rows, changes, says) -> None:
    with pytest.raises(ValueError, match=r"budget|share") as refused:
        budget(*rows, **changes)
    assert says in str(refused.value)


def test_the_shipped_shares_fit_the_shipped_budget_and_each_says_why() -> None:
    shipped = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml")).budget
    assert shipped is not None
    assert shipped.faults == ()
    assert shipped.shared_per_month <= shipped.per_month
    assert all(share.reason for share in shipped.shares.values())
    assert replace(shipped, per_month=0.5 * shipped.shared_per_month).faults


def test_a_file_whose_shares_exceed_its_budget_is_refused() -> None:
    text = read_text("conf/coincidence.toml").replace("false_per_month = 2.0", "false_per_month = 0.5")
    with pytest.raises(ConfigError, match="sum to"):
        load_rules(text)
