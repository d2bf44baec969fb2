"""Old nights go, by age and by size, and what they held is kept as a number."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from hub.archive import layout
from hub.archive.compaction import compact
from hub.archive.history import ArchiveHistory, ArchiveSettings
from hub.archive.retention import size_of
from hub.model.instant import Instant
from tests.contracts.alert_history import DAY_US
from tests.hub.archive.test_merging import few_cells, night

N = 400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An archive of five nights and a bit."""
    history = ArchiveHistory(tmp_path / "archive")
    history.append(few_cells(night(N), 5 * DAY_US))
    return history.folder


def opened(folder: Path, **options: float) -> ArchiveHistory:
    return ArchiveHistory(folder, ArchiveSettings(**options))  # type: ignore[arg-type]


def test_nights_older_than_the_limit_are_deleted_whole(folder: Path) -> None:
    history = opened(folder, keep_days=300.0)
    first, *others = history.nights()
    end_of_second = Instant.from_mjd_tai(first + 2.5)
    report = history.tidy(end_of_second.plus_s(300 * 86_400.0))
    assert [(one.night, one.is_early) for one in report.retired] == [(first, False)]
    begins = (date(1858, 11, 17) + timedelta(days=first)).isoformat()
    assert report.retired[0].text.startswith(f"the night {first} ({begins}) with ")
    assert "is older than archive.keep_days, 300 days, and was deleted" in report.retired[0].text
    assert history.nights() == others
    assert history.count_ever() == N == history.count() + report.retired[0].rows
    assert [path for path in (folder / "removed").iterdir() if path.is_dir()] == []


def test_the_oldest_go_while_the_archive_is_too_large_and_the_latest_stay(folder: Path) -> None:
    nights = opened(folder).nights()
    limit = sum(size_of(folder, one) for one in nights[2:])
    history = opened(folder, max_bytes=limit)
    now = Instant.from_mjd_tai(nights[-1] + 1.6)
    report = history.tidy(now)
    assert [(one.night, one.is_early) for one in report.retired] == [(nights[0], True), (nights[1], True)]
    assert "although events may look back 250 days" in report.retired[0].text
    assert not opened(folder, max_bytes=limit).tidy(now).retired
    opened(folder, max_bytes=1).tidy(now)
    assert history.nights() == nights[-2:]
    assert history.count_ever() == N


@pytest.mark.parametrize("is_written", [False, True])
def test_a_deletion_that_was_interrupted_is_ended_and_counted_once(folder: Path, is_written: bool) -> None:
    history = opened(folder)
    first = history.nights()[0]
    left = folder / "removed" / f"{first}-0000abcd"
    (left / "fresh").mkdir(parents=True)
    (folder / "fresh" / str(first)).rename(left / "fresh" / str(first))
    if is_written:
        copy = folder / "copy"
        shutil.copytree(left, copy)
        history.tidy(Instant(0))
        copy.rename(left)
    history.tidy(Instant(0))
    assert not left.exists()
    assert history.count() < N == history.count_ever()


def test_late_alerts_of_a_deleted_night_are_stored_and_go_again(folder: Path) -> None:
    history = opened(folder, keep_days=300.0)
    first = history.nights()[0]
    now = Instant.from_mjd_tai(first + 2.5).plus_s(300 * 86_400.0)
    history.tidy(now)
    batch = few_cells(night(N), 5 * DAY_US)
    late = batch.take(layout.nights_of(batch.mid_tai_us) == first)
    assert history.append(late).all()
    assert history.nights()[0] == first
    assert history.tidy(now).retired[0].rows == len(late)
    assert history.count_ever() == N + len(late)
    assert history.append(late).all()


def test_a_catalog_that_a_crash_left_under_its_former_name_goes_with_its_night_and_is_counted_once(folder: Path) -> None:
    first, *others = opened(folder).nights()
    rows = opened(folder).count()
    assert compact(folder, first) is not None
    (folder / "nights" / str(first)).rename(folder / "nights" / f".{first}.old")
    assert opened(folder).count() == rows
    now = Instant.from_mjd_tai(first + 2.5).plus_s(300 * 86_400.0)
    (gone,) = opened(folder, keep_days=300.0).tidy(now).retired
    assert gone.rows > 0
    assert gone.n_bytes > 0
    assert not opened(folder, keep_days=300.0).tidy(now).retired
    assert opened(folder).nights() == others
    assert opened(folder).count_ever() == rows
    assert len(list((folder / "removed").glob("*.json"))) == 1
    assert list((folder / "nights").iterdir()) == []
