"""No packet without a row is excused: not by rows that a filter brought first, nor by those of a former topic of the same name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub.ports import Incident, Position
from hub.storage import incidents, positions
from hub.storage.engine import Store
from tests.support.api_night import fill
from tests.support.hearing import DAY_S, FINK, Hub
from tests.support.searched import DEC, FIRST, RA
from tests.support.visits import TOPIC, alerts, camera_rows, pointing

ONE, OTHER = 2017081799901, 2017081799902


@pytest.fixture
def hub(store: Store, tmp_path: Path) -> Hub:
    fill(store)
    hub = Hub(store, tmp_path / "archive")
    hub.full(-1)
    hub.filtered(-1)
    return hub


def states(hub: Hub, *windows: tuple[float, float]) -> list[str]:
    return [hub.ask(*window)["coverage"] for window in windows]


def nameless(hub: Hub, day: float) -> None:
    """Let packets come that name no visit."""
    at = FIRST.plus_s(day * DAY_S).tai_us
    hub.rows(
        camera_rows(
            np.random.default_rng(99), pointing(RA, DEC), per_detector=1.0, visit=0, mid_tai_us=at, topic=TOPIC, offset=hub.offset
        )
    )


@pytest.mark.parametrize("n_first", [250, None])
@pytest.mark.parametrize("between", [True, False])
def test_a_visit_that_came_by_a_filter_first_is_not_excused_by_another_one_of_which_some_did(
    hub: Hub, n_first: int | None, between: bool
) -> None:
    hub.visit(0)
    hub.by_filter_first(0.01, ONE, n_first=n_first)
    if between:
        hub.visit(0.015)
    hub.by_filter_first(0.02, OTHER, n_first=None, per_detector=1.0)
    hub.visit(2)
    hub.visit(3)
    hub.visit(4)
    hub.update()
    assert "known" not in states(hub, (0.018, 0.022), (0, 1.5))
    assert hub.share(0.018, 0.022)["coverage"] != "known"
    assert states(hub, (3.1, 3.9)) == ["known"]


def test_a_visit_that_came_by_a_filter_first_alone_in_its_night_is_not_excused_by_one_of_another_night(hub: Hub) -> None:
    hub.visit(0)
    hub.by_filter_first(0.01, ONE, n_first=250)
    hub.visit(1)
    hub.by_filter_first(2.0, OTHER, n_first=None, per_detector=1.0)
    hub.visit(3)
    hub.visit(4)
    hub.update()
    assert states(hub, (1.5, 2.5)) == ["unknown"]


def test_a_visit_that_came_by_a_filter_first_in_one_partition_is_not_excused_by_one_in_another(hub: Hub) -> None:
    hub.visit(0, partitions=2)
    hub.by_filter_first(0.01, ONE, n_first=250)
    hub.by_filter_first(0.02, OTHER, n_first=None, per_detector=1.0, partition=1)
    for day in (0.03, 1, 2):
        hub.visit(day, partitions=2)
    hub.update()
    assert "known" not in states(hub, (0.018, 0.022), (0, 0.03))


def test_packets_that_name_no_visit_are_not_excused_by_rows_that_a_filter_brought_first(hub: Hub) -> None:
    hub.visit(0)
    hub.by_filter_first(0.01, ONE, n_first=250)
    hub.visit(0.015)
    nameless(hub, 0.02)
    hub.visit(2)
    hub.visit(3)
    hub.update()
    assert "known" not in states(hub, (0.018, 0.022), (0, 1.5))


def test_a_visit_all_of_whose_rows_a_broker_states_better_later_is_not_known_to_be_none(hub: Hub) -> None:
    hub.visit(0)
    later = []
    for day, number in ((0.01, ONE), (0.02, OTHER)):
        own = {"per_detector": 8.0, "visit": number, "mid_tai_us": FIRST.plus_s(day * DAY_S).tai_us}
        hub.rows(camera_rows(np.random.default_rng(number), pointing(RA, DEC), topic=TOPIC, offset=hub.offset, **own))
        again = alerts(camera_rows(np.random.default_rng(number), pointing(RA, DEC), topic=FINK, offset=0, **own))
        later.append(replace(again, revision=again.revision + (1 << 26)))  # states one value more
    hub.visit(2)
    hub.visit(3)
    hub.update()
    assert (states(hub, (0.018, 0.022)), hub.visits(0.018, 0.022)) == (["known"], [OTHER])
    for batch in later:
        assert hub.history.append(batch).all()
    assert "known" not in states(hub, (0.018, 0.022))
    hub.update(401)
    assert "known" not in states(hub, (0.018, 0.022))


@pytest.mark.parametrize("is_remade", [False, True])
def test_offsets_of_a_former_topic_of_the_same_name_fill_no_hole_of_the_new_one(hub: Hub, is_remade: bool) -> None:
    hub.book(0, topic_id="a")
    for day in (0, 1, 2, 3):
        hub.visit(day)
    if is_remade:
        remake(hub, 4, "b")
    hub.visit(10)
    nameless(hub, 10.02)
    for day in (10.04, 11, 12):
        hub.visit(day)
    hub.update()
    assert states(hub, (10.01, 10.03), (11.1, 11.9)) == ["partial", "known"]
    assert states(hub, (3.5, 9)) == ["unknown" if is_remade else "known"]


def test_offsets_of_a_new_topic_fill_no_hole_of_the_former_one_however_long_ago(hub: Hub) -> None:
    hub.book(0, topic_id="a")
    hub.visit(0)
    nameless(hub, 0.02)
    for day in (0.04, 1, 2):
        hub.visit(day)
    remake(hub, 40, "b")
    for day in (41, 42, 43, 44, 45, 46):
        hub.visit(day)
    hub.update()
    assert "known" not in states(hub, (0.01, 0.03))
    assert states(hub, (45.1, 45.9)) == ["known"]


def remake(hub: Hub, day: float, topic_id: str) -> None:
    """Let the topic be deleted and made anew, which its brokers tell."""
    place = hub.offset
    facts = {"topic": TOPIC, "partition": 0, "first_offset": place, "end_offset": 0, "high_offset": 0, "n_messages": None}
    gap = Incident(kind="gap", subject=f"{TOPIC}/0/{place}-{topic_id}", text="was deleted and made anew", facts=facts)
    begun = Position(topic=TOPIC, partition=0, first_offset=0, next_offset=0, n_messages=0, topic_id=topic_id)
    with hub.store.transaction() as session:
        incidents.record(session, hub.source, gap, FIRST.plus_s(day * DAY_S))
        positions.advance(session, hub.source, [begun])
    hub.offset = 0
