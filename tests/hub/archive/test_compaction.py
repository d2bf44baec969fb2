"""A closed night becomes one catalog: every alert once, nothing lost whenever the process ends, readers never see a gap."""

import os
import shutil
from pathlib import Path

import lsdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from hats.io.validation import is_valid_catalog

from hub.archive import compaction, hats, layout, merging
from hub.archive.counting import Counts
from hub.archive.history import ArchiveHistory
from hub.archive.segments import Footers
from hub.bootstrap import now
from hub.errors import StorageError
from hub.model.alert import AlertBatch
from hub.model.instant import Instant
from tests.support.archived import FIRST_NIGHT, survey_night

N = 6_000
NIGHT = FIRST_NIGHT
AFTERNOON = compaction.night_end(NIGHT).plus_s(7 * 3600.0)
WHOLE = np.array([0], dtype=np.int64), np.array([12 << 58], dtype=np.int64)
SOMETIME = Instant.from_mjd_tai(NIGHT), Instant.from_mjd_tai(NIGHT + 2)


class Stopped(Exception):
    """The process ends here."""


def fill(folder: Path, n: int = N, **options: int) -> list[AlertBatch]:
    """Append a night through two writers, a visit at a time."""
    writers = [ArchiveHistory(folder), ArchiveHistory(folder)]
    batches = list(survey_night(NIGHT, n, per_visit=500, **options))
    for number, batch in enumerate(batches):
        assert writers[number % 2].append(batch).all()
    return batches


def late_rows() -> AlertBatch:
    """Return a visit whose alerts come late."""
    (late,) = survey_night(NIGHT, 500, per_visit=500, seed=5)
    names = [name for name in AlertBatch.__slots__ if name not in {"survey", "source_id"}]
    return AlertBatch(survey="LSST", source_id=late.source_id + 10**9, **{name: getattr(late, name) for name in names})


def ids_found(folder: Path) -> list[int]:
    """Return the source ids that a new reader finds, ascending."""
    return sorted(np.concatenate([batch.source_id for batch in ArchiveHistory(folder).in_region(*WHOLE, *SOMETIME)]).tolist())


def all_ids(batches: list[AlertBatch]) -> list[int]:
    return sorted(np.concatenate([batch.source_id for batch in batches]).tolist())


def files_of(folder: Path) -> list[Path]:
    """Return the files of the night that are in no catalog."""
    files = layout.list_night(folder, NIGHT)
    return [*files.fresh, *(path for paths in files.cells.values() for path in paths)]


def catalog(folder: Path) -> Path:
    return folder / "nights" / str(NIGHT)


def test_a_night_becomes_one_valid_catalog(tmp_path: Path) -> None:
    batches = fill(tmp_path)
    done = compaction.compact(tmp_path, NIGHT, max_rows=1000)
    assert done is not None
    assert (done.n_rows, done.n_files, done.repeats) == (N, 12, {})
    assert done.n_partitions > 5
    assert is_valid_catalog(catalog(tmp_path), strict=True)
    assert files_of(tmp_path) == []
    assert ids_found(tmp_path) == all_ids(batches)
    opened = lsdb.open_catalog(catalog(tmp_path))
    assert len(opened) == N
    assert sorted(opened.compute()["source_id"]) == all_ids(batches)


def test_every_column_comes_through(tmp_path: Path) -> None:
    fill(tmp_path)
    before = {tuple(map(str, row.items())) for table in ArchiveHistory(tmp_path).scan_night(NIGHT) for row in table.to_pylist()}
    compaction.compact(tmp_path, NIGHT, max_rows=1000)
    after = {tuple(map(str, row.items())) for table in ArchiveHistory(tmp_path).scan_night(NIGHT) for row in table.to_pylist()}
    assert len(before) == N
    assert after == before


def test_repeats_are_left_out_and_counted(tmp_path: Path) -> None:
    batches = list(survey_night(NIGHT, N, per_visit=500))
    for number in range(2):  # two processes that do not see each other's files
        writer = ArchiveHistory(tmp_path / f"writer{number}")
        for batch in batches[: 6 + 6 * number]:
            writer.append(batch)
    bring_together(tmp_path)
    done = compaction.compact(tmp_path, NIGHT, max_rows=1000)
    assert done is not None
    assert (done.n_rows, done.repeats) == (N, {"LSST": 3000})
    assert ids_found(tmp_path) == all_ids(batches)


