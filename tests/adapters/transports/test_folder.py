from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.transports.folder import FolderSink, file_name
from hub.errors import Transient
from hub.model.notice import Role
from hub.model.outgoing import Outgoing
from tests.support.words import T0


def outgoing(ivorn: str = "ivo://example.org/mmhub/coincidence#abc.v1") -> Outgoing:
    return Outgoing(
        ivorn=ivorn,
        media_type="application/xml",
        payload=b"<x/>",
        destination="file",
        role=Role.OBSERVATION,
        cites=(),
        created_at=T0,
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


@given(st.text())
def test_no_ivorn_leaves_the_folder(local: str) -> None:
    name = file_name("ivo://x#" + local)
    assert "/" not in name
    assert not name.startswith("..")
    assert Path("a", name).parent == Path("a")
