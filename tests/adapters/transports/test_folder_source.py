"""The watched folder: what is dropped is taken in once, kept, and never stops what comes after it."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.transports.folder_source import FolderSource, Options, open_source
from hub.errors import ConfigError
from tests.support.parts import part_context


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "some" / "inbox"


@pytest.fixture
def box(folder):
    with ExitStack() as stack:

        def opened(**changes) -> FolderSource:
            options = Options(path="inbox", **{"max_message_bytes": 100_000, **changes})
            return stack.enter_context(open_source(options, part_context(folder.parent, "drop")))

        yield opened


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_files_come_in_the_order_of_their_names_and_are_moved_once_acknowledged(box, folder):
    source = box()
    (folder / "b.txt").write_bytes(b"two")
    (folder / "a.xml").write_bytes(b"one")
    found = source.take(10, 0)
    assert [(one.payload, one.position, one.source) for one in found] == [(b"one", "a.xml", "drop"), (b"two", "b.txt", "drop")]
    assert names(folder) == ["a.xml", "b.txt"]
    source.acknowledge()
    assert names(folder) == []
    assert names(folder / "done") == ["a.xml", "b.txt"]
    assert source.take(10, 0) == []


def test_what_was_not_acknowledged_comes_again(box, folder):
    (first, second) = (box(), box())
    (folder / "a.xml").write_bytes(b"one")
    assert len(first.take(10, 0)) == 1
    assert len(second.take(10, 0)) == 1


def test_a_name_that_is_no_text_stops_nothing(box, folder):
    source = box()
    odd = folder / os.fsdecode(b"\xff\n.xml")
    odd.write_bytes(b"one")
    assert len(source.take(10, 0)) == 1
    source.acknowledge()
    assert names(folder / "done") == [odd.name]


def test_hidden_files_and_folders_are_left_alone(box, folder):
    source = box()
    (folder / ".half-written").write_bytes(b"<voe")
    (folder / "later").mkdir()
    (folder / "later" / "c.xml").write_bytes(b"one")
    assert source.take(10, 0) == []
    assert names(folder) == [".half-written"]


def test_a_second_file_of_the_same_name_replaces_nothing(box, folder):
    source = box()
    for text in (b"first", b"second", b"third"):
        (folder / "a.xml").write_bytes(text)
        source.take(10, 0)
        source.acknowledge()
    assert names(folder / "done") == ["a.xml", "a.xml.1", "a.xml.2"]
    assert (folder / "done" / "a.xml").read_bytes() == b"first"


def test_a_file_that_is_too_large_stops_no_other(box, folder):
    source = box(max_message_bytes=10_000)
    (folder / "a.fits").write_bytes(bytes(10_001))
    (folder / "b.xml").write_bytes(b"one")
    assert [one.position for one in source.take(10, 0)] == ["b.xml"]
    assert names(folder / "refused") == ["a.fits"]


def test_no_more_are_taken_than_asked_for(box, folder):
    source = box()
    for number in range(3):
        (folder / f"{number}.xml").write_bytes(b"one")
    assert len(source.take(1, 0)) == 1
    source.acknowledge()
    assert names(folder) == ["1.xml", "2.xml"]


def test_a_folder_that_cannot_be_made_is_one_sentence(box, folder):
    folder.parent.write_bytes(b"a file")
    with pytest.raises(ConfigError, match=r"^sources\.drop\.path: the hub cannot make the folder "):
        box()
