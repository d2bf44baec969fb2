"""Probabilities of all explanations: they sum to 1, and say which part is which."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.coincidence import Candidate, PairState, Score
from hub.model.contender import Contender
from hub.model.instant import Instant
from hub.resources import read_text
from hub.science.counterpart_policy import load_counterpart_policy
from hub.science.posterior import PARTS, Densities, PriorOf, Searched, posterior, prior_of

POLICY = load_counterpart_policy(read_text("conf/counterparts.toml"))
RULES = POLICY.posterior
PRIOR = PriorOf(value=0.8, inputs={})
ALL = Searched(share=0.9, bright_enough=0.7)
DENSITIES = {"LSST": Densities(confirmed=0.15, single=75.0, basis="configured")}
SR = (180.0 / math.pi) ** 2


def candidate(name, log, *, confirmed=True, reality=0.0, luminosity=None):
    scores = [
        Score(statistic="sky", version=1, value=log, unit="1", inputs={"background_per_sr": 0.15 * SR}),
        Score(statistic="reality", version=1, value=reality, unit="1"),
    ]
    if luminosity is not None:
        scores.append(Score(statistic="luminosity", version=1, value=luminosity, unit="1"))
    at = Instant(1_800_000_000_000_000)
    return Candidate(
        event_id="E",
        survey="LSST",
        object_id=name,
        hypothesis="kilonova",
        state=PairState.OPEN,
        confirmed=confirmed,
        n_detections=2,
        ra_deg=10.0,
        dec_deg=-20.0,
        first_detection=at,
        last_detection=at,
        levels={},
        level=0.3,
        score=log + reality + (luminosity or 0.0),
        scores=tuple(scores),
        reasons=(),
    )


def ask(candidates, prior=PRIOR, searched=ALL, densities=DENSITIES):
    return posterior("kilonova", [Contender.of(one) for one in candidates], prior, searched, densities, RULES)


logs = st.lists(st.floats(-30, 30), max_size=8)
shares = st.floats(0, 1)


@given(logs, shares, shares, shares)
def test_everything_sums_to_one(values, prior, share, bright):
    found = ask(
        [candidate(f"o{k}", log) for k, log in enumerate(values)],
        PriorOf(value=prior, inputs={}),
        Searched(share=share, bright_enough=bright),
    )
    total = math.fsum([found.p_none, *(one.probability for one in found.shares)])
    assert total == pytest.approx(1.0, abs=1e-12)
    assert set(found.none) == set(PARTS)
    assert all(0.0 <= value <= 1.0 for value in [*found.none.values(), *(one.probability for one in found.shares)])


@given(logs, st.randoms())
def test_the_order_of_the_candidates_does_not_matter(values, random):
    several = [candidate(f"o{k}", log) for k, log in enumerate(values)]
    other = list(several)
    random.shuffle(other)
    assert ask(several) == ask(other)


@given(st.lists(st.floats(-5, 10), min_size=1, max_size=5))
def test_a_hopeless_candidate_changes_nothing_by_more_than_its_own_part(values):
    several = [candidate(f"o{k}", log) for k, log in enumerate(values)]
    before, after = ask(several), ask([*several, candidate("x", -20.0)])
    part = next(one.probability for one in after.shares if one.object_id == "x")
    kept = {one.object_id: one.probability for one in after.shares}
    assert part < 1e-8
    assert after.p_none == pytest.approx(before.p_none, abs=part + 1e-12)
    for one in before.shares:
        assert kept[one.object_id] == pytest.approx(one.probability, abs=part + 1e-12)


def test_an_empty_sky_is_explained_by_name():
    found = ask([])
    q, c, d, v = 0.8, 0.9, 0.7, RULES.veto_loss
    parts = [q * (1 - c), q * c * (1 - d), q * c * d * v, 1 - q]
    assert list(found.none.values()) == pytest.approx([one / sum(parts) for one in parts])
    assert found.p_none == pytest.approx(1.0)


def test_a_certain_event_that_was_searched_to_the_last_and_not_found_is_none():
    found = posterior(
        "kilonova", [], PriorOf(value=1.0, inputs={}), Searched(share=1.0), DENSITIES, replace(RULES, veto_loss=0.0)
    )
    assert found.none["does_not_exist"] == 1.0


def test_what_selected_is_not_used_again():
    plain, high = ask([candidate("o", 2.0)]), ask([candidate("o", 2.0, reality=2.3)])
    assert high.shares[0].probability == plain.shares[0].probability
    assert high.shares[0].left_out == {"reality": 2.3}


def test_a_stated_brightness_is_not_paid_for_twice():
    with_it, without = ask([candidate("o", 2.0, luminosity=0.0)]), ask([candidate("o", 2.0)])
    odds = [one.shares[0].probability / one.p_none for one in (with_it, without)]
    assert odds[1] / odds[0] == pytest.approx(ALL.bright_enough)


def test_the_measured_density_takes_the_place_of_the_configured_one():
    crowded = ask([candidate("o", 2.0)], densities={"LSST": Densities(confirmed=1.5, single=75.0, basis="measured")})
    usual = ask([candidate("o", 2.0)])
    assert crowded.shares[0].log_weight == pytest.approx(usual.shares[0].log_weight - math.log(10.0))


def test_when_an_object_was_found_is_in_a_measured_density_already():
    one = candidate("o", 2.0)
    timed = replace(one, score=one.score + 1.5, scores=(*one.scores, Score(statistic="timing", version=1, value=1.5, unit="1")))
    measured = {"LSST": Densities(confirmed=0.15, single=75.0, basis="measured")}
    assert ask([timed]).shares[0].log_weight == pytest.approx(3.5)
    assert ask([timed], densities=measured).shares[0].log_weight == pytest.approx(2.0)


def test_one_detection_is_worth_less_by_the_density_of_such_objects():
    single, confirmed = ask([candidate("o", 2.0, confirmed=False)]), ask([candidate("o", 2.0)])
    assert single.shares[0].log_weight == pytest.approx(confirmed.shares[0].log_weight - math.log(500.0))


def test_without_coverage_or_background_no_probability_is_made_up():
    several = [candidate("a", 3.0), candidate("b", 1.0)]
    unknown = ask(several, searched=Searched(share=None, reason="LSST is heard only through filters"))
    nothing = ask(several, densities={"LSST": Densities(confirmed=None, single=None, basis="insufficient background")})
    assert unknown.reason == "coverage unknown: LSST is heard only through filters"
    assert nothing.reason == "insufficient background"
    for found in (unknown, nothing):
        assert found.p_none is None
        assert [one.probability for one in found.shares] == [None, None]
        assert math.fsum(one.among_candidates for one in found.shares) == pytest.approx(1.0)


def test_the_prior_follows_from_what_the_notice_says():
    kilonova = POLICY.existence("kilonova")
    assert prior_of(kilonova, 0.9, {"BNS": 0.9}, {"HasRemnant": 0.5}).value == pytest.approx(0.9 * 0.9 * 0.5)
    assert prior_of(kilonova, 0.9, {"BNS": 0.4, "NSBH": 0.3, "BBH": 0.2}, {}).value == pytest.approx(0.9 * 0.7)
    assert prior_of(kilonova, None, {}, {}).value == pytest.approx(0.9 * kilonova.p_astro_unstated)
    assert prior_of(kilonova, None, {}, {"HasRemnant": True}).value == pytest.approx(0.9 * kilonova.p_astro_unstated)
    assert prior_of(kilonova, 0.9, {"BBH": 0.95, "Terrestrial": 0.05}, {}).value == pytest.approx(0.0, abs=1e-12)
    assert POLICY.existence("nothing of this name") is RULES.hypotheses["other"]
