"""A small slice of what is said of candidates: counts, probabilities and places on a few simulated events."""

from dataclasses import replace

import numpy as np
import pytest

from hub.calibration.chance import CUTS, Chance, transformed, z_scores
from hub.calibration.chance_cases import Cases
from hub.calibration.chance_planted import POSTERIORS, _by_number_of_maps, _doubled, _no_dispersion
from hub.calibration.chance_season import Plan, SeasonHistory
from hub.calibration.posterior import PosteriorPart
from hub.calibration.posterior_trials import Trials
from hub.calibration.result import QUICK
from hub.calibration.work import Work, by_density, by_rank, per_100_deg2, place_of
from hub.model.instant import Instant
from hub.science.chance import Expectation, expected

SEED = 1005
SIZE = replace(QUICK, off_maps=4, seasons=1, injections=6)
PLAN = Plan(nights=32, dec_deg=(-38.0, -26.0))


def silent(words):
    """Say nothing."""


@pytest.fixture(scope="module")
def cases():
    return Cases(plan=PLAN)


@pytest.fixture(scope="module")
def made(cases):
    return cases.of(np.random.default_rng([SEED, 1]), SIZE, silent)


@pytest.fixture(scope="module")
def trials(cases):
    return Trials(cases)


@pytest.fixture(scope="module")
def tried(trials):
    return trials.of(np.random.default_rng([SEED, 2]), SIZE, silent)


def test_what_is_expected_inside_maps_is_what_is_there_within_its_error(made):
    said = [one for one in made if one.background.is_sufficient]
    assert said
    for one in said:
        found = expected(one.background, level=1.0, score=-np.inf, confirmed=True)
        n = sum(candidate.confirmed for candidate in one.inside)
        assert abs(n - found.mu) < 4.5 * np.sqrt(found.mu + found.relative_variance * found.mu**2) + 1.0
        assert len(one.background.evidences) == len(one.background.weights) > 20


def test_parts_of_one_run_share_their_events(cases, made):
    assert cases.of(np.random.default_rng([SEED, 99]), SIZE, silent) is made


def test_a_season_in_memory_answers_as_an_archive(made):
    season = made[0].season
    history = SeasonHistory(season)
    lo, hi = (np.array([value]) for value in np.quantile(season.alerts.hpx29, [0.3, 0.4]).astype(np.int64))
    begin, end = season.begin.plus_s(3 * 86_400.0), season.begin.plus_s(9 * 86_400.0)
    (found,) = history.in_region(lo, hi, begin, end)

    alerts = season.alerts
    inside = (alerts.hpx29 >= lo) & (alerts.hpx29 < hi) & (alerts.mid_tai_us >= begin.tai_us) & (alerts.mid_tai_us < end.tai_us)
    assert sorted(found.source_id.tolist()) == sorted(alerts.source_id[inside].tolist())
    names = sorted({one.decode() for one in found.object_id[:50].tolist()})
    past = history.of_objects("LSST", names, np.zeros(0, dtype=np.int64))
    assert sorted(past.source_id.tolist()) == sorted(alerts.source_id[np.isin(alerts.object_id, found.object_id[:50])].tolist())
    assert (np.diff(past.mid_tai_us) >= 0).all()
    assert (past.first_tai_us <= past.mid_tai_us).all()


def test_probabilities_of_each_trial_add_up_and_the_truth_is_one_of_them(tried, trials):
    part = PosteriorPart(trials=trials)
    assert len({one.why_none for one in tried}) > 1
    for one in tried:
        forecast = part._forecast(one, one.candidates)
        assert forecast.stated.sum() == pytest.approx(1.0)
        assert sum(forecast.parts.values()) == pytest.approx(forecast.stated[-1])
        assert 0 <= forecast.truth < len(forecast.stated)


def test_the_counterpart_is_looked_at_no_later_than_by_the_map_alone(tried):
    found = [one for one in tried if one.counterpart is not None and one.counterpart.confirmed]
    assert found
    assert np.median([place_of(one, by_rank) for one in found]) <= np.median([place_of(one, by_density) for one in found])


def test_all_parts_give_checks_tables_and_figures(cases, trials, tried):
    assert tried
    for part in (Chance(cases=cases, cuts=CUTS[:2]), PosteriorPart(trials=trials), Work(trials=trials)):
        result = part.run(np.random.default_rng([SEED, 3]), SIZE, silent)
        assert result.checks
        assert result.tables
        assert result.figures


def test_planted_defects_change_what_is_said(made, tried):
    sound = next(one.background for one in made if one.background.is_sufficient)

    def said(background):
        found = expected(background, level=1.0, score=-np.inf)
        return found.mu, found.relative_variance

    assert said(_doubled(sound))[0] > 1.9 * said(sound)[0]
    assert said(_no_dispersion(replace(sound, dispersion=0.1)))[1] < said(replace(sound, dispersion=0.1))[1]
    assert said(_by_number_of_maps(sound))[0] != pytest.approx(said(sound)[0], rel=0.05)
    one = next(one for one in tried if one.given.prior.value < 0.5)
    none = [
        PosteriorPart(posterior=how)._forecast(one, one.candidates).stated[-1]
        for how in (POSTERIORS["prior doubled"], PosteriorPart().posterior)
    ]
    assert none[0] < none[1]


def test_numbers_of_the_stated_law_pass_and_those_of_twice_as_many_do_not():
    rng = np.random.default_rng(6)
    law = Expectation(mu=20.0, low=0.0, high=0.0, chance=1.0, chance_dispersed=1.0, relative_variance=0.05, n_off=100)
    right = [(law, int(rng.poisson(20.0 * rng.gamma(20.0, 0.05)))) for _ in range(400)]

    assert abs(z_scores(right).mean()) < 0.2
    assert 0.8 < np.sqrt(np.mean(z_scores(right) ** 2)) < 1.3
    assert 0.45 < transformed(right, rng).mean() < 0.55
    assert z_scores([(law, 2 * n) for _, n in right]).mean() > 1.0


def test_the_work_is_that_of_the_last_of_nine_in_ten():
    place, area = np.arange(1.0, 11.0), np.full(10, 50.0)

    assert per_100_deg2(place, area) == pytest.approx(18.0)
    assert per_100_deg2(np.zeros(0), np.zeros(0)) == np.inf


def test_instants_of_a_season_are_in_order(made):
    season = made[0].season
    assert season.begin < season.end
    assert isinstance(season.begin, Instant)
    assert (np.diff(season.mid_us) > 0).all()
