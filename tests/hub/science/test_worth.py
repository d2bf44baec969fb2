"""What a candidate is worth: numbers that follow from their inputs, and the one that decides."""

import json
import math
from dataclasses import replace

import pytest

from hub.model.coincidence import Candidate, PairState, Score
from hub.model.contender import Contender
from hub.model.worth import BY_SCORE, MEASURED, RARER, WORTHS
from hub.science.chance import Background, LikenessPolicy, expected
from hub.science.posterior import PARTS, Densities, PosteriorPolicy, PriorOf, Searched, posterior
from hub.science.ranking import DEFAULT
from hub.science.worth import UNMEASURED, Measured, again, backgrounds_of, chance_scores, live_maps_score, probability_scores
from tests.support.words import T0

POLICY = PosteriorPolicy(
    selected_by=(),
    in_measured_density=(),
    veto_loss=0.02,
    confirmed_share=0.7,
    single_background_per_deg2=75.0,
    use_configured_background=True,
    n_points=10,
    least_bright=0.05,
    likeness=LikenessPolicy(prior_alike=4.0, least=0.05, most_evidence=8.0),
    hypotheses={},
)
FOUND = Background(
    reason=None,
    levels=(0.2, 0.9, 0.5, 0.1),
    scores=(9.0, 6.0, 3.0, 1.0),
    confirmed=(True, True, False, True),
    weights=(0.1, 0.1, 0.1, 0.1),
    unit_weight=0.1,
    n_off_maps=10,
    on_area_deg2=100.0,
)
BACKGROUND = Measured(background=FOUND, version=3, n_surveys=2)


def candidate(score: float, *, level: float | None = 0.5, confirmed: bool = True, name: str = "1", **terms: float) -> Candidate:
    scores = [Score(statistic=name, version=1, value=value, unit="1") for name, value in terms.items()]
    return Candidate(
        event_id="S1",
        survey="LSST",
        object_id=name,
        hypothesis="kilonova",
        state=PairState.OPEN,
        confirmed=confirmed,
        n_detections=2,
        ra_deg=1.0,
        dec_deg=2.0,
        first_detection=T0,
        last_detection=T0,
        levels={},
        level=level,
        score=score,
        scores=tuple(scores),
        reasons=(),
    )


def through_json(score: Score) -> Score:
    return replace(score, inputs=json.loads(json.dumps(score.inputs, allow_nan=False)))


def is_explained(score: Score) -> bool:
    value, words = again(through_json(score), dict.fromkeys(backgrounds_of([score]), FOUND))
    return bool(words) and value is not None and math.isclose(value, score.value, rel_tol=1e-12)


def test_mu_counts_what_is_as_good_in_level_and_score_and_what_decides_counts_at_any_level() -> None:
    mu, chance, deciding = chance_scores(candidate(5.0), BACKGROUND, DEFAULT)
    assert mu.value == expected(FOUND, level=0.5, score=5.0, confirmed=True).mu == pytest.approx(0.1 + 0.05)
    assert chance.value == pytest.approx(-math.expm1(-0.15))
    assert deciding.inputs["mu"] == pytest.approx(0.2 + 0.05)
    assert deciding.value == pytest.approx(2 * 0.25)  # two surveys are heard
    assert deciding.inputs["basis"] == MEASURED
    assert all(is_explained(one) for one in (mu, chance, deciding))


def test_terms_that_nobody_knows_of_off_objects_count_as_a_bound_and_never_against_what_was_counted() -> None:
    mu, _, deciding = chance_scores(candidate(8.0, sky=5.0, distance_3d=2.0, classification=1.0), BACKGROUND, DEFAULT)
    assert mu.inputs["score"] == pytest.approx(5.0)
    assert deciding.value == pytest.approx(2 * 0.25 * math.exp(-3.0))
    demoted = chance_scores(candidate(2.0, sky=5.0, classification=-3.0), BACKGROUND, DEFAULT)[2]
    assert demoted.value == pytest.approx(2 * 0.25)
    assert is_explained(deciding)


