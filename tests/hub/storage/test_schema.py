"""Migrations: no drift from the tables of the code, and data survives an upgrade."""

import math
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import inspect, text

from hub.errors import ConfigError, StorageError
from hub.model.event import assemble
from hub.model.notice import EventClass, Messenger
from hub.model.outgoing import Leaves
from hub.model.sky import WHOLE_SKY_ID
from hub.storage import candidates, coincidences, events, jobs, localizations, notices, outbox, packets, schema
from hub.storage import engine as engine_module
from hub.storage.engine import PAGE_BYTES, is_current, make_engine, open_store, upgrade
from hub.storage.tables import Base
from tests.conftest import REPOSITORY
from tests.support.followup import make_candidate, make_coincidence
from tests.support.histories import history_of
from tests.support.words import alerts, gaussian_map, localization, notice, stored


def test_a_database_without_tables_is_refused_until_it_is_upgraded(url: str) -> None:
    assert not is_current(url)
    with pytest.raises(StorageError, match=r"has no tables yet: .* run `mmhub db upgrade`"):
        open_store(url)
    upgrade(url)
    assert is_current(url)
    open_store(url).close()


@pytest.mark.parametrize(("made_with", "page_bytes"), [(None, PAGE_BYTES), (4096, 4096)])
def test_a_file_that_is_made_has_large_pages_and_one_from_before_keeps_its_own(
    tmp_path: Path, made_with: int | None, page_bytes: int
) -> None:
    path = tmp_path / "hub.sqlite"
    if made_with is not None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA page_size={made_with}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE before (number INTEGER)")
    upgrade(f"sqlite:///{path}")
    store = open_store(f"sqlite:///{path}")
    with store.transaction() as session:
        packets.save_all(session, "LSST", [(1, b"x" * 100_000)])
    with store.reading() as session:
        assert packets.get(session, "LSST", 1) == b"x" * 100_000
        assert session.scalar(text("PRAGMA page_size")) == page_bytes
    store.close()
    assert int.from_bytes(path.read_bytes()[16:18], "big") == page_bytes  # of the file's header


def test_a_database_that_is_just_being_made_is_waited_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MAKING_S", 60.0)
    looked = Event()
    known = engine_module._known_revision

    def noting(engine):
        found = known(engine)
        looked.set()
        return found

    monkeypatch.setattr(engine_module, "_known_revision", noting)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(open_store, url)
        assert looked.wait(60)
        upgrade(url)
        opening.result(60).close()


