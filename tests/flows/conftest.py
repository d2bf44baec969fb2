"""What flows share: one warm reader of sky maps and one folder with an empty database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.science.skymap_fits import SkymapWorker


@pytest.fixture(scope="session")
def skymaps() -> Iterator[SkymapWorker]:
    """A reader of sky maps whose child process outlives a test."""
    with SkymapWorker() as worker:
        yield worker


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a database that tests copy."""
    return tmp_path_factory.mktemp("made")
