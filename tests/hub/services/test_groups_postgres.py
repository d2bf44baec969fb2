"""Several workers at once on PostgreSQL, each with other notices of the same groups."""

from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier

import pytest

from hub.services.state import final_state
from hub.storage import coincidences, groups
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.grouped import WORLD
from tests.support.postgres import open_new
from tests.support.words import alerts

pytestmark = pytest.mark.postgres

N_WORKERS = 3


def object_near(number: int):
    """Return the alerts of one fading object inside all maps."""
    rows = ({"days": 0.4 + 0.5 * k, "flux_njy": 90_000.0 / 2**k, "source_id": 10 * number + k} for k in range(4))
    return alerts(*({**row, "ra": 131.0 + number, "dec": 21.0, "object_id": str(100 + number).encode()} for row in rows))


def played(store: Store, seed: int, n_workers: int) -> dict:
    steps = Random(seed).sample([*WORLD, 0, 1], len(WORLD) + 2)
    start = Barrier(n_workers)

    def work(number: int) -> None:
        desk = Desk(store)
        start.wait(timeout=60)
        for step in steps[number::n_workers]:
            if isinstance(step, int):
                desk.show(object_near(step))
            else:
                desk.tell(*step, run=False)
            desk.correlation.run_jobs()

    with ThreadPoolExecutor(n_workers) as pool:
        for done in [pool.submit(work, number) for number in range(n_workers)]:
            done.result(timeout=600)
    last = Desk(store)
    last.correlation.run_jobs()
    assert last.waiting() == []
    with store.reading() as session:
        return final_state(session)


def test_workers_side_by_side_end_with_the_groups_of_one(postgres: str) -> None:
    alone = open_new(postgres)
    expected = played(alone, 0, 1)
    alone.close()
    assert expected["groups"]
    for seed in (1, 2):
        store = open_new(postgres)
        assert played(store, seed, N_WORKERS) == expected
        with store.reading() as session:
            for one in [*groups.search(session, limit=None), *coincidences.search(session, limit=None)]:
                kept = (
                    groups.history(session, one.group_id)
                    if hasattr(one, "group_id")
                    else coincidences.history(session, one.coincidence_id)
                )
                assert [each.version for each in kept] == list(range(1, len(kept) + 1))
        store.close()
