"""The final state is the same for every order of arrival, cut into batches in any way, on both engines."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.bootstrap import open_hub
from hub.ports import SkymapReader
from hub.science.skymap_fits import SkymapWorker
from hub.services.state import final_state
from hub.storage import coincidences, outbox
from hub.storage.engine import Store
from tests.support import small_world as world
from tests.support.flow_checks import check_books, check_what_left
from tests.support.postgres import open_new

MESSAGES = world.everything()
N_ORDERS = 200 if os.environ.get("MMHUB_TEST_FUZZ") == "full" else 12


def final_after(
    store: Store, folder: Path, skymaps: SkymapReader, order: list[world.Sent], cuts: list[int], **options: Any
) -> dict[str, Any]:
    """Deliver messages in an order, check everything that must hold, and return the final state."""
    chosen = world.settings_in(folder, **options)
    with open_hub(chosen, store, clock=world.Ticking(), skymaps=skymaps) as hub:
        world.deliver(hub, order, cuts)
        check_books(hub, sum(one.n_messages for one in order))
        check_what_left(hub)
        with store.reading() as session:
            entries = outbox.search(session, limit=None)
            state = final_state(session)
    written = {path.name for path in chosen.announce_folder.glob("*")} if entries else set()
    assert written == {f"{entry.outgoing.ivorn.rpartition('#')[2]}.xml" for entry in entries}
    return state


@pytest.fixture(scope="session")
def expected(skymaps: SkymapReader, made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The final state after the order in which things would happen."""
    folder = tmp_path_factory.mktemp("expected")
    with world.fresh_sqlite(folder, made) as store:
        return final_after(store, folder, skymaps, list(MESSAGES), list(range(len(MESSAGES))), with_followup=True)


def named(*first: str) -> list[world.Sent]:
    """Return all messages, the named ones first."""
    return sorted(MESSAGES, key=lambda one: first.index(one.name) if one.name in first else len(first))


CHOSEN_ORDERS = {
    "alerts before notices": [*world.alerts(), *world.notices()],
    "backwards": list(reversed(MESSAGES)),
    "retractions first": named("second merger retracted", "second burst retracted"),
    "updates first": named("merger update", "neutrino revised"),
    "untrusted first": named("neutrino by nobody", "retraction by nobody"),
    "tests first": named("mock merger", "test burst"),
}


def test_the_small_world_shows_what_it_was_made_for(expected: dict[str, Any]) -> None:
    assert {name: event["state"] for name, event in expected["events"].items()} == {
        "Fermi-794023391": "active",
        "Fermi-794023392": "retracted",
        "Fermi-794023394-test": "active",
        "IceCube-141234-5678901": "active",
        "MS260301b": "active",
        "S260301b": "active",
        "S260303c": "retracted",
    }
    assert len(expected["events"]["S260301b"]["notices"]) == 4
    assert len(expected["events"]["Fermi-794023391"]["notices"]) == 2
    states = {key: candidate["state"] for key, candidate in expected["candidates"].items()}
    kilonovae = {key.split("|")[2][-3:]: state for key, state in states.items() if key.startswith("S260301b|")}
    assert kilonovae == {"101": "open", "102": "withdrawn", "103": "open", "108": "open"}
    assert states["S260303c|LSST|313000000000000106|kilonova"] == "withdrawn"
    assert states["IceCube-141234-5678901|LSST|313000000000000104|neutrino-active"] == "open"
    pairs = {tuple(one["members"]): (one["state"], one["is_live"]) for one in expected["coincidences"].values()}
    assert pairs["Fermi-794023391", "S260301b"] == ("open", True)
    assert pairs["Fermi-794023391", "MS260301b"] == ("open", False)
    assert pairs["Fermi-794023394-test", "S260301b"] == ("open", False)
    assert pairs["IceCube-141234-5678901", "S260301b"] == ("open", True)
    assert pairs["Fermi-794023392", "S260303c"] == ("withdrawn", True)


@pytest.mark.parametrize("name", CHOSEN_ORDERS)
def test_orders_that_are_hard_end_in_the_same_state(
    name: str, expected: dict[str, Any], skymaps: SkymapReader, made: Path, tmp_path: Path
) -> None:
    with world.fresh_sqlite(tmp_path, made) as store:
        assert final_after(store, tmp_path, skymaps, CHOSEN_ORDERS[name], list(range(0, len(MESSAGES), 3))) == expected


