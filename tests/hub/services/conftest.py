"""An open database for tests of services."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.storage.engine import Store, open_store, upgrade


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty SQLite database."""
    url = f"sqlite:///{tmp_path}/hub.db"
    upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()
