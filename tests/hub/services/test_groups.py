"""Groups from notices and alerts to messages: who belongs together, who loses, who takes whose place."""

from random import Random

import pytest

from hub.model.coincidence import Coincidence, PairState
from hub.model.group import UNCALIBRATED, Group
from hub.model.notice import Stage
from hub.science.budget import HELD_BACK
from hub.science.group_account import ONE_PAIR
from hub.science.rules import YEAR_S
from hub.services import group_bodies
from hub.services.state import final_state
from hub.storage import groups
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import Desk
from tests.support.grouped import HERE, NEAR, SNEWS, THERE, TWO, WORLD, mev, neutrino, superevent, taken_back
from tests.support.words import DAY_S, T0, alerts, gaussian_map, grb, localization


def open_groups(desk: Desk) -> dict[str, Group]:
    with desk.store.reading() as session:
        return {one.centre: one for one in groups.search(session, state=PairState.OPEN, limit=None)}


def members(group: Group) -> list[str]:
    return [one.id for one in group.members]


def pair_of(desk: Desk, *names: str) -> Coincidence:
    (found,) = [one for one in desk.pairs() if {member.id for member in one.members} == set(names)]
    return found


def about(desk: Desk) -> list[tuple[str, bool]]:
    """Return for each message the superevent that it is about, and whether it takes something back."""
    said = []
    for one in desk.sent():
        payload = one.payload.decode()
        (name,) = [name for name in ("S1", "S2") if f">{name}<" in payload or f'"{name}"' in payload]
        said.append((name, any(cite.kind.value == "retraction" for cite in one.cites)))
    return said


def explained(desk: Desk, name: str) -> dict[str, bool | None]:
    with desk.store.reading() as session:
        _, lines = group_bodies.explained_group(session, name)
    return {line.score.statistic: line.agrees for line in lines}


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_of_two_superevents_near_one_burst_only_the_winners_pair_stands(store: Store, order: tuple[int, ...]) -> None:
    desk = Desk(store)
    for number in order:
        desk.tell(*TWO[number])
    winner, loser = pair_of(desk, "S1", "Fermi-1"), pair_of(desk, "S2", "Fermi-1")
    assert (winner.state, winner.held_back, loser.state, loser.held_back) == (PairState.OPEN, False, PairState.OPEN, True)
    assert loser.reasons[0] == (
        f"{HELD_BACK}Fermi-1 belongs to S1, the superevent with the lowest false-alarm rate (coincidence {winner.coincidence_id})"
    )
    (group,) = open_groups(desk).values()
    assert (group.centre, members(group), group.kind) == ("S1", ["S1", "Fermi-1"], "gw+grb")
    assert [(one.coincidence_id, bool(one.elsewhere)) for one in group.pairs] == [
        (winner.coincidence_id, False),
        (loser.coincidence_id, True),
    ]
    last = dict(about(desk))
    assert last["S1"] is False
    assert last.get("S2", True) is True


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_the_more_significant_superevent_has_the_burst_though_another_one_agrees_better(
    store: Store, order: tuple[int, ...]
) -> None:
    apart, beside = localization(gaussian_map(120.0, 10.0, 6.0, order=4)), localization(gaussian_map(134.0, 21.0, 2.0, order=5))
    told = [(superevent("S1", 1e-9), apart), (superevent("S2", 1e-8), beside), (grb(), NEAR)]
    desk = Desk(store)
    for number in order:
        desk.tell(*told[number])
    winner, loser = pair_of(desk, "S1", "Fermi-1"), pair_of(desk, "S2", "Fermi-1")
    assert (loser.score("joint_far") or 1.0) < (winner.score("joint_far") or 0.0)
    assert (winner.held_back, loser.held_back) == (False, True)
    assert "the superevent with the lowest false-alarm rate" in loser.reasons[0]
    assert list(open_groups(desk)) == ["S1"]


def test_the_burst_that_comes_last_is_announced_with_the_winner_alone(store: Store) -> None:
    desk = Desk(store)
    for message, place in TWO:
        desk.tell(message, place)
    assert about(desk) == [("S1", False)]