@pytest.mark.fuzz
@settings(
    max_examples=N_ORDERS, deadline=None, derandomize=N_ORDERS == 12, suppress_health_check=list(HealthCheck), database=None
)
@given(order=st.permutations(MESSAGES), cuts=st.lists(st.integers(1, len(MESSAGES) - 1), max_size=len(MESSAGES)))
def test_any_order_in_any_batches_ends_in_the_same_state(
    expected: dict[str, Any], skymaps: SkymapReader, made: Path, order: list[world.Sent], cuts: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as name, world.fresh_sqlite(Path(name), made) as store:
        assert final_after(store, Path(name), skymaps, order, cuts) == expected


def halves_at_once(store: Store, folder: Path, seed: int) -> dict[str, Any]:
    """Let two hubs on one database take in half of the messages each, at the same time, and return the final state."""
    random = Random(seed)
    order = random.sample(MESSAGES, len(MESSAGES))
    chosen = world.settings_in(folder)
    start = Barrier(2)

    def work(half: list[world.Sent]) -> None:
        with SkymapWorker() as skymaps, open_hub(chosen, store, clock=world.Ticking(), skymaps=skymaps) as hub:
            start.wait()
            for one in half:
                hub.flow.take([one.envelope])

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, half) for half in (order[::2], order[1::2])]:
            done.result()
    with open_hub(chosen, store, clock=world.Ticking(world.NOW.plus_s(600))) as hub:
        while hub.flow.step():
            pass
        check_books(hub, sum(one.n_messages for one in MESSAGES))
        check_what_left(hub)
        with store.reading() as session:
            return final_state(session)


def test_two_hubs_on_one_sqlite_file_end_in_the_same_state(expected: dict[str, Any], made: Path, tmp_path: Path) -> None:
    with world.fresh_sqlite(tmp_path, made) as store:
        assert halves_at_once(store, tmp_path, 11) == expected


@pytest.mark.postgres
@pytest.mark.parametrize("seed", [12])
def test_two_hubs_on_one_postgresql_server_end_in_the_same_state(
    seed: int, expected: dict[str, Any], postgres: str, tmp_path: Path
) -> None:
    store = open_new(postgres)
    assert halves_at_once(store, tmp_path, seed) == expected
    store.close()


@pytest.mark.postgres
@pytest.mark.parametrize("seed", [1])
def test_postgresql_ends_in_the_state_of_sqlite(
    seed: int, expected: dict[str, Any], skymaps: SkymapReader, postgres: str, tmp_path: Path
) -> None:
    store = open_new(postgres)
    random = Random(seed)
    order = random.sample(MESSAGES, len(MESSAGES))
    assert final_after(store, tmp_path, skymaps, order, random.sample(range(len(MESSAGES)), 12)) == expected
    store.close()


def test_a_message_that_is_left_out_shows(expected: dict[str, Any], skymaps: SkymapReader, made: Path, tmp_path: Path) -> None:
    without = [one for one in MESSAGES if one.name != "merger update"]
    with world.fresh_sqlite(tmp_path, made) as store:
        assert final_after(store, tmp_path, skymaps, without, [10]) != expected


def test_what_is_brought_again_changes_nothing(skymaps: SkymapReader, made: Path, tmp_path: Path) -> None:
    with world.fresh_sqlite(tmp_path, made) as store:
        settings_here = world.settings_in(tmp_path)
        with open_hub(settings_here, store, clock=world.Ticking(), skymaps=skymaps) as hub:
            seen = []
            for _ in range(2):
                world.deliver(hub, MESSAGES, [5, 20])
                with store.reading() as session:
                    versions = [
                        one.version
                        for event_id in final_state(session)["events"]
                        for one in coincidences.of_event(session, event_id)
                    ]
                    sent = [entry.outgoing.ivorn for entry in outbox.search(session, limit=None)]
                    seen.append((final_state(session), versions, sent))
            check_books(hub, 2 * sum(one.n_messages for one in MESSAGES))
    first, again = seen
    assert first == again