def test_hubs_that_start_at_once_on_a_new_database_all_find_its_tables(url: str) -> None:
    program = (
        "import sys; from hub.storage.engine import upgrade; print('ready', flush=True); sys.stdin.read(); upgrade(sys.argv[1])"
    )
    pipe = subprocess.PIPE
    hubs = [
        subprocess.Popen([sys.executable, "-c", program, url], cwd=REPOSITORY, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in range(3)
    ]
    for hub in hubs:
        assert hub.stdout.readline() == "ready\n"
    for hub in hubs:
        hub.stdin.close()
    for hub in hubs:
        with hub:
            assert hub.wait(240) == 0, hub.stderr.read()
    assert is_current(url)


def test_the_revisions_make_exactly_the_tables_of_the_code(url: str) -> None:
    upgrade(url)
    engine = make_engine(url)
    schema.check(engine)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    assert names == {*Base.metadata.tables, "alembic_version"}


def test_an_upgrade_leaves_data_of_the_same_revision_alone(url: str) -> None:
    upgrade(url)
    store = open_store(url)
    with store.transaction() as session:
        jobs.put(session, "event", "S1")
    upgrade(url)
    with store.reading() as session:
        assert [job.key for job in jobs.take(session, 9)] == ["S1"]
    store.close()


def test_every_revision_can_be_taken_back_and_made_again(url: str) -> None:
    upgrade(url)
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO jobs (kind, key, token) VALUES ('event', 'S1', 't')"))
    schema.downgrade(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    schema.upgrade(engine)
    schema.check(engine)
    engine.dispose()
    assert is_current(url)


def test_a_database_of_a_later_version_is_refused_by_name_and_left_alone(url: str) -> None:
    upgrade(url)
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (open_store, upgrade):
        with pytest.raises(StorageError, match=r"schema revision 9999, which this version of the hub does not know"):
            attempt(url)
    assert not is_current(url)
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    engine.dispose()


def test_all_kinds_of_data_survive_an_upgrade_of_a_current_database(url: str) -> None:
    upgrade(url)
    store = open_store(url)
    one = stored(notice(), "m" * 32)
    place = localization(gaussian_map(1.0, 2.0, 9.0, order=1))
    with store.transaction() as session:
        notices.add(session, one, "S260301a")
        events.save(session, assemble("S260301a", [one]))
        localizations.save(session, place)
        coincidences.add(session, make_coincidence())
    history_of(store).append(alerts({}, {"object_id": b"2"}))
    store.close()
    upgrade(url)
    store = open_store(url)
    with store.reading() as session:
        assert notices.of_event(session, "S260301a") == [one]
        assert events.get(session, "S260301a") == assemble("S260301a", [one])
        assert localizations.get(session, place.localization_id).skymap.digest() == place.localization_id
        assert coincidences.search(session) == [make_coincidence()]
    assert history_of(store).count() == 2
    store.close()


@pytest.mark.parametrize("bad", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense"])
def test_other_databases_are_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        open_store(bad)


def test_a_database_out_of_reach_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="does not answer"):
        upgrade("sqlite:////nowhere/at/all/hub.db")


def test_the_outbox_of_an_older_hub_keeps_what_it_sent(url: str) -> None:
    upgrade(url)
    engine = make_engine(url)
    schema.downgrade(engine, "0004")
    columns = (
        "ivorn, destination, subject, key, media_type, payload, role, cites, created_tai_us, state, tries, due_tai_us, error"
    )
    with engine.begin() as connection:
        for ivorn, subject in (("ivo://Own.example/c#C1.v1", "coincidence"), ("ivo://a.example/S#X", "notice")):
            values = {"ivorn": ivorn, "subject": subject, "payload": b"<x/>"}
            connection.execute(
                text(
                    f"INSERT INTO outbox ({columns}) VALUES (:ivorn, 'out', :subject, 'k', 'application/xml', :payload,"
                    " 'observation', '[]', 1, 'sent', 1, 1, '')"
                ),
                values,
            )
    engine.dispose()
    upgrade(url)
    store = open_store(url)
    with store.reading() as session:
        assert outbox.contents(session, "ivo://own.EXAMPLE/c#c1.v1", "out") == [""]
        assert outbox.contents(session, "ivo://A.example/s#x", "out") == [sha256(b"<x/>").hexdigest()]
        assert outbox.get(session, "ivo://own.example/c#c1.V1").outgoing.ivorn == "ivo://Own.example/c#C1.v1"
    store.close()


def test_versions_of_an_older_hub_count_as_let_out(url: str) -> None:
    upgrade(url)
    store = open_store(url)
    with store.transaction() as session:
        coincidences.add(session, make_coincidence())
    store.close()
    engine = make_engine(url)
    schema.downgrade(engine, "0009")
    engine.dispose()
    upgrade(url)
    store = open_store(url)
    with store.reading() as session:
        (newest,) = coincidences.newest_of(session, [make_coincidence().coincidence_id]).values()
    assert newest == coincidences.Newest(version=make_coincidence(), let_out=Leaves.ALL)
    store.close()


def test_what_stands_in_for_a_place_in_an_older_hub_is_marked_and_a_map_that_was_sent_is_not(url: str) -> None:
    upgrade(url)
    nowhere = notice("SNEWS-1", event_class=EventClass.SUPERNOVA_NEUTRINO, messenger=Messenger.NEUTRINO)
    ones = {name: stored(one, WHOLE_SKY_ID) for name, one in (("SNEWS-1", nowhere), ("S260301a", notice()))}
    store = open_store(url)
    with store.transaction() as session:
        for event_id, one in ones.items():
            notices.add(session, one, event_id)
            events.save(session, assemble(event_id, [one]))
    store.close()
    engine = make_engine(url)
    schema.downgrade(engine, "0021")
    engine.dispose()
    upgrade(url)
    store = open_store(url)
    with store.reading() as session:
        marks = {name: [one.is_placeless for one in notices.of_event(session, name)] for name in ones}
        of_events = {name: [one.stored.is_placeless for one in events.get(session, name).versions] for name in ones}
    store.close()
    assert marks == of_events == {"SNEWS-1": [True], "S260301a": [False]}


def test_candidates_of_an_older_hub_are_found_by_their_place(url: str) -> None:
    upgrade(url)
    found = [replace(make_candidate("S1", str(number)), ra_deg=number / 10.0, dec_deg=-number / 20.0) for number in range(1203)]
    found.append(replace(make_candidate("S2", "1"), ra_deg=math.nan))
    store = open_store(url)
    with store.transaction() as session:
        candidates.save_all(session, found)
    with store.reading() as session:
        before = {event_id: candidates.objects_of(session, event_id) for event_id in ("S1", "S2")}
    store.close()
    engine = make_engine(url)
    schema.downgrade(engine, "0024")
    engine.dispose()
    upgrade(url)
    store = open_store(url)
    with store.reading() as session:
        assert {event_id: candidates.objects_of(session, event_id) for event_id in ("S1", "S2")} == before
        assert (len(before["S1"]), len(before["S2"])) == (1203, 0)
    store.close()