def test_the_other_takes_the_place_of_a_winner_that_is_retracted(store: Store) -> None:
    desk = Desk(store)
    for message, place in TWO:
        desk.tell(message, place)
    desk.tell(superevent("S1", 1e-9, **taken_back(TWO[0][0])))
    assert pair_of(desk, "S1", "Fermi-1").state is PairState.WITHDRAWN
    assert not pair_of(desk, "S2", "Fermi-1").held_back
    assert about(desk) == [("S1", False), ("S1", True), ("S2", False)]
    assert [one.key for one in desk.sent()] == ["S1", "S1", "S2"]
    assert list(open_groups(desk)) == ["S2"]
    with store.reading() as session:
        ended = [one for one in groups.search(session, limit=None) if one.state is PairState.WITHDRAWN]
    assert [(one.centre, one.version) for one in ended] == [("S1", 2)]
    assert ended[0].reasons[0].startswith("withdrawn: part of group")


def test_a_rate_that_rises_gives_the_burst_to_the_other(store: Store) -> None:
    desk = Desk(store)
    for message, place in TWO:
        desk.tell(message, place)
    desk.tell(superevent("S1", 1e-7, stage=Stage.UPDATE, issued_at=T0.plus_s(3000), sequence=2), HERE)
    assert pair_of(desk, "S1", "Fermi-1").held_back
    assert about(desk)[1:] == [("S1", True), ("S2", False)]
    assert list(open_groups(desk)) == ["S2"]


THREE = [(superevent("S1", 1e-9), HERE), (grb(), NEAR), (neutrino(), THERE)]


def test_one_account_of_three_messengers_lists_pairs_and_multiplies_none(store: Store) -> None:
    desk = Desk(store)
    for message, place in THREE:
        desk.tell(message, place)
    (group,) = open_groups(desk).values()
    assert (group.kind, members(group)) == ("gw+grb+neutrino", ["S1", "Fermi-1", "IceCube-1"])
    assert len(group.pairs) == 3
    assert all(one.rates is not None and one.rates.chance_hz is not None for one in group.pairs)
    scores = {one.statistic: one for one in group.scores}
    assert scores["group_far"].value is None
    assert scores["group_far"].inputs["reason"] == UNCALIBRATED
    assert scores["group_overlap"].inputs["maps"] == {
        "Fermi-1": NEAR.localization_id,
        "IceCube-1": THERE.localization_id,
        "S1": HERE.localization_id,
    }
    year = 365 * DAY_S
    assert group.score("group_time") == pytest.approx((year / 6.0) * (year / 20.0))
    assert group.score("group_bayes_factor") == pytest.approx((group.score("group_overlap") or 0) * (year / 6.0) * (year / 20.0))
    assert explained(desk, "Fermi-1") == {
        "group_overlap": True,
        "group_time": True,
        "group_bayes_factor": True,
        "group_far": None,
        "group_random_association": None,
    }


def test_a_retraction_makes_a_group_smaller_and_a_second_one_ends_it(store: Store) -> None:
    desk = Desk(store)
    for message, place in THREE:
        desk.tell(message, place)
    desk.tell(grb(**taken_back(THREE[1][0])))
    (group,) = open_groups(desk).values()
    assert (group.centre, members(group), group.version) == ("S1", ["S1", "IceCube-1"], 3)
    assert {one.inputs.get("reason") for one in group.scores if one.statistic == "group_far"} == {ONE_PAIR}
    desk.tell(superevent("S1", 1e-9, **taken_back(THREE[0][0])))
    assert open_groups(desk) == {}
    with store.reading() as session:
        assert groups.homes(session, ["S1", "Fermi-1", "IceCube-1"]) == {}
        history = groups.history(session, group.group_id)
    assert [one.state.value for one in history] == ["open", "open", "open", "withdrawn"]
    assert [one.version for one in history] == [1, 2, 3, 4]


def test_without_the_superevent_the_neutrino_is_the_centre(store: Store) -> None:
    desk = Desk(store)
    for message, place in THREE:
        desk.tell(message, place)
    desk.tell(superevent("S1", 1e-9, **taken_back(THREE[0][0])))
    (group,) = open_groups(desk).values()
    assert (group.centre, members(group), group.kind) == ("IceCube-1", ["IceCube-1", "Fermi-1"], "grb+neutrino")


def test_a_test_is_in_no_group_with_what_is_real(store: Store) -> None:
    desk = Desk(store)
    desk.tell(superevent("MS1", 1e-9, is_live=False), HERE)
    desk.tell(grb(), NEAR)
    assert open_groups(desk) == {}
    assert pair_of(desk, "MS1", "Fermi-1").state is PairState.OPEN
    desk.tell(grb("Fermi-2", is_live=False), NEAR)
    (group,) = open_groups(desk).values()
    assert (group.is_live, members(group)) == (False, ["MS1", "Fermi-2"])


