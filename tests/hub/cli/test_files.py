import os
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.cli.files import read_up_to


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_up_to(tmp_path / "file", 5) == b"12345"
    assert read_up_to(tmp_path / "file", 4) is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize("words", [["decode"], ["ingest"], ["inside"]])
def test_a_pipe_is_refused_instead_of_waited_for(words: list[str], tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("positions.csv").write_text("ra,dec\n1,2\n")
    assert main([*words, "pipe", *(["positions.csv"] if words == ["inside"] else [])]) == 1
    said = capsys.readouterr()
    assert "not a regular file" in said.out + said.err


def test_positions_from_a_pipe_are_refused_too(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("map.fits").write_bytes(b"SIMPLE")
    assert main(["inside", "map.fits", "pipe"]) == 1
    assert "not a regular file" in capsys.readouterr().err


def test_what_is_no_time_is_a_usage_error(capsys) -> None:
    assert main(["what", "10", "20", "yesterday"]) == 2
    assert "not an ISO 8601 time" in capsys.readouterr().err
