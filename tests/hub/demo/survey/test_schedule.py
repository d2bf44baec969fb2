import numpy as np
import pytest

from hub.demo.survey import schedule
from hub.demo.survey.settings import shipped

NIGHT = 61_367  # 2026-11-23


@pytest.fixture(scope="module")
def plan() -> schedule.Schedule:
    return schedule.night_schedule(1, NIGHT, shipped(), too=(40.0, -30.0))


def test_a_night_is_filled_with_a_visit_each_37_seconds(plan):
    assert np.allclose(np.diff(plan.mjd_tai) * 86_400, 37.0)
    assert 750 < len(plan) < 1_150
    assert set(np.floor(plan.mjd_tai - 0.5).tolist()) == {float(NIGHT)}


def test_every_field_is_well_above_the_horizon_and_inside_the_survey(plan):
    angle = (schedule.sidereal_deg(plan.mjd_tai, shipped().survey.longitude_deg) - plan.ra_deg + 180.0) % 360.0 - 180.0
    latitude = np.radians(-30.24)
    dec = np.radians(plan.dec_deg)
    height = np.degrees(np.arcsin(np.sin(dec) * np.sin(latitude) + np.cos(dec) * np.cos(latitude) * np.cos(np.radians(angle))))
    low, high = shipped().survey.dec_deg

    assert height.min() > 15.0
    assert np.percentile(height, 5) > 25.0
    wide = plan.programme == schedule.WIDE
    assert ((plan.dec_deg[wide] > low - 0.6) & (plan.dec_deg[wide] < high + 0.6)).all()


def test_the_wide_survey_sees_each_field_twice_within_an_hour_in_two_bands(plan):
    first = np.flatnonzero(plan.programme == schedule.WIDE)[:54]
    second = first + 54

    separation = np.hypot(plan.dec_deg[first] - plan.dec_deg[second], 0.0)
    assert separation.max() < 1.1
    assert len(set(plan.band[first].tolist())) == len(set(plan.band[second].tolist())) == 1
    assert plan.band[first[0]] != plan.band[second[0]]


def test_deep_fields_and_targets_have_their_programmes(plan):
    deep = plan.take(plan.programme == schedule.DEEP)
    target = plan.take(plan.programme == schedule.TOO)

    assert len(deep) % shipped().deep_programme.visits == 0
    assert len(deep) > 0
    assert (deep.target >= 0).all()
    assert len(target) == shipped().too_programme.fields * len(shipped().too_programme.bands)
    assert np.abs(target.dec_deg + 30.0).max() < 3.5


def test_visit_numbers_name_the_day_and_never_repeat(plan):
    assert plan.number[0] == 2026112300001
    assert len(set(plan.number.tolist())) == len(plan)


def test_a_night_is_the_same_every_time_and_another_with_another_seed(plan):
    again = schedule.night_schedule(1, NIGHT, shipped(), too=(40.0, -30.0))
    other = schedule.night_schedule(2, NIGHT, shipped(), too=(40.0, -30.0))

    assert np.array_equal(plan.ra_deg, again.ra_deg)
    assert not np.array_equal(plan.ra_deg, other.ra_deg)


def test_the_past_has_sixty_nights_of_the_wide_survey_and_a_year_of_deep_fields():
    past = schedule.past_schedule(1, NIGHT, shipped(), {})

    assert past is not None
    assert (np.diff(past.mjd_tai) > 0).all()
    wide, deep = past.take(past.programme == schedule.WIDE), past.take(past.programme == schedule.DEEP)
    assert NIGHT - wide.night.min() <= 60
    assert 300 < NIGHT - deep.night.min() <= 365
    assert 40 <= len(set(wide.night.tolist())) <= 58  # some nights were lost
    per_field = np.bincount(deep.target)
    assert ((per_field > 400) & (per_field < 900)).all()


@pytest.mark.parametrize("night", range(NIGHT - 180, NIGHT, 20))
def test_no_night_of_the_year_has_more_visits_than_ids_have_room_for(night):
    begin, end = schedule.hours_of(night, shipped().survey.longitude_deg)

    assert 8.0 < 24 * (end - begin) < 12.0
    assert len(schedule.night_schedule(1, night, shipped())) < schedule.MAX_VISITS


def test_the_last_night_is_the_latest_one_that_is_over():
    longitude_deg = shipped().survey.longitude_deg
    begin, end = schedule.hours_of(NIGHT, longitude_deg)

    assert schedule.last_night(end - 1e-6, longitude_deg) == NIGHT - 1
    assert schedule.last_night(begin, longitude_deg) == NIGHT - 1
    assert schedule.last_night(end + 1e-6, longitude_deg) == NIGHT
    assert schedule.last_night(end + 1.0 - 2e-3, longitude_deg) == NIGHT
