"""Every number of a coincidence follows from what is stored with it."""

from dataclasses import replace

import pytest

from hub.errors import NotFound
from hub.model.coincidence import Coincidence
from hub.model.notice import EventClass
from hub.science.arithmetic import explained
from hub.services import queries
from hub.storage import localizations
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0, dist_mean_mpc=40.0, dist_std_mpc=8.0)
NEAR = localization(gaussian_map(133.0, 21.0, 4.0), area90_deg2=150.0)

COMPUTED = {"joint_far_time_only", "joint_far", "random_association_time_only", "random_association", "overlap", "bayes_factor"}
TERMS = {"rank", "level_2d", "sky", "fading", "luminosity", "reality", "expected_unrelated"}


@pytest.fixture
def found(store: Store) -> dict[str, Coincidence]:
    desk = Desk(store)
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.tell(grb(), NEAR)
    bright = {"object_id": b"1", "reliability": 0.95}
    fading = [{"days": 0.4 + 0.6 * day, "flux_njy": 100_000.0 * 0.6**day} for day in range(3)]
    desk.show(alerts(*(bright | night for night in fading)))
    return {one.kind: one for one in desk.pairs()}


def sky_of(store: Store, one: Coincidence):
    with store.reading() as session:
        return {name: localizations.get(session, name).skymap for name in one.localization_ids}


@pytest.mark.parametrize(("kind", "computed"), [("gw-grb", COMPUTED), ("gw-optical", TERMS)])
def test_each_number_is_what_its_inputs_give(store, found, kind, computed) -> None:
    with store.reading() as session:
        one, lines = queries.explained_coincidence(session, found[kind].coincidence_id)
    assert one == found[kind]
    assert [line.score for line in lines] == list(one.scores)
    assert {line.score.statistic for line in lines if line.agrees} == computed
    assert not [line for line in lines if line.agrees is False]
    assert all(line.arithmetic for line in lines)


@pytest.mark.parametrize("kind", ["gw-grb", "gw-optical"])
def test_a_number_that_its_inputs_do_not_give_is_found_out(store, found, kind) -> None:
    one = found[kind]
    sky = sky_of(store, one)
    for number, line in enumerate(explained(one, sky)):
        if line.agrees is None:
            continue
        wrong = replace(line.score, value=line.score.value * 1.001 + 1e-30)
        changed = replace(one, scores=(*one.scores[:number], wrong, *one.scores[number + 1 :]))
        assert explained(changed, sky)[number].agrees is False, line.score.statistic


def test_a_targeted_search_is_explained_with_its_thresholds(store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=1e-7), HERE)
    desk.tell(grb(event_class=EventClass.SUB_GRB_TARGETED, far_hz=5e-6), NEAR)
    (one,) = desk.pairs()
    lines = {line.score.statistic: line for line in explained(one, sky_of(store, one))}
    assert lines["joint_far_time_only"].agrees is lines["random_association"].agrees is True
    assert "ln(z / z_max)" in lines["joint_far"].arithmetic


def test_without_the_map_the_rest_is_explained_still(found) -> None:
    lines = {line.score.statistic: line for line in explained(found["gw-grb"], {})}
    assert lines["overlap"].agrees is None
    assert lines["joint_far"].agrees is True


def test_what_is_not_there_is_said(store, found) -> None:
    with store.reading() as session:
        with pytest.raises(NotFound, match="there is no coincidence nothing"):
            queries.explained_coincidence(session, "nothing")
        with pytest.raises(NotFound, match="has versions 1 to 1, not 7"):
            queries.explained_coincidence(session, found["gw-grb"].coincidence_id, 7)
        first = queries.explained_coincidence(session, found["gw-grb"].coincidence_id, 1)[0]
    assert first.version == 1