@pytest.mark.parametrize("is_alert_first", [True, False])
def test_a_counterpart_joins_the_group_of_its_event_and_leaves_it(store: Store, is_alert_first: bool) -> None:
    desk = Desk(store)
    fading = alerts(*({"days": 0.4 + 0.5 * n, "flux_njy": 90_000.0 / 2**n, "source_id": n + 1, "ra": 132.0} for n in range(4)))
    if is_alert_first:
        desk.show(fading)
    desk.tell(superevent("S1", 1e-9), HERE)
    desk.tell(grb(), NEAR)
    if not is_alert_first:
        desk.show(fading)
    desk.correlation.run_jobs()
    (group,) = open_groups(desk).values()
    assert members(group) == ["S1", "Fermi-1", "LSST:100"]
    assert group.kind == "gw+grb+optical"
    assert explained(desk, "S1")["overlap_with_object"] is True
    away = localization(gaussian_map(300.0, -20.0, 6.0, order=3))
    desk.tell(superevent("S1", 1e-9, stage=Stage.UPDATE, issued_at=T0.plus_s(3000), sequence=2), away)
    desk.tell(grb(stage=Stage.UPDATE, issued_at=T0.plus_s(3000), sequence=2), away)
    (group,) = open_groups(desk).values()
    assert members(group) == ["S1", "Fermi-1"]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
def test_three_detectors_are_one_coincidence_with_the_rate_of_three(store: Store, order: tuple[int, ...]) -> None:
    desk = Desk(store)
    for number in order:
        desk.tell(SNEWS[number])
    (all_three,) = [one for one in desk.pairs() if len(one.members) == 3]
    rates = all_three.joint_rates
    assert rates is not None
    assert rates.noise_hz == pytest.approx(3 * 220 * (52 / YEAR_S) ** 3 * 10.0**2)
    assert rates.chance_hz == pytest.approx(3 * 220 * (52.02 / YEAR_S) ** 3 * 10.0**2)
    pairs = [one for one in desk.pairs() if len(one.members) == 2]
    assert [one.held_back for one in pairs] == [True] * 3
    assert not all_three.held_back
    assert desk.sent()[-1].ivorn.rpartition("#")[2].startswith(all_three.coincidence_id)
    assert not any(cite.kind.value == "retraction" for one in desk.sent() for cite in one.cites)
    (group,) = open_groups(desk).values()
    assert (group.centre, group.kind, members(group)) == ("Super-K-1", "mev-neutrino", ["Super-K-1", "LVD-1", "JUNO-1"])
    assert group.score("group_far") == rates.noise_hz
    assert group.score("group_random_association") == rates.chance_hz
    assert explained(desk, "LVD-1")["group_far"] is True


def test_when_one_of_three_detectors_takes_its_word_back_the_pair_that_is_left_stands(store: Store) -> None:
    desk = Desk(store)
    for message in SNEWS:
        desk.tell(message)
    desk.tell(mev("JUNO", 6.0, **taken_back(SNEWS[2])))
    standing = [one for one in desk.pairs() if one.state is PairState.OPEN and not one.held_back]
    assert [[member.id for member in one.members] for one in standing] == [["LVD-1", "Super-K-1"]]
    assert desk.sent()[-1].ivorn.rpartition("#")[2].startswith(standing[0].coincidence_id)
    (group,) = open_groups(desk).values()
    assert group.score("group_far") == pytest.approx(2 * 66 * (52 / YEAR_S) ** 2 * 10.0)


def test_clock_errors_widen_the_window_of_detectors(store: Store) -> None:
    desk = Desk(store)
    desk.tell(mev("Super-K", 0.0))
    desk.tell(mev("LVD", 14.0, properties={"trigger_time_error": 5.0}))
    assert open_groups(desk) == {}
    assert desk.pairs() == []
    desk.tell(mev("Baksan", 40.0))
    (group,) = open_groups(desk).values()
    assert "Baksan-1" in members(group)


N_TOGETHER = 6
"""The second merger, two bursts, a neutrino, and the two detectors whose word holds."""


@pytest.mark.parametrize("seed", range(2))
def test_any_order_of_messages_ends_in_the_same_groups(store: Store, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('other')}/hub.db"
    upgrade(url)
    other = open_store(url)
    states = []
    for where, order in ((store, WORLD), (other, Random(seed).sample(WORLD, len(WORLD)))):
        desk = Desk(where)
        for message, place in order:
            desk.tell(message, place)
        with where.reading() as session:
            states.append(final_state(session))
    other.close()
    assert states[0]["groups"] == states[1]["groups"]
    assert states[0] == states[1]
    assert [len(one["members"]) for one in states[0]["groups"].values()] == [N_TOGETHER]