@pytest.mark.parametrize("split_rows", [0, 10**6], ids=["cells", "joined"])
def test_merged_files_are_compacted_and_what_merging_left_out_does_not_count_again(tmp_path: Path, split_rows: int) -> None:
    batches = list(survey_night(NIGHT, N, per_visit=500))
    for number in range(2):
        writer = ArchiveHistory(tmp_path / f"writer{number}")
        for batch in batches[: 6 + 6 * number]:
            writer.append(batch)
    bring_together(tmp_path)
    merged = merging.merge_due(tmp_path, Footers(), policy=merging.Policy(more_than=0, split_rows=split_rows))
    assert merged.repeats == 3000
    assert ArchiveHistory(tmp_path).append(late_rows()).all()
    done = compaction.compact(tmp_path, NIGHT, max_rows=1000)
    assert done is not None
    assert (done.n_rows, done.repeats) == (N + 500, {})
    assert ids_found(tmp_path) == all_ids([*batches, late_rows()])
    assert list((tmp_path / "cells").glob("*")) == []
    assert ArchiveHistory(tmp_path).count() == N + 500
    assert Counts(tmp_path, Footers()).ever() == N + 500 + 3000


@pytest.mark.parametrize("split_rows", [0, 10**6], ids=["cells", "joined"])
def test_files_that_a_crash_while_merging_left_do_not_count_as_repeats(tmp_path: Path, split_rows: int) -> None:
    batches = fill(tmp_path)
    shutil.copytree(tmp_path / "fresh", tmp_path / "before")
    merging.merge_due(tmp_path, Footers(), policy=merging.Policy(more_than=0, split_rows=split_rows))
    shutil.copytree(tmp_path / "before", tmp_path / "fresh", dirs_exist_ok=True)
    done = compaction.compact(tmp_path, NIGHT, max_rows=1000)
    assert done is not None
    assert (done.n_rows, done.repeats) == (N, {})
    assert ids_found(tmp_path) == all_ids(batches)


def test_an_alert_that_came_again_elsewhere_on_the_sky_is_stored_once(tmp_path: Path) -> None:
    (batch,) = survey_night(NIGHT, 400, per_visit=400)
    (moved,) = survey_night(NIGHT, 400, per_visit=400, seed=2)
    np.testing.assert_array_equal(batch.source_id, moved.source_id)
    ArchiveHistory(tmp_path / "writer0").append(batch)
    ArchiveHistory(tmp_path / "writer1").append(moved)
    bring_together(tmp_path)
    done = compaction.compact(tmp_path, NIGHT, max_rows=50)
    assert done is not None
    assert (done.n_rows, done.repeats) == (400, {"LSST": 400})
    assert ids_found(tmp_path) == all_ids([batch])


def test_the_same_id_of_two_surveys_is_two_alerts(tmp_path: Path) -> None:
    (batch,) = survey_night(NIGHT, 400, per_visit=400)
    other = AlertBatch(survey="ZTF", **{name: getattr(batch, name) for name in AlertBatch.__slots__ if name != "survey"})
    history = ArchiveHistory(tmp_path)
    history.append(batch)
    history.append(other)
    done = compaction.compact(tmp_path, NIGHT)
    assert done is not None
    assert (done.n_rows, done.repeats) == (800, {})
    assert [(one.survey, len(one)) for one in ArchiveHistory(tmp_path).in_region(*WHOLE, *SOMETIME)] == [
        ("LSST", 400),
        ("ZTF", 400),
    ]


