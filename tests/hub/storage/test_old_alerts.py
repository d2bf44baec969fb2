"""Alerts of a version before the archive move there, and are dropped only then."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import inspect, text

from hub.archive.history import ArchiveHistory
from hub.errors import StorageError
from hub.model.alert import COLUMN_DTYPES, UNSAID, AlertBatch
from hub.model.instant import Instant
from hub.storage import old_alerts, schema
from hub.storage.engine import is_current, make_engine, upgrade
from tests.contracts.alert_history import DAY_US, N_PIXELS, night, rows

BEFORE = "0008"
"""Last revision with the table."""


@pytest.fixture
def old(url: str) -> str:
    """A database of the version before, with alerts of two surveys."""
    engine = make_engine(url)
    schema.upgrade(engine, BEFORE)
    with engine.begin() as connection:
        for batch in (night(700), night(90, survey="ZTF", seed=2)):
            values = [{**plain(row), "survey": batch.survey, "cell": 0} for row in batch.rows()]
            values = [{name: value for name, value in row.items() if name not in UNSAID} for row in values]
            names = list(values[0])
            statement = f"INSERT INTO alerts ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
            connection.execute(text(statement), values)
    engine.dispose()
    return url


def without_later_columns(batch: AlertBatch) -> AlertBatch:
    """Return what the table could keep."""
    told = {name: getattr(batch, name) for name in COLUMN_DTYPES if name not in UNSAID}
    return AlertBatch.from_columns(batch.survey, **told)


def plain(row: dict[str, object]) -> dict[str, object]:
    return {name: None if value != value else value for name, value in row.items()}


def everything(history: ArchiveHistory) -> list[list[tuple[object, ...]]]:
    found = history.in_region(np.array([0]), np.array([N_PIXELS]), Instant(0), Instant(30 * DAY_US))
    return [rows(batch) for batch in found]


def test_all_alerts_are_in_the_archive_after_the_upgrade_and_their_table_is_gone(
    old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_alerts, "CHUNK", 100)
    history = ArchiveHistory(tmp_path / "archive")
    upgrade(old, take_alerts=history.append)
    assert everything(history) == [
        rows(without_later_columns(night(700))),
        rows(without_later_columns(night(90, survey="ZTF", seed=2))),
    ]
    assert history.count() == 790
    engine = make_engine(old)
    assert not inspect(engine).has_table("alerts")
    engine.dispose()
    assert is_current(old)
    upgrade(old, take_alerts=history.append)
    assert history.count() == 790


def test_a_move_that_is_interrupted_begins_anew_and_doubles_nothing(old: str, tmp_path: Path) -> None:
    history = ArchiveHistory(tmp_path / "archive")

    def full(batch: AlertBatch) -> None:
        history.append(batch.take(np.arange(10)))
        raise StorageError("the disk is full")

    with pytest.raises(StorageError, match="full"):
        upgrade(old, take_alerts=full)
    assert not is_current(old)
    upgrade(old, take_alerts=history.append)
    assert history.count() == 790


def test_alerts_that_nobody_takes_are_not_dropped(old: str) -> None:
    with pytest.raises(StorageError, match="mmhub db upgrade"):
        upgrade(old)
    engine = make_engine(old)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alerts")) == 790
    engine.dispose()
