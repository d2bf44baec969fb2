"""A disk that fills stops appending with a sentence, leaves nothing half-written, and goes on when there is room."""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub.archive.history import ArchiveHistory, ArchiveSettings
from hub.archive.merging import Policy
from hub.errors import StorageError
from hub.model.instant import Instant
from tests.conftest import missing
from tests.contracts.alert_history import DAY_US, N_PIXELS, night, rows
from tests.hub.archive.test_merging import one_night

NOW = Instant(20 * DAY_US)


@contextmanager
def files_no_larger_than(n_bytes: int) -> Iterator[None]:
    """Let the operating system refuse to write more into any one file (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False)
    if done.returncode:
        missing(f"cannot mount a small file system: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def everything(history: ArchiveHistory) -> list[list[tuple[object, ...]]]:
    found = history.in_region(np.array([0]), np.array([N_PIXELS]), Instant(0), Instant(30 * DAY_US))
    return [rows(batch) for batch in found]


def all_files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_file_that_cannot_be_written_is_no_file(tmp_path: Path) -> None:
    history = ArchiveHistory(tmp_path / "archive")
    batch = one_night(2000)
    history.append(batch.take(np.arange(10)))
    before = all_files(tmp_path)
    with files_no_larger_than(20_000), pytest.raises(StorageError, match="the disk of the archive is full"):
        history.append(batch)
    assert all_files(tmp_path) == before
    assert history.append(batch).sum() == 1990
    assert everything(history) == [rows(batch)]


def test_merging_that_cannot_be_written_leaves_all_as_it_was(tmp_path: Path) -> None:
    history = ArchiveHistory(tmp_path / "archive", ArchiveSettings(merging=Policy(more_than=1)))
    batch = one_night(900)
    for part in np.array_split(np.arange(900), 4):
        history.append(batch.take(part))
    before = {path for path in all_files(tmp_path) if path.suffix == ".parquet"}
    with files_no_larger_than(30_000), pytest.raises(StorageError, match="full"):
        history.tidy(NOW)
    assert {path for path in all_files(tmp_path) if path.suffix == ".parquet"} == before
    history.tidy(NOW)
    assert everything(history) == [rows(batch)]


def test_a_disk_that_fills_takes_alerts_again_once_there_is_room(small_disk: Path) -> None:
    history = ArchiveHistory(small_disk / "archive")
    stored = 0

    def fill() -> None:
        nonlocal stored
        for seed in range(100):
            batch = one_night(3000, seed=seed)
            history.append(replace(batch, source_id=batch.source_id + 10_000 * seed))
            stored += 3000

    with pytest.raises(StorageError, match="the disk of the archive is full"):
        fill()
    assert stored > 0
    assert not list(small_disk.rglob(".*.parquet"))
    assert sum(map(len, everything(history))) == stored == history.count() == ArchiveHistory(history.folder).count()
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
    batch = night(300, survey="ZTF")
    assert history.append(batch).all()
    assert everything(history)[-1] == rows(batch)


def test_below_the_floor_nothing_is_taken_and_the_reason_is_told(tmp_path: Path) -> None:
    history = ArchiveHistory(tmp_path, ArchiveSettings(min_free_bytes=10**18))
    with pytest.raises(StorageError, match=r"MB free, less than the .* of archive.min_free_mb: no alert is taken in"):
        history.append(night(3))
    assert history.count() == 0
    assert len(history.alarms()) == 1
    assert ArchiveHistory(tmp_path).append(night(3)).all()


def test_what_a_dead_process_was_writing_is_swept(tmp_path: Path) -> None:
    history = ArchiveHistory(tmp_path)
    history.append(one_night(3))
    (folder,) = (tmp_path / "fresh").iterdir()
    old, new = folder / ".dead-00000001.parquet", folder / ".alive-00000001.parquet"
    for path in (old, new):
        path.write_bytes(b"PAR1")
    os.utime(old, (0, 0))
    assert history.count() == 3
    assert history.tidy(Instant(0)).swept == 1
    assert not old.exists()
    assert new.exists()