def bring_together(folder: Path) -> None:
    """Bring the files of two archives into one."""
    for path in sorted(folder.glob("writer*/fresh/*/*.parquet")):
        target = layout.fresh_folder(folder, int(path.parent.name)) / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def test_late_rows_make_a_new_catalog_of_all(tmp_path: Path) -> None:
    batches = fill(tmp_path)
    compaction.compact(tmp_path, NIGHT, max_rows=1000)
    reader = ArchiveHistory(tmp_path)
    assert sum(len(batch) for batch in reader.in_region(*WHOLE, *SOMETIME)) == N
    late = late_rows()
    assert ArchiveHistory(tmp_path).append(late).all()
    assert not ArchiveHistory(tmp_path).append(batches[3]).any()
    assert ids_found(tmp_path) == all_ids([*batches, late])
    done = compaction.compact(tmp_path, NIGHT, max_rows=1000)
    assert done is not None
    assert (done.n_rows, done.n_files, done.repeats) == (N + 500, 1, {})
    assert is_valid_catalog(catalog(tmp_path), strict=True)
    # a reader that had read the former catalog finds the new one
    assert sum(len(batch) for batch in reader.in_region(*WHOLE, *SOMETIME)) == N + 500
    assert sorted(path.name for path in (tmp_path / "nights").iterdir()) == [str(NIGHT)]
    assert compaction.compact(tmp_path, NIGHT) is None


def test_rows_that_come_while_a_night_is_compacted_stay(tmp_path: Path) -> None:
    batches = fill(tmp_path)
    late = late_rows()
    comes = iter([late])

    def come() -> None:
        for batch in comes:
            ArchiveHistory(tmp_path).append(batch)

    done = compaction.compact(tmp_path, NIGHT, keep=come)
    assert done is not None
    assert done.n_rows == N
    assert len(files_of(tmp_path)) == 1
    assert ids_found(tmp_path) == all_ids([*batches, late])


