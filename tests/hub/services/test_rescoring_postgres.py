"""What is said of an object at the very instant at which it becomes a candidate, by transactions that run side by side."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.catalogs.searching import Catalogs
from hub.model.alert import ObjectStatement
from hub.model.coincidence import Candidate
from hub.resources import read_text
from hub.science.class_rules import load_class_rules
from hub.science.host_rules import load_host_rules
from hub.services import annotations
from hub.services.catalogued import Catalogued
from hub.services.hosting import Hosting
from hub.services.known_facts import KnownFacts
from hub.services.maps import MapCache
from hub.services.rescoring import OBJECT_JOB
from hub.storage import candidates, jobs
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.postgres import open_new
from tests.support.running_hub import until
from tests.support.words import T0, alerts, gaussian_map, localization, notice

pytestmark = pytest.mark.postgres

HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0, dist_mean_mpc=40.0, dist_std_mpc=8.0)
NIGHTS = [{"object_id": b"1", "reliability": 0.95, "days": 0.4 + 0.6 * day, "flux_njy": 100_000.0 * 0.6**day} for day in range(3)]
SAID = ObjectStatement(
    survey="LSST",
    object_id="1",
    source_id=1,
    mid_tai_us=T0.plus_s(86_400.0).tai_us,
    ra_deg=130.0,
    dec_deg=20.0,
    kind="classification",
    value={"class": "SN Ia"},
    source="fink",
    version="1",
)
WAITS_FOR_THE_LOCK = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")


def state(store: Store) -> None:
    """Say what the object is, in a transaction of its own."""
    with store.transaction() as session:
        annotations.record(session, annotations.of_alerts([SAID], T0.plus_s(1000.0)))


def kilonova(desk: Desk, event_id: str) -> Candidate:
    with desk.store.reading() as session:
        (found,) = candidates.search(session, event_id=event_id, hypothesis="kilonova", limit=None)
    return found


def value(one: Candidate) -> float | None:
    return next((score.value for score in one.scores if score.statistic == "classification"), None)


@pytest.fixture
def facts(tmp_path: Path) -> KnownFacts:
    rules = load_host_rules(read_text("conf/hosts.toml"))
    hosting = Hosting(Catalogued(Catalogs(tmp_path / "catalogs"), rules), rules, MapCache())
    return KnownFacts(hosting=hosting, classes=load_class_rules(read_text("conf/classes.toml")))


def desk_on(store: Store, facts: KnownFacts) -> Desk:
    made = Desk(store)
    made.correlation._candidacy = replace(made.correlation._candidacy, facts=facts)
    return made


def test_what_is_said_after_it_was_looked_for_and_before_the_candidate_is_there_counts(postgres: str, facts: KnownFacts) -> None:
    store = open_new(postgres)
    is_said = []

    def then_somebody_states(session, questions, curves):
        found = facts(session, questions, curves)
        if not is_said:
            is_said.append(True)
            state(store)  # committed by another connection: this transaction has looked already
        return found

    desk = desk_on(store, facts)
    desk.correlation._candidacy = replace(desk.correlation._candidacy, facts=then_somebody_states)
    desk.tell(notice("S1", far_hz=3e-9), HERE)
    desk.show(alerts(*NIGHTS))
    assert is_said
    assert value(kilonova(desk, "S1")) is None
    with store.reading() as session:
        assert [(job.kind, job.key) for job in jobs.take(session, 9) if job.kind == OBJECT_JOB] == [(OBJECT_JOB, "LSST:1")]
    desk.correlation.run_jobs()
    assert value(kilonova(desk, "S1")) is not None
    store.close()


def test_an_object_that_is_a_candidate_of_one_event_already_is_no_exception(postgres: str, facts: KnownFacts) -> None:
    store = open_new(postgres)
    desk = desk_on(store, facts)
    desk.tell(notice("S1", far_hz=3e-9), HERE)
    desk.show(alerts(*NIGHTS))
    is_said = []

    def then_somebody_states(session, questions, curves):
        found = facts(session, questions, curves)
        if not is_said:
            is_said.append(True)
            state(store)
            other = desk_on(store, facts)
            with store.reading() as reading:
                (job,) = [one for one in jobs.take(reading, 9) if one.kind == OBJECT_JOB]
            other.correlation._done(job)  # another worker does it: it does not see the candidate that is being made
        return found

    desk.correlation._candidacy = replace(desk.correlation._candidacy, facts=then_somebody_states)
    desk.tell(notice("S2", t0=T0.plus_s(100.0), far_hz=3e-9), HERE)
    assert is_said
    desk.correlation.run_jobs()
    assert value(kilonova(desk, "S1")) is not None
    assert value(kilonova(desk, "S2")) is not None
    store.close()


def test_who_states_waits_for_a_candidate_that_has_been_looked_after(postgres: str, facts: KnownFacts) -> None:
    store = open_new(postgres)
    desk = desk_on(store, facts)
    desk.tell(notice("S1", far_hz=3e-9), HERE)
    desk.history.append(alerts(*NIGHTS))
    with ThreadPoolExecutor(1) as pool:
        with store.transaction() as session:
            touched = desk.correlation._matching.forward(session, alerts(*NIGHTS))
            desk.correlation._touched(session, touched.events)
            stating = pool.submit(state, store)
            until(lambda: _n_waiting(store) == 1 or stating.done(), "whoever states waits for the lock")
            assert not stating.done()
        stating.result(timeout=60)
    desk.correlation.run_jobs()
    assert value(kilonova(desk, "S1")) is not None
    store.close()


def _n_waiting(store: Store) -> int:
    with store.reading() as session:
        return session.scalar(WAITS_FOR_THE_LOCK) or 0
