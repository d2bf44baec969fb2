"""Events of low significance: paired and archived, searched for counterparts only where a pair lifts them, and let fall again."""

import itertools
from typing import Any

import pytest

from hub.model.coincidence import PairState
from hub.model.notice import EventClass, Messenger, Notice, Stage
from hub.services.state import final_state
from hub.storage import candidates, events, promoted
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import Desk
from tests.support.words import T0, alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0, order=4))
NEAR = localization(gaussian_map(132.0, 21.0, 5.0, order=4))
NAME = "S260301a"


def faint(**changes: Any) -> Notice:
    return notice(NAME, **{"far_hz": 2e-6, "properties": {"significant": False}, **changes})


def fading(object_id: bytes = b"100", first: int = 0, n: int = 4, ra: float = 131.0):
    rows = [
        {
            "days": 0.4 + 0.5 * k,
            "flux_njy": 90_000.0 / 2**k,
            "source_id": 100 * int(object_id) + k,
            "ra": ra,
            "object_id": object_id,
        }
        for k in range(first, first + n)
    ]
    return alerts(*rows)


def retracted(message: Notice) -> dict[str, Any]:
    return {"stage": Stage.RETRACTION, "issued_at": T0.plus_s(9000), "sequence": 9, "event_class": message.event_class}


def found(store: Store, name: str = NAME) -> list[str]:
    with store.reading() as session:
        return sorted({one.object_id for one in candidates.of_event(session, name)})


def lifted(store: Store) -> set[str]:
    with store.reading() as session:
        return promoted.of_ids(session, events.all_ids(session))


def test_it_is_taken_in_and_paired_and_nobody_looks_for_counterparts(store: Store) -> None:
    desk = Desk(store)
    desk.show(fading(b"100"))
    desk.tell(faint(), HERE)
    desk.show(fading(b"101"))
    desk.correlation.run_jobs()
    assert found(store) == []
    assert desk.sent() == []
    assert lifted(store) == set()
    desk.tell(grb(), NEAR)
    assert sorted(one.kind for one in desk.pairs()) == ["gw-grb", "gw-optical", "gw-optical"]


def test_a_pair_over_the_budget_lifts_nothing(store: Store) -> None:
    desk = Desk(store)
    desk.show(fading())
    desk.tell(faint(far_hz=1e-2), HERE)
    desk.tell(grb(), NEAR)
    (pair,) = [one for one in desk.pairs() if one.kind == "gw-grb"]
    assert pair.held_back
    assert lifted(store) == set()
    assert found(store) == []


def test_a_pair_under_the_budget_has_it_searched_back_in_time_and_live(store: Store) -> None:
    desk = Desk(store)
    desk.show(fading(b"100"))
    desk.tell(faint(), HERE)
    desk.show(fading(b"101", n=2))
    desk.tell(grb(), NEAR)
    assert lifted(store) == {NAME}
    assert found(store) == ["100", "101"]
    desk.show(fading(b"102"))
    desk.correlation.run_jobs()
    assert found(store) == ["100", "101", "102"]


def test_it_falls_with_the_pair_and_what_was_said_of_its_counterparts_is_taken_back(store: Store) -> None:
    desk = Desk(store)
    desk.show(fading())
    desk.tell(faint(), HERE)
    desk.tell(grb(), NEAR)
    optical = [one for one in desk.pairs() if one.kind == "gw-optical"]
    assert [one.state for one in optical] == [PairState.OPEN]
    desk.tell(grb(**retracted(grb())))
    assert lifted(store) == set()
    assert found(store) == []
    (after,) = [one for one in desk.pairs() if one.kind == "gw-optical"]
    assert after.state is PairState.WITHDRAWN
    assert after.reasons[0] == f"withdrawn: {NAME} is of low significance, and no pair of it is under the budget any more"
    last = {one.ivorn.rpartition("#")[2].partition(".v")[0]: one for one in desk.sent()}
    assert all(any(cite.kind.value == "retraction" for cite in one.cites) for one in last.values())


def test_an_update_that_makes_it_significant_has_it_searched_by_itself(store: Store) -> None:
    desk = Desk(store)
    desk.show(fading())
    desk.tell(faint(), HERE)
    assert found(store) == []
    update = {"stage": Stage.UPDATE, "issued_at": T0.plus_s(3000), "sequence": 2}
    desk.tell(faint(properties={"significant": True}, **update), HERE)
    assert found(store) == ["100"]
    assert lifted(store) == set()


def test_a_find_below_threshold_is_searched_only_beside_a_merger(store: Store) -> None:
    desk = Desk(store)
    desk.show(fading())
    desk.tell(grb(event_class=EventClass.SUB_GRB), NEAR)
    assert found(store, "Fermi-1") == []
    desk.tell(notice(NAME, far_hz=1e-9), HERE)
    assert lifted(store) == {"Fermi-1"}
    assert found(store, "Fermi-1") == ["100"]


def test_a_bronze_neutrino_is_searched_by_itself(store: Store) -> None:
    desk = Desk(store)
    desk.show(fading())
    bronze = {"messenger": Messenger.NEUTRINO, "mission": "IceCube", "event_class": EventClass.HIGH_ENERGY_NEUTRINO}
    desk.tell(notice("IceCube-1", classification={}, properties={"selection": "BRONZE"}, **bronze), HERE)
    assert found(store, "IceCube-1") == ["100"]


def test_a_test_lifts_nothing_real(store: Store) -> None:
    desk = Desk(store)
    desk.show(fading())
    desk.tell(faint(), HERE)
    desk.tell(grb(is_live=False), NEAR)
    assert lifted(store) == set()


STEPS = ("faint", "burst", "retraction", "first alerts", "later alerts", "other burst")


def play(desk: Desk, step: str) -> None:
    match step:
        case "faint":
            desk.tell(faint(), HERE)
        case "burst":
            desk.tell(grb(), NEAR)
        case "other burst":
            desk.tell(grb("Fermi-2", t0=T0.plus_s(3.0)), HERE)
        case "retraction":
            desk.tell(grb(**retracted(grb())))
        case "first alerts":
            desk.show(fading(n=2))
        case _:
            desk.show(fading(first=2, n=2))
    desk.correlation.run_jobs()


@pytest.mark.parametrize("without", ["", "other burst"])
def test_what_is_searched_and_found_is_the_same_in_any_order(tmp_path_factory: pytest.TempPathFactory, without: str) -> None:
    expected = None
    steps = [one for one in STEPS if one != without]
    orders = list(itertools.permutations(steps))
    for order in orders[:: max(len(orders) // 6, 1)]:
        url = f"sqlite:///{tmp_path_factory.mktemp('order')}/hub.db"
        upgrade(url)
        store = open_store(url)
        desk = Desk(store)
        for step in order:
            play(desk, step)
        with store.reading() as session:
            state = final_state(session)
        store.close()
        assert state["searched though low"] == ([] if without else [NAME])
        expected = expected or state
        assert state == expected, order