def stopping(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the process end before the given rename or deletion; none of our own code is replaced."""
    seen = iter(range(10**6))

    def guard(original):
        def call(*args, **options):
            if next(seen) == number:
                raise Stopped
            return original(*args, **options)

        return call

    for name in ("rename", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, guard(getattr(os, name)))


@pytest.mark.parametrize("again", [False, True], ids=["first", "with-late-rows"])
def test_a_crash_at_any_step_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    before = tmp_path / "before"
    batches = fill(before, 2000)
    if again:
        compaction.compact(before, NIGHT, max_rows=1000)
        batches.append(late_rows())
        ArchiveHistory(before).append(batches[-1])
    wanted, number, stopped = all_ids(batches), 0, True
    while stopped:
        folder = tmp_path / str(number)
        shutil.copytree(before, folder)
        with monkeypatch.context() as patch:
            stopping(patch, number)
            try:
                compaction.compact(folder, NIGHT, max_rows=1000)
                stopped = False
            except Stopped:
                number += 1
        assert ids_found(folder) == wanted
        assert ArchiveHistory(folder).count() == len(wanted)
        after = compaction.compact(folder, NIGHT, max_rows=1000)
        assert after is None or after.repeats == {}
        assert ids_found(folder) == wanted
        assert ArchiveHistory(folder).count() == len(wanted)
        assert files_of(folder) == []
        assert sorted(path.name for path in (folder / "nights").iterdir()) == [str(NIGHT)]
        assert is_valid_catalog(catalog(folder), strict=True)
    assert number >= (20 if again else 6)


def test_a_catalog_that_lacks_rows_never_takes_the_place_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = fill(tmp_path)

    def spoil() -> None:
        for path in (tmp_path / "nights" / f".{NIGHT}.building").glob("dataset/*/*/*.parquet"):
            table = pq.read_table(path)
            pq.write_table(table.slice(1), path)

    with pytest.raises(StorageError, match="rows, not 6000"):
        compaction.compact(tmp_path, NIGHT, max_rows=1000, keep=spoil)
    assert hats.nights(tmp_path) == []
    assert ids_found(tmp_path) == all_ids(batches)
    assert compaction.compact(tmp_path, NIGHT) is not None


def test_a_lost_lease_ends_the_work(tmp_path: Path) -> None:
    batches = fill(tmp_path)

    def lost() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        compaction.compact(tmp_path, NIGHT, keep=lost)
    assert ids_found(tmp_path) == all_ids(batches)
    assert list((tmp_path / "nights").iterdir()) == []


def test_an_alert_that_is_in_the_catalogs_of_two_nights_is_found_once(tmp_path: Path) -> None:
    (batch,) = survey_night(NIGHT, 400, per_visit=400)
    columns = {name: getattr(batch, name) for name in AlertBatch.__slots__ if name not in {"survey", "mid_tai_us"}}
    history = ArchiveHistory(tmp_path)
    history.append(batch)
    history.append(AlertBatch(survey="LSST", mid_tai_us=batch.mid_tai_us + layout.DAY_US, **columns))
    assert [compaction.compact(tmp_path, night) is not None for night in (NIGHT, NIGHT + 1)] == [True, True]
    (found,) = history.in_region(*WHOLE, Instant.from_mjd_tai(NIGHT), Instant.from_mjd_tai(NIGHT + 3))
    assert sorted(found.source_id.tolist()) == all_ids([batch])


def test_two_processes_do_not_compact_at_once(tmp_path: Path) -> None:
    fill(tmp_path)

    def other() -> None:
        with pytest.raises(StorageError, match="another process"):
            compaction.compact(tmp_path, NIGHT)

    assert compaction.compact(tmp_path, NIGHT, keep=other) is not None


def test_a_night_is_due_in_the_afternoon_when_no_rows_come_any_more(tmp_path: Path) -> None:
    fill(tmp_path, 1000)
    newest = max(path.stat().st_mtime for path in files_of(tmp_path))
    quiet = Instant.from_unix_s(newest).plus_s(compaction.QUIET_S + 1)
    assert quiet.minus(AFTERNOON) > 0  # the night of the test is past
    assert compaction.due(tmp_path, compaction.night_end(NIGHT).plus_s(5 * 3600.0)) == []
    assert compaction.due(tmp_path, Instant.from_unix_s(newest)) == []
    assert compaction.due(tmp_path, quiet) == [NIGHT]
    done = compaction.compact_due(tmp_path, quiet)
    assert done is not None
    assert (done.night, done.n_rows) == (NIGHT, 1000)
    assert compaction.compact_due(tmp_path, quiet) is None


def later() -> Instant:
    """Return a moment at which files that are written now are quiet."""
    return now().plus_s(compaction.QUIET_S + 60)


def test_a_damaged_night_is_told_and_stops_no_other(tmp_path: Path) -> None:
    fill(tmp_path, 1000)
    for batch in survey_night(NIGHT + 1, 1000):
        ArchiveHistory(tmp_path).append(batch)
    damaged = files_of(tmp_path)[0]
    content = bytearray(damaged.read_bytes())
    content[4:400] = bytes(396)
    damaged.write_bytes(content)
    done = compaction.compact_due(tmp_path, later())
    assert done is not None
    assert done.night == NIGHT + 1
    with pytest.raises(StorageError, match=damaged.name):
        compaction.compact_due(tmp_path, later())
    assert len(files_of(tmp_path)) == 2
    assert hats.nights(tmp_path) == [NIGHT + 1]


def test_without_room_for_a_second_copy_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = fill(tmp_path, 1000)
    with monkeypatch.context() as patch:
        patch.setattr(compaction, "SPARE_BYTES", 10**18)
        with pytest.raises(StorageError, match="MB free, and compacting a night needs"):
            compaction.compact_due(tmp_path, later())
    assert list((tmp_path / "nights").iterdir()) == []
    assert ids_found(tmp_path) == all_ids(batches)


def test_what_is_due_waits_while_another_process_merges(tmp_path: Path) -> None:
    fill(tmp_path, 1000)
    with merging.alone(tmp_path):
        assert compaction.compact_due(tmp_path, later()) is None
    assert compaction.compact_due(tmp_path, later()) is not None


def test_an_archive_that_is_not_there_has_nothing_due(tmp_path: Path) -> None:
    assert compaction.compact_due(tmp_path / "archive", AFTERNOON) is None
    assert not (tmp_path / "archive").exists()


def test_a_night_ends_at_noon() -> None:
    assert layout.night_of(compaction.night_end(NIGHT).tai_us - 1) == NIGHT
    assert layout.night_of(compaction.night_end(NIGHT).tai_us) == NIGHT + 1
