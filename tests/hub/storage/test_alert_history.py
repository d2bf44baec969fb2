"""The history in SQL keeps the contract of the port, on both engines."""

import pytest

from hub.storage.alert_history import SqlAlertHistory
from hub.storage.engine import Store
from tests.contracts.alert_history import AlertHistoryContract


class TestSqlAlertHistory(AlertHistoryContract):
    @pytest.fixture
    def history(self, store: Store) -> SqlAlertHistory:
        return SqlAlertHistory(store)
