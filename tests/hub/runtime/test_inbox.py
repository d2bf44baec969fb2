"""The inbox folder: what is dropped is taken in once, kept, and never stops what comes after it."""

import os
from pathlib import Path

import pytest

from hub.bootstrap import create_database, open_hub
from hub.config import HubSection, Settings
from hub.errors import ConfigError
from hub.runtime.inbox import Inbox
from hub.storage import envelopes
from tests.support.voevents import voevent


@pytest.fixture
def hub(tmp_path):
    settings = Settings(hub=HubSection(data_dir=tmp_path / "data"))
    with create_database(settings) as store, open_hub(settings, store) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "some" / "inbox"


def inbox(folder: Path, **changes) -> Inbox:
    return Inbox(folder, **{"max_bytes": 100_000, "batch": 100, **changes})


def books(hub):
    with hub.store.reading() as session:
        (found,) = envelopes.counts(session)
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_files_are_taken_in_and_moved_away(hub, folder):
    box = inbox(folder)
    (folder / "a.xml").write_bytes(voevent(ivorn="ivo://x/y#1"))
    (folder / "b.txt").write_bytes(b"no message at all")
    assert box.take(hub.flow) == 2
    assert names(folder) == []
    assert names(folder / "done") == ["a.xml", "b.txt"]
    assert (books(hub).stored, books(hub).dead_letters) == (1, 1)
    assert box.take(hub.flow) == 0


def test_a_name_that_is_no_text_stops_nothing(hub, folder):
    box = inbox(folder)
    odd = folder / os.fsdecode(b"\xff\n.xml")
    odd.write_bytes(voevent())
    assert box.take(hub.flow) == 1
    assert names(folder / "done") == [odd.name]
    assert books(hub).stored == 1


def test_hidden_files_and_folders_are_left_alone(hub, folder):
    box = inbox(folder)
    (folder / ".half-written").write_bytes(b"<voe")
    (folder / "later").mkdir()
    (folder / "later" / "c.xml").write_bytes(voevent())
    assert box.take(hub.flow) == 0
    assert names(folder) == [".half-written"]


def test_a_second_file_of_the_same_name_replaces_nothing(hub, folder):
    box = inbox(folder)
    for text in (b"first", b"second", b"third"):
        (folder / "a.xml").write_bytes(text)
        box.take(hub.flow)
    assert names(folder / "done") == ["a.xml", "a.xml.1", "a.xml.2"]
    assert (folder / "done" / "a.xml").read_bytes() == b"first"


def test_a_file_that_is_too_large_stops_no_other(hub, folder):
    box = inbox(folder, max_bytes=10_000)
    (folder / "a.fits").write_bytes(bytes(10_001))
    (folder / "b.xml").write_bytes(voevent())
    assert box.take(hub.flow) == 1
    assert names(folder / "refused") == ["a.fits"]
    assert names(folder / "done") == ["b.xml"]


def test_a_stop_is_heard_between_two_messages(hub, folder):
    box = inbox(folder)
    for number in range(3):
        (folder / f"{number}.xml").write_bytes(voevent(ivorn=f"ivo://x/y#{number}"))
    assert box.take(hub.flow, should_stop=lambda: True) == 1
    assert names(folder) == ["1.xml", "2.xml"]


def test_a_folder_that_cannot_be_made_is_one_sentence(folder):
    folder.parent.write_bytes(b"a file")
    with pytest.raises(ConfigError, match=r"^intake\.inbox: the hub cannot make the folder "):
        inbox(folder)
