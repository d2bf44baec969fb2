"""Several workers at once on PostgreSQL, where transactions really run side by side."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from hub.model.alert import AlertBatch
from hub.model.notice import Stage
from hub.services.state import final_state
from hub.storage import coincidences
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.postgres import open_new
from tests.support.words import T0, alerts, gaussian_map, grb, localization, notice

pytestmark = pytest.mark.postgres

HERE = localization(gaussian_map(130.0, 20.0, 6.0, order=5))
NEAR = localization(gaussian_map(134.0, 21.0, 5.0, order=5))
N_OBJECTS = 12
N_WORKERS = 3
EVENTS = ["S1", "S2", "Fermi-1", "Fermi-2"]


def everything() -> AlertBatch:
    """Return alerts of some objects: fading ones, some with a past, some that are not always positive."""
    rows = []
    for number in range(N_OBJECTS):
        name = {"object_id": str(100 + number).encode(), "ra": 126.0 + number, "source_id": 10 * number}
        fluxes = (20_000.0, 8_000.0, 4_000.0)
        rows += [{**name, "days": 0.5 + day, "flux_njy": flux, "source_id": 10 * number + day} for day, flux in enumerate(fluxes)]
        if number % 3 == 0:
            rows.append({**name, "days": -20.0, "source_id": 10 * number + 5})
        if number % 4 == 0:
            rows.append({**name, "days": 4.0, "is_negative": True, "reliability": 0.1, "source_id": 10 * number + 6})
    return alerts(*rows)


def tell_all(desk: Desk, number: int) -> None:
    """Tell one of the events, or what becomes of it."""
    match EVENTS[number % 4]:
        case "S1":
            desk.tell(notice("S1"), HERE, run=False)
            desk.tell(notice("S1", issued_at=T0.plus_s(3000), stage=Stage.UPDATE, sequence=2), NEAR, run=False)
        case "S2":
            desk.tell(notice("S2", t0=T0.plus_s(100), classification={"BBH": 1.0, "BNS": 0.0}), NEAR, run=False)
        case "Fermi-1":
            desk.tell(grb("Fermi-1"), NEAR, run=False)
        case _:
            desk.tell(grb("Fermi-2", t0=T0.plus_s(101)), HERE, run=False)


def parts(seed: int) -> list[AlertBatch]:
    """Return the alerts in batches of a few, in some order."""
    batch = everything()
    order = np.random.default_rng(seed).permutation(len(batch))
    return [batch.take(piece) for piece in np.array_split(order, 8)]


def state_of(store: Store) -> dict:
    with store.reading() as session:
        return final_state(session)


@pytest.fixture(scope="module")
def expected(postgres: str) -> dict:
    """The final state where one worker does everything, events first."""
    store = open_new(postgres)
    desk = Desk(store)
    for number in range(4):
        tell_all(desk, number)
    desk.correlation.run_jobs()
    desk.show(everything())
    desk.correlation.run_jobs()
    assert desk.waiting() == []
    state = state_of(store)
    store.close()
    return state


@pytest.mark.parametrize("seed", range(3))
def test_workers_side_by_side_end_where_one_ends(postgres: str, expected: dict, seed: int) -> None:
    store = open_new(postgres)
    batches = parts(seed)
    start = Barrier(N_WORKERS + 1)

    def work(number: int) -> None:
        desk = Desk(store)
        start.wait(timeout=60)
        for batch in batches[number::N_WORKERS]:
            desk.show(batch, [b"packet"] * len(batch))

    def tell() -> None:
        desk = Desk(store)
        start.wait(timeout=60)
        for number in range(4):
            tell_all(desk, number + seed)
            desk.correlation.run_jobs()

    with ThreadPoolExecutor(N_WORKERS + 1) as pool:
        for done in [pool.submit(tell), *(pool.submit(work, number) for number in range(N_WORKERS))]:
            done.result(timeout=120)
    last = Desk(store)
    last.correlation.run_jobs()
    assert last.waiting() == []
    state = state_of(store)
    assert state["candidates"].keys() == expected["candidates"].keys()
    assert state == expected
    with store.reading() as session:
        for pair in coincidences.search(session, limit=None):
            versions = [one.version for one in coincidences.history(session, pair.coincidence_id)]
            assert versions == list(range(1, len(versions) + 1))
    assert len(expected["candidates"]) > N_OBJECTS
    store.close()
