"""What is kept of files that were looked at."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hub.archive.columns import PIXEL
from hub.archive.history import ArchiveHistory
from hub.archive.segments import Footers, Note, read_rows, write_segment
from tests.contracts.alert_history import night


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A file of one row group."""
    ArchiveHistory(tmp_path).append(night(100))
    return max(tmp_path.rglob("*.parquet"), key=lambda path: path.stat().st_size)


def test_the_footer_of_a_small_file_keeps_its_bounds_only_and_its_rows_are_read_all_the_same(small: Path) -> None:
    footers = Footers()
    first, again = footers.get(small), footers.get(small)
    assert first.metadata is not None
    assert again.metadata is None
    assert (again.n_rows, again.note) == (first.n_rows, first.note)
    assert (again.pixel_lo.tolist(), again.pixel_hi.tolist()) == (first.pixel_lo.tolist(), first.pixel_hi.tolist())
    assert read_rows(small, again, [0], (PIXEL,)).equals(read_rows(small, first, [0], (PIXEL,)))


def test_the_footer_of_a_large_file_is_kept_whole(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = pq.read_metadata(small).num_rows
    monkeypatch.setattr("hub.archive.segments.ROW_GROUP", n - 1)
    footers, large = Footers(), tmp_path / "large.parquet"
    write_segment(large, pq.read_table(small), Note())
    footer = footers.get(large)
    assert footers.get(large) is footer
    assert [read_rows(large, footer, [group], (PIXEL,)).num_rows for group in (0, 1)] == [n - 1, 1]


def test_footers_that_were_not_asked_for_longest_are_forgotten_beyond_the_limit(small: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.parquet" for number in range(20)]
    for path in paths:
        path.write_bytes(small.read_bytes())
    footers = Footers(limit_bytes=20_000)
    for path in paths:
        footers.get(path)
        assert footers.n_bytes <= 20_000
    for path in paths:
        path.unlink()
    assert footers.get(paths[-1]).n_rows > 0
    with pytest.raises(FileNotFoundError):  # forgotten, so it is looked for
        footers.get(paths[0])
