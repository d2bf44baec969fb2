"""``mmhub compact`` makes catalogs of the nights that are over, and says what it did."""

import json
from pathlib import Path

import pytest

from hub.archive import hats
from hub.archive.history import ArchiveHistory
from hub.bootstrap import create_database, now
from hub.cli.app import main
from hub.config import HubSection, Settings
from hub.storage import leases
from tests.support.archived import FIRST_NIGHT, survey_night


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with a database and two nights."""
    settings = Settings(hub=HubSection(data_dir=tmp_path))
    with create_database(settings):
        history = ArchiveHistory(settings.archive_folder)
        for night in (FIRST_NIGHT, FIRST_NIGHT + 1):
            for batch in survey_night(night, 1000, per_visit=500):
                history.append(batch)
    return tmp_path


def call(data_dir: Path, *words: str) -> int:
    return main(["--data-dir", str(data_dir), "compact", *words])


def test_every_night_that_is_over_becomes_a_catalog(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(data_dir) == 0
    assert capsys.readouterr().out.count("2 files became a catalog of 1000 alerts") == 2
    assert hats.nights(data_dir / "archive") == [FIRST_NIGHT, FIRST_NIGHT + 1]
    assert call(data_dir) == 3
    assert "no night has rows that are in no catalog" in capsys.readouterr().out


def test_a_night_is_named_by_its_mjd_or_its_date(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(data_dir, "20251122", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["night"], told["rows"], told["files"], told["repeats"]) == (FIRST_NIGHT + 1, 1000, 2, {})
    assert call(data_dir, str(FIRST_NIGHT)) == 0
    assert hats.nights(data_dir / "archive") == [FIRST_NIGHT, FIRST_NIGHT + 1]


@pytest.mark.parametrize("word", ["tonight", "2025", "20251341", "-1", "\uff16\uff11\uff10\uff10\uff10"])
def test_what_is_no_night_is_refused(data_dir: Path, capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert call(data_dir, "--", word) == 1
    assert "is no night" in capsys.readouterr().err


def test_a_night_that_lasts_is_refused(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(data_dir, str(int(now().mjd_tai) + 1)) == 1
    assert "is not over before" in capsys.readouterr().err


def test_another_process_at_work_is_told(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with create_database(Settings(hub=HubSection(data_dir=data_dir))) as store, store.transaction() as session:
        leases.acquire(session, "archive", "another", now=now(), until=now().plus_s(60.0))
    assert call(data_dir) == 1
    assert "another process" in capsys.readouterr().err
    assert hats.nights(data_dir / "archive") == []
