"""The same tests on both engines. The schema is made once for each engine and copied for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from hub.storage.engine import Store, make_engine, upgrade
from tests.support.postgres import new_database

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def made_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "made.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def made_postgres(postgres: str) -> str:
    url = new_database(postgres)
    upgrade(url)
    return str(make_url(url).database)


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.db"
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An open database with its tables."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("made_sqlite"), tmp_path / "hub.db")
        opened = Store(make_engine(f"sqlite:///{tmp_path}/hub.db"))
    else:
        template = request.getfixturevalue("made_postgres")
        opened = Store(make_engine(new_database(request.getfixturevalue("postgres"), template)))
    yield opened
    opened.close()
