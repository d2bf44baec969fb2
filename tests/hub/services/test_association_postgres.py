"""Bursts on PostgreSQL, told by several workers at once: the same sources and pairs as one after the other."""

from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier

import pytest

from hub.model.notice import Notice, Stage
from hub.model.sky import Localization
from hub.services.sources import split, take_back
from hub.storage import coincidences, sources
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import Desk
from tests.support.postgres import open_new
from tests.support.words import T0, gaussian_map, grb, localization, notice

pytestmark = pytest.mark.postgres

GW_PLACE = localization(gaussian_map(130.0, 20.0, 6.0, order=5))
WIDE = localization(gaussian_map(134.0, 21.0, 5.0, order=5), area90_deg2=360.0)
NARROW = localization(gaussian_map(133.0, 21.0, 2.5, order=5), area90_deg2=90.0)
N_WORKERS = 3

MESSAGES: tuple[tuple[Notice, Localization | None], ...] = (
    (notice(), GW_PLACE),
    (notice("S260301b", t0=T0.plus_s(0.4)), GW_PLACE),
    (grb(), WIDE),
    (grb("Swift-2", mission="Swift", t0=T0.plus_s(2.4)), NARROW),
    (grb("SVOM-3", mission="SVOM", t0=T0.plus_s(3.0)), None),
    (grb("INTEGRAL-4", mission="INTEGRAL", t0=T0.plus_s(4000), aliases=("GRB 260301A",)), None),
    (
        grb("Swift-2", mission="Swift", t0=T0.plus_s(2.4), stage=Stage.UPDATE, issued_at=T0.plus_s(800), aliases=("GRB260301A",)),
        NARROW,
    ),
    (grb("Fermi-9", t0=T0.plus_s(2.6)), WIDE),
    (grb(stage=Stage.RETRACTION, issued_at=T0.plus_s(5000), t0=None), None),
)


def state(store: Store) -> tuple[object, object]:
    with store.reading() as session:
        found = sorted(sources.search(session, limit=None), key=lambda one: one.source_id)
        pairs = {
            tuple(member.id for member in one.members): (one.state, one.reasons, one.localization_ids)
            for one in coincidences.search(session, limit=None)
        }
    return found, pairs


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, object]:
    url = f"sqlite:///{tmp_path_factory.mktemp('expected')}/hub.db"
    upgrade(url)
    store = open_store(url)
    desk = Desk(store)
    for message, place in MESSAGES:
        desk.tell(message, place)
    found = state(store)
    store.close()
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_workers_that_tell_a_burst_at_once_end_in_the_same_sources(
    postgres: str, expected: tuple[object, object], seed: int
) -> None:
    store = open_new(postgres)
    order = Random(seed).sample(MESSAGES, len(MESSAGES))
    start = Barrier(N_WORKERS)

    def work(number: int) -> None:
        desk = Desk(store)
        start.wait(300)
        for message, place in order[number::N_WORKERS]:
            desk.tell(message, place)

    with ThreadPoolExecutor(N_WORKERS) as pool:
        for done in [pool.submit(work, number) for number in range(N_WORKERS)]:
            done.result(600)
    Desk(store).correlation.run_jobs()
    assert state(store) == expected
    store.close()


def test_a_word_is_heard_while_workers_evaluate(postgres: str, expected: tuple[object, object]) -> None:
    store = open_new(postgres)
    desk = Desk(store)
    for message, place in MESSAGES:
        desk.tell(message, place)
    start = Barrier(2)

    def speak() -> None:
        start.wait(300)
        for _ in range(3):
            with store.transaction() as session:
                said = split(session, desk.association, "Swift-2", "SVOM-3", by="A. Person", because="two", at=T0)
            with store.transaction() as session:
                take_back(session, desk.association, said["word"], by="A. Person", because="one", at=T0)

    def work() -> None:
        own = Desk(store)
        start.wait(300)
        for event_id in ("Swift-2", "SVOM-3", "Fermi-9", "S260301a"):
            own.correlation.on_event(event_id)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(speak), pool.submit(work)]:
            done.result(600)
    desk.correlation.run_jobs()
    assert state(store) == expected
    store.close()
