"""Migrations: no drift from the tables of the code, and data survives an upgrade."""

import pytest
from sqlalchemy import inspect, text

from hub.errors import ConfigError, StorageError
from hub.storage import jobs, schema
from hub.storage.engine import is_current, make_engine, open_store, upgrade
from hub.storage.tables import Base


def test_a_database_without_tables_is_refused_until_it_is_upgraded(url: str) -> None:
    assert not is_current(url)
    with pytest.raises(StorageError, match="db upgrade"):
        open_store(url)
    upgrade(url)
    assert is_current(url)
    open_store(url).close()


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


@pytest.mark.parametrize("bad", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense"])
def test_other_databases_are_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        open_store(bad)


def test_a_database_out_of_reach_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="does not answer"):
        upgrade("sqlite:////nowhere/at/all/hub.db")