def test_where_no_off_object_is_as_good_the_bound_of_the_score_counts() -> None:
    best = chance_scores(candidate(12.0), BACKGROUND, DEFAULT)[2]
    assert best.inputs["n_off"] == 0
    assert best.inputs["basis"] == RARER
    assert best.value == pytest.approx(2 * math.exp(-12.0))
    assert is_explained(best)
    nothing = replace(FOUND, levels=(), scores=(), confirmed=(), weights=())
    poor = chance_scores(candidate(1.0), replace(BACKGROUND, background=nothing), DEFAULT)[2]
    assert poor.inputs["basis"] == MEASURED
    assert poor.value == pytest.approx(2 * 0.05)


@pytest.mark.parametrize(
    ("measured", "level", "reason"),
    [
        (UNMEASURED, 0.5, "the background of this event has not been measured yet"),
        (
            Measured(background=Background(reason="insufficient background: none"), version=1),
            0.5,
            "insufficient background: none",
        ),
        (BACKGROUND, None, "the current map does not cover its place"),
    ],
)
def test_without_a_background_mu_has_a_reason_and_the_score_decides(measured, level, reason) -> None:
    mu, chance, deciding = chance_scores(candidate(4.0, level=level), measured, DEFAULT)
    assert mu.value is chance.value is None
    assert mu.inputs == chance.inputs == {"reason": reason}
    assert (deciding.inputs["basis"], deciding.inputs["reason"]) == (BY_SCORE, reason)
    assert deciding.value == pytest.approx(math.exp(-4.0))
    assert is_explained(deciding)


def test_many_live_maps_are_counted_and_some_are_named() -> None:
    score = live_maps_score([f"S{number:03}" for number in range(30)], 2)
    assert score.value == 30
    assert len(score.inputs["events"]) == 20
    assert is_explained(score)


def answer(*candidates: Candidate, share: float | None = 0.8, prior: float = 0.4):
    return posterior(
        "kilonova",
        [Contender.of(one) for one in candidates],
        PriorOf(value=prior, inputs={}),
        Searched(share=share, reason=None if share is not None else "nobody tells", bright_enough=0.7),
        {"LSST": Densities(confirmed=0.01, single=1.0, basis="measured")},
        POLICY,
    )


def test_probabilities_are_what_the_posterior_says_and_follow_from_their_inputs() -> None:
    several = [candidate(one, name=str(number), luminosity=1.0) for number, one in enumerate((9.0, 7.5, 3.0, -800.0))]
    several.append(candidate(2.0, name="9", confirmed=False))
    found = answer(*several)
    scores = probability_scores(found, POLICY.veto_loss)
    assert set(scores) == {("LSST", one.object_id) for one in several}
    for share in found.shares:
        score = scores[share.survey, share.object_id]
        assert score.value == pytest.approx(share.probability, rel=1e-9, abs=1e-300)
        assert is_explained(score) or score.value == 0.0
    assert sum(found.none.values()) + sum(one.value for one in scores.values()) == pytest.approx(1.0, abs=1e-9)
    assert set(found.none) == set(PARTS)
    words = again(scores["LSST", "0"], {})[1]
    assert all(part.replace("_", " ") in words for part in PARTS)


def test_where_the_coverage_is_unknown_there_is_no_probability_and_the_weight_among_candidates_is_told() -> None:
    scores = probability_scores(answer(candidate(5.0), candidate(5.0, name="2"), share=None), POLICY.veto_loss)
    assert [one.value for one in scores.values()] == [None, None]
    assert {one.inputs["reason"] for one in scores.values()} == {"coverage unknown: nobody tells"}
    assert [one.inputs["among_candidates"] for one in scores.values()] == [0.5, 0.5]


def test_a_certain_event_fully_searched_leaves_nothing_but_the_candidate() -> None:
    scores = probability_scores(answer(candidate(5.0), share=1.0, prior=1.0), 0.02)
    assert 0.9 < scores["LSST", "1"].value < 1.0
    assert probability_scores(answer(candidate(5.0), prior=0.0), 0.02)["LSST", "1"].value == 0.0


def test_a_background_that_is_not_stored_any_more_is_said_to_be_gone() -> None:
    mu = chance_scores(candidate(5.0), BACKGROUND, DEFAULT)[0]
    assert backgrounds_of([mu]) == [("S1", "kilonova", "LSST", 3)]
    assert again(mu, {}) == (None, again(mu, {})[1])
    assert "which is not stored any more" in again(mu, {})[1]
    assert {mu.statistic} <= WORTHS
