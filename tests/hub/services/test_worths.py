"""What was measured of candidates is stored with them, is in the versions of their coincidences, and decides what is announced."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hub.model.background import BackgroundVersion
from hub.model.coincidence import Coincidence
from hub.model.notice import Stage
from hub.model.sky import Localization, LocalizationSource
from hub.model.worth import BY_SCORE, EXPECTED, MEASURED
from hub.resources import read_text
from hub.science.chance import Background
from hub.science.counterpart_policy import load_counterpart_policy
from hub.science.levels import summary
from hub.science.ranking import DEFAULT, ranking_of
from hub.services import queries
from hub.services.background import Backgrounds, has_moved
from hub.services.counterparts import Book
from hub.services.worths import Worths
from hub.storage import backgrounds, candidates, coincidences, jobs, worths
from hub.storage.engine import Store, open_store, upgrade
from hub.storage.jsonable import dump
from tests.support.correlating import RULES, Desk
from tests.support.searched import hears
from tests.support.survey_sky import SurveySky, map_of, survey_sky
from tests.support.words import DAY_S, T0, alerts, gaussian_map, localization, notice

SHIPPED = load_counterpart_policy(read_text("conf/counterparts.toml"))
BOOK = Book(rules=RULES, policy=SHIPPED)
EVENT = "S260301a"
HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0, dist_mean_mpc=40.0, dist_std_mpc=8.0)
SMALLER = localization(gaussian_map(130.0, 20.0, 4.0), area90_deg2=150.0, dist_mean_mpc=40.0, dist_std_mpc=8.0)
NIGHTS = [
    {
        "object_id": b"1",
        "source_id": 100 + day,
        "reliability": 0.95,
        "days": 0.4 + 0.6 * day,
        "flux_njy": 100_000.0 * 0.6**day,
    }
    for day in range(3)
]


@pytest.fixture
def desk(store: Store) -> Desk:
    made = Desk(store)
    made.tell(notice(far_hz=3e-9), HERE)
    made.show(alerts(*NIGHTS))
    return made


def find(desk: Desk, *, as_good: int, weight: float = 0.3, place: Localization = HERE, **changes) -> None:
    """Store a background in which so many unrelated objects are better than anything, and do what follows from it."""
    n = as_good
    found = Background(
        reason=None,
        levels=(0.0,) * n,
        scores=(99.0,) * n,
        confirmed=(True,) * n,
        weights=(weight,) * n,
        unit_weight=weight,
        n_off_maps=4,
        on_exposure=10.0,
        off_exposure=40.0,
        on_area_deg2=10.0,
    )
    content = {
        "localization_id": place.localization_id,
        "t0": T0.tai_us,
        "ranking": DEFAULT.identity,
        "background": dump(found),
        **changes,
    }
    version = BackgroundVersion(
        event_id=EVENT, hypothesis="kilonova", survey="LSST", version=0, computed_at=desk.clock(), content=content
    )
    with desk.store.transaction() as session:
        assert Backgrounds._save(session, version, 0.0) is not None
    desk.correlation.run_jobs()


def kilonova(desk: Desk) -> Coincidence:
    (pair,) = [one for one in desk.pairs() if one.hypothesis == "kilonova"]
    return pair


def scores(pair: Coincidence):
    return {one.statistic: one for one in pair.scores}


def explained(desk: Desk, pair: Coincidence):
    with desk.store.reading() as session:
        _, lines = queries.explained_coincidence(session, pair.coincidence_id)
    assert not [line for line in lines if line.agrees is False]
    return {line.score.statistic: line for line in lines}


def test_before_anything_is_measured_the_score_decides_and_the_version_says_why(desk: Desk) -> None:
    pair = kilonova(desk)
    found = scores(pair)
    assert (found["mu"].value, found["mu"].inputs["reason"]) == (None, "the background of this event has not been measured yet")
    assert found[EXPECTED].inputs["basis"] == BY_SCORE
    assert not pair.held_back
    assert explained(desk, pair)[EXPECTED].agrees
    assert desk.words() == ["v1"]


def test_a_measured_number_above_the_share_takes_back_what_the_score_let_out_and_a_later_one_lets_it_out_again(
    desk: Desk,
) -> None:
    find(desk, as_good=1)
    pair = kilonova(desk)
    assert pair.held_back
    assert pair.reasons[0].startswith(
        "not announced: 0.45 unrelated objects an event that do as well are expected, by the measured"
    )
    assert scores(pair)[EXPECTED].inputs["basis"] == MEASURED
    lines = explained(desk, pair)
    assert {name for name in ("mu", "chance", EXPECTED) if lines[name].agrees} == {"mu", "chance", EXPECTED}
    assert desk.words() == ["v1", "v2 retraction v1"]
    find(desk, as_good=0)
    assert not kilonova(desk).held_back
    assert len(desk.words()) == 3
    with desk.store.reading() as session:
        held = coincidences.search(session, held_back=True)
        assert held == []
        assert coincidences.search(session, held_back=False) == desk.pairs()
        first, second, third = coincidences.history(session, pair.coincidence_id)
    assert [one.held_back for one in (first, second, third)] == [False, True, False]


def test_a_new_number_that_decides_nothing_is_a_version_and_no_message(desk: Desk) -> None:
    find(desk, as_good=0)
    find(desk, as_good=0, weight=0.2)
    pair = kilonova(desk)
    assert pair.version == 3
    assert scores(pair)["mu"].value == pytest.approx(0.1)
    assert desk.words() == ["v1"]
    desk.show(alerts({**NIGHTS[0], "days": 1.9, "flux_njy": 30_000.0, "source_id": 77}))
    assert desk.words() == ["v1", "v4 supersedes v1"]


def test_the_same_set_gives_the_same_version_whenever_the_background_is_measured(desk: Desk, tmp_path: Path) -> None:
    find(desk, as_good=1)
    (tmp_path / "other").mkdir()
    url = f"sqlite:///{tmp_path}/other/hub.db"
    upgrade(url)
    store = open_store(url)
    other = Desk(store)
    other.tell(notice(far_hz=3e-9), HERE)
    find(other, as_good=1)
    for night in NIGHTS[::-1]:
        other.show(alerts(night))
    one, two = kilonova(desk), kilonova(other)
    store.close()
    assert (one.scores, one.held_back, one.reasons) == (two.scores, two.held_back, two.reasons)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"place": SMALLER}, "another map or time of the event"),
        ({"t0": T0.plus_s(1.0).tai_us}, "another map or time of the event"),
        ({"ranking": ranking_of({"sky": 0.5}, {}, {}).identity}, "another ranking"),
    ],
)
def test_a_background_of_another_map_time_or_ranking_is_none(desk: Desk, changes, reason) -> None:
    find(desk, as_good=1, **changes)
    pair = kilonova(desk)
    assert not pair.held_back
    assert reason in scores(pair)["mu"].inputs["reason"]


def test_an_insufficient_background_is_a_stated_none_and_the_score_decides(desk: Desk) -> None:
    find(desk, as_good=0, background={"reason": "insufficient background: 1 of the off maps was searched, at least 3 are needed"})
    found = scores(kilonova(desk))
    assert found["mu"].value is None
    assert found["mu"].inputs["reason"].startswith("insufficient background: ")
    assert found[EXPECTED].inputs["basis"] == BY_SCORE


def test_without_a_ledger_there_is_no_probability_and_what_was_found_is_stored_once(desk: Desk, tmp_path: Path) -> None:
    desk.correlation.run_jobs()
    worth = Worths(store=desk.store, archive=tmp_path, book=BOOK, clock=desk.clock)
    assert worth.measure(EVENT) > 0
    assert worth.measure(EVENT) == 0
    desk.correlation.run_jobs()
    pair = kilonova(desk)
    found = scores(pair)
    assert found["probability"].value is None
    assert found["probability"].inputs["reason"].startswith("coverage unknown")
    assert found["probability"].inputs["among_candidates"] == 1.0
    assert found["live_maps"].inputs == {"events": [EVENT], "others": 0, "inside": 1}
    assert explained(desk, pair)["live_maps"].agrees
    assert desk.words() == ["v1"]
    with desk.store.reading() as session:
        (body,) = queries.candidate_page(session, hypothesis="kilonova", limit=9).bodies
    assert {"mu", EXPECTED, "live_maps", "probability"} <= {one["statistic"] for one in body["scores"]}


def test_what_is_no_candidate_any_more_is_forgotten(desk: Desk, tmp_path: Path) -> None:
    worth = Worths(store=desk.store, archive=tmp_path, book=BOOK, clock=desk.clock)
    worth.measure(EVENT)
    desk.tell(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(900.0)))
    worth.measure(EVENT)
    with desk.store.reading() as session:
        assert worths.of_event(session, EVENT) == {}


def test_an_event_has_its_turn_when_its_candidates_or_background_changed(desk: Desk, tmp_path: Path) -> None:
    desk.now = T0.plus_s(3 * DAY_S)
    worth = Worths(store=desk.store, archive=tmp_path, book=BOOK, clock=desk.clock)
    assert (worth.step(), worth.step()) == (1, 0)
    desk.now = desk.now.plus_s(6 * 60.0)
    assert worth.step() == 0
    find(desk, as_good=1)
    assert (worth.step(), worth.step()) == (1, 0)
    desk.now = desk.now.plus_s(31 * 60.0)  # the ledger may tell of more visits
    assert (worth.step(), worth.step()) == (1, 0)
    assert worth.health().alarms == ()
    worth.release()


@pytest.mark.parametrize(
    ("changes", "is_new"),
    [
        ({}, False),
        ({"on_exposure": 10.9, "weights": [1.05]}, False),
        ({"on_exposure": 11.5}, True),
        ({"weights": [1.2]}, True),
        ({"reason": "insufficient background: none"}, True),
    ],
)
def test_a_background_that_moved_by_little_says_nothing_new(changes, is_new) -> None:
    old = {"localization_id": "a", "t0": 1, "background": {"reason": None, "on_exposure": 10.0, "weights": [1.0]}}
    assert has_moved(old, {**old, "background": {**old["background"], **changes}}, 0.1) is is_new
    assert has_moved(old, {**old, "localization_id": "b"}, 0.1)


# ------------------------------------------------------------------------------------------------------- nights of the survey


@pytest.fixture(scope="module")
def sky(tmp_path_factory) -> SurveySky:
    return survey_sky(tmp_path_factory.mktemp("survey") / "archive")


@pytest.fixture(scope="module")
def night(sky) -> Iterator[Desk]:
    url = f"sqlite:///{sky.history.folder.parent}/hub.db"
    upgrade(url)
    store = open_store(url)
    hears(store, since=sky.t0.plus_s(-30 * DAY_S))
    desk = Desk(store)
    desk.now = sky.now
    skymap = map_of(sky.merger, sigma_deg=0.8, dec_shift_deg=0.3)
    place = Localization(
        localization_id=skymap.digest(), source=LocalizationSource.SKYMAP, skymap=skymap, summary=summary(skymap)
    )
    said = notice(
        EVENT,
        t0=sky.t0,
        issued_at=sky.t0.plus_s(300),
        p_astro=0.98,
        classification={"BNS": 0.97, "BBH": 0.01, "Terrestrial": 0.02},
        properties={"HasRemnant": 1.0},
    )
    desk.tell(said, place)
    yield desk
    store.close()


def test_in_a_night_of_the_survey_all_numbers_are_stored_and_explained(night: Desk, sky: SurveySky) -> None:
    policy = replace(SHIPPED, chance=replace(SHIPPED.chance, min_exposure_ratio=1.0, place_step_deg=4.0, n_place_shifts=30))
    book = replace(BOOK, policy=policy)
    archive = sky.history.folder
    measuring = Backgrounds(
        store=night.store, history=sky.history, archive=archive, rules=RULES, policy=policy, clock=night.clock
    )
    assert measuring.measure(EVENT, hypothesis="kilonova")
    assert Worths(store=night.store, archive=archive, book=book, clock=night.clock).measure(EVENT) > 0
    with night.store.reading() as session:
        assert {job.kind for job in jobs.take(session, 9)} == {"worths"}
        known = candidates.of_event(session, EVENT)
        stored = worths.of_event(session, EVENT)
    assert {candidates.row_key(one) for one in known if one.state.value == "open"} == set(stored)
    total = sum(
        score.value for one in stored.values() for score in one.scores if score.statistic == "probability" and score.value
    )
    assert 0.3 < total < 1.0
    night.correlation.run_jobs()
    (pair,) = [one for one in night.pairs() if one.members[1].id == f"LSST:{sky.object_id}"]
    lines = explained(night, pair)
    assert {name for name, line in lines.items() if line.agrees} >= {"mu", "chance", EXPECTED, "live_maps", "probability", "rank"}
    assert not pair.held_back
    with night.store.reading() as session:
        newest = backgrounds.newest_numbers(session, [EVENT])
    assert lines["mu"].score.inputs["background"] == [EVENT, "kilonova", "LSST", newest[EVENT, "kilonova", "LSST"]]
