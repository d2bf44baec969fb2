from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.transports.folder import FolderSink, file_name
from hub.errors import Transient
from hub.model.notice import Role
from hub.model.outgoing import Outgoing, Subject
from tests.contracts.sink import check_sink
from tests.support.words import T0


def outgoing(ivorn: str = "ivo://example.org/mmhub/coincidence#abc.v1", **changes: str) -> Outgoing:
    return Outgoing(
        ivorn=ivorn,
        media_type="application/xml",
        payload=b"<x/>",
        destination="file",
        role=Role.OBSERVATION,
        cites=(),
        created_at=T0,
        **changes,
    )


def test_a_message_is_a_file_and_sending_it_again_changes_nothing(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path / "out")
    for _ in range(2):
        sink.deliver(outgoing())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["abc.v1.xml"]
    assert (tmp_path / "out" / "abc.v1.xml").read_bytes() == b"<x/>"


def test_a_folder_that_cannot_be_written_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Transient, match="cannot write"):
        FolderSink(tmp_path / "file" / "out").deliver(outgoing())


def test_the_folder_keeps_the_contract_of_a_sink(tmp_path: Path) -> None:
    check_sink(FolderSink(tmp_path), lambda: [path.read_bytes() for path in sorted(tmp_path.iterdir())])


def test_two_authors_that_use_one_local_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path)
    names = ["ivo://a/x#1", "ivo://b/y#1", "ivo://a/x#" + "1" * 200, "ivo://a/x#" + "1" * 201, "ivo://a/x#a b", "ivo://a/x#a_b"]
    for ivorn in names:
        sink.deliver(outgoing(ivorn, subject=Subject.NOTICE))
    assert len(list(tmp_path.iterdir())) == len(names)


def test_another_hubs_message_about_the_same_pair_does_not_overwrite_ours(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path)
    sink.deliver(outgoing())
    sink.deliver(outgoing("ivo://example.net/hub/coincidence#abc.v1", subject=Subject.NOTICE))
    assert len(list(tmp_path.iterdir())) == 2
    assert (tmp_path / "abc.v1.xml").is_file()


@given(st.text())
def test_no_ivorn_leaves_the_folder(local: str) -> None:
    name = file_name("ivo://x#" + local)
    assert "/" not in name
    assert not name.startswith("..")
    assert Path("a", name).parent == Path("a")
