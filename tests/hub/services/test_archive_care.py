"""The archive is merged, cut and spoken of by one process at a time."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hub.archive import layout
from hub.archive.history import ArchiveHistory, ArchiveSettings
from hub.archive.merging import Policy
from hub.archive.owner import OWNER
from hub.model.instant import Instant
from hub.services.archive_care import LEASE, LEASE_S, ArchiveCare
from hub.storage import incidents, leases
from hub.storage.engine import Store, make_engine, upgrade
from tests.contracts.alert_history import DAY_US, night

SPLIT = ArchiveSettings(merging=Policy(more_than=1), keep_days=5.0)


@pytest.fixture
def history(tmp_path: Path) -> ArchiveHistory:
    history = ArchiveHistory(tmp_path / "archive", SPLIT)
    batch = night(40)
    for part in np.array_split(np.arange(40), 4):
        history.append(batch.take(part))
    return history


class Clock:
    now = Instant(10 * DAY_US)

    def __call__(self) -> Instant:
        return self.now


def test_files_are_merged_and_old_nights_go_with_a_word(store: Store, history: ArchiveHistory) -> None:
    clock = Clock()
    care = ArchiveCare(store, history, clock)
    before = history.nights()
    while care.step():
        pass
    assert care.health().state == "running"
    assert care.health().facts["deleted"] > 0
    assert all(len(layout.list_night(history.folder, one).fresh) <= 1 for one in history.nights())
    kept = [one for one in before if one + 1.5 >= clock.now.mjd_tai - 5.0]
    assert history.nights() == kept != before
    assert history.count_ever() == 40 > history.count()
    with store.reading() as session:
        told = incidents.listing(session)
    assert len(told) == len(before) - len(kept)
    assert all("older than archive.keep_days" in one.incident.text for one in told)


def test_a_process_without_the_lease_leaves_the_archive_alone(store: Store, history: ArchiveHistory) -> None:
    clock, before = Clock(), history.nights()
    with store.transaction() as session:
        assert leases.acquire(session, LEASE, "another", now=clock.now, until=clock.now.plus_s(LEASE_S))
    care = ArchiveCare(store, history, clock)
    assert care.step() == 0
    assert care.health().state == "another process does it"
    assert history.nights() == before
    clock.now = clock.now.plus_s(LEASE_S + 1)
    care.step()
    assert history.nights() != before


def test_whoever_is_told_to_stop_leaves_the_archive_as_it_is_and_to_others(store: Store, history: ArchiveHistory) -> None:
    care = ArchiveCare(store, history, Clock())
    files = [layout.list_night(history.folder, night).fresh for night in history.nights()]
    care.stop()
    assert care.step() == 0
    assert [layout.list_night(history.folder, night).fresh for night in history.nights()] == files
    assert history.count() == 40
    with store.transaction() as session:
        assert leases.holder_of(session, LEASE) is not None
    care.release()
    with store.transaction() as session:
        assert leases.holder_of(session, LEASE) is None


def test_an_archive_that_is_not_there_yet_needs_nothing(store: Store, tmp_path: Path) -> None:
    care = ArchiveCare(store, ArchiveHistory(tmp_path / "none"), Clock())
    assert care.step() == 0
    assert (care.health().state, care.health().alarms) == ("running", ())
    assert not (tmp_path / "none").exists()


def test_health_says_that_the_disk_has_no_room(store: Store, tmp_path: Path) -> None:
    care = ArchiveCare(store, ArchiveHistory(tmp_path, ArchiveSettings(min_free_bytes=10**18)), Clock())
    (alarm,) = care.health().alarms
    assert "less than the 1000000000000 MB of archive.min_free_mb" in alarm


def test_an_archive_belongs_to_one_database_and_another_one_leaves_it_alone(
    store: Store, history: ArchiveHistory, tmp_path: Path
) -> None:
    ArchiveCare(store, history, Clock()).step()
    before = history.nights()
    url = f"sqlite:///{tmp_path / 'other.db'}"
    upgrade(url)
    with closing(Store(make_engine(url))) as other:
        later = Clock()
        later.now = Clock.now.plus_s(20 * 86_400.0)
        care = ArchiveCare(other, history, later)
        assert care.step() == 0
        (alarm,) = care.health().alarms
        assert f"the archive {history.folder} belongs to the database of another hub" in alarm
        assert history.nights() == before
        (history.folder / OWNER).unlink()
        care.step()
        assert (care.health().state, care.health().alarms) == ("running", ())
