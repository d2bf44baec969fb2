"""A kilonova in simulated nights of the survey: its probability, its chance expectation, and a map that holds none."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hub.errors import InvalidRequest
from hub.model.coverage import SelectionKind
from hub.model.notice import Stage
from hub.model.sky import Localization, LocalizationSource
from hub.resources import read_text
from hub.science.counterpart_policy import load_counterpart_policy
from hub.science.levels import summary
from hub.services import counterparts
from hub.services.background import LEASE, Backgrounds
from hub.services.counterparts import Book
from hub.services.instance import this_process
from hub.storage import backgrounds, leases
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import RULES, Desk
from tests.support.searched import hears
from tests.support.survey_sky import SurveySky, map_of, survey_sky
from tests.support.words import DAY_S, notice

SHIPPED = load_counterpart_policy(read_text("conf/counterparts.toml"))
POLICY = replace(SHIPPED, chance=replace(SHIPPED.chance, min_exposure_ratio=1.0, place_step_deg=4.0, n_place_shifts=30))
"""The few nights and visits of the test are not enough for what is shipped."""

BOOK = Book(rules=RULES, policy=POLICY)
WITH, WITHOUT = "S261123with", "S261123without"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("survey")


@pytest.fixture(scope="module")
def sky(folder) -> SurveySky:
    return survey_sky(folder / "archive")


@pytest.fixture(scope="module")
def night_store(folder, sky) -> Iterator[Store]:
    """A hub that heard all of it, and of two mergers: one with the kilonova in its map, one twelve degrees beside."""
    url = f"sqlite:///{folder}/hub.db"
    upgrade(url)
    opened = open_store(url)
    hears(opened, since=sky.t0.plus_s(-30 * DAY_S))
    desk = Desk(opened)
    desk.now = sky.now
    beside = replace(sky.merger, ra_deg=sky.merger.ra_deg - 12.0)
    for name, merger in ((WITH, sky.merger), (WITHOUT, beside)):
        skymap = map_of(merger, sigma_deg=0.8, dec_shift_deg=0.3)
        place = Localization(
            localization_id=skymap.digest(), source=LocalizationSource.SKYMAP, skymap=skymap, summary=summary(skymap)
        )
        said = notice(
            name,
            t0=sky.t0,
            issued_at=sky.t0.plus_s(300),
            p_astro=0.98,
            classification={"BNS": 0.97, "BBH": 0.01, "Terrestrial": 0.02},
            properties={"HasRemnant": 1.0},
        )
        desk.tell(said, place)
    yield opened
    opened.close()


def measuring(store, sky, policy=POLICY) -> Backgrounds:
    return Backgrounds(
        store=store, history=sky.history, archive=sky.history.folder, rules=RULES, policy=policy, clock=lambda: sky.now
    )


def kilonova_of(store, sky, name, *, book=BOOK):
    with store.reading() as session:
        body = counterparts.of_event(session, sky.history.folder, name, now=sky.now, hypothesis="kilonova", book=book)
    return body["hypotheses"][0]


@pytest.fixture(scope="module")
def measured(night_store, sky):
    return {name: measuring(night_store, sky).measure(name, hypothesis="kilonova") for name in (WITH, WITHOUT)}


def test_the_kilonova_comes_out_on_top_with_a_high_probability_and_a_small_expectation(night_store, sky, measured):
    found = kilonova_of(night_store, sky, WITH)
    best, *others = found["candidates"]
    assert best["object_id"] == sky.object_id
    assert best["probability"] > 0.4
    assert best["probability"] > 2 * max([found["p_none"], *(one["probability"] for one in others)])
    assert best["mu"] < 0.2
    assert best["mu_low"] < best["mu"] < best["mu_high"]
    assert best["chance_dispersed"] <= best["chance"] < best["mu"]
    assert found["densities"]["LSST"]["basis"] == "measured"
    assert best["n_live_maps"] == 2
    assert best["n_maps_inside"] == 1


def test_a_map_without_a_counterpart_has_none(night_store, sky, measured):
    found = kilonova_of(night_store, sky, WITHOUT)
    shares = [one["probability"] for one in found["candidates"]]
    assert found["n_candidates"] > 0
    assert found["p_none"] > 0.5 > max(shares)
    assert set(found["none"]) == {"not_searched", "too_faint", "hidden_by_veto", "does_not_exist"}
    assert sum(found["none"].values()) == pytest.approx(found["p_none"])


def test_what_the_background_was_made_of_is_stored_with_it(night_store, sky, measured):
    (version,) = measured[WITH]
    shifts = {(one["ra_shift_deg"], one["shift_d"]) for one in version.content["off_maps"]}
    assert {shift for shift in shifts if shift[0] == 0.0}  # the same fields before the event
    assert {shift for shift in shifts if shift[1] == 0.0}  # other places
    found = counterparts.background_of(version)
    assert found.is_sufficient
    assert found.dispersion < 0.5
    assert version.content["seed"] == POLICY.chance.seed


def test_measuring_again_finds_the_same_and_writes_nothing(night_store, sky, measured):
    assert measuring(night_store, sky).measure(WITH, hypothesis="kilonova") == []


def test_nothing_from_after_the_event_inside_the_map_is_used(night_store, sky, measured):
    """The kilonova itself is in no off map, though maps turned by little meet the map itself."""
    close = replace(POLICY, chance=replace(POLICY.chance, place_step_deg=1.0, max_ecliptic_change_deg=1.0, n_time_shifts=0))
    desk = measuring(night_store, sky, close)
    (asked,) = desk._questions(WITH, "kilonova")
    content = desk._content(asked)
    near = [one for one in content["off_maps"] if min(one["ra_shift_deg"], 360 - one["ra_shift_deg"]) < 3.0]
    assert near
    kilonova = kilonova_of(night_store, sky, WITH)["candidates"][0]
    scores = zip(content["background"]["scores"], content["background"]["confirmed"], strict=True)
    assert not [score for score, confirmed in scores if confirmed and score > kilonova["score"] - 0.5]


def test_the_shipped_policy_calls_so_few_nights_insufficient(night_store, sky, measured):
    strict = replace(POLICY, chance=replace(POLICY.chance, min_off_maps=50))
    (asked,) = measuring(night_store, sky, strict)._questions(WITH, "kilonova")
    reason = measuring(night_store, sky, strict)._content(asked)["background"]["reason"]
    assert reason.startswith("insufficient background: ")
    assert reason.endswith("at least 50 are needed")


def test_each_open_live_event_has_its_turn(night_store, sky):
    desk = measuring(night_store, sky)
    assert [desk.step(), desk.step(), desk.step()] == [1, 1, 0]
    with night_store.reading() as session:
        assert ("agn-flare", "LSST") not in backgrounds.of_event(session, WITH)  # BBH are not likely enough
        assert ("kilonova", "LSST") in backgrounds.of_event(session, WITHOUT)


def test_one_process_of_several_measures(night_store, sky):
    with night_store.transaction() as session:
        leases.release(session, LEASE, f"{this_process()}/{LEASE}")
        assert leases.acquire(session, LEASE, "another", now=sky.now, until=sky.now.plus_s(60.0))
    desk = measuring(night_store, sky)
    assert desk.step() == 0
    assert desk.health().state == "another process does it"
    with night_store.transaction() as session:
        leases.release(session, LEASE, "another")
    assert desk.step() == 1
    assert desk.health().state == "running"


def test_of_a_survey_that_is_heard_through_filters_no_probability_is_said(tmp_path, sky):
    url = f"sqlite:///{tmp_path}/hub.db"
    upgrade(url)
    store = open_store(url)
    hears(store, SelectionKind.FILTERED)
    desk = Desk(store)
    skymap = map_of(sky.merger)
    place = Localization(
        localization_id=skymap.digest(), source=LocalizationSource.SKYMAP, skymap=skymap, summary=summary(skymap)
    )
    desk.tell(notice(WITH, t0=sky.t0, p_astro=0.9), place)
    assert (
        measuring(store, sky).measure(WITH, hypothesis="kilonova")[0].content["background"]["reason"].startswith("coverage unk")
    )
    found = kilonova_of(store, sky, WITH)
    store.close()
    assert found["reason"].startswith("coverage unknown: LSST is heard only through filters")
    assert found["p_none"] is None


def test_a_retracted_event_has_no_counterpart_at_all(tmp_path, sky):
    url = f"sqlite:///{tmp_path}/hub.db"
    upgrade(url)
    store = open_store(url)
    hears(store, since=sky.t0.plus_s(-30 * DAY_S))
    desk = Desk(store)
    skymap = map_of(sky.merger)
    place = Localization(
        localization_id=skymap.digest(), source=LocalizationSource.SKYMAP, skymap=skymap, summary=summary(skymap)
    )
    desk.tell(notice(WITH, t0=sky.t0, p_astro=0.9), place)
    desk.tell(notice(WITH, t0=sky.t0, stage=Stage.RETRACTION, issued_at=sky.t0.plus_s(900)))
    found = kilonova_of(store, sky, WITH)
    store.close()
    assert found["none"]["does_not_exist"] == 1.0
    assert found["candidates"] == []


def test_what_cannot_be_asked_is_refused_with_a_sentence(night_store, sky):
    with pytest.raises(InvalidRequest, match="admits no counterpart of the kind 'unicorn'"):
        measuring(night_store, sky).measure(WITH, hypothesis="unicorn")
    with night_store.reading() as session, pytest.raises(InvalidRequest, match="admits no counterpart of the kind 'unicorn'"):
        counterparts.of_event(session, sky.history.folder, WITH, now=sky.now, hypothesis="unicorn")
