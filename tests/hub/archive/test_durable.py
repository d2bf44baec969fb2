"""What has to be on the disk when somebody is told that it is: names of folders too, up to the archive's own."""

import errno
from pathlib import Path

import pytest

from hub.archive import durable, segments


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders whose names were brought to the disk, in order."""
    found: list[Path] = []
    monkeypatch.setattr(durable, "sync_folder", found.append)
    monkeypatch.setattr(durable, "_named", {})
    return found


def test_every_new_folder_is_named_on_the_disk_from_the_top(tmp_path: Path, synced: list[Path]) -> None:
    durable.make_folders(tmp_path / "archive" / "cells" / "61000")
    assert synced[-3:] == [tmp_path, tmp_path / "archive", tmp_path / "archive" / "cells"]


def test_a_folder_that_another_process_has_just_made_is_named_too_and_once(tmp_path: Path, synced: list[Path]) -> None:
    (tmp_path / "archive" / "cells").mkdir(parents=True)
    durable.make_folders(tmp_path / "archive" / "cells")
    assert synced[-2:] == [tmp_path, tmp_path / "archive"]
    before = len(synced)
    durable.make_folders(tmp_path / "archive" / "cells")
    assert len(synced) == before


def test_a_folder_that_was_taken_away_and_made_anew_is_named_again(tmp_path: Path, synced: list[Path]) -> None:
    durable.make_folders(tmp_path / "night")
    (tmp_path / "night").rename(tmp_path / "away")  # keeps its inode, so that the new one has another
    durable.make_folders(tmp_path / "night")
    assert synced[-1] == tmp_path
    assert (tmp_path / "night").is_dir()


def test_faults_of_folders_above_are_somebody_elses_and_of_new_ones_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_named", {})

    def refuse(folder: Path) -> None:
        raise OSError(errno.EACCES, "not yours", str(folder))

    monkeypatch.setattr(durable, "sync_folder", refuse)
    durable.make_folders(tmp_path)
    with pytest.raises(OSError, match="not yours"):
        durable.make_folders(tmp_path / "new")


def test_what_is_published_is_named_up_to_the_archive_before_anybody_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "archive"
    paths = [archive / "cells" / "61000" / cell / "1.parquet" for cell in ("7", "8")]
    for path in paths:
        path.parent.mkdir(parents=True)
        segments.beside(path).write_bytes(b"rows")
    told: list[list[Path]] = []
    monkeypatch.setattr(segments, "sync_files", lambda files, _: told.append(list(files)))
    segments.publish(archive, paths)
    assert told[0] == [segments.beside(path) for path in paths]
    night = archive / "cells" / "61000"
    assert told[1] == [archive, archive / "cells", night, night / "7", night / "8"]
    assert all(path.exists() for path in paths)
