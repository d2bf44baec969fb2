"""A slice of the orders for every run: the world of significance in random orders and batches, by one hub and by two at once."""

from collections.abc import Iterator

import pytest

from hub.science.skymap_fits import SkymapWorker
from tests.torture.orders import Orders, differences
from tests.torture.wide_world import everything

pytestmark = pytest.mark.slow

N_ALERTS = 36
"""Those of the objects that something is said of, and some others."""


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orders]:
    """The state after the order in which things happen, and the way to others."""
    with SkymapWorker() as skymaps:
        yield Orders(tmp_path_factory.mktemp("orders"), skymaps, n_alerts=N_ALERTS)


def test_the_wide_world_shows_what_it_was_made_for(orders: Orders) -> None:
    state = orders.expected
    pairs = {tuple(one["members"]): one for one in state["coincidences"].values()}
    assert {name: one["events"] for name, one in state["sources"].items()} == {
        "Fermi-794023391": ["Fermi-794023391", "Swift-1234567"],
        "Fermi-794023394": ["Fermi-794023394", "MAXI-1234567890"],
    }
    assert {name for name, one in state["events"].items() if one["state"] == "retracted"} == {"S260303c", "Fermi-794023395"}
    assert pairs["Fermi-794023391", "S260301b"]["state"] == "open"
    assert pairs["Fermi-794023392", "S260303c"]["state"] == "withdrawn"
    assert pairs["Fermi-794023399", "S260302d"]["state"] == "open"
    assert pairs["S260301b", "Swift-794023390"]["hypothesis"] == "gw-sub-grb-targeted-swift"
    kilonovae = {
        key.split("|")[2]: one for key, one in state["candidates"].items() if key.startswith("S260301b|") and "kilonova" in key
    }
    assert "host found" in kilonovae["313000000000000101"]["flags"]
    assert kilonovae["313000000000000102"]["state"] == "withdrawn"
    assert "classification" in kilonovae["313000000000000106"]["all scores"]
    assert any(name.startswith("ZTF") for name in kilonovae)
    names = [one.name for one in everything(N_ALERTS)]
    assert len(set(names)) == len(names)


def test_another_order_in_other_batches_ends_in_the_same_state(orders: Orders) -> None:
    assert orders.differs(2) == []


def test_two_hubs_at_once_end_in_the_same_state(orders: Orders) -> None:
    assert orders.differs(3, workers=2) == []


def test_a_trigger_that_only_rates_count_shows_when_it_is_left_out(orders: Orders) -> None:
    found = orders.differs(4, without="late trigger")
    assert any("joint_far" in sentence or "random_association" in sentence for sentence in found)


def test_a_difference_is_told_with_its_place() -> None:
    found = differences({"a": {"b": [1, 2]}, "c": 3}, {"a": {"b": [1, 4]}, "d": 5})
    assert list(found) == ["/a/b[1]: 2 became 4", "/c: 3 became nothing", "/d: nothing became 5"]
