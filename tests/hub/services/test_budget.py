"""What is written down of the budget: each coincidence once, whatever was said of it in between."""

import itertools
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from hub.model.coincidence import Coincidence
from hub.model.notice import Notice, Stage
from hub.services.budget import budget_body
from hub.storage import announced
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import RULES, Desk
from tests.support.words import T0, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0))
NEAR = localization(gaussian_map(134.0, 21.0, 5.0))
BUDGET = RULES.budget


def update(far_hz: float, issued: float, sequence: int) -> Notice:
    return notice(issued_at=T0.plus_s(issued), stage=Stage.UPDATE, sequence=sequence, far_hz=far_hz)


def spent(desk: Desk) -> list[announced.Announced]:
    with desk.store.reading() as session:
        return announced.since(session, T0)


def body(desk: Desk, days: float = 30.0):
    assert BUDGET is not None
    with desk.store.reading() as session:
        return budget_body(session, BUDGET, desk.clock(), days=days)


def rate_of(pair: Coincidence) -> float:
    assert BUDGET is not None
    found = BUDGET.verdict(pair).spends_per_month
    assert found is not None
    return found


def test_a_pair_that_leaves_spends_and_its_updates_do_not_spend_again(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=1e-6), HERE)
    desk.tell(grb(), NEAR)
    (first,) = spent(desk)
    desk.tell(update(1e-7, 3000.0, 2), HERE)
    desk.tell(update(1e-9, 4000.0, 3), HERE)
    assert desk.words() == ["v1", "v2 supersedes v1", "v3 supersedes v2"]
    (last,) = spent(desk)
    assert (last.rule, last.version, last.first_at, last.withdrawn_at) == ("gw-grb", 1, first.first_at, None)
    assert last.spends_per_month == rate_of(desk.pairs()[0])
    row = {one["rule"]: one for one in body(desk)["shares"]}["gw-grb"]
    assert (row["announced"], row["taken_back"], row["spent_per_month"]) == (1, 0, last.spends_per_month)
    assert 0.0 < row["spent_per_month"] <= row["promised_per_month"] == row["share_per_month"]


def test_a_pair_that_is_taken_back_and_leaves_again_spends_once(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=1e-6), HERE)
    desk.tell(grb(), NEAR)
    desk.tell(update(1e-2, 3000.0, 2), HERE)
    (back,) = spent(desk)
    assert back.withdrawn_at is not None
    told = body(desk)
    assert (told["announced"], told["taken_back"], told["spent_per_month"]) == (1, 1, 0.0)
    desk.tell(update(1e-9, 4000.0, 3), HERE)
    (again,) = spent(desk)
    assert (again.version, again.first_at, again.withdrawn_at) == (1, back.first_at, None)


def test_what_is_held_back_or_goes_nowhere_spends_nothing(store: Store) -> None:
    held = Desk(store)
    held.tell(notice(far_hz=1e-2), HERE)
    held.tell(grb(), NEAR)
    assert held.pairs()[0].held_back
    assert spent(held) == []


def test_a_hub_that_announces_nothing_spends_nothing(store: Store) -> None:
    mute = Desk(store, enabled=False)
    mute.tell(notice(far_hz=1e-6), HERE)
    mute.tell(grb(), NEAR)
    assert not mute.pairs()[0].held_back
    assert spent(mute) == []


def test_what_left_before_the_days_that_are_counted_is_not_shown(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=1e-6), HERE)
    desk.tell(grb(), NEAR)
    desk.now = desk.now.plus_s(86_400.0)
    assert (body(desk, days=2.0)["announced"], body(desk, days=0.5)["announced"]) == (1, 0)
    assert body(desk, days=15.0)["promised_in_days"] == pytest.approx(0.5 * body(desk)["promised_per_month"])


def test_what_stands_is_the_same_whenever_the_burst_and_the_updates_come(tmp_path: Path) -> None:
    merger = [notice(far_hz=1e-6), update(1e-2, 3000.0, 2), update(1e-8, 4000.0, 3)]
    upgrade(f"sqlite:///{tmp_path}/empty.sqlite")
    ends = set()
    for number, order in enumerate(itertools.permutations(merger)):
        shutil.copy(tmp_path / "empty.sqlite", tmp_path / f"{number}.sqlite")
        with closing(open_store(f"sqlite:///{tmp_path}/{number}.sqlite")) as store:
            desk = Desk(store)
            place = number % (len(order) + 1)
            for message in (*order[:place], grb(), *order[place:]):
                desk.tell(message)
            with store.reading() as session:
                ends.add(tuple((one.coincidence_id, one.rule, one.spends_per_month) for one in announced.standing(session)))
    assert len(ends) == 1
    assert len(ends.pop()) == 1
