"""Merging changes where rows lie and nothing that is answered."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hub.archive import layout, merging
from hub.archive.columns import PIXEL
from hub.archive.history import ArchiveHistory, ArchiveSettings
from hub.model.alert import COLUMN_DTYPES, AlertBatch
from hub.model.instant import Instant
from tests.contracts.alert_history import DAY_US, N_PIXELS, night, rows

SPLIT = ArchiveSettings(merging=merging.Policy(more_than=0, split_rows=0))
JOIN = ArchiveSettings(merging=merging.Policy(more_than=1))
NOW = Instant(20 * DAY_US)


def everything(history: ArchiveHistory) -> list[list[tuple[object, ...]]]:
    found = history.in_region(np.array([0]), np.array([N_PIXELS]), Instant(0), Instant(30 * DAY_US))
    return [rows(batch) for batch in found]


def one_night(n: int = 2000, **options: object) -> AlertBatch:
    """Return alerts of one night in a few cells: every cell of a night costs files."""
    return few_cells(night(n, **options), DAY_US // 2)


def few_cells(batch: AlertBatch, within_us: int) -> AlertBatch:
    columns = {name: getattr(batch, name) for name in COLUMN_DTYPES}
    few = {"mid_tai_us": batch.mid_tai_us % within_us, "hpx29": batch.hpx29 % (6 << layout.CELL_SHIFT)}
    return AlertBatch(survey=batch.survey, **{**columns, **few})


def files(history: ArchiveHistory) -> list[Path]:
    return [path for one in history.nights() for path in layout.list_night(history.folder, one).paths()]


@pytest.fixture
def history(tmp_path: Path) -> ArchiveHistory:
    return ArchiveHistory(tmp_path / "archive", SPLIT)


def test_nothing_is_fresh_after_merging_and_all_is_found(history: ArchiveHistory) -> None:
    batch = few_cells(night(3000), 3 * DAY_US)
    for part in np.array_split(np.arange(3000), 7):
        history.append(batch.take(part))
    before = everything(history)
    report = history.tidy(NOW)
    assert (report.merged.rows, report.merged.repeats) == (3000, 0)
    assert not any(layout.FRESH in path.parts for path in files(history))
    assert everything(history) == before == [rows(batch)]
    assert (history.count(), history.count_ever()) == (3000, 3000)


def test_merged_alerts_are_known(history: ArchiveHistory) -> None:
    batch = one_night(500)
    history.append(batch)
    history.tidy(NOW)
    assert not history.append(batch).any()
    assert not ArchiveHistory(history.folder).append(batch).any()


def test_what_another_process_stored_is_known(history: ArchiveHistory) -> None:
    batch, other = night(500), ArchiveHistory(history.folder)
    history.append(batch.take(np.arange(0, 300)))
    assert other.append(batch).sum() == 200
    assert not history.append(batch).any()


def test_ids_that_were_forgotten_for_lack_of_memory_are_read_again(tmp_path: Path) -> None:
    history = ArchiveHistory(tmp_path, ArchiveSettings(known_bytes=1))
    batch = one_night(400)
    for _ in range(2):
        is_new = [history.append(batch.take(part)) for part in np.array_split(np.argsort(batch.hpx29), 10)]
    assert not np.concatenate(is_new).any()


def test_few_files_are_left_of_many_appends(tmp_path: Path) -> None:
    history = ArchiveHistory(tmp_path, ArchiveSettings(merging=merging.Policy(more_than=16, split_rows=100)))
    batch = one_night(200)
    most = 0
    for row in range(200):
        history.append(batch.take(np.array([row])))
        history.tidy(NOW)
        most = max(most, len(layout.list_night(tmp_path, history.nights()[0]).fresh))
    assert most <= 17
    counts = [len(paths) for paths in layout.list_night(tmp_path, history.nights()[0]).cells.values()]
    assert max(counts) <= merging.CELL_FILES
    assert everything(history) == [rows(batch)]


def test_a_row_that_two_processes_stored_at_once_is_found_once_and_merged_into_one(history: ArchiveHistory) -> None:
    batch = one_night(300)
    other = ArchiveHistory(history.folder.with_name("other"))
    history.append(batch)
    other.append(batch.take(np.arange(100)))
    for path in files(other):
        path.rename(history.folder / path.relative_to(other.folder))
    assert everything(history) == [rows(batch)]
    assert history.count() == 400
    assert history.tidy(NOW).merged.repeats == 100
    assert everything(history) == [rows(batch)]
    assert (history.count(), history.count_ever()) == (300, 400)


@pytest.mark.parametrize("settings", [SPLIT, JOIN])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_crash_amid_merging_doubles_nothing(tmp_path: Path, settings: ArchiveSettings, share: float) -> None:
    """What a crash leaves: some of the new files, and all of the old ones."""
    history = ArchiveHistory(tmp_path / "archive", settings)
    batch = one_night(900)
    for part in np.array_split(np.arange(900), 3):
        history.append(batch.take(part))
    old = {path: path.read_bytes() for path in files(history)}
    history.tidy(NOW)
    new = files(history)
    for path in new[: round(share * len(new))]:
        path.unlink()
    for path, content in old.items():
        path.write_bytes(content)
    for one in (history, ArchiveHistory(history.folder, settings)):
        assert everything(one) == [rows(batch)]
        assert one.count() == 900
        assert not one.append(batch).any()
    assert history.tidy(NOW).merged.repeats == 0
    assert not old.keys() & set(files(history))
    assert everything(history) == [rows(batch)]
    assert history.count() == history.count_ever() == 900


def test_a_night_is_scanned_in_order_of_the_sky(history: ArchiveHistory) -> None:
    batch = one_night(2000)
    for part in np.array_split(np.arange(2000), 3):
        history.append(batch.take(part))
        history.append(one_night(50, survey="ZTF", seed=3))
    ((found),) = history.nights()
    pixels = np.concatenate([table[PIXEL].to_numpy() for table in history.scan_night(found)])
    assert len(pixels) == 2050
    assert (np.diff(pixels) >= 0).all()


@hypothesis_settings(max_examples=25)
@given(data=st.data())
def test_any_appends_and_merges_answer_as_one_table(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("archive")
    within = 2 * DAY_US
    batches = {
        "LSST": few_cells(night(400, seed=data.draw(st.integers(0, 5))), within),
        "ZTF": few_cells(night(100, survey="ZTF", seed=9), within),
    }
    processes = [ArchiveHistory(folder, data.draw(st.sampled_from([SPLIT, JOIN]))) for _ in range(2)]
    given_rows: dict[str, set[int]] = {"LSST": set(), "ZTF": set()}
    for _ in range(data.draw(st.integers(1, 8))):
        process = processes[data.draw(st.integers(0, 1))]
        if data.draw(st.booleans()):
            process.tidy(NOW)
            continue
        survey = data.draw(st.sampled_from(["LSST", "ZTF"]))
        batch = batches[survey]
        first = data.draw(st.integers(0, len(batch) - 1))
        part = np.arange(first, min(first + data.draw(st.integers(1, 150)), len(batch)))
        is_new = process.append(batch.take(part))
        assert is_new.tolist() == [row not in given_rows[survey] for row in part.tolist()]
        given_rows[survey].update(part.tolist())
    order = data.draw(st.integers(0, 6))
    width = 4 ** (29 - order)
    pixels = np.unique(np.random.default_rng(order).integers(0, max(1, 6 * 4**order // 16), 40))
    start, end = sorted(data.draw(st.tuples(st.integers(0, within), st.integers(0, within))))
    expected = []
    for survey, batch in batches.items():
        one = batch.take(np.array(sorted(given_rows[survey]), dtype=np.intp))
        inside = np.isin(one.hpx29 // width, pixels) & (one.mid_tai_us >= start) & (one.mid_tai_us < end)
        expected += [rows(one.take(inside))] if inside.any() else []
    for process in processes:
        found = process.in_region(pixels * width, (pixels + 1) * width, Instant(start), Instant(end))
        assert [rows(one) for one in found] == expected
        assert process.count() == sum(map(len, given_rows.values()))
