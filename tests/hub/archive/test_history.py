"""The archive keeps the contract of the port."""

from pathlib import Path

import pytest

from hub.archive.history import ArchiveHistory
from tests.contracts.alert_history import AlertHistoryContract


class TestArchiveHistory(AlertHistoryContract):
    @pytest.fixture
    def history(self, tmp_path: Path) -> ArchiveHistory:
        return ArchiveHistory(tmp_path / "archive")
