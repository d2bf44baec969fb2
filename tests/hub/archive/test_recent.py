"""Rows of fresh files in memory: the same answers as from the files, within the memory that is allowed."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.archive import layout
from hub.archive.history import ArchiveHistory, ArchiveSettings
from hub.archive.merging import Policy
from hub.archive.recent import FILE_BYTES, ROW_BYTES, Recent
from hub.archive.region import Region
from hub.model.alert import AlertBatch
from hub.model.instant import Instant
from tests.contracts.alert_history import DAY_US, N_PIXELS, night, rows

NOW = Instant(20 * DAY_US)
EVERYWHERE = Region(lo=np.array([0]), hi=np.array([N_PIXELS]), start_us=0, end_us=30 * DAY_US)
SPLIT = Policy(more_than=0, split_rows=0)
JOIN = Policy(more_than=1)


def of_nights(n: int, nights: int = 1, **options: Any) -> AlertBatch:
    """Return alerts in a few cells: every cell of a night costs files."""
    one = night(n, **options)
    mid = DAY_US // 2 + one.mid_tai_us % (nights * DAY_US)
    return replace(one, mid_tai_us=mid, hpx29=one.hpx29 % (2 << layout.CELL_SHIFT))


def of_objects(history: ArchiveHistory, batch: AlertBatch, numbers: np.ndarray) -> list[tuple[object, ...]]:
    names = [f"object-{i}" for i in numbers]
    pixels = batch.hpx29[3 * numbers]
    found = history.of_objects(batch.survey, names, pixels)
    assert (np.diff(found.mid_tai_us) >= 0).all()
    return rows(found)


def expected(batch: AlertBatch, numbers: np.ndarray) -> list[tuple[object, ...]]:
    return rows(batch.take(np.isin(batch.object_id, [f"object-{i}".encode() for i in numbers])))


def spoil(folder: Path) -> None:
    """Make every fresh file unreadable under its name."""
    for path in (folder / layout.FRESH).rglob(f"*{layout.SUFFIX}"):
        path.write_bytes(b"spoiled")


@pytest.mark.parametrize("limit", [0, 40_000, 2**25])
@pytest.mark.parametrize("seed", range(3))
def test_writers_merges_and_restarts_change_no_answer(tmp_path: Path, seed: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    batch = of_nights(900, 1 + seed % 2, seed=seed)
    policies = (JOIN, SPLIT, Policy(more_than=3, split_rows=200))

    def opened() -> ArchiveHistory:
        return ArchiveHistory(tmp_path, ArchiveSettings(recent_bytes=limit, merging=policies[rng.integers(3)]))

    workers = [opened(), opened()]
    for begin in range(0, 900, 75):
        rng.choice(workers).append(batch.take(np.arange(max(0, begin - 20), begin + 75)))  # some of them come again
        if rng.random() < 0.3:
            rng.choice(workers).tidy(NOW)
        if rng.random() < 0.2:
            workers[rng.integers(2)] = opened()
        numbers = rng.choice(300, 20, replace=False)
        for history in workers:
            assert of_objects(history, batch, numbers) == expected(batch.take(np.arange(begin + 75)), numbers)
            assert history._recent.n_bytes <= limit


def test_what_this_process_wrote_is_not_read_back(tmp_path: Path) -> None:
    batch, history = of_nights(90), ArchiveHistory(tmp_path)
    history.append(batch)
    spoil(tmp_path)
    assert of_objects(history, batch, np.arange(30)) == rows(batch)


def test_what_another_process_wrote_is_read_once(tmp_path: Path) -> None:
    batch, history = of_nights(90), ArchiveHistory(tmp_path)
    ArchiveHistory(tmp_path).append(batch)
    assert of_objects(history, batch, np.arange(5)) == expected(batch, np.arange(5))
    spoil(tmp_path)
    assert of_objects(history, batch, np.arange(30)) == rows(batch)


@pytest.mark.parametrize("policy", [JOIN, SPLIT])
def test_files_that_were_merged_elsewhere_leave_memory(tmp_path: Path, policy: Policy) -> None:
    batch, history = of_nights(3 * 3000), ArchiveHistory(tmp_path)
    for part in np.split(np.arange(9000), 9):
        history.append(batch.take(part))
    before = history._recent.n_bytes
    ArchiveHistory(tmp_path, ArchiveSettings(merging=policy)).tidy(NOW)
    assert of_objects(history, batch, np.arange(40)) == expected(batch, np.arange(40))
    assert history._recent.n_bytes <= (before if policy is JOIN else 0)


def test_an_alert_that_two_processes_stored_comes_once(tmp_path: Path) -> None:
    batch, one, two = of_nights(30), ArchiveHistory(tmp_path / "one"), ArchiveHistory(tmp_path / "two")
    one.append(batch)
    two.append(batch)
    (path,) = (tmp_path / "two" / layout.FRESH).rglob(f"*{layout.SUFFIX}")
    shutil.copy(path, next((tmp_path / "one" / layout.FRESH).iterdir()))
    assert of_objects(one, batch, np.arange(10)) == rows(batch)


def test_a_night_that_was_deleted_is_not_remembered(tmp_path: Path) -> None:
    batch, history = of_nights(30), ArchiveHistory(tmp_path)
    history.append(batch)
    shutil.rmtree(tmp_path / layout.FRESH)
    assert of_objects(history, batch, np.arange(10)) == []
    assert history._recent.n_bytes == 0


def test_ids_that_are_no_text_are_found_as_the_file_has_them(tmp_path: Path) -> None:
    batch, history = of_nights(3), ArchiveHistory(tmp_path)
    odd = replace(batch, object_id=np.array([b"\xff", "é".encode(), b"plain"], dtype="S32"))
    history.append(odd)
    for name in ("\ufffd", "é", "plain"):
        assert len(history.of_objects("LSST", [name], batch.hpx29)) == 1
        assert len(ArchiveHistory(tmp_path).of_objects("LSST", [name], batch.hpx29)) == 1
    assert len(history.of_objects("LSST", ["plain" + "n" * 40, "p" * 64], batch.hpx29)) == 0


def test_other_surveys_have_rows_of_their_own(tmp_path: Path) -> None:
    history = ArchiveHistory(tmp_path)
    lsst, ztf = of_nights(30), of_nights(30, survey="ZTF")
    history.append(lsst)
    history.append(ztf)
    for batch in (lsst, ztf):
        assert of_objects(history, batch, np.arange(10)) == rows(batch)


def test_where_there_is_no_room_the_largest_files_are_left_out() -> None:
    batch, recent = of_nights(600), Recent(200 * ROW_BYTES + 20 * FILE_BYTES)
    names = [Path(f"{n}-{i}") for i, n in enumerate((150, 40, 60, 40, 40))]
    begin = 0
    for path in names:
        n = int(path.name.partition("-")[0])
        recent.add(1, path, batch.take(np.arange(begin, begin + n)))
        begin += n
        assert recent.n_bytes <= 200 * ROW_BYTES + 20 * FILE_BYTES
    assert recent.missing(1, names) == names[:1]
    assert not recent.admits(150)
    found, elsewhere = recent.rows(1, names, EVERYWHERE, "LSST")
    assert elsewhere == names[:1]
    assert sorted(row for one in found for row in rows(one)) == rows(batch.take(np.arange(150, 330)))


def test_memory_of_files_that_are_gone_is_used_again() -> None:
    batch, limit = of_nights(600), 100 * ROW_BYTES + 10 * FILE_BYTES
    recent = Recent(limit)
    for i in range(6):
        assert recent.missing(1, [Path(str(i))]) == [Path(str(i))]  # those before are gone
        recent.add(1, Path(str(i)), batch.take(np.arange(100 * i, 100 * (i + 1))))
        assert recent.missing(1, [Path(str(i))]) == []
        assert recent.n_bytes <= limit
    assert recent.missing(1, []) == []
    assert recent.n_bytes == 0
