"""What flows share: one warm reader of sky maps, one folder with an empty database, one PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.science.skymap_fits import SkymapWorker
from tests.conftest import missing
from tests.support.postgres import ServerMissing, server


@pytest.fixture(scope="session")
def skymaps() -> Iterator[SkymapWorker]:
    """A reader of sky maps whose child process outlives a test."""
    with SkymapWorker() as worker:
        yield worker


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a database that tests copy."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server's first database."""
    try:
        with server() as url:
            yield url
    except ServerMissing as reason:
        missing(str(reason))
